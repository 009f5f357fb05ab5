package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"latchkey/auth/token"
)

// Ring is the set of keys a node works with: one that signs, and all that verify. It does not change, and is safe for
// use by many goroutines.
type Ring struct {
	signing    token.Key
	byID       map[string]token.Key
	shared     *token.Key // a secret without a kid: it verifies whatever kid a token names
	algorithms []string
	jwks       []byte
}

// NewRing returns the ring that signs with the first key and verifies with all of them. It is an error if the first
// has no private half, if a key does not fit its algorithm, if two have one kid, or if one that is published has none.
func NewRing(signing token.Key, others ...token.Key) (*Ring, error) {
	if signing.Private == nil {
		return nil, errors.New("the key that is to sign has no private half")
	}
	r := &Ring{signing: signing, byID: map[string]token.Key{}}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range append([]token.Key{signing}, others...) {
		if err := r.add(k); err != nil {
			return nil, err
		}
		if !Symmetric(k.Algorithm) {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public, KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"})
		}
	}
	slices.Sort(r.algorithms)
	r.algorithms = slices.Compact(r.algorithms)
	var err error
	if r.jwks, err = json.Marshal(set); err != nil {
		return nil, fmt.Errorf("encode key set: %w", err)
	}
	return r, nil
}

func (r *Ring) add(k token.Key) error {
	if err := fits(k.Algorithm, k.Public); err != nil {
		return err
	}
	r.algorithms = append(r.algorithms, k.Algorithm)
	if k.ID == "" {
		if r.shared != nil || !Symmetric(k.Algorithm) {
			return errors.New("only one key, and that a secret, can do without a kid")
		}
		r.shared = &k
		return nil
	}
	if _, ok := r.byID[k.ID]; ok {
		return fmt.Errorf("two keys have the kid %q", k.ID)
	}
	r.byID[k.ID] = k
	return nil
}

// Signing returns the key that signs new tokens.
func (r *Ring) Signing() token.Key { return r.signing }

// Lookup is the ring's token.Lookup. A token's kid chooses among our own keys and does nothing else.
func (r *Ring) Lookup(_ context.Context, kid string) (token.Key, error) {
	if k, ok := r.byID[kid]; ok {
		return k, nil
	}
	if r.shared != nil {
		return *r.shared, nil
	}
	return token.Key{}, token.ErrUnknownKey
}

// JWKS returns the public keys as a JSON Web Key Set (RFC 7517 section 5); shared secrets are not in it.
func (r *Ring) JWKS() []byte { return slices.Clone(r.jwks) }

// Algorithms returns the algorithms of the keys, sorted and without repeats.
func (r *Ring) Algorithms() []string { return slices.Clone(r.algorithms) }
