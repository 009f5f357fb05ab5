package config

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with the settings.
type Fault struct {
	Variable string // the environment variable; for one that came as a flag, too
	Text     string // what is wrong and what to do; it never repeats a value
}

// String returns the variable and the text, in one line.
func (f Fault) String() string { return f.Variable + ": " + f.Text }

// Faults is everything that is wrong with the settings.
type Faults []Fault

// Error returns the faults, a line each.
func (f Faults) Error() string { return strings.Join(f.Lines(), "\n") }

// Lines returns the faults, each as a line without its end.
func (f Faults) Lines() []string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return lines
}

func (f *Faults) add(variable, format string, args ...any) {
	*f = append(*f, Fault{variable, fmt.Sprintf(format, args...)})
}
