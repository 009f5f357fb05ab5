// Package app puts the parts together: Open gives a command everything it needs, Handler is the whole HTTP face, Serve
// runs it. It alone sees settings, auth and store at once.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"

	"latchkey/auth"
	"latchkey/auth/keys"
	"latchkey/auth/password"
	"latchkey/auth/throttle"
	"latchkey/auth/token"
	"latchkey/config"
	"latchkey/graph"
	"latchkey/store"
)

// App is an opened Latchkey. Close it when done.
type App struct {
	Settings *config.Settings
	Store    *store.Store
	Recorder *auth.Recorder
	Auth     *auth.Service
	Keys     *keys.Live
	Keeper   *keys.Keeper // nil where the signing key is in the settings
	Logger   *slog.Logger

	throttle  *throttle.Throttle  // nil where LATCHKEY_THROTTLE is false, and for commands that check nothing
	anonymous *throttle.Anonymous // nil: without limit
	closers   []io.Closer

	access    *slog.Logger
	metrics   *metrics     // nil where nobody asks for them
	tracing   *tracing     // nil where nobody asks for them
	metering  net.Listener // of the metrics; nil until Listen
	now       func() time.Time
	trusted   *graph.Trusted // nil: there are none, or they were not read yet
	hashSlots int            // how many passwords are hashed at once

	certificate *certificate // nil: without TLS, or not read yet
}

// Options is what Open is handed.
type Options struct {
	Settings *config.Settings
	Logger   *slog.Logger
	Access   *slog.Logger     // for the access log; nil: Logger
	Now      func() time.Time // nil: time.Now
	Hashing  password.Params  // zero: the defaults; tests use cheaper ones
	Keyless  bool             // for commands that sign and verify nothing: no key is read or made

	Environ []string  // as os.Environ returns it, for the OTEL_* variables; nil: there are no traces
	Console io.Writer // where OTEL_TRACES_EXPORTER=console writes; nil: nowhere
}

// Open opens the database, brings it to the newest schema version, and makes or reads the keys.
func Open(ctx context.Context, o Options) (*App, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Access == nil {
		o.Access = o.Logger
	}
	if o.Console == nil {
		o.Console = io.Discard
	}
	traces, err := newTracing(ctx, o.Environ, o.Console, o.Logger)
	if err != nil {
		return nil, err
	}
	db, err := openStore(ctx, o.Settings, traces)
	if err != nil {
		traces.close()
		return nil, err
	}
	a := &App{Settings: o.Settings, Store: db, Logger: o.Logger, access: o.Access, now: o.Now, tracing: traces}
	a.Recorder = auth.NewRecorder(auth.RecorderOptions{
		Store: db, Logger: o.Logger, Now: o.Now, RequestID: requestID, ChainKey: a.chainKey,
	})
	if err := a.build(ctx, o); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if o.Settings.MetricsAddr != "" {
		a.metrics = newMetrics(a)
	}
	return a, nil
}

// OpenStore opens the database alone and makes the folder of an SQLite file.
func OpenStore(ctx context.Context, s *config.Settings) (*store.Store, error) {
	return openStore(ctx, s, nil)
}

func openStore(ctx context.Context, s *config.Settings, traces *tracing) (*store.Store, error) {
	system := semconv.DBSystemNamePostgreSQL
	if strings.HasPrefix(s.DatabaseURL, "sqlite:") {
		system = semconv.DBSystemNameSQLite
	}
	db, err := store.OpenThrough(ctx, s.DatabaseURL, traces.pool(system))
	if err != nil {
		return nil, fmt.Errorf("LATCHKEY_DATABASE_URL: %w", err)
	}
	return db, nil
}

// Close closes the database and what else was opened, and sends what there is of traces, for three seconds at most.
func (a *App) Close() error {
	a.tracing.close()
	errs := []error{a.Store.Close()}
	for _, c := range a.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

func (a *App) build(ctx context.Context, o Options) error {
	applied, err := a.Store.Migrate(ctx)
	if err != nil {
		return err
	}
	for _, step := range applied {
		a.Logger.InfoContext(ctx, "schema step applied", "version", step.Version, "name", step.Name)
	}
	if a.Keys, err = a.loadKeys(ctx, o); err != nil {
		return err
	}
	if !o.Keyless { // a command begins the chain with its first event
		if err := a.Recorder.OpenChain(ctx); err != nil {
			return err
		}
	}
	hasher, err := password.New(password.Options{Params: o.Hashing, Random: rand.Reader})
	if err != nil {
		return err
	}
	a.hashSlots = hasher.Slots()
	if err := a.openThrottle(ctx, o); err != nil {
		return err
	}
	s := a.Settings
	a.Auth, err = auth.New(auth.Options{
		Store: a.Store, Keys: a.Keys, Logger: a.Logger, Now: o.Now, Random: rand.Reader,
		Codec: token.New(token.Options{
			Issuer: s.Issuer, Audience: s.Audience, Leeway: s.Leeway, UserIDClaim: s.UserIDClaim, Carried: s.CarriedClaims, Now: o.Now,
		}),
		Recorder:        a.Recorder,
		Passwords:       hasher,
		Policy:          password.NewPolicy(),
		AccessLifetime:  s.AccessTokenLifetime,
		RefreshLifetime: s.RefreshTokenLifetime,
		SessionLifetime: s.SessionLifetime,
		ReuseLeeway:     s.RefreshReuseLeeway,
		Rotate:          s.RotateRefreshTokens,
		Leeway:          s.Leeway,
		UpdateLastLogin: s.UpdateLastLogin,
		Throttle:        a.throttle,
	})
	if err != nil || o.Keyless {
		return err
	}
	return a.Auth.Load(ctx)
}

// Follow keeps what other processes change known here, and does what is due from time to time, until ctx ends.
func (a *App) Follow(ctx context.Context) {
	var group sync.WaitGroup
	group.Go(func() { a.Auth.Follow(ctx) })
	group.Go(func() { a.Recorder.Run(ctx) })
	group.Go(func() { a.maintain(ctx) })
	if a.certificate != nil {
		group.Go(func() { a.certificate.follow(ctx) })
	}
	group.Wait()
}

// loadKeys returns the ring of the key in the settings, where there is one, else of the keys in the database.
func (a *App) loadKeys(ctx context.Context, o Options) (*keys.Live, error) {
	if o.Keyless {
		return keys.NewLive(new(keys.Ring), nil), nil
	}
	s := a.Settings
	if s.SigningKey != "" || s.SigningKeyFile != "" {
		ring, err := configuredKey(s)
		return keys.NewLive(ring, nil), err
	}
	var err error
	if a.Keeper, err = a.OpenKeeper(ctx); err != nil {
		return nil, err
	}
	ring, err := a.Keeper.Load(ctx)
	return keys.NewLive(ring, a.Keeper.Load), a.ExplainSecret(err)
}

// OpenKeeper returns the keeper of the keys in the database. It reads and makes none yet.
func (a *App) OpenKeeper(ctx context.Context) (*keys.Keeper, error) {
	s := a.Settings
	if s.SigningKey != "" || s.SigningKeyFile != "" {
		return nil, errors.New("the signing key is in the settings (LATCHKEY_SIGNING_KEY), not in the database")
	}
	a.warnOfReaders(ctx)
	return a.keeper(a.Recorder.RecordedKeys()), nil
}

func (a *App) keeper(kept keys.Kept) *keys.Keeper {
	s := a.Settings
	return &keys.Keeper{
		Kept: kept, Secret: a.sealer, Algorithm: s.Algorithm, Now: a.now, Random: rand.Reader,
		Lifetime: max(s.AccessTokenLifetime, s.RefreshTokenLifetime) + s.Leeway + time.Minute,
	}
}

// signingKeyText returns the signing key in the settings, and the name of the setting.
func signingKeyText(s *config.Settings) (text []byte, name string, err error) {
	if s.SigningKeyFile == "" {
		return []byte(s.SigningKey), "LATCHKEY_SIGNING_KEY", nil
	}
	name = "LATCHKEY_SIGNING_KEY_FILE"
	content, err := os.ReadFile(s.SigningKeyFile)
	if err != nil {
		return nil, name, fmt.Errorf("%s: %w", name, err)
	}
	return []byte(strings.TrimRight(string(content), "\r\n")), name, nil
}

func configuredKey(s *config.Settings) (*keys.Ring, error) {
	text, name, err := signingKeyText(s)
	if err != nil {
		return nil, err
	}
	read := keys.FromPEM
	if keys.Symmetric(s.Algorithm) {
		read = keys.FromSecret
	}
	key, err := read(s.Algorithm, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return keys.NewRing(key)
}
