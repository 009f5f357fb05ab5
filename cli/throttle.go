package cli

import (
	"context"
	"fmt"

	"latchkey/config"
)

func throttleClear() command {
	names := []string{
		"LATCHKEY_DATABASE_URL", "LATCHKEY_SECRET_KEY", "LATCHKEY_SECRET_KEY_FALLBACKS", "LATCHKEY_SIGNING_KEY",
		"LATCHKEY_SIGNING_KEY_FILE", "LATCHKEY_ALGORITHM", "LATCHKEY_THROTTLE_REDIS_URL",
	}
	return command{
		name:     "throttle clear",
		argument: "USERNAME",
		summary:  "Forget the wrong passwords that were tried for a user.",
		details: "Whoever has to wait may try again at once; so may an attacker. It tells how many budgets were used: of the " +
			"account, of each network that tried it and of each device on which the user is known. It needs the secret key of " +
			"the servers, under which names are kept.",
		options: append(settings(names...), option{
			name: "address", placeholder: "ADDRESS",
			help: "Forget the wrong passwords that came from the network of this address, too, whatever the account.",
		}),
		run: func(ctx context.Context, env Environment, flags map[string]string) error {
			s, err := config.Load(env.Variables, flags, names...)
			if err != nil {
				return err
			}
			a, err := openQuietly(ctx, env, s)
			if err != nil {
				return err
			}
			defer a.Close() //nolint:errcheck // the process ends
			n, err := a.ForgetTries(ctx, flags["USERNAME"], flags["address"])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.Stdout, "budgets cleared: %d\n", n)
			return err
		},
	}
}
