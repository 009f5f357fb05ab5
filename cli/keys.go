package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/app"
	"latchkey/auth/keys"
	"latchkey/config"
	"latchkey/models"
)

// keySettings are what the commands for keys read.
func keySettings() []string {
	return []string{
		"LATCHKEY_DATABASE_URL", "LATCHKEY_SECRET_KEY", "LATCHKEY_SECRET_KEY_FALLBACKS", "LATCHKEY_ALGORITHM",
		"LATCHKEY_ACCESS_TOKEN_LIFETIME", "LATCHKEY_REFRESH_TOKEN_LIFETIME", "LATCHKEY_LEEWAY", // how long a rotated key verifies
	}
}

func keysList() command {
	c := command{
		name:    "keys list",
		summary: "List the signing keys in the database.",
		details: "A key is next while it is published and does not sign yet, active while it signs, retired when " +
			"another signs; a retired one verifies until it expires.",
		options: append(settings(keySettings()...), option{name: "json", help: "Write JSON, for programs."}),
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		asJSON, err := c.truth(flags, "json")
		if err != nil {
			return err
		}
		return withKeeper(ctx, env, flags, func(k *keys.Keeper) error { return listKeys(ctx, env, k, asJSON) })
	}
	return c
}

// keyLine is what keys list says of a key.
type keyLine struct {
	KID         string          `json:"kid"`
	Algorithm   string          `json:"algorithm"`
	State       models.KeyState `json:"state"`
	CreatedAt   time.Time       `json:"createdAt"`
	ActivatedAt *time.Time      `json:"activatedAt"`
	RetiredAt   *time.Time      `json:"retiredAt"`
	ExpiresAt   *time.Time      `json:"expiresAt"`
}

func listKeys(ctx context.Context, env Environment, k *keys.Keeper, asJSON bool) error {
	rows, err := k.List(ctx)
	if err != nil {
		return err
	}
	list := make([]keyLine, len(rows))
	for i, r := range rows {
		list[i] = keyLine{r.ID, r.Algorithm, r.State(), r.CreatedAt, r.ActivatedAt, r.RetiredAt, r.ExpiresAt}
	}
	if asJSON {
		return json.NewEncoder(env.Stdout).Encode(list)
	}
	for _, l := range list {
		expires := ""
		if l.ExpiresAt != nil {
			expires = "expires " + l.ExpiresAt.Format(time.RFC3339)
		}
		fmt.Fprintf(env.Stdout, "%-43s  %-6s  %-7s  made %s  %s\n", l.KID, l.Algorithm, l.State, l.CreatedAt.Format(time.RFC3339), expires)
	}
	return nil
}

func keysRotate() command {
	c := command{
		name:    "keys rotate",
		summary: "Let the next signing key take over.",
		details: "Running servers take it up within a second. Tokens of the key before go on until they expire: " +
			"nobody is signed out. It is the key of LATCHKEY_ALGORITHM, or where that is not set, of the one algorithm in use.",
		options: append(settings(keySettings()...), option{
			name: "force",
			help: "Do so within ten minutes of the last time, too: services that verify tokens by the published keys may " +
				"refuse new ones until they fetch those again.",
		}),
	}
	c.run = func(ctx context.Context, env Environment, flags map[string]string) error {
		force, err := c.truth(flags, "force")
		if err != nil {
			return err
		}
		return withKeeper(ctx, env, flags, func(k *keys.Keeper) error {
			if !env.has("LATCHKEY_ALGORITHM") && flags["algorithm"] == "" {
				if k.Algorithm, err = algorithmInUse(ctx, k); err != nil {
					return err
				}
			}
			if err := rotate(ctx, k, force); err != nil {
				return err
			}
			return listKeys(ctx, env, k, false)
		})
	}
	return c
}

// algorithmInUse returns the one algorithm that has an active key.
func algorithmInUse(ctx context.Context, k *keys.Keeper) (string, error) {
	rows, err := k.List(ctx)
	if err != nil {
		return "", err
	}
	var active []string
	for _, row := range rows {
		if row.State() == models.KeyActive {
			active = append(active, row.Algorithm)
		}
	}
	switch len(active) {
	case 0:
		return "", errors.New("there are no signing keys yet; the first start of the server makes them")
	case 1:
		return active[0], nil
	}
	return "", fmt.Errorf("there are active keys of %s: say with --algorithm which one the server uses", strings.Join(active, " and "))
}

func rotate(ctx context.Context, k *keys.Keeper, force bool) error {
	act := k.Rotate
	if force {
		act = k.RotateNow
	}
	rotated, err := act(ctx)
	if soon, ok := errors.AsType[*keys.TooSoonError](err); ok {
		return fmt.Errorf("the next key was published less than ten minutes ago, and services that verify tokens may not "+
			"know it yet: wait until %s, or use --force", soon.Until.Format(time.RFC3339))
	}
	if err == nil && !rotated {
		return errors.New("another process rotated the keys at the same moment; nothing was done")
	}
	return err
}

func keysRetire() command {
	return command{
		name:     "keys retire",
		argument: "KID",
		summary:  "End a signing key at once.",
		details: "For a key that may be known to others: no token that it signed is accepted any more, and whoever " +
			"holds one must sign in again. Where it is the active key the next one takes over.",
		options: settings(keySettings()...),
		run: func(ctx context.Context, env Environment, flags map[string]string) error {
			return withKeeper(ctx, env, flags, func(k *keys.Keeper) error {
				err := k.Retire(ctx, flags["KID"])
				if errors.Is(err, keys.ErrNoSuchKey) {
					return errors.New("there is no such key; `latchkey keys list` lists them")
				}
				if err != nil {
					return err
				}
				return listKeys(ctx, env, k, false)
			})
		},
	}
}

func keysReseal() command {
	return command{
		name:    "keys reseal",
		summary: "Seal the signing keys, and the key of the audit, under a new secret.",
		details: "Those that were sealed under a secret in LATCHKEY_SECRET_KEY_FALLBACKS are sealed under " +
			"LATCHKEY_SECRET_KEY. Where the secret is kept beside the SQLite file, a new one is made, and a running server " +
			"takes it up. docs/keys.md tells the steps. Tokens go on: the keys stay what they are.",
		options: settings(keySettings()...),
		run: func(ctx context.Context, env Environment, flags map[string]string) error {
			return withKeys(ctx, env, flags, func(a *app.App) error {
				n, err := a.Reseal(ctx)
				if err == nil || n > 0 {
					fmt.Fprintf(env.Stdout, "sealed %d keys anew\n", n)
				}
				return err
			})
		},
	}
}

// withKeeper opens the database and calls use with the keeper of its keys.
func withKeeper(ctx context.Context, env Environment, flags map[string]string, use func(*keys.Keeper) error) error {
	return withKeys(ctx, env, flags, func(a *app.App) error {
		k, err := a.OpenKeeper(ctx)
		if err != nil {
			return err
		}
		return a.ExplainSecret(use(k))
	})
}

// withKeys opens the database for a command about its keys.
func withKeys(ctx context.Context, env Environment, flags map[string]string, use func(*app.App) error) error {
	s, err := config.Load(env.Variables, flags, keySettings()...)
	if err != nil {
		return err
	}
	a, err := app.Open(ctx, app.Options{Settings: s, Logger: newLogger(s, isTerminal(env.Stderr), env.Stderr), Keyless: true})
	if err != nil {
		return explained(err, s)
	}
	defer a.Close() //nolint:errcheck // the process ends
	return use(a)
}
