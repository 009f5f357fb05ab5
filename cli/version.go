package cli

import (
	"context"
	"fmt"
	"runtime"

	"latchkey/app"
)

func version() command {
	return command{
		name:    "version",
		summary: "Print the version, the commit and the version of Go it was built with.",
		run: func(_ context.Context, env Environment, _ map[string]string) error {
			v, commit := app.BuildInfo()
			_, err := fmt.Fprintf(env.Stdout, "latchkey %s, commit %s, %s\n", v, commit, runtime.Version())
			return err
		},
	}
}
