package keys_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"latchkey/auth/keys"
	"latchkey/auth/token"
	"latchkey/models"
)

// table keeps signing keys as the database does.
type table struct {
	mu      sync.Mutex
	rows    []models.SigningKey
	readErr error
	keepErr error
}

func (t *table) SigningKeys(context.Context) ([]models.SigningKey, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]models.SigningKey{}, t.rows...), t.readErr
}

func (t *table) CreateSigningKey(_ context.Context, k *models.SigningKey) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keepErr != nil {
		return t.keepErr
	}
	for _, row := range t.rows {
		if row.Algorithm == k.Algorithm && row.RetiredAt == nil {
			return &models.ConflictError{Field: "algorithm"}
		}
	}
	t.rows = append(t.rows, *k)
	return nil
}

// add seals a key into a row, whatever is there.
func (t *table) add(tt *testing.T, k token.Key, retired bool) {
	tt.Helper()
	row := models.SigningKey{ID: k.ID, Algorithm: k.Algorithm, Sealed: seal(tt, sealer(tt, secret), k), CreatedAt: now}
	if retired {
		row.RetiredAt = &now
	}
	t.rows = append(t.rows, row)
}

func load(t *testing.T, kept *table, algorithm string) (*keys.Ring, error) {
	t.Helper()
	return keys.Load(t.Context(), kept, sealer(t, secret), algorithm, now, rand.Reader)
}

func TestLoadMakesTheFirstKeyOnce(t *testing.T) {
	kept := &table{}
	first, err := load(t, kept, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	second, err := load(t, kept, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	if len(kept.rows) != 1 || !sameKey(first.Signing(), second.Signing()) {
		t.Errorf("got %d rows, signing with %q and %q; want one of each", len(kept.rows), first.Signing().ID, second.Signing().ID)
	}
	row := kept.rows[0]
	if row.ID != first.Signing().ID || row.Algorithm != "ES256" || !row.CreatedAt.Equal(now) || row.RetiredAt != nil {
		t.Errorf("got row %q of %q, made %v, retired %v", row.ID, row.Algorithm, row.CreatedAt, row.RetiredAt)
	}
	if private := must(first.Signing().Private.(*ecdsa.PrivateKey).Bytes()); bytes.Contains(row.Sealed, private) {
		t.Error("the private key can be read in the row")
	}
}

func TestNodesThatStartAtOnceSignWithOneKey(t *testing.T) {
	kept := &table{}
	rings := make([]*keys.Ring, 16)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			ring, err := load(t, kept, "EdDSA")
			if err != nil {
				t.Error(err)
				return
			}
			rings[i] = ring
		})
	}
	wg.Wait()
	if len(kept.rows) != 1 {
		t.Fatalf("got %d keys, want 1", len(kept.rows))
	}
	for _, ring := range rings {
		if ring != nil && ring.Signing().ID != kept.rows[0].ID {
			t.Errorf("signs with %q, want %q", ring.Signing().ID, kept.rows[0].ID)
		}
	}
}

func TestLoadKeepsWhatStillVerifies(t *testing.T) {
	old, es, newer, ed, hs := generate(t, "ES256"), generate(t, "ES256"), generate(t, "ES256"), generate(t, "EdDSA"), generate(t, "HS256")
	kept := &table{}
	kept.add(t, old, true)
	kept.add(t, ed, false)
	kept.add(t, es, false)
	kept.add(t, newer, false)
	kept.add(t, hs, true)
	ring, err := load(t, kept, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	if !sameKey(ring.Signing(), newer) {
		t.Errorf("signs with %q, want the newest that is not retired", ring.Signing().ID)
	}
	for _, k := range []token.Key{old, es, newer, ed, hs} {
		if _, err := ring.Lookup(t.Context(), k.ID); err != nil {
			t.Errorf("%s key %s: %v", k.Algorithm, k.ID, err)
		}
	}
}

func TestLoadMakesAKeyWhereOnlyOthersAreLeft(t *testing.T) {
	old, ed := generate(t, "ES256"), generate(t, "EdDSA")
	kept := &table{}
	kept.add(t, old, true)
	kept.add(t, ed, false)
	ring, err := load(t, kept, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	if id := ring.Signing().ID; len(kept.rows) != 3 || id == old.ID || id == ed.ID {
		t.Errorf("got %d rows, signing with %q; want a new key", len(kept.rows), id)
	}
}

func TestLoadMakesNoKeyWhenItFails(t *testing.T) {
	down := errors.New("the database is down")
	for _, tt := range []struct {
		name  string
		kept  *table
		other bool // sealed under another secret
		want  error
	}{
		{"the table cannot be read", &table{readErr: down}, false, down},
		{"the key cannot be kept", &table{keepErr: down}, false, down},
		{"the secret is another", &table{}, true, keys.ErrWrongSecret},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sealer(t, secret)
			if tt.other {
				tt.kept.add(t, generate(t, "ES256"), true)
				s = sealer(t, bytes.ToUpper(secret))
			}
			before := len(tt.kept.rows)
			ring, err := keys.Load(t.Context(), tt.kept, s, "ES256", now.Add(time.Hour), rand.Reader)
			if ring != nil || !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
			if len(tt.kept.rows) != before {
				t.Error("a new key was made")
			}
		})
	}
}
