package keys_test

import (
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth/keys"
	"latchkey/auth/token"
)

func TestRingFindsKeysByTheirKid(t *testing.T) {
	es, ed, rs, hs := generate(t, "ES256"), generate(t, "EdDSA"), generate(t, "RS256"), generate(t, "HS384")
	verifying := rs
	verifying.Private = nil
	ring, err := keys.NewRing(es, ed, verifying, hs)
	if err != nil {
		t.Fatal(err)
	}
	if !sameKey(ring.Signing(), es) {
		t.Errorf("signs with %q, want %q", ring.Signing().ID, es.ID)
	}
	for _, want := range []token.Key{es, ed, rs, hs} {
		got, err := ring.Lookup(t.Context(), want.ID)
		if err != nil || got.ID != want.ID || got.Algorithm != want.Algorithm {
			t.Errorf("%s: got %q of %q, error %v", want.Algorithm, got.ID, got.Algorithm, err)
		}
	}
	for _, kid := range []string{"", "nobody", strings.ToUpper(es.ID), es.ID + " "} {
		if got, err := ring.Lookup(t.Context(), kid); !errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("%q: got %q, error %v; want ErrUnknownKey", kid, got.ID, err)
		}
	}
	if diff := cmp.Diff([]string{"ES256", "EdDSA", "HS384", "RS256"}, ring.Algorithms()); diff != "" {
		t.Error("algorithms (-want +got):\n", diff)
	}
}

func TestASharedSecretVerifiesWhateverTheKid(t *testing.T) {
	shared, err := keys.FromSecret("HS256", secret)
	if err != nil {
		t.Fatal(err)
	}
	es := generate(t, "ES256")
	ring, err := keys.NewRing(shared, es)
	if err != nil {
		t.Fatal(err)
	}
	for kid, want := range map[string]string{"": "HS256", "nobody": "HS256", es.ID: "ES256"} {
		if got, err := ring.Lookup(t.Context(), kid); err != nil || got.Algorithm != want {
			t.Errorf("%q: got a key of %q, error %v; want %q", kid, got.Algorithm, err, want)
		}
	}
	if diff := cmp.Diff([]string{"ES256", "HS256"}, ring.Algorithms()); diff != "" {
		t.Error("algorithms (-want +got):\n", diff)
	}
}

func TestNewRingRefusesKeysItCannotUse(t *testing.T) {
	es, ed, hs := generate(t, "ES256"), generate(t, "EdDSA"), generate(t, "HS256")
	shared, err := keys.FromSecret("HS256", secret)
	if err != nil {
		t.Fatal(err)
	}
	with := func(k token.Key, change func(*token.Key)) token.Key {
		change(&k)
		return k
	}
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 9000, 1), E: 65537}
	p384 := newECDSA(elliptic.P384())
	for _, tt := range []struct {
		name    string
		signing token.Key
		others  []token.Key
		want    string
	}{
		{"no key", token.Key{}, nil, "no private half"},
		{"one that cannot sign", with(es, func(k *token.Key) { k.Private = nil }), nil, "no private half"},
		{"two of one kid", es, []token.Key{with(ed, func(k *token.Key) { k.ID = es.ID })}, "two keys have the kid"},
		{"the same twice", es, []token.Key{es}, "two keys have the kid"},
		{"two shared secrets", shared, []token.Key{shared}, "without a kid"},
		{"a public key without a kid", with(es, func(k *token.Key) { k.ID = "" }), nil, "without a kid"},
		{"another algorithm", with(es, func(k *token.Key) { k.Algorithm = "EdDSA" }), nil, "does not fit"},
		{"no algorithm", with(es, func(k *token.Key) { k.Algorithm = "" }), nil, "does not fit"},
		{"none", with(hs, func(k *token.Key) { k.Algorithm = "none" }), nil, "does not fit"},
		{"a public key as a secret's", with(es, func(k *token.Key) { k.Algorithm = "HS256" }), nil, "does not fit"},
		{"a private key in the public one's place", with(es, func(k *token.Key) { k.Public = k.Private }), nil, "does not fit"},
		{"another curve", token.Key{ID: "p384", Algorithm: "ES256", Private: p384, Public: p384.Public()}, nil, "does not fit"},
		{"half an Ed25519 key", es, []token.Key{{ID: "half", Algorithm: "EdDSA", Public: ed.Public.(ed25519.PublicKey)[:16]}}, "does not fit"},
		{"RSA of 9001 bits", es, []token.Key{{ID: "huge", Algorithm: "RS256", Public: huge}}, "9001 bits"},
		{"a short secret", es, []token.Key{with(hs, func(k *token.Key) { k.Public = secret[:31] })}, "31 bytes"},
		{"nothing to verify with", es, []token.Key{{ID: "x", Algorithm: "ES256"}}, "does not fit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := keys.NewRing(tt.signing, tt.others...)
			checkRefused(t, err, tt.want, secret[:31])
		})
	}
}

func TestJWKSHoldsPublicHalvesAlone(t *testing.T) {
	es, ed, rs, hs := generate(t, "ES256"), generate(t, "EdDSA"), generate(t, "RS256"), generate(t, "HS256")
	shared, err := keys.FromSecret("HS512", secret)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.NewRing(es, ed, rs, hs, shared)
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(ring.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 3 {
		t.Fatalf("got %d keys, want the 3 that have a public half: %s", len(set.Keys), ring.JWKS())
	}
	members := [][]string{
		{"alg", "crv", "kid", "kty", "use", "x", "y"},
		{"alg", "crv", "kid", "kty", "use", "x"},
		{"alg", "e", "kid", "kty", "n", "use"},
	}
	for i, want := range []token.Key{es, ed, rs} {
		got := set.Keys[i]
		if diff := cmp.Diff(members[i], slices.Sorted(maps.Keys(got))); diff != "" {
			t.Errorf("%s: members (-want +got):\n%s", want.Algorithm, diff)
		}
		if got["kid"] != want.ID || got["alg"] != want.Algorithm || got["use"] != "sig" {
			t.Errorf("%s: got kid %q, alg %q, use %q", want.Algorithm, got["kid"], got["alg"], got["use"])
		}
	}
	if strings.Contains(string(ring.JWKS()), hs.ID) {
		t.Error("the kid of a secret is published")
	}
	clear(ring.JWKS())
	if !json.Valid(ring.JWKS()) {
		t.Error("the set changes with the bytes that were returned")
	}
}

func TestJWKSOfSecretsIsEmpty(t *testing.T) {
	ring, err := keys.NewRing(generate(t, "HS256"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(ring.JWKS()), `{"keys":[]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
