package cli

import (
	"context"
	"fmt"
	"time"

	"latchkey/app"
	"latchkey/config"
)

func flushExpiredTokens() command {
	return command{
		name:    "flushexpiredtokens",
		summary: "Delete the sessions, revocations, foreign tokens, signing keys and tries that have expired.",
		details: "What still keeps a token from being accepted stays. The server does the same once an hour, and may run " +
			"meanwhile. What happened (LATCHKEY_AUDIT_RETENTION) is for the server alone to delete.",
		options: settings("LATCHKEY_DATABASE_URL"),
		run: func(ctx context.Context, env Environment, flags map[string]string) error {
			s, err := config.Load(env.Variables, flags, "LATCHKEY_DATABASE_URL")
			if err != nil {
				return err
			}
			return flush(ctx, env, s)
		},
	}
}

// flush deletes what has expired and tells how much that was, where it fails in the middle, too.
func flush(ctx context.Context, env Environment, s *config.Settings) error {
	db, err := app.OpenStore(ctx, s)
	if err != nil {
		return explained(err, s)
	}
	defer db.Close() //nolint:errcheck // the process ends
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	cleaned, err := app.CleanTokens(ctx, db, time.Now()) //nolint:forbidigo // the clock of the process
	for _, c := range cleaned {
		fmt.Fprintf(env.Stdout, "deleted %d expired %s\n", c.Deleted, c.Kind)
	}
	return err
}
