package auth_test

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth"
)

var update = flag.Bool("update", false, "rewrite docs/audit.md")

func TestThePageOfEventsIsPrintedFromTheTable(t *testing.T) {
	const path = "../docs/audit.md"
	page, err := template.ParseFiles("testdata/audit.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := page.Execute(&want, auth.EventTable()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("docs/audit.md is not what the list says; run this test with -update (-want +got):\n%s", diff)
	}
}

func TestEventNamesAreFitToBePublic(t *testing.T) {
	seen := map[auth.EventType]bool{}
	for _, name := range auth.EventTypes() {
		if seen[name] || !regexp.MustCompile(`^[a-z]+(_[a-z]+)+$`).MatchString(string(name)) {
			t.Errorf("%q comes twice, or is not words with _ between them", name)
		}
		seen[name] = true
	}
	counts := auth.NewRecorder(auth.RecorderOptions{}).Counts()
	if len(counts) != len(seen) {
		t.Errorf("there are %d counters for %d names", len(counts), len(seen))
	}
}
