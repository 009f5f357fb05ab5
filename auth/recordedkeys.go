package auth

import (
	"context"
	"time"

	"latchkey/auth/keys"
	"latchkey/models"
)

// RecordedKeys returns the signing keys of the store, for a keys.Keeper; their changes are recorded.
func (r *Recorder) RecordedKeys() keys.Kept { return recordedKeys{r} }

type recordedKeys struct{ recorder *Recorder }

// SigningKeys implements keys.Kept.
func (k recordedKeys) SigningKeys(ctx context.Context) ([]models.SigningKey, error) {
	return k.recorder.o.Store.SigningKeys(ctx)
}

// SealedChainKey implements keys.Kept.
func (k recordedKeys) SealedChainKey(ctx context.Context) ([]byte, error) {
	return k.recorder.o.Store.SealedChainKey(ctx)
}

// Alone implements keys.Kept.
func (k recordedKeys) Alone(ctx context.Context, fn func(models.SealedKeys) error) error {
	return k.recorder.change(ctx, func(tx models.Store) ([]event, error) {
		within := &recordedChange{Store: tx}
		err := fn(within)
		return within.events, err
	})
}

// recordedChange is the signing keys within a transaction, and what is to be recorded of it.
type recordedChange struct {
	models.Store
	events []event
}

// RotateSigningKey implements models.SigningKeys.
func (c *recordedChange) RotateSigningKey(ctx context.Context, r models.Rotation) (bool, error) {
	rotated, err := c.Store.RotateSigningKey(ctx, r)
	if rotated {
		c.record(ctx, EventSigningKeyRotated, map[string]any{"from": r.From, "to": r.To})
	}
	return rotated, err
}

// ExpireSigningKey implements models.SigningKeys.
func (c *recordedChange) ExpireSigningKey(ctx context.Context, id string, now time.Time) error {
	err := c.Store.ExpireSigningKey(ctx, id, now)
	if err == nil {
		c.record(ctx, EventSigningKeyRetired, map[string]any{"kid": id})
	}
	return err
}

func (c *recordedChange) record(ctx context.Context, name EventType, detail map[string]any) {
	c.events = append(c.events, event{name: name, detail: detail}.by(ctx))
}
