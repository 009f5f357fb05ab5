package keys_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth/keys"
	"latchkey/auth/token"
	"latchkey/models"
)

// table keeps signing keys as the database does.
type table struct {
	models.ChainKey // nil: nothing else is asked of it

	alone   sync.Mutex
	mu      sync.Mutex
	rows    []models.SigningKey
	chain   []byte
	readErr error
	keepErr error
}

func (t *table) SealedChainKey(context.Context) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.chain, nil
}

func (t *table) PutEventChain(_ context.Context, c models.EventChain) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.chain = c.Sealed
	return nil
}

func (t *table) ReplaceChainKey(_ context.Context, old, replacement []byte) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !bytes.Equal(t.chain, old) {
		return false, nil
	}
	t.chain = replacement
	return true, nil
}

func (t *table) SigningKeys(context.Context) ([]models.SigningKey, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]models.SigningKey{}, t.rows...), t.readErr
}

// Alone writes nothing where fn fails, as a transaction.
func (t *table) Alone(_ context.Context, fn func(models.SealedKeys) error) error {
	t.alone.Lock()
	defer t.alone.Unlock()
	before, chain := append([]models.SigningKey{}, t.rows...), t.chain
	err := fn(t)
	if err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.rows, t.chain = before, chain
	}
	return err
}

func (t *table) CreateSigningKey(_ context.Context, k *models.SigningKey) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keepErr != nil {
		return t.keepErr
	}
	for _, row := range t.rows {
		if row.Algorithm == k.Algorithm && row.State() == k.State() {
			return &models.ConflictError{Field: "algorithm"}
		}
	}
	t.rows = append(t.rows, *k)
	return nil
}

func (t *table) find(id string, state models.KeyState) *models.SigningKey {
	for i, row := range t.rows {
		if row.ID == id && row.State() == state {
			return &t.rows[i]
		}
	}
	return nil
}

func (t *table) RotateSigningKey(_ context.Context, r models.Rotation) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := t.find(r.From, models.KeyActive)
	if from == nil {
		return false, nil
	}
	if r.Next.ID == "" {
		from.RetiredAt, from.ExpiresAt = &r.Now, &r.ExpiresAt
		return true, nil
	}
	to := t.find(r.To, models.KeyNext)
	if to == nil {
		return false, models.ErrNotFound
	}
	from.RetiredAt, from.ExpiresAt = &r.Now, &r.ExpiresAt
	to.ActivatedAt = &r.Now
	t.rows = append(t.rows, r.Next)
	return true, nil
}

func (t *table) ExpireSigningKey(_ context.Context, id string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, row := range t.rows {
		if row.ID == id {
			if row.RetiredAt == nil {
				t.rows[i].RetiredAt = &now
			}
			t.rows[i].ExpiresAt = t.rows[i].RetiredAt
			return nil
		}
	}
	return models.ErrNotFound
}

func (t *table) ReplaceSealed(_ context.Context, id string, old, replacement []byte) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, row := range t.rows {
		if row.ID == id && bytes.Equal(row.Sealed, old) {
			t.rows[i].Sealed = replacement
			return true, nil
		}
	}
	return false, nil
}

// add seals a key into a row, whatever is there.
func (t *table) add(tt *testing.T, k token.Key, retired bool) {
	tt.Helper()
	row := models.SigningKey{
		ID: k.ID, Algorithm: k.Algorithm, Sealed: seal(tt, sealer(tt, secret), k), CreatedAt: now, ActivatedAt: &now,
	}
	if retired {
		later := now.Add(time.Hour)
		row.RetiredAt, row.ExpiresAt = &now, &later
	}
	t.rows = append(t.rows, row)
}

// knows is the Secret of a Keeper that does not change.
func knows(s *keys.Sealer) func(context.Context) (*keys.Sealer, error) {
	return func(context.Context) (*keys.Sealer, error) { return s, nil }
}

func keeper(t *testing.T, kept *table, algorithm string) *keys.Keeper {
	t.Helper()
	return &keys.Keeper{
		Kept: kept, Secret: knows(sealer(t, secret)), Algorithm: algorithm, Lifetime: 24 * time.Hour, Random: rand.Reader,
		Now: func() time.Time { return now },
	}
}

func load(t *testing.T, kept *table, algorithm string) (*keys.Ring, error) {
	t.Helper()
	return keeper(t, kept, algorithm).Load(t.Context())
}

// states returns how many keys are in each state.
func (t *table) states() map[models.KeyState]int {
	n := map[models.KeyState]int{}
	for _, row := range t.rows {
		n[row.State()]++
	}
	return n
}

func TestLoadMakesTheFirstKeysOnce(t *testing.T) {
	kept := &table{}
	first, err := load(t, kept, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	second, err := load(t, kept, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	if !sameKey(first.Signing(), second.Signing()) {
		t.Errorf("signs with %q and then %q", first.Signing().ID, second.Signing().ID)
	}
	if n := kept.states(); len(kept.rows) != 2 || n[models.KeyActive] != 1 || n[models.KeyNext] != 1 {
		t.Errorf("got %v, want an active and a next key", n)
	}
	for _, row := range kept.rows {
		if key, err := first.Lookup(t.Context(), row.ID); err != nil || !bytes.Contains(first.JWKS(), []byte(row.ID)) {
			t.Errorf("the %s key is not published: %v", row.State(), err)
		} else if private := must(key.Private.(*ecdsa.PrivateKey).Bytes()); bytes.Contains(row.Sealed, private) {
			t.Error("a private key can be read in its row")
		}
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
	if len(kept.rows) != 2 {
		t.Fatalf("got %d keys, want 2", len(kept.rows))
	}
	for _, ring := range rings[1:] {
		if ring != nil && rings[0] != nil && ring.Signing().ID != rings[0].Signing().ID {
			t.Errorf("signs with %q, another node with %q", ring.Signing().ID, rings[0].Signing().ID)
		}
	}
}

func TestLoadKeepsWhatStillVerifies(t *testing.T) {
	old, es, ed, hs, over := generate(t, "ES256"), generate(t, "ES256"), generate(t, "EdDSA"), generate(t, "HS256"), generate(t, "ES256")
	kept := &table{}
	kept.add(t, old, true)
	kept.add(t, ed, false)
	kept.add(t, es, false)
	kept.add(t, hs, true)
	kept.add(t, over, true)
	kept.rows[4].ExpiresAt = &now
	ring, err := load(t, kept, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	if !sameKey(ring.Signing(), es) {
		t.Errorf("signs with %q, want the active one", ring.Signing().ID)
	}
	for _, k := range []token.Key{old, es, ed, hs} {
		if _, err := ring.Lookup(t.Context(), k.ID); err != nil {
			t.Errorf("%s key %s: %v", k.Algorithm, k.ID, err)
		}
	}
	if _, err := ring.Lookup(t.Context(), over.ID); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("a key whose time is over: got %v", err)
	}
}

func TestTheSecretIsChanged(t *testing.T) {
	kept := &table{}
	before, err := load(t, kept, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	kept.add(t, generate(t, "HS256"), true)
	k := keeper(t, kept, "ES256")
	other := append(bytes.Clone(secret), '!')
	both, err := keys.NewSealer(other, secret)
	if err != nil {
		t.Fatal(err)
	}
	k.Secret = knows(both)
	for i, want := range []int{3, 0} {
		if ring, err := k.Load(t.Context()); err != nil || !sameKey(ring.Signing(), before.Signing()) {
			t.Fatalf("with both secrets: %v", err)
		}
		if n, err := k.Reseal(t.Context(), nil); err != nil || n != want {
			t.Errorf("time %d: %d keys were sealed anew, %v; want %d", i+1, n, err, want)
		}
	}
	if _, err := k.RotateNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.Secret = knows(sealer(t, other))
	if _, err := k.Load(t.Context()); err != nil {
		t.Errorf("with the new secret alone: %v", err)
	}
	k.Secret = knows(sealer(t, secret))
	if _, err := k.Load(t.Context()); !errors.Is(err, keys.ErrWrongSecret) {
		t.Errorf("with the old secret alone: %v, want ErrWrongSecret", err)
	}
	if n, err := k.Reseal(t.Context(), nil); !errors.Is(err, keys.ErrWrongSecret) || n != 0 {
		t.Errorf("%d keys were sealed anew under the old secret alone: %v", n, err)
	}
}

// With a secret that does not open what is there, nothing is written: no server could read a key sealed under it.
func TestAWrongSecretChangesNothing(t *testing.T) {
	for _, state := range []models.KeyState{models.KeyActive, models.KeyNext, models.KeyRetired} {
		for name, act := range map[string]func(k *keys.Keeper, id string) error{
			"rotate": func(k *keys.Keeper, _ string) error { _, err := k.RotateNow(t.Context()); return err },
			"rotate if due": func(k *keys.Keeper, _ string) error {
				k.Now = func() time.Time { return now.Add(time.Hour) }
				_, err := k.RotateIfDue(t.Context(), time.Hour)
				return err
			},
			"retire": func(k *keys.Keeper, id string) error { return k.Retire(t.Context(), id) },
			"load": func(k *keys.Keeper, id string) error {
				k.Algorithm = "EdDSA" // of which there is no key yet
				_, err := k.Load(t.Context())
				return err
			},
			"reseal": func(k *keys.Keeper, _ string) error {
				_, err := k.Reseal(t.Context(), func() error { t.Error("a secret was made"); return nil })
				return err
			},
		} {
			t.Run(name+" "+string(state), func(t *testing.T) {
				kept := &table{}
				k := keeper(t, kept, "ES256")
				if _, err := k.Load(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := k.RotateNow(t.Context()); err != nil {
					t.Fatal(err)
				}
				before := append([]models.SigningKey{}, kept.rows...)
				i := slices.IndexFunc(before, func(row models.SigningKey) bool { return row.State() == state })
				k.Secret = knows(sealer(t, bytes.ToUpper(secret)))
				if err := act(k, before[i].ID); !errors.Is(err, keys.ErrWrongSecret) {
					t.Errorf("got %v, want ErrWrongSecret", err)
				}
				if diff := cmp.Diff(before, kept.rows); diff != "" {
					t.Error("keys (-want +got):\n", diff)
				}
			})
		}
	}
}

// The secret changes between a server's look at the keys and its look at the secret, or the other way round.
func TestLoadLooksAgainWhereTheSecretIsBeingChanged(t *testing.T) {
	kept := &table{}
	before, err := load(t, kept, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	other := append(bytes.Clone(secret), '!')
	both, err := keys.NewSealer(other, secret)
	if err != nil {
		t.Fatal(err)
	}
	command := keeper(t, kept, "ES256")
	command.Secret = knows(both)
	k := keeper(t, kept, "ES256")
	looks := 0
	k.Secret = func(ctx context.Context) (*keys.Sealer, error) {
		if looks++; looks > 1 {
			return sealer(t, other), nil
		}
		_, err := command.Reseal(ctx, nil)
		return sealer(t, other), err
	}
	ring, err := k.Load(t.Context())
	if err != nil || !sameKey(ring.Signing(), before.Signing()) {
		t.Errorf("got %v", err)
	}
}

func TestRotate(t *testing.T) {
	kept := &table{}
	k := keeper(t, kept, "ES256")
	before, err := k.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if rotated, err := k.RotateIfDue(t.Context(), time.Hour); rotated || err != nil {
		t.Errorf("before it is due: %v, %v", rotated, err)
	}
	begun := now
	k.Now = func() time.Time { return begun.Add(time.Hour) }
	won := make(chan bool, 16)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			rotated, err := k.RotateIfDue(t.Context(), time.Hour)
			if err != nil {
				t.Error(err)
			}
			won <- rotated
		})
	}
	wg.Wait()
	close(won)
	n := 0
	for w := range won {
		if w {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of 16 nodes rotated, want 1", n)
	}
	after, err := k.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(before.JWKS(), []byte(after.Signing().ID)) {
		t.Error("the key that took over was not published before")
	}
	if _, err := after.Lookup(t.Context(), before.Signing().ID); err != nil {
		t.Errorf("the key before does not verify: %v", err)
	}
	k.Now = func() time.Time { return begun.Add(25 * time.Hour) }
	if after, err = k.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := after.Lookup(t.Context(), before.Signing().ID); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("after the last token of the key before: got %v", err)
	}
}

// A key does not sign before verifiers know it, unless that is asked for.
func TestANextKeyIsPublishedForAWhileBeforeItSigns(t *testing.T) {
	kept := &table{}
	k := keeper(t, kept, "ES256")
	clock := now
	k.Now = func() time.Time { return clock }
	if _, err := k.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, made := range []time.Time{now, now.Add(10 * time.Minute)} {
		clock = made.Add(10*time.Minute - 1)
		if rotated, err := k.RotateIfDue(t.Context(), time.Second); rotated || err != nil {
			t.Errorf("when due: %t, %v", rotated, err)
		}
		rotated, err := k.Rotate(t.Context())
		if soon, ok := errors.AsType[*keys.TooSoonError](err); rotated || !ok || !soon.Until.Equal(made.Add(10*time.Minute)) {
			t.Errorf("too soon: %t, %v", rotated, err)
		}
		clock = made.Add(10 * time.Minute)
		if rotated, err := k.Rotate(t.Context()); err != nil || !rotated {
			t.Errorf("after ten minutes: %t, %v", rotated, err)
		}
	}
	if rotated, err := k.RotateNow(t.Context()); err != nil || !rotated {
		t.Errorf("at once: %t, %v", rotated, err)
	}
	clock = clock.Add(10 * time.Minute)
	if rotated, err := k.RotateIfDue(t.Context(), 10*time.Minute); err != nil || !rotated {
		t.Errorf("when due, after ten minutes: %t, %v", rotated, err)
	}
}

func TestAKeyThatWasRotatedAwayEndsWithoutAReload(t *testing.T) {
	kept := &table{}
	k := keeper(t, kept, "ES256")
	clock := now
	k.Now = func() time.Time { return clock }
	before, err := k.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.RotateNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	ring, err := k.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old := before.Signing().ID
	for _, tt := range []struct {
		after time.Duration
		want  error
	}{{24*time.Hour - 1, nil}, {24 * time.Hour, token.ErrUnknownKey}} {
		clock = now.Add(tt.after)
		if _, err := ring.Lookup(t.Context(), old); !errors.Is(err, tt.want) {
			t.Errorf("after %v: got %v, want %v", tt.after, err, tt.want)
		}
		if got := bytes.Contains(ring.JWKS(), []byte(old)); got != (tt.want == nil) {
			t.Errorf("after %v: published: %t", tt.after, got)
		}
	}
	if !json.Valid(ring.JWKS()) {
		t.Errorf("not JSON: %s", ring.JWKS())
	}
}

func TestTheAlgorithmsAreThoseOfKeysThatVerify(t *testing.T) {
	kept := &table{}
	kept.add(t, generate(t, "EdDSA"), true) // for an hour
	k := keeper(t, kept, "ES256")
	clock := now
	k.Now = func() time.Time { return clock }
	ring, err := k.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ES256", "EdDSA"}, ring.Algorithms()); diff != "" {
		t.Error("now (-want +got):\n", diff)
	}
	clock = now.Add(time.Hour)
	if diff := cmp.Diff([]string{"ES256"}, ring.Algorithms()); diff != "" {
		t.Error("in an hour (-want +got):\n", diff)
	}
}

// The clock of the node may be behind that of the process which ended the key.
func TestAKeyThatWasEndedVerifiesOnNoNode(t *testing.T) {
	for _, behind := range []time.Duration{0, 50 * time.Millisecond, 24 * time.Hour} {
		kept := &table{}
		k := keeper(t, kept, "ES256")
		before, err := k.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Retire(t.Context(), before.Signing().ID); err != nil {
			t.Fatal(err)
		}
		k.Now = func() time.Time { return now.Add(-behind) }
		ring, err := k.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ring.Lookup(t.Context(), before.Signing().ID); !errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("%v behind: got %v", behind, err)
		}
	}
}

func TestRetire(t *testing.T) {
	for _, state := range []models.KeyState{models.KeyActive, models.KeyNext, models.KeyRetired} {
		t.Run(string(state), func(t *testing.T) {
			kept := &table{}
			k := keeper(t, kept, "EdDSA")
			if _, err := k.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := k.RotateNow(t.Context()); err != nil {
				t.Fatal(err)
			}
			var id string
			for _, row := range kept.rows {
				if row.State() == state {
					id = row.ID
				}
			}
			if err := k.Retire(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			ring, err := k.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ring.Lookup(t.Context(), id); !errors.Is(err, token.ErrUnknownKey) || bytes.Contains(ring.JWKS(), []byte(id)) {
				t.Errorf("the key still verifies or is published: %v", err)
			}
			if n := kept.states(); n[models.KeyActive] != 1 || n[models.KeyNext] != 1 {
				t.Errorf("got %v, want one active and one next key", n)
			}
		})
	}
	t.Run("active of another algorithm", func(t *testing.T) {
		kept := &table{}
		former, err := keeper(t, kept, "ES256").Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		k := keeper(t, kept, "EdDSA")
		if _, err := k.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := k.Retire(t.Context(), former.Signing().ID); err != nil {
			t.Fatal(err)
		}
		ring, err := k.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ring.Lookup(t.Context(), former.Signing().ID); !errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("the key still verifies: %v", err)
		}
	})
	if err := keeper(t, &table{}, "EdDSA").Retire(t.Context(), "none"); !errors.Is(err, keys.ErrNoSuchKey) {
		t.Errorf("an unknown kid: got %v", err)
	}
}

// LATCHKEY_ALGORITHM is changed: the keys of before go once the new one has signed for as long as a token lasts.
func TestKeysOfAFormerAlgorithmAreRetired(t *testing.T) {
	kept := &table{}
	clock := now
	before, after := keeper(t, kept, "ES256"), keeper(t, kept, "EdDSA")
	for _, k := range []*keys.Keeper{before, after} {
		k.Now = func() time.Time { return clock }
	}
	reload := func(k *keys.Keeper) *keys.Ring {
		t.Helper()
		ring, err := k.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return ring
	}
	retire := func(k *keys.Keeper) {
		t.Helper()
		if err := k.RetireFormer(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	es := reload(before).Signing().ID
	clock = clock.Add(time.Hour)
	changed := clock
	ed := reload(after).Signing().ID

	// While nodes of both settings run, none takes the key of the other.
	for _, at := range []time.Duration{0, time.Hour, 24*time.Hour - 1} {
		clock = changed.Add(at)
		retire(before)
		retire(after)
		if n := kept.states(); n[models.KeyActive] != 2 || n[models.KeyNext] != 2 {
			t.Errorf("after %v: got %v", at, n)
		}
	}
	clock = changed.Add(24 * time.Hour)
	retire(before)
	if n := kept.states(); n[models.KeyActive] != 2 {
		t.Errorf("a node of the setting from before retired a key: %v", n)
	}
	retire(after)
	retire(after)
	if n := kept.states(); n[models.KeyActive] != 1 || n[models.KeyNext] != 1 || n[models.KeyRetired] != 2 {
		t.Errorf("after the longest-lived token: got %v", n)
	}
	ring := reload(after)
	if ring.Signing().ID != ed {
		t.Errorf("signs with %q, want %q", ring.Signing().ID, ed)
	}
	if _, err := ring.Lookup(t.Context(), es); err != nil {
		t.Errorf("the key from before does not verify: %v", err)
	}
	clock = clock.Add(24 * time.Hour)
	if _, err := ring.Lookup(t.Context(), es); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("the key from before still verifies: %v", err)
	}

	// A node that still has the setting from before makes its keys again, and they stay.
	again := reload(before).Signing().ID
	retire(after)
	if got := reload(before).Signing().ID; got != again {
		t.Errorf("the keys are made again and again: %q, then %q", again, got)
	}
}

func TestLiveReadsTheKeysAnewForAnUnknownKid(t *testing.T) {
	kept := &table{}
	k := keeper(t, kept, "ES256")
	ring, err := k.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reads := 0
	live := keys.NewLive(ring, func(ctx context.Context) (*keys.Ring, error) {
		reads++ // under Live's lock
		return k.Load(ctx)
	})
	if _, err := k.RotateNow(t.Context()); err != nil { // as another node does
		t.Fatal(err)
	}
	newest := kept.rows[len(kept.rows)-1].ID
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			if _, err := live.Lookup(t.Context(), newest); err != nil {
				t.Errorf("a key that another node made: %v", err)
			}
			if _, err := live.Lookup(t.Context(), string(rune('a'+i))); !errors.Is(err, token.ErrUnknownKey) {
				t.Errorf("a made-up kid: got %v", err)
			}
		})
	}
	wg.Wait()
	if reads != 1 {
		t.Errorf("the keys were read %d times, want once", reads)
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
	if id := ring.Signing().ID; len(kept.rows) != 4 || id == old.ID || id == ed.ID {
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
			k := keeper(t, tt.kept, "ES256")
			k.Secret = knows(s)
			ring, err := k.Load(t.Context())
			if ring != nil || !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
			if len(tt.kept.rows) != before {
				t.Error("a new key was made")
			}
		})
	}
}
