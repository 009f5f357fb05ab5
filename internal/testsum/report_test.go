package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func summarise(t *testing.T, events string) (shown, closing string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "summary")
	var b strings.Builder
	err = run(strings.NewReader(events), &b, path)
	text, readErr := os.ReadFile(path)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if !strings.HasSuffix(b.String(), "\n"+string(text)) {
		t.Errorf("the file does not hold the last lines of\n%s", b.String())
	}
	return b.String(), string(text), err
}

func TestTestsAreCountedByDatabaseAndWithoutThoseAroundThem(t *testing.T) {
	_, got, err := summarise(t, `
{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestContractSQLite"}
{"Action":"run","Package":"p","Test":"TestContractSQLite/users_are_kept"}
{"Action":"pass","Package":"p","Test":"TestContractSQLite/users_are_kept"}
{"Action":"run","Package":"p","Test":"TestContractSQLite/roles_are_kept"}
{"Action":"pass","Package":"p","Test":"TestContractSQLite/roles_are_kept"}
{"Action":"pass","Package":"p","Test":"TestContractSQLite"}
{"Action":"run","Package":"p","Test":"TestRefresh"}
{"Action":"run","Package":"p","Test":"TestRefresh/sqlite"}
{"Action":"run","Package":"p","Test":"TestRefresh/postgres"}
{"Action":"pass","Package":"p","Test":"TestRefresh/sqlite"}
{"Action":"pass","Package":"p","Test":"TestRefresh/postgres"}
{"Action":"pass","Package":"p","Test":"TestRefresh"}
{"Action":"run","Package":"p","Test":"TestPath//a/b"}
{"Action":"pass","Package":"p","Test":"TestPath//a/b"}
{"Action":"pass","Package":"p","Elapsed":12.3}
{"Action":"start","Package":"empty"}
{"Action":"skip","Package":"empty"}
{"Action":"start","Package":"e2e/browser"}
{"Action":"pass","Package":"e2e/browser","Test":"at / a field answers"}
{"Action":"pass","Package":"e2e/browser"}
`[1:])
	want := `slow: p 12s
sqlite: 3 tests
postgres: 1 tests
browser: 1 tests
skipped: 0
6 passed, 0 failed, 0 skipped
`
	if got != want || err != nil {
		t.Errorf("got %v and\n%s\nwant\n%s", err, got, want)
	}
}

func TestFailuresAreShownInFullAndCountOnce(t *testing.T) {
	shown, got, err := summarise(t, `
{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"a good test is quiet\n"}
{"Action":"pass","Package":"p","Test":"TestGood"}
{"Action":"run","Package":"p","Test":"TestBad"}
{"Action":"run","Package":"p","Test":"TestBad/postgres"}
{"Action":"output","Package":"p","Test":"TestBad/postgres","Output":"=== RUN   TestBad/postgres\n"}
{"Action":"output","Package":"p","Test":"TestBad/postgres","Output":"    a_test.go:7: got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"TestBad/postgres"}
{"Action":"fail","Package":"p","Test":"TestBad"}
{"Action":"run","Package":"p","Test":"TestItself"}
{"Action":"run","Package":"p","Test":"TestItself/sub"}
{"Action":"pass","Package":"p","Test":"TestItself/sub"}
{"Action":"output","Package":"p","Test":"TestItself","Output":"    a_test.go:9: failed after its subtests\n"}
{"Action":"fail","Package":"p","Test":"TestItself"}
{"Action":"fail","Package":"p","Elapsed":0.1}
`[1:])
	for _, want := range []string{
		"    a_test.go:7: got 1, want 2\n", "    a_test.go:9: failed after its subtests\n", "FAIL  p ",
		"postgres: 1 tests\n", "\n2 passed, 2 failed, 0 skipped\n",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("there is no %q in\n%s", want, shown)
		}
	}
	for _, unwanted := range []string{"a good test is quiet", "=== RUN"} {
		if strings.Contains(shown, unwanted) {
			t.Errorf("there is %q in\n%s", unwanted, shown)
		}
	}
	if err == nil || strings.Contains(got, "got 1, want 2") {
		t.Errorf("got %v and the closing lines\n%s", err, got)
	}
}

func TestSkipsAreToldWithTheirReason(t *testing.T) {
	_, got, err := summarise(t, `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/sqlite"}
{"Action":"run","Package":"p","Test":"TestA/postgres"}
{"Action":"pass","Package":"p","Test":"TestA/sqlite"}
{"Action":"output","Package":"p","Test":"TestA/postgres","Output":"=== CONT  TestA/postgres\n"}
{"Action":"output","Package":"p","Test":"TestA/postgres","Output":"    testdb.go:55: no server\n"}
{"Action":"output","Package":"p","Test":"TestA/postgres","Output":"--- SKIP: TestA/postgres (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA/postgres"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}
`[1:])
	want := `sqlite: 1 tests
postgres: 0 tests
browser: 0 tests
skipped: 1
    p TestA/postgres: testdb.go:55: no server
1 passed, 0 failed, 1 skipped
`
	if got != want || err != nil {
		t.Errorf("got %v and\n%s\nwant\n%s", err, got, want)
	}
}

func TestWhatGoesWrongOutsideOfATestFailsTheRun(t *testing.T) {
	for _, c := range []struct{ name, events, want string }{
		{
			"a package that is not built",
			`{"Action":"build-output","ImportPath":"p","Output":"p.go:3: undefined: x\n"}
{"Action":"start","Package":"p"}
{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			"p.go:3: undefined: x\n",
		},
		{
			"a test that does not end",
			`{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/sqlite"}
{"Action":"output","Package":"p","Test":"TestA/sqlite","Output":"panic: made up\n"}
{"Action":"fail","Package":"p"}`,
			"panic: made up\n",
		},
		{
			"a package that does not end",
			`{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"signal: killed\n"}`,
			"signal: killed\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			shown, got, err := summarise(t, c.events)
			if err == nil || !strings.HasSuffix(got, "\n0 passed, 1 failed, 0 skipped\n") || !strings.Contains(shown, c.want) {
				t.Errorf("got %v and\n%s", err, shown)
			}
		})
	}
	t.Run("no test at all", func(t *testing.T) {
		shown, got, err := summarise(t, "go: no such thing\n")
		if err == nil || !strings.HasSuffix(got, "\n0 passed, 0 failed, 0 skipped\n") || !strings.HasPrefix(shown, "go: no such thing\n") {
			t.Errorf("got %v and\n%s", err, shown)
		}
	})
}
