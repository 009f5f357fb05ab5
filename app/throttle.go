package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"

	"latchkey/auth"
	"latchkey/auth/throttle"
	"latchkey/auth/throttle/redis"
	"latchkey/auth/username"
	"latchkey/fault"
	"latchkey/models"
)

// fallbackBuckets is how many buckets of tries are kept in memory while Redis is away: some 15 MB.
const fallbackBuckets = 100_000

// openThrottle makes what bounds tries at passwords and anonymous work, where the settings want it.
func (a *App) openThrottle(ctx context.Context, o Options) error {
	s := a.Settings
	if !s.Throttle || o.Keyless {
		return nil
	}
	var err error
	if a.throttle, err = a.makeThrottle(ctx); err != nil || s.AnonymousRate == 0 {
		return err
	}
	a.anonymous, err = throttle.NewAnonymous(s.AnonymousRate, a.now)
	return err
}

func (a *App) makeThrottle(ctx context.Context) (*throttle.Throttle, error) {
	attempts, err := a.openAttempts()
	if err != nil {
		return nil, err
	}
	secrets, err := a.throttleSecrets(ctx)
	if err != nil {
		return nil, err
	}
	return throttle.New(throttle.Options{Attempts: attempts, Secrets: secrets, Now: a.now, Random: rand.Reader})
}

// throttleSecrets returns what the keys of names and devices are derived from: the server's secret, or where there is none
// because the signing key is in the settings, that one. Whoever knows it can sign in as anybody anyway.
func (a *App) throttleSecrets(ctx context.Context) ([][]byte, error) {
	s := a.Settings
	if s.SecretKey != "" || s.SigningKey == "" && s.SigningKeyFile == "" {
		return a.secrets(ctx)
	}
	text, _, err := signingKeyText(s)
	return [][]byte{text}, err
}

// ForgetTries forgets the wrong passwords that were tried for an account, and those from the network of an address where
// one is given. It returns how many budgets were used. It is for operators, also where nothing is throttled here.
func (a *App) ForgetTries(ctx context.Context, name, address string) (int, error) {
	t, err := a.makeThrottle(ctx)
	if err != nil {
		return 0, err
	}
	n, err := t.Forget(ctx, username.Normalize(name))
	if err != nil || address == "" {
		return n, err
	}
	of, err := t.ForgetNetwork(ctx, address)
	return n + of, err
}

// openAttempts returns where tries are counted.
func (a *App) openAttempts() (models.Attempts, error) {
	if a.Settings.ThrottleRedisURL == "" {
		return a.Store, nil
	}
	shared, err := redis.Open(a.Settings.ThrottleRedisURL)
	if err != nil {
		return nil, fmt.Errorf("LATCHKEY_THROTTLE_REDIS_URL: %w", err)
	}
	a.closers = append(a.closers, shared)
	memory, err := throttle.NewMemory(fallbackBuckets)
	return throttle.NewFallback(shared, memory, a.Logger, a.now), err
}

type refusalKey struct{}

// limitAnonymous bounds what each network asks for without showing a credential that is accepted: an access token, or
// with the request itself a password or another token. It must stand inside auth.Middleware. The refusal is the
// handler's to give, in its own form; admitted tells it.
func (a *App) limitAnonymous(next http.Handler) http.Handler {
	if a.anonymous == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if _, err := auth.CallerFrom(ctx); err == nil {
			next.ServeHTTP(w, r)
			return
		}
		address := auth.ClientFrom(ctx).IPAddress
		if wait := a.anonymous.Wait(address); wait > 0 {
			next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, refusalKey{}, fault.RateLimited(wait))))
			return
		}
		ctx, proved := auth.WithProof(ctx)
		defer func() {
			if !proved() {
				a.anonymous.Count(address)
			}
		}()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// admitted returns the refusal of a request that limitAnonymous did not let in.
func admitted(ctx context.Context) error {
	if refusal, ok := ctx.Value(refusalKey{}).(*fault.Error); ok {
		return refusal
	}
	return nil
}
