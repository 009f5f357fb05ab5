package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// slowFrom is from how many seconds on a package is named at the end.
const slowFrom = 10

// event is one line of `go test -json`, as `go doc test2json` and `go help buildjson` describe it.
type event struct {
	Action  string
	Package string
	Test    string // empty: the event is about the package
	Elapsed float64
	Output  string
}

// ends reports whether nothing follows about the same test or package.
func (e event) ends() bool { return e.Action == "pass" || e.Action == "fail" || e.Action == "skip" }

// report is what is known of all packages so far.
type report struct {
	w       io.Writer
	running map[string]*suite
	ran     map[string]int // by place
	slow    []string
	skipped []string
	passed  int
	failed  int
}

func newReport(w io.Writer) *report {
	return &report{w: w, running: map[string]*suite{}, ran: map[string]int{}}
}

// read takes one line. What is no event is shown as it is.
func (r *report) read(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		fmt.Fprintf(r.w, "%s\n", line)
		return
	}
	if e.Action == "build-output" {
		fmt.Fprint(r.w, e.Output)
	}
	if e.Package == "" {
		return
	}
	s := r.running[e.Package]
	if s == nil {
		s = &suite{results: map[string]string{}}
		r.running[e.Package] = s
	}
	s.add(e)
	if e.Test == "" && e.ends() {
		delete(r.running, e.Package)
		r.finish(e, s)
	}
}

// finish counts the tests of a package that has ended, and shows its failures.
func (r *report) finish(e event, s *suite) {
	if e.Action == "skip" && len(s.results) == 0 { // it has no test files
		return
	}
	passed, failed := 0, 0
	for _, name := range slices.Sorted(maps.Keys(s.results)) {
		switch result := s.results[name]; {
		case result == "skip":
			r.skipped = append(r.skipped, fmt.Sprintf("%s %s: %s", e.Package, name, s.reason(name)))
			continue
		case s.countedBelow(name):
			continue
		case result == "pass":
			passed++
		default: // it failed, or it did not end
			failed++
		}
		r.ran[place(e.Package, name)]++
	}
	if e.Action == "fail" && failed == 0 { // it was not built, or failed outside of its tests
		failed++
	}
	r.passed += passed
	r.failed += failed

	word, tail := "ok", ""
	if failed > 0 {
		word, tail = "FAIL", fmt.Sprintf(", %d failed", failed)
		s.showFailures(r.w)
	}
	fmt.Fprintf(r.w, "%-4s  %-34s %6.1fs %5d passed%s\n", word, e.Package, e.Elapsed, passed, tail)
	if e.Elapsed >= slowFrom {
		r.slow = append(r.slow, fmt.Sprintf("%s %.0fs", e.Package, e.Elapsed))
	}
}

// close returns the closing lines, and whether all is well. A package that has not ended by now has failed.
func (r *report) close() (text string, ok bool) {
	for _, name := range slices.Sorted(maps.Keys(r.running)) {
		r.finish(event{Package: name, Action: "fail"}, r.running[name])
	}
	var b strings.Builder
	if len(r.slow) > 0 {
		fmt.Fprintf(&b, "slow: %s\n", strings.Join(r.slow, ", "))
	}
	for _, where := range []string{sqlite, postgres, browser} {
		fmt.Fprintf(&b, "%s: %d tests\n", where, r.ran[where])
	}
	fmt.Fprintf(&b, "skipped: %d\n", len(r.skipped))
	for _, line := range r.skipped {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	fmt.Fprintf(&b, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skipped))
	return b.String(), r.failed == 0 && r.passed > 0
}

// The places by which tests are counted.
const (
	sqlite   = "sqlite"
	postgres = "postgres"
	browser  = "browser"
)

// place returns where a test ran: on a database where its own name or that of a test around it ends in the database's,
// in a browser where its package is the one for that. It is empty for all others.
func place(pkg, name string) string {
	if pkg == "e2e/browser" {
		return browser
	}
	for part := range strings.SplitSeq(strings.ToLower(name), "/") {
		for _, database := range []string{sqlite, postgres} {
			if strings.HasSuffix(part, database) {
				return database
			}
		}
	}
	return ""
}
