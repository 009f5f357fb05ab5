package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/auth/token"
)

// Ring is the set of keys a node works with: one that signs, and all that verify, some of them until a set time. It is
// safe for use by many goroutines.
type Ring struct {
	signing token.Key
	since   time.Time // when it began to sign; zero: not known
	all     []member
	byID    map[string]member
	shared  *token.Key       // a secret without a kid: it verifies whatever kid a token names
	now     func() time.Time // asked only about keys that have an end
}

// member is a key of a ring.
type member struct {
	token.Key
	until time.Time       // when it ends; zero: not yet known
	jwk   json.RawMessage // as it is published; nil where it is not
}

// NewRing returns the ring that signs with the first key and verifies with all of them, without an end. It is an error
// if the first has no private half, if a key does not fit its algorithm, if two have one kid, or if one that is published
// has none.
func NewRing(signing token.Key, others ...token.Key) (*Ring, error) {
	members := make([]member, len(others))
	for i, k := range others {
		members[i] = member{Key: k}
	}
	return newRing(nil, signing, members)
}

func newRing(now func() time.Time, signing token.Key, others []member) (*Ring, error) {
	if signing.Private == nil {
		return nil, errors.New("the key that is to sign has no private half")
	}
	r := &Ring{signing: signing, byID: map[string]member{}, now: now}
	for _, m := range append([]member{{Key: signing}}, others...) {
		if err := r.add(m); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Ring) add(m member) error {
	if err := fits(m.Algorithm, m.Public); err != nil {
		return err
	}
	if m.ID == "" && (r.shared != nil || !Symmetric(m.Algorithm)) {
		return errors.New("only one key, and that a secret, can do without a kid")
	}
	if _, ok := r.byID[m.ID]; ok {
		return fmt.Errorf("two keys have the kid %q", m.ID)
	}
	if !Symmetric(m.Algorithm) {
		var err error
		if m.jwk, err = (&jose.JSONWebKey{Key: m.Public, KeyID: m.ID, Algorithm: m.Algorithm, Use: "sig"}).MarshalJSON(); err != nil {
			return fmt.Errorf("encode key %s: %w", m.ID, err)
		}
	}
	r.all = append(r.all, m)
	if m.ID == "" {
		r.shared = &m.Key
	} else {
		r.byID[m.ID] = m
	}
	return nil
}

// verifies reports whether tokens of the key are accepted now.
func (r *Ring) verifies(m member) bool { return m.until.IsZero() || r.now().Before(m.until) }

// Signing returns the key that signs new tokens.
func (r *Ring) Signing() token.Key { return r.signing }

// Len returns how many keys verify now.
func (r *Ring) Len() int {
	n := 0
	for _, m := range r.all {
		if r.verifies(m) {
			n++
		}
	}
	return n
}

// SigningSince returns when the key that signs took over; zero for a key that is not kept in a database.
func (r *Ring) SigningSince() time.Time { return r.since }

// Lookup is the ring's token.Lookup. A token's kid chooses among our own keys and does nothing else.
func (r *Ring) Lookup(_ context.Context, kid string) (token.Key, error) {
	if m, ok := r.byID[kid]; ok && r.verifies(m) {
		return m.Key, nil
	}
	if r.shared != nil {
		return *r.shared, nil
	}
	return token.Key{}, token.ErrUnknownKey
}

// JWKS returns the public keys as a JSON Web Key Set (RFC 7517 section 5); shared secrets are not in it.
func (r *Ring) JWKS() []byte {
	set := []byte(`{"keys":[`)
	for _, m := range r.all {
		if m.jwk == nil || !r.verifies(m) {
			continue
		}
		if set[len(set)-1] != '[' {
			set = append(set, ',')
		}
		set = append(set, m.jwk...)
	}
	return append(set, "]}"...)
}

// Algorithms returns the algorithms of the keys, sorted and without repeats.
func (r *Ring) Algorithms() []string {
	var list []string
	for _, m := range r.all {
		if r.verifies(m) {
			list = append(list, m.Algorithm)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
