package keys

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"latchkey/auth/token"
	"latchkey/models"
)

// Load returns the ring of the keys in the database, signing with the one of the algorithm. Where there is none yet it
// is made; of several nodes that do so at once, one succeeds and all use its key. ErrWrongSecret where a key was sealed
// under another secret: no new key is made then.
func Load(ctx context.Context, kept models.SigningKeys, sealer *Sealer, algorithm string, now time.Time, random io.Reader) (*Ring, error) {
	ring, err := fromRows(ctx, kept, sealer, algorithm)
	if ring != nil || err != nil {
		return ring, err
	}
	key, err := Generate(algorithm, random)
	if err != nil {
		return nil, err
	}
	sealed, err := sealer.Seal(key)
	if err != nil {
		return nil, err
	}
	row := models.SigningKey{ID: key.ID, Algorithm: algorithm, Sealed: sealed, CreatedAt: now}
	if err := kept.CreateSigningKey(ctx, &row); err != nil {
		if _, ok := errors.AsType[*models.ConflictError](err); !ok {
			return nil, fmt.Errorf("keep new signing key: %w", err)
		}
	}
	ring, err = fromRows(ctx, kept, sealer, algorithm)
	if err == nil && ring == nil {
		err = errors.New("the new signing key is not there")
	}
	return ring, err
}

// fromRows returns the ring of the keys that are there; nil where none of them signs with the algorithm.
func fromRows(ctx context.Context, kept models.SigningKeys, sealer *Sealer, algorithm string) (*Ring, error) {
	rows, err := kept.SigningKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	var signing *token.Key
	var others []token.Key
	for _, row := range rows {
		key, err := sealer.Open(row.ID, row.Algorithm, row.Sealed)
		if err != nil {
			return nil, err
		}
		if row.Algorithm != algorithm || row.RetiredAt != nil {
			others = append(others, key)
			continue
		}
		if signing != nil { // the newest signs
			others = append(others, *signing)
		}
		signing = &key
	}
	if signing == nil {
		return nil, nil
	}
	return NewRing(*signing, others...)
}
