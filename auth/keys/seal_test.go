package keys_test

import (
	"bytes"
	"crypto"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth/keys"
	"latchkey/auth/token"
)

func TestSealedKeysOpen(t *testing.T) {
	s := sealer(t, secret)
	for _, algorithm := range keys.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			k := generate(t, algorithm)
			first, second := seal(t, s, k), seal(t, s, k)
			if bytes.Equal(first, second) {
				t.Error("sealed twice to the same bytes: the nonce repeats")
			}
			for _, sealed := range [][]byte{first, second} {
				got, err := sealer(t, secret).Open(k.ID, algorithm, sealed)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(k, got, cmp.Comparer(sameKey)); diff != "" {
					t.Error("key (-sealed +opened):\n", diff)
				}
				if err := signs(t, got, k); err != nil {
					t.Error(err)
				}
			}
			if secret, ok := k.Private.([]byte); ok && bytes.Contains(first, secret[:16]) {
				t.Error("the secret can be read")
			}
		})
	}
}

func TestAKeyKeepsTheNameItIsSealedUnder(t *testing.T) {
	s := sealer(t, secret)
	k := generate(t, "ES256")
	k.ID = "a name of its own"
	got, err := s.Open(k.ID, k.Algorithm, seal(t, s, k))
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != k.ID {
		t.Errorf("got kid %q, want %q", got.ID, k.ID)
	}
}

func TestSealedKeysOpenForNothingElse(t *testing.T) {
	s := sealer(t, secret)
	k := generate(t, "EdDSA")
	sealed := seal(t, s, k)
	hs := generate(t, "HS256")
	named := hs
	named.ID = `a" "HS256`
	type door struct {
		name           string
		s              *keys.Sealer
		kid, algorithm string
		sealed         []byte
	}
	doors := []door{
		{"another secret", sealer(t, append(bytes.Clone(secret), '!')), k.ID, "EdDSA", sealed},
		{"another kid", s, k.ID + "x", "EdDSA", sealed},
		{"no kid", s, "", "EdDSA", sealed},
		{"another algorithm", s, k.ID, "ES256", sealed},
		{"an algorithm with a secret, which the public may know", s, k.ID, "HS256", sealed},
		{"another secret's algorithm", s, hs.ID, "HS512", seal(t, s, hs)},
		{"kid and algorithm cut elsewhere", s, "a", `HS256" "HS256`, seal(t, s, named)},
		{"the key of another row", s, hs.ID, "HS256", sealed},
		{"nothing", s, k.ID, "EdDSA", nil},
		{"an empty text", s, k.ID, "EdDSA", []byte{}},
		{"another version", s, k.ID, "EdDSA", append([]byte{2}, sealed[1:]...)},
		{"a byte more", s, k.ID, "EdDSA", append(bytes.Clone(sealed), 0)},
	}
	for n := range sealed {
		doors = append(doors, door{"cut off", s, k.ID, "EdDSA", sealed[:n]})
		flipped := bytes.Clone(sealed)
		flipped[n] ^= 1
		doors = append(doors, door{"a bit flipped", s, k.ID, "EdDSA", flipped})
	}
	for _, d := range doors {
		got, err := d.s.Open(d.kid, d.algorithm, d.sealed)
		if !errors.Is(err, keys.ErrWrongSecret) {
			t.Errorf("%s: got error %v, want ErrWrongSecret", d.name, err)
		}
		if got.Private != nil || got.Public != nil {
			t.Errorf("%s: got a key", d.name)
		}
	}
}

func TestNewSealerRefusesAShortSecret(t *testing.T) {
	for _, short := range [][]byte{nil, {}, []byte("password"), secret[:31]} {
		_, err := keys.NewSealer(secret, short)
		checkRefused(t, err, "must be 32 at least", short)
		_, err = keys.NewSealer(short)
		checkRefused(t, err, "must be 32 at least", short)
	}
}

func TestSealNeedsAPrivateHalf(t *testing.T) {
	k := generate(t, "ES256")
	k.Private = nil
	if sealed, err := sealer(t, secret).Seal(k); err == nil {
		t.Errorf("got %d bytes", len(sealed))
	}
}

func sealer(t *testing.T, secret []byte) *keys.Sealer {
	t.Helper()
	s, err := keys.NewSealer(secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func seal(t *testing.T, s *keys.Sealer, k token.Key) []byte {
	t.Helper()
	sealed, err := s.Seal(k)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// sameKey compares keys by their names and private halves.
func sameKey(a, b token.Key) bool {
	if a.ID != b.ID || a.Algorithm != b.Algorithm {
		return false
	}
	if secret, ok := a.Private.([]byte); ok {
		other, ok := b.Private.([]byte)
		return ok && bytes.Equal(secret, other)
	}
	private, ok := a.Private.(interface{ Equal(crypto.PrivateKey) bool })
	return ok && private.Equal(b.Private)
}
