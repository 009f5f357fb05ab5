package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"latchkey/auth/token"
	"latchkey/models"
)

// Keeper makes, rotates and retires the keys that are kept in the database. Of each algorithm in use there is an active
// key, which signs, and a next one, which is published long before it does. It is safe for use by many goroutines, and
// many nodes may do the same at once: one succeeds.
type Keeper struct {
	Kept      models.SigningKeys
	Sealer    *Sealer
	Algorithm string        // of the keys to sign with
	Lifetime  time.Duration // of the longest-lived token: so long a key that was rotated away still verifies
	Now       func() time.Time
	Random    io.Reader
}

// Load returns the ring of the keys in the database, signing with the active one of the algorithm. An active or a next
// key that is missing is made. ErrWrongSecret where a key was sealed under another secret: no key is made then.
func (k *Keeper) Load(ctx context.Context) (*Ring, error) {
	rows, err := k.List(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := k.ring(rows); err != nil && !errors.Is(err, errNoActiveKey) {
		return nil, err
	}
	active, next := k.current(rows)
	if active == nil || next == nil {
		if rows, err = k.fill(ctx, active == nil, next == nil); err != nil {
			return nil, err
		}
	}
	return k.ring(rows)
}

// List returns the keys, oldest first.
func (k *Keeper) List(ctx context.Context) ([]models.SigningKey, error) {
	rows, err := k.Kept.SigningKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	return rows, nil
}

// Rotate lets the next key take over and publishes the one after it, and reports whether it did: another node may have
// been first.
func (k *Keeper) Rotate(ctx context.Context) (bool, error) { return k.rotate(ctx, time.Time{}) }

// RotateIfDue is Rotate where the active key began to sign longer ago than the time given.
func (k *Keeper) RotateIfDue(ctx context.Context, every time.Duration) (bool, error) {
	return k.rotate(ctx, k.Now().Add(-every))
}

// rotate rotates, where begun is set only if the active key began to sign before it.
func (k *Keeper) rotate(ctx context.Context, begun time.Time) (bool, error) {
	rows, err := k.List(ctx)
	if err != nil {
		return false, err
	}
	if len(rows) == 0 { // nobody has started yet
		if rows, err = k.fill(ctx, true, true); err != nil {
			return false, err
		}
	}
	active, next := k.current(rows)
	if active == nil || next == nil {
		return false, fmt.Errorf("%w of the algorithm %s: is that the server's?", errNoActiveKey, k.Algorithm)
	}
	if !begun.IsZero() && active.ActivatedAt.After(begun) {
		return false, nil
	}
	after, err := k.generate(nil)
	if err != nil {
		return false, err
	}
	now := k.now()
	rotated, err := k.Kept.RotateSigningKey(ctx, models.Rotation{
		From: active.ID, To: next.ID, Next: after, Now: now, ExpiresAt: now.Add(k.Lifetime),
	})
	if err != nil {
		return false, fmt.Errorf("rotate signing key: %w", err)
	}
	return rotated, nil
}

// ErrNoSuchKey says that there is no key of that kid.
var ErrNoSuchKey = errors.New("there is no such key")

// Retire ends a key at once: from now on no token that it signed is accepted. An active key is rotated away first.
func (k *Keeper) Retire(ctx context.Context, kid string) error {
	rows, err := k.List(ctx)
	if err != nil {
		return err
	}
	active, _ := k.current(rows)
	if active != nil && active.ID == kid {
		if _, err := k.Rotate(ctx); err != nil {
			return err
		}
	}
	err = k.Kept.ExpireSigningKey(ctx, kid, k.now())
	if errors.Is(err, models.ErrNotFound) {
		return ErrNoSuchKey
	}
	if err != nil {
		return fmt.Errorf("retire signing key: %w", err)
	}
	if active != nil { // the algorithm is in use
		_, err = k.Load(ctx) // which makes the next key, if it was that one
	}
	return err
}

// Reseal seals every key under the present secret that was sealed under one from before, and returns how many there
// were. It may run again, and beside servers: those that know both secrets notice nothing.
func (k *Keeper) Reseal(ctx context.Context) (int, error) {
	rows, err := k.List(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, row := range rows {
		sealed, err := k.Sealer.Reseal(row.ID, row.Algorithm, row.Sealed)
		if err != nil {
			return n, fmt.Errorf("reseal key %s: %w", row.ID, err)
		}
		if bytes.Equal(sealed, row.Sealed) {
			continue
		}
		replaced, err := k.Kept.ReplaceSealed(ctx, row.ID, row.Sealed, sealed)
		if err != nil {
			return n, fmt.Errorf("reseal key %s: %w", row.ID, err)
		}
		if replaced {
			n++
		}
	}
	return n, nil
}

func (k *Keeper) now() time.Time { return k.Now().UTC().Truncate(time.Microsecond) }

// current returns the active and the next key of the algorithm; nil where there is none.
func (k *Keeper) current(rows []models.SigningKey) (active, next *models.SigningKey) {
	for _, row := range rows {
		if row.Algorithm != k.Algorithm {
			continue
		}
		switch row.State() {
		case models.KeyActive:
			active = &row
		case models.KeyNext:
			next = &row
		case models.KeyRetired:
		}
	}
	return active, next
}

// fill makes the keys that are missing and returns all there are then.
func (k *Keeper) fill(ctx context.Context, active, next bool) ([]models.SigningKey, error) {
	now := k.now()
	var missing []*time.Time
	if active {
		missing = append(missing, &now)
	}
	if next {
		missing = append(missing, nil)
	}
	for _, activated := range missing {
		row, err := k.generate(activated)
		if err != nil {
			return nil, err
		}
		err = k.Kept.CreateSigningKey(ctx, &row)
		if _, taken := errors.AsType[*models.ConflictError](err); err != nil && !taken { // taken: another node was first
			return nil, fmt.Errorf("keep new signing key: %w", err)
		}
	}
	return k.List(ctx)
}

// generate makes a key and returns its row.
func (k *Keeper) generate(activated *time.Time) (models.SigningKey, error) {
	key, err := Generate(k.Algorithm, k.Random)
	if err != nil {
		return models.SigningKey{}, err
	}
	sealed, err := k.Sealer.Seal(key)
	if err != nil {
		return models.SigningKey{}, err
	}
	return models.SigningKey{
		ID: key.ID, Algorithm: k.Algorithm, Sealed: sealed, CreatedAt: k.now(), ActivatedAt: activated,
	}, nil
}

var errNoActiveKey = errors.New("there is no active signing key")

// ring returns the ring of the keys that were not ended.
func (k *Keeper) ring(rows []models.SigningKey) (*Ring, error) {
	var signing token.Key
	var others []member
	for _, row := range rows {
		key, err := k.Sealer.Open(row.ID, row.Algorithm, row.Sealed)
		if err != nil {
			return nil, err
		}
		switch {
		case row.Ended():
		case row.Algorithm == k.Algorithm && row.State() == models.KeyActive:
			signing = key
		default:
			m := member{Key: key}
			if row.ExpiresAt != nil {
				m.until = *row.ExpiresAt
			}
			others = append(others, m)
		}
	}
	if signing.Private == nil {
		return nil, errNoActiveKey
	}
	return newRing(k.Now, signing, others)
}
