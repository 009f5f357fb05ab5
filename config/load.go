package config

import (
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/alecthomas/kong"
)

// Prefix begins the name of every environment variable of the server.
const Prefix = "LATCHKEY_"

// Option returns the kong option under which settings are parsed: a value that does not parse is added to faults, and
// parsing goes on, so that all of them can be told at once.
func Option(faults *Faults) kong.Option {
	durations := settingMapper{
		faults: faults, want: "a duration, as in 5m or 24h",
		parse: func(s string) (any, error) { return time.ParseDuration(s) },
	}
	booleans := settingMapper{
		faults: faults, want: "true or false", isBool: true,
		parse: func(s string) (any, error) { return strconv.ParseBool(s) },
	}
	return kong.OptionFunc(func(k *kong.Kong) error {
		if err := kong.TypeMapper(reflect.TypeFor[time.Duration](), durations).Apply(k); err != nil {
			return err
		}
		return kong.TypeMapper(reflect.TypeFor[bool](), booleans).Apply(k)
	})
}

// settingMapper parses one value.
type settingMapper struct {
	faults *Faults
	parse  func(string) (any, error)
	want   string
	isBool bool
}

// IsBool says whether the flag may stand without a value.
func (m settingMapper) IsBool() bool { return m.isBool }

// Decode parses the value into target, or adds a fault.
func (m settingMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if m.isBool && ctx.Scan.Peek().Type != kong.FlagValueToken {
		target.SetBool(true)
		return nil
	}
	var text string
	if err := ctx.Scan.PopValueInto(m.want, &text); err != nil {
		return err
	}
	value, err := m.parse(text)
	if err != nil {
		m.faults.add("%s: %q is not %s", variable(ctx.Value), text, m.want)
		return nil
	}
	target.Set(reflect.ValueOf(value))
	return nil
}

func variable(v *kong.Value) string {
	if len(v.Tag.Envs) > 0 {
		return v.Tag.Envs[0]
	}
	return "--" + v.Name
}

// FromEnvironment reads the settings from the environment alone, for commands that take no flag for each of them.
// environ is what os.Environ returns. A non-empty databaseURL goes before the environment's. The error is Faults.
func FromEnvironment(environ []string, databaseURL string) (*Settings, error) {
	var s Settings
	var faults Faults
	k, err := kong.New(&s, Option(&faults), kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err != nil {
		return nil, err
	}
	if _, err := k.Parse(nil); err != nil {
		return nil, err
	}
	if databaseURL != "" {
		s.DatabaseURL = databaseURL
	}
	return &s, s.Check(environ, faults)
}

// Check returns, as one error, the faults found while parsing, unknown variables, and what Validate finds.
func (s *Settings) Check(environ []string, parsing Faults) error {
	all := slices.Concat(parsing, unknownVariables(environ))
	for _, fault := range s.Validate() {
		// A value that did not parse has been told already; its zero value is no news.
		name, _, _ := strings.Cut(fault, ":")
		if !slices.ContainsFunc(parsing, func(told string) bool { return strings.HasPrefix(told, name+":") }) {
			all = append(all, fault)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// unknownVariables refuses what looks like a setting and is none: a misspelt limit would silently not hold.
func unknownVariables(environ []string) Faults {
	known := Variables()
	var f Faults
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, Prefix) || slices.Contains(known, name) {
			continue
		}
		nearest := slices.MinFunc(known, func(a, b string) int {
			return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
		})
		f.add("%s: there is no such setting; did you mean %s?", name, nearest)
	}
	return f
}

// Variables returns the names of all environment variables that begin with Prefix.
func Variables() []string {
	var names []string
	for field := range reflect.TypeFor[Settings]().Fields() {
		for name := range strings.SplitSeq(field.Tag.Get("env"), ",") {
			if strings.HasPrefix(name, Prefix) {
				names = append(names, name)
			}
		}
	}
	return names
}
