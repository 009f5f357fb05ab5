package config

import (
	"slices"
	"strings"
)

// Load reads every setting: from flags, by the flag's name without dashes; else from the environment, as os.Environ
// returns it; else its default.
//
// The error is Faults: values that do not parse, values that cannot be used, contradictions, and variables that look
// like settings and are none. A command that uses only some settings names their variables in needs: what is wrong with
// the others is then none of its business. Settings are returned in any case, with the default where a value did not
// parse.
func Load(environ []string, flags map[string]string, needs ...string) (*Settings, error) {
	var s Settings
	var faults Faults
	variables := byName(environ)
	source := map[string]string{} // the variable a setting was really read from
	for _, group := range s.table() {
		for _, setting := range group.Settings {
			source[setting.Variable] = setting.read(flags, variables, &faults)
		}
	}
	faults = append(faults, s.Validate()...)
	if len(needs) > 0 {
		faults = slices.DeleteFunc(faults, func(f Fault) bool { return !slices.Contains(needs, f.Variable) })
	}
	for i, f := range faults {
		faults[i].Variable = source[f.Variable]
	}
	if faults = append(faults, unknownVariables(environ)...); len(faults) > 0 {
		return &s, faults
	}
	return &s, nil
}

// read writes the value of the setting and returns the variable to name when something is wrong with it.
func (s Setting) read(flags, variables map[string]string, faults *Faults) string {
	if s.Default != "" {
		_ = s.set(s.Default) // a test loads all of them
	}
	name := s.Variable
	value, given := flags[s.Flag()]
	if !given {
		value, given = variables[name]
	}
	if !given && s.Else != "" {
		if value, given = variables[s.Else]; given {
			name = s.Else
		}
	}
	switch {
	case !given:
	case value == "" && s.Default != "":
		faults.add(s.Variable, "it is set, but empty: give it a value, or leave it out for %s", s.Default)
	case value == "":
		faults.add(s.Variable, "it is set, but empty: give it a value, or leave it out")
	default:
		if err := s.set(value); err != nil {
			faults.add(s.Variable, "%v", err)
		}
	}
	return name
}

// byName splits what os.Environ returns.
func byName(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		m[name] = value
	}
	return m
}

// unknownVariables refuses what looks like a setting and is none: a misspelt limit would silently not hold.
func unknownVariables(environ []string) Faults {
	known := Variables()
	var f Faults
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, Prefix) || slices.Contains(known, name) {
			continue
		}
		if fromKubernetes(name, value) {
			f.add(name, "there is no such setting; Kubernetes makes it for a service named latchkey, "+
				"unless the pod has enableServiceLinks: false")
		} else if near, ok := Nearest(name, known); ok {
			f.add(name, "there is no such setting; did you mean %s?", near)
		} else {
			f.add(name, "there is no such setting; `latchkey serve --help` lists them")
		}
	}
	return f
}

// fromKubernetes recognises the variables that tell a pod of a service: LATCHKEY_SERVICE_HOST, LATCHKEY_SERVICE_PORT,
// LATCHKEY_PORT=tcp://… and those that begin like them.
func fromKubernetes(name, value string) bool {
	return strings.HasPrefix(name, Prefix+"SERVICE_") ||
		strings.HasPrefix(name, Prefix+"PORT_") ||
		name == Prefix+"PORT" && strings.Contains(value, "://")
}
