package cli

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

func version() command {
	return command{
		name:    "version",
		summary: "Print the version, the commit and the version of Go it was built with.",
		run: func(_ context.Context, env Environment, _ map[string]string) error {
			v, commit := buildInfo()
			_, err := fmt.Fprintf(env.Stdout, "latchkey %s, commit %s, %s\n", v, commit, runtime.Version())
			return err
		},
	}
}

// buildInfo returns what this program was built from, as far as the build recorded it.
func buildInfo() (v, commit string) {
	v, commit = "devel", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v, commit
	}
	if info.Main.Version != "(devel)" {
		v = cmp.Or(info.Main.Version, v)
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	return v, commit
}
