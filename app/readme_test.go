package app_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"latchkey/auth"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// The calls of the README and of the guide from Django, pasted into a shell one after the other, answer what is said.
func TestTheReadmeIsTrue(t *testing.T) {
	for _, page := range []struct{ file, section string }{
		{"../README.md", "The five calls"}, {"../docs/django.md", "The calls"},
	} {
		t.Run(page.section, func(t *testing.T) { testCalls(t, page.file, page.section) })
	}
}

func testCalls(t *testing.T, file, section string) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("skipped: no curl to paste the README's calls into")
	}
	s := testkit.Start(t, testdb.SQLite(t))
	if _, err := s.App.Auth.CreateUser(auth.AsOperator(t.Context()), auth.UserForm{Username: "admin", Password: testkit.Password}); err != nil {
		t.Fatal(err)
	}
	calls := callsOf(t, file, section)
	if len(calls) < 5 {
		t.Fatalf("%s has %d calls", file, len(calls))
	}
	var script strings.Builder
	fmt.Fprintf(&script, "PASSWORD='%s'\n", testkit.Password)
	for _, c := range calls {
		fmt.Fprintf(&script, "%s\nprintf '\\n---\\n'\n", c.shell)
	}
	text := strings.NewReplacer("http://127.0.0.1:8000", s.URL, "the password that was shown", testkit.Password).Replace(script.String())
	command := exec.CommandContext(t.Context(), "bash", "-eu", "-c", text)
	command.Dir = t.TempDir()
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	answers := strings.Split(string(out), "\n---\n")
	for i, c := range calls {
		if c.answer == "" {
			continue
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(c.answer), "…", ".*")
		if got := strings.TrimSpace(answers[i]); !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
			t.Errorf("%s\nanswers %s\nit should be %s", c.shell, got, c.answer)
		}
	}
}

// call is a block of shell and, where one follows, the answer that is promised.
type call struct{ shell, answer string }

// callsOf returns the shell blocks of a section.
func callsOf(t *testing.T, file, title string) []call {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(content), "\n## "+title+"\n")
	if !ok {
		t.Fatalf("%s has no section with the calls", file)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```(sh|json)\n(.*?)\n```")
	var calls []call
	for _, m := range blocks.FindAllStringSubmatch(section, -1) {
		if m[1] == "sh" {
			calls = append(calls, call{shell: m[2]})
		} else {
			calls[len(calls)-1].answer = m[2]
		}
	}
	return calls
}
