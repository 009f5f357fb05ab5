package cli

import (
	"context"
	"fmt"
	"time"

	"latchkey/app"
	"latchkey/config"
)

func migrate() command {
	c := command{
		name:    "migrate",
		summary: "Bring the database to the newest schema version.",
		details: "It may be run again, and from several nodes at once. The server does the same when it starts.",
		options: append(settings("LATCHKEY_DATABASE_URL"), option{
			name: "status", help: "List the steps and when they were applied, and change nothing.",
		}),
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		status, err := c.truth(flags, "status")
		if err != nil {
			return err
		}
		s, err := config.Load(env.Variables, flags, "LATCHKEY_DATABASE_URL")
		if err != nil {
			return err
		}
		db, err := app.OpenStore(ctx, s)
		if err != nil {
			return explained(err, s)
		}
		defer db.Close() //nolint:errcheck // the process ends
		if status {
			steps, err := db.MigrationStatus(ctx)
			for _, step := range steps {
				fmt.Fprintf(env.Stdout, "%-28s  %s\n", state(step.AppliedAt), step.Name)
			}
			return err
		}
		applied, err := db.Migrate(ctx)
		for _, step := range applied {
			fmt.Fprintf(env.Stdout, "applied %s\n", step.Name)
		}
		if err == nil && len(applied) == 0 {
			fmt.Fprintln(env.Stdout, "nothing to do: the schema is at the newest version")
		}
		return err
	}
	return c
}

// state says when a step was applied; the zero time is that of one that is pending.
func state(applied time.Time) string {
	if applied.IsZero() {
		return "pending"
	}
	return "applied " + applied.UTC().Format(time.RFC3339)
}
