package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestImportDjangoShowsABarAtATerminal(t *testing.T) {
	dir := t.TempDir()
	var dump strings.Builder
	for id := 1; id <= 1200; id++ {
		fmt.Fprintf(&dump, `{"model":"auth.user","pk":%d,"fields":{"username":"user%d","password":"!"}}`+"\n", id, id)
	}
	fmt.Fprint(&dump, `{"model":"auth.user","pk":1,"fields":{"username":"again","password":"!"}}`)
	path := filepath.Join(dir, "dump.jsonl")
	if err := os.WriteFile(path, []byte(dump.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startSession(t, dir, "import-django", "--keep-going", path)
	got, status := s.end()
	got = regexp.MustCompile(`  [0-9]+/s`).ReplaceAllString(got, "") // where a phase took a second
	const gone = "\r\x1b[K"
	full := "[" + strings.Repeat("#", 30) + "] 100 %  1200 users"
	for _, want := range []string{
		"reading  [..............................]   ",
		gone + "record 1201 (line 1201, byte ",
		gone + "checking " + full, gone + "writing  " + full + gone + "users: 1200 new, 0 updated, 0 unchanged\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q on the screen:\n%q", want, got)
		}
	}
	if status != 1 || !strings.HasSuffix(got, "latchkey: everything but 1 record was imported, see above: mend the dump, and run it again\n") {
		t.Errorf("exit status %d, and the screen ends:\n%q", status, got[max(len(got)-300, 0):])
	}
}

func TestImportDjangoTellsOfAHundredRecordsAndCountsTheOthers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "dump.jsonl")
	if err := os.WriteFile(path, []byte(strings.Repeat(`{"model":"auth.user"}`+"\n", 150)), 0o600); err != nil {
		t.Fatal(err)
	}
	got, status := startSession(t, dir, "import-django", path).end()
	if status != 1 || strings.Count(got, "record ") != 100 || !strings.Contains(got, "and 50 records more\n") ||
		!strings.Contains(got, "latchkey: nothing was imported, for 150 records cannot be") {
		t.Errorf("exit status %d, and the screen:\n%s", status, got)
	}
}
