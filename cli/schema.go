package cli

import (
	"context"
	"io"

	"latchkey/graph"
)

func schema() command {
	return command{
		name:    "schema",
		summary: "Print the GraphQL schema in the schema definition language.",
		details: "It needs no setting, no database and no server.",
		run: func(_ context.Context, env Environment, _ map[string]string) error {
			_, err := io.WriteString(env.Stdout, graph.SDL())
			return err
		},
	}
}
