package auth

import (
	"context"
	"time"

	"latchkey/models"
)

// RecordedKeys returns the signing keys of the store, for a keys.Keeper; their changes are recorded.
func (r *Recorder) RecordedKeys() models.SigningKeys { return recordedKeys{r.o.Store, r} }

type recordedKeys struct {
	kept     models.SigningKeys
	recorder *Recorder
}

// SigningKeys implements models.SigningKeys.
func (k recordedKeys) SigningKeys(ctx context.Context) ([]models.SigningKey, error) {
	return k.kept.SigningKeys(ctx)
}

// CreateSigningKey implements models.SigningKeys.
func (k recordedKeys) CreateSigningKey(ctx context.Context, key *models.SigningKey) error {
	return k.kept.CreateSigningKey(ctx, key)
}

// ReplaceSealed implements models.SigningKeys.
func (k recordedKeys) ReplaceSealed(ctx context.Context, id string, old, replacement []byte) (bool, error) {
	return k.kept.ReplaceSealed(ctx, id, old, replacement)
}

// RotateSigningKey implements models.SigningKeys.
func (k recordedKeys) RotateSigningKey(ctx context.Context, r models.Rotation) (rotated bool, err error) {
	err = k.recorder.change(ctx, func(tx models.Store) ([]event, error) {
		if rotated, err = tx.RotateSigningKey(ctx, r); err != nil || !rotated {
			return nil, err
		}
		e := event{name: EventSigningKeyRotated, detail: map[string]any{"from": r.From, "to": r.To}}
		return []event{e.by(ctx)}, nil
	})
	return rotated && err == nil, err
}

// ExpireSigningKey implements models.SigningKeys.
func (k recordedKeys) ExpireSigningKey(ctx context.Context, id string, now time.Time) error {
	return k.recorder.change(ctx, func(tx models.Store) ([]event, error) {
		e := event{name: EventSigningKeyRetired, detail: map[string]any{"kid": id}}
		return []event{e.by(ctx)}, tx.ExpireSigningKey(ctx, id, now)
	})
}
