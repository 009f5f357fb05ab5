package main

import (
	"fmt"
	"io"
	"strings"
)

// suite is what is known of one package.
type suite struct {
	results map[string]string // by test: pass, fail, skip, or empty while it runs
	output  []event
}

func (s *suite) add(e event) {
	switch {
	case e.Action == "output":
		s.output = append(s.output, e)
	case e.Test == "":
	case e.Action == "run":
		s.results[e.Test] = ""
	case e.ends():
		s.results[e.Test] = e.Action
	}
}

// countedBelow reports whether the result of a test is only that of its subtests, each of which counts by itself: the
// test has some, and one of them failed where it did.
func (s *suite) countedBelow(name string) bool {
	hasSubtests, hasFailed := false, false
	for other, result := range s.results {
		if strings.HasPrefix(other, name+"/") {
			hasSubtests = true
			hasFailed = hasFailed || failed(result)
		}
	}
	return hasSubtests && hasFailed == failed(s.results[name])
}

// failed takes a test that did not end for failed.
func failed(result string) bool { return result != "pass" && result != "skip" }

// showFailures prints what the failed tests and the package itself wrote, in the order in which it came.
func (s *suite) showFailures(w io.Writer) {
	for _, e := range s.output {
		if (e.Test == "" || failed(s.results[e.Test])) && !isProgress(e.Output) {
			fmt.Fprint(w, e.Output)
		}
	}
}

// reason returns what a skipped test wrote.
func (s *suite) reason(name string) string {
	var lines []string
	for _, e := range s.output {
		if text := strings.TrimSpace(e.Output); e.Test == name && !isProgress(text) && !strings.HasPrefix(text, "--- ") {
			lines = append(lines, text)
		}
	}
	if len(lines) == 0 {
		return "no reason given"
	}
	return strings.Join(lines, " ")
}

// isProgress reports whether a line only tells that a test began, waits or goes on.
func isProgress(line string) bool { return strings.HasPrefix(line, "=== ") }
