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

// The calls of the README, pasted into a shell one after the other, answer what the README says.
func TestTheReadmeIsTrue(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("skipped: no curl to paste the README's calls into")
	}
	s := testkit.Start(t, testdb.SQLite(t))
	if _, err := s.App.Auth.CreateUser(t.Context(), auth.UserForm{Username: "admin", Password: testkit.Password}); err != nil {
		t.Fatal(err)
	}
	calls := readmeCalls(t)
	if len(calls) < 6 {
		t.Fatalf("the README has %d calls", len(calls))
	}
	var script strings.Builder
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
			t.Errorf("%s\nanswers %s\nthe README says %s", c.shell, got, c.answer)
		}
	}
}

// call is a block of shell and, where one follows, the answer that is promised.
type call struct{ shell, answer string }

// readmeCalls returns the shell blocks of the section with the calls.
func readmeCalls(t *testing.T) []call {
	t.Helper()
	content, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(content), "\n## The five calls\n")
	if !ok {
		t.Fatal("the README has no section with the calls")
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
