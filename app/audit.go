package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"latchkey/auth"
	"latchkey/auth/chain"
	"latchkey/auth/keys"
	"latchkey/auth/username"
	"latchkey/config"
	"latchkey/models"
)

// chainKey returns the key of the audit chain, and begins the chain where there is none.
func (a *App) chainKey(ctx context.Context, kept models.Store) (*chain.Key, error) {
	key, err := auth.EventChainKey(ctx, a.keeper(auth.ChainKeeper(kept)))
	return key, a.ExplainSecret(err)
}

// cleanChain is the cleaning of what is in the audit chain.
type cleanChain struct{ recorder *auth.Recorder }

// Clean implements models.Cleaning, for events.
func (c cleanChain) Clean(ctx context.Context, _ models.Perishable, over time.Time, limit int) (models.Bite, error) {
	return c.recorder.Clean(ctx, over, limit)
}

// Audit is a database whose events are looked at. Nothing is migrated, and but for Restart nothing is written. Close it when done.
type Audit struct{ app *App }

// OpenAudit opens the database of the settings.
func OpenAudit(ctx context.Context, s *config.Settings) (*Audit, error) {
	db, err := OpenStore(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := db.Ready(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Audit{&App{Settings: s, Store: db, now: time.Now}}, nil
}

// Close closes the database.
func (a *Audit) Close() error { return a.app.Close() }

// Verify verifies the chain of events, as auth.VerifyEvents does.
func (a *Audit) Verify(ctx context.Context, noted *chain.Mark) (auth.ChainReport, error) {
	for {
		key, err := a.key(ctx)
		if err != nil {
			return auth.ChainReport{}, err
		}
		report, err := auth.VerifyEvents(ctx, a.app.Store, key, noted)
		if !errors.Is(err, chain.ErrOther) {
			return report, err
		}
	}
}

// Restart begins a new chain where the present one is broken, as auth.RestartEventChain does.
func (a *Audit) Restart(ctx context.Context) (auth.ChainRestart, error) {
	done, err := auth.RestartEventChain(ctx, a.app.Store, a.app.keeper(auth.ChainKeeper(a.app.Store)))
	if errors.Is(err, keys.ErrWrongSecret) {
		return done, a.wrongSecret()
	}
	return done, err
}

// Events returns a page of events, the newest first.
func (a *Audit) Events(ctx context.Context, q models.EventQuery) (models.EventPage, error) {
	return a.app.Store.ListEvents(ctx, q)
}

// UserID returns the id of the user of that name, or the id that the text is, whether there still is such a user or not.
func (a *Audit) UserID(ctx context.Context, text string) (int64, error) {
	user, err := a.app.Store.UserByUsername(ctx, username.Normalize(text))
	if err == nil {
		return user.ID, nil
	}
	if id, notID := strconv.ParseInt(text, 10, 64); errors.Is(err, models.ErrNotFound) && notID == nil && id > 0 {
		return id, nil
	}
	if errors.Is(err, models.ErrNotFound) {
		return 0, errors.New("there is no user of that name; of one who is gone give the id")
	}
	return 0, err
}

// key returns the key of the chain; nil where there is none.
func (a *Audit) key(ctx context.Context) (*chain.Key, error) {
	sealed, err := a.app.Store.SealedChainKey(ctx)
	if err != nil || sealed == nil {
		return nil, err
	}
	sealer, err := a.app.sealer(ctx)
	if err != nil {
		return nil, err
	}
	secret, err := sealer.OpenChainKey(sealed)
	if errors.Is(err, keys.ErrWrongSecret) {
		return nil, a.wrongSecret()
	}
	if err != nil {
		return nil, err
	}
	return chain.NewKey(secret)
}

func (a *Audit) wrongSecret() error {
	return fmt.Errorf("nothing was verified: %s does not open the key of the audit chain in this database. Put back "+
		"what it was made under, or give that in LATCHKEY_SECRET_KEY_FALLBACKS; if it is the right secret, the sealed key in "+
		"event_chain was changed", a.app.secretName())
}
