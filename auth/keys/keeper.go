package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"latchkey/auth/token"
	"latchkey/models"
)

// Kept is where a Keeper keeps its keys.
type Kept interface {
	reader
	// Alone runs fn in one transaction. Where the database has one writer at a time, nobody else is in Alone meanwhile.
	Alone(ctx context.Context, fn func(models.SealedKeys) error) error
}

// Keeper makes, rotates and retires the keys that are kept in the database. Of each algorithm in use there is an active
// key, which signs, and a next one, which is published long before it does. It is safe for use by many goroutines, and
// many nodes may do the same at once: one succeeds.
//
// The secret may be changed under way. So a key is sealed, as the secret is changed, inside Kept.Alone, and only under a
// secret of which it was just seen that all keys open with it.
type Keeper struct {
	Kept      Kept
	Secret    func(context.Context) (*Sealer, error) // of the present secret: it is asked each time
	Algorithm string                                 // of the keys to sign with
	Lifetime  time.Duration                          // of the longest-lived token: so long a key that was rotated away still verifies
	Now       func() time.Time
	Random    io.Reader
}

// opened are the keys as they are kept, the same opened, and what opened them and seals one that goes beside them.
type opened struct {
	rows   []models.SigningKey
	keys   []token.Key
	chain  []byte // the key of the chain of events, as it is kept; nil: there is none yet
	sealer *Sealer
}

// Load returns the ring of the keys in the database, signing with the active one of the algorithm. An active or a next
// key that is missing is made. ErrWrongSecret where a key was sealed under another secret: no key is made then.
func (k *Keeper) Load(ctx context.Context) (*Ring, error) {
	o, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	if active, next := k.current(o.rows); active == nil || next == nil {
		if err := k.fill(ctx); err != nil {
			return nil, err
		}
		if o, err = k.read(ctx); err != nil {
			return nil, err
		}
	}
	return k.ring(o)
}

// read returns the keys. Where they do not open, the secret may have been changed between the one reading and the other:
// so it looks again, alone.
func (k *Keeper) read(ctx context.Context) (opened, error) {
	o, err := k.open(ctx, k.Kept)
	if errors.Is(err, ErrWrongSecret) {
		err = k.Kept.Alone(ctx, func(kept models.SealedKeys) error {
			o, err = k.open(ctx, kept)
			return err
		})
	}
	return o, err
}

// reader is what Kept and models.SealedKeys have in common.
type reader interface {
	// SigningKeys returns every key, oldest first.
	SigningKeys(ctx context.Context) ([]models.SigningKey, error)
	// SealedChainKey returns the key of the chain of events; nil where there is none yet.
	SealedChainKey(ctx context.Context) ([]byte, error)
}

func (k *Keeper) open(ctx context.Context, kept reader) (o opened, err error) {
	if o.rows, err = kept.SigningKeys(ctx); err != nil {
		return opened{}, fmt.Errorf("read signing keys: %w", err)
	}
	if o.sealer, err = k.Secret(ctx); err != nil {
		return opened{}, err
	}
	for _, row := range o.rows {
		key, err := o.sealer.Open(row.ID, row.Algorithm, row.Sealed)
		if err != nil {
			return opened{}, err
		}
		o.keys = append(o.keys, key)
	}
	if o.chain, err = kept.SealedChainKey(ctx); err != nil {
		return opened{}, fmt.Errorf("read key of event chain: %w", err)
	}
	if o.chain != nil {
		if _, err := o.sealer.OpenChainKey(o.chain); err != nil {
			return opened{}, err
		}
	}
	return o, nil
}

// change runs fn alone, after every key was opened.
func (k *Keeper) change(ctx context.Context, fn func(models.SealedKeys, opened) error) error {
	return k.Kept.Alone(ctx, func(kept models.SealedKeys) error {
		o, err := k.open(ctx, kept)
		if err != nil {
			return err
		}
		return fn(kept, o)
	})
}

// List returns the keys, oldest first.
func (k *Keeper) List(ctx context.Context) ([]models.SigningKey, error) {
	rows, err := k.Kept.SigningKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	return rows, nil
}

// settle is how long a next key is published before it signs: as long as verifiers go on with a key set of before.
const settle = 10 * time.Minute

// TooSoonError says that the next key was published too recently to sign.
type TooSoonError struct{ Until time.Time }

// Error says until when.
func (e *TooSoonError) Error() string {
	return "verifiers may not know the next key yet, until " + e.Until.Format(time.RFC3339)
}

// Rotate lets the next key take over and publishes the one after it, and reports whether it did: another node may have
// been first. TooSoonError where the next key was made within the last ten minutes, ErrWrongSecret where a key was sealed
// under another secret; nothing is written then.
func (k *Keeper) Rotate(ctx context.Context) (bool, error) {
	return k.rotate(ctx, func(_, next models.SigningKey) (bool, error) {
		if until := next.CreatedAt.Add(settle); k.Now().Before(until) {
			return false, &TooSoonError{until}
		}
		return true, nil
	})
}

// RotateNow is Rotate, however new the next key is: who verifies with a key set that was fetched before refuses its
// tokens until it fetches another.
func (k *Keeper) RotateNow(ctx context.Context) (bool, error) {
	return k.rotate(ctx, func(_, _ models.SigningKey) (bool, error) { return true, nil })
}

// RotateIfDue is Rotate where the active key began to sign longer ago than the time given; it waits until the next key
// may sign.
func (k *Keeper) RotateIfDue(ctx context.Context, every time.Duration) (bool, error) {
	return k.rotate(ctx, func(active, next models.SigningKey) (bool, error) {
		now := k.Now()
		return !now.Before(active.ActivatedAt.Add(every)) && !now.Before(next.CreatedAt.Add(settle)), nil
	})
}

// rotate rotates where due says so of the active and the next key.
func (k *Keeper) rotate(ctx context.Context, due func(active, next models.SigningKey) (bool, error)) (rotated bool, err error) {
	isDue := func(rows []models.SigningKey) (bool, error) {
		active, next := k.current(rows)
		if active == nil || next == nil {
			return false, fmt.Errorf("%w of the algorithm %s: is that the server's?", errNoActiveKey, k.Algorithm)
		}
		return due(*active, *next)
	}
	rows, err := k.List(ctx)
	if err != nil {
		return false, err
	}
	if ok, err := isDue(rows); err != nil || !ok {
		return false, err
	}
	after, err := Generate(k.Algorithm, k.Random) // not in the transaction: it can take a second
	if err != nil {
		return false, err
	}
	err = k.change(ctx, func(kept models.SealedKeys, o opened) error {
		ok, err := isDue(o.rows) // another node may have been first
		if err == nil && ok {
			rotated, err = k.rotateIn(ctx, kept, o, after)
		}
		return err
	})
	return rotated && err == nil, err
}

// rotateIn lets the next key take over, with after as the one after it.
func (k *Keeper) rotateIn(ctx context.Context, kept models.SealedKeys, o opened, after token.Key) (bool, error) {
	active, next := k.current(o.rows)
	row, err := k.row(o.sealer, after)
	if err != nil {
		return false, err
	}
	now := k.now()
	rotated, err := kept.RotateSigningKey(ctx, models.Rotation{
		From: active.ID, To: next.ID, Next: row, Now: now, ExpiresAt: now.Add(k.Lifetime),
	})
	if err != nil {
		return false, fmt.Errorf("rotate signing key: %w", err)
	}
	return rotated, nil
}

// RetireFormer retires the keys of algorithms that are no longer the one to sign with, as a rotation would. It waits until
// the active key has signed for as long as the longest-lived token lasts, and spares keys that began to sign after it: while
// some nodes have another algorithm than the others, none takes the key of the others.
func (k *Keeper) RetireFormer(ctx context.Context) error {
	rows, err := k.List(ctx)
	if err != nil || len(k.former(rows)) == 0 {
		return err
	}
	return k.change(ctx, func(kept models.SealedKeys, o opened) error {
		for _, algorithm := range k.former(o.rows) {
			if err := k.retireAllIn(ctx, kept, o, algorithm); err != nil {
				return err
			}
		}
		return nil
	})
}

// former returns the algorithms whose keys are to be retired.
func (k *Keeper) former(rows []models.SigningKey) []string {
	own, _ := k.current(rows)
	if own == nil || k.Now().Before(own.ActivatedAt.Add(k.Lifetime)) {
		return nil
	}
	var list []string
	for _, row := range rows {
		if row.Algorithm != k.Algorithm && row.State() == models.KeyActive && row.ActivatedAt.Before(*own.ActivatedAt) {
			list = append(list, row.Algorithm)
		}
	}
	return list
}

// retireAllIn retires the active key of an algorithm, and ends the next one, which never signed.
func (k *Keeper) retireAllIn(ctx context.Context, kept models.SealedKeys, o opened, algorithm string) error {
	own, _ := k.current(o.rows)
	of := *k
	of.Algorithm = algorithm
	active, next := of.current(o.rows)
	now := k.now()
	retired, err := kept.RotateSigningKey(ctx, models.Rotation{From: active.ID, To: own.ID, Now: now, ExpiresAt: now.Add(k.Lifetime)})
	if err == nil && retired && next != nil {
		err = kept.ExpireSigningKey(ctx, next.ID, now)
	}
	if err != nil {
		return fmt.Errorf("retire signing keys of %s: %w", algorithm, err)
	}
	return nil
}

// ErrNoSuchKey says that there is no key of that kid.
var ErrNoSuchKey = errors.New("there is no such key")

// Retire ends a key at once, of whatever algorithm: from now on no token that it signed is accepted. Of an active key
// the next one takes over, however new it is; in the place of the next one another is made. ErrWrongSecret as of Rotate.
func (k *Keeper) Retire(ctx context.Context, kid string) error {
	rows, err := k.List(ctx)
	if err != nil {
		return err
	}
	row, ok := find(rows, kid)
	if !ok {
		return ErrNoSuchKey
	}
	of := *k
	of.Algorithm = row.Algorithm
	after, err := Generate(of.Algorithm, of.Random)
	if err != nil {
		return err
	}
	return of.change(ctx, func(kept models.SealedKeys, o opened) error { return of.retireIn(ctx, kept, o, kid, after) })
}

func (k *Keeper) retireIn(ctx context.Context, kept models.SealedKeys, o opened, kid string, after token.Key) error {
	active, next := k.current(o.rows)
	if active != nil && active.ID == kid && next != nil {
		if _, err := k.rotateIn(ctx, kept, o, after); err != nil {
			return err
		}
	}
	err := kept.ExpireSigningKey(ctx, kid, k.now())
	if errors.Is(err, models.ErrNotFound) {
		return ErrNoSuchKey
	}
	if err != nil {
		return fmt.Errorf("retire signing key: %w", err)
	}
	if next != nil && next.ID == kid {
		return k.create(ctx, kept, o, after, nil)
	}
	return nil
}

func find(rows []models.SigningKey, kid string) (models.SigningKey, bool) {
	i := slices.IndexFunc(rows, func(row models.SigningKey) bool { return row.ID == kid })
	if i < 0 {
		return models.SigningKey{}, false
	}
	return rows[i], true
}

// Reseal seals every key, that of the chain of events too, under the present secret that was sealed under one from before,
// and returns how many there were: all, or on an error none. It may run again, and beside servers: those that know both secrets notice nothing.
//
// renew, where it is not nil, changes the present secret. It is called alone, once every key was seen to open; those from
// before must still open what they sealed.
func (k *Keeper) Reseal(ctx context.Context, renew func() error) (n int, err error) {
	err = k.change(ctx, func(kept models.SealedKeys, o opened) error {
		if renew != nil {
			if err := renew(); err != nil {
				return err
			}
			if o.sealer, err = k.Secret(ctx); err != nil {
				return err
			}
		}
		n, err = resealIn(ctx, kept, o)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func resealIn(ctx context.Context, kept models.SealedKeys, o opened) (n int, err error) {
	for _, row := range o.rows {
		sealed, err := o.sealer.Reseal(row.ID, row.Algorithm, row.Sealed)
		if err != nil {
			return n, fmt.Errorf("reseal key %s: %w", row.ID, err)
		}
		if bytes.Equal(sealed, row.Sealed) {
			continue
		}
		replaced, err := kept.ReplaceSealed(ctx, row.ID, row.Sealed, sealed)
		if err != nil {
			return n, fmt.Errorf("reseal key %s: %w", row.ID, err)
		}
		if replaced {
			n++
		}
	}
	if o.chain == nil {
		return n, nil
	}
	sealed, err := o.sealer.ResealChainKey(o.chain)
	if err != nil || bytes.Equal(sealed, o.chain) {
		return n, err
	}
	replaced, err := kept.ReplaceChainKey(ctx, o.chain, sealed)
	if err != nil {
		return n, fmt.Errorf("reseal key of event chain: %w", err)
	}
	if replaced {
		n++
	}
	return n, nil
}

// ChainKey returns the key of the chain of events. Where there is none it calls begin, alone, with a new one, sealed and
// as it is; begin keeps it. ErrWrongSecret where the key, or a signing key, was sealed under another secret: no key is
// made then.
func (k *Keeper) ChainKey(ctx context.Context, begin func(kept models.SealedKeys, sealed, key []byte) error) ([]byte, error) {
	o, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	if o.chain == nil {
		fresh := make([]byte, chainKeyLength)
		if _, err := io.ReadFull(k.Random, fresh); err != nil {
			return nil, fmt.Errorf("make key of event chain: %w", err)
		}
		err := k.change(ctx, func(kept models.SealedKeys, o opened) error {
			if o.chain != nil { // another node was first
				return nil
			}
			return begin(kept, o.sealer.SealChainKey(fresh), fresh)
		})
		if err != nil {
			return nil, err
		}
		if o, err = k.read(ctx); err != nil {
			return nil, err
		}
	}
	return o.sealer.OpenChainKey(o.chain)
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

// fill makes the keys that are missing. It leaves them to another node that was first.
func (k *Keeper) fill(ctx context.Context) error {
	first, err := Generate(k.Algorithm, k.Random)
	if err != nil {
		return err
	}
	second, err := Generate(k.Algorithm, k.Random)
	if err != nil {
		return err
	}
	now := k.now()
	err = k.change(ctx, func(kept models.SealedKeys, o opened) error {
		active, next := k.current(o.rows)
		if active == nil {
			if err := k.create(ctx, kept, o, first, &now); err != nil {
				return err
			}
		}
		if next == nil {
			return k.create(ctx, kept, o, second, nil)
		}
		return nil
	})
	if _, taken := errors.AsType[*models.ConflictError](err); taken {
		return nil
	}
	return err
}

// create writes a new key, which signs from the time given on; nil: not yet.
func (k *Keeper) create(ctx context.Context, kept models.SealedKeys, o opened, key token.Key, activated *time.Time) error {
	row, err := k.row(o.sealer, key)
	if err != nil {
		return err
	}
	row.ActivatedAt = activated
	if err := kept.CreateSigningKey(ctx, &row); err != nil {
		return fmt.Errorf("keep new signing key: %w", err)
	}
	return nil
}

// row returns the row of a new key.
func (k *Keeper) row(sealer *Sealer, key token.Key) (models.SigningKey, error) {
	sealed, err := sealer.Seal(key)
	if err != nil {
		return models.SigningKey{}, err
	}
	return models.SigningKey{ID: key.ID, Algorithm: key.Algorithm, Sealed: sealed, CreatedAt: k.now()}, nil
}

var errNoActiveKey = errors.New("there is no active signing key")

// ring returns the ring of the keys that were not ended.
func (k *Keeper) ring(o opened) (*Ring, error) {
	var signing token.Key
	var since time.Time
	var others []member
	for i, row := range o.rows {
		switch {
		case row.Ended():
		case row.Algorithm == k.Algorithm && row.State() == models.KeyActive:
			signing = o.keys[i]
			if row.ActivatedAt != nil {
				since = *row.ActivatedAt
			}
		default:
			m := member{Key: o.keys[i]}
			if row.ExpiresAt != nil {
				m.until = *row.ExpiresAt
			}
			others = append(others, m)
		}
	}
	if signing.Private == nil {
		return nil, errNoActiveKey
	}
	r, err := newRing(k.Now, signing, others)
	if err != nil {
		return nil, err
	}
	r.since = since
	return r, nil
}
