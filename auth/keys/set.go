package keys

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"latchkey/auth/token"
)

// readSet reads a JSON Web Key Set (RFC 7517 section 5) and returns by kid the keys in it that verify tokens with one
// of the algorithms. Keys of any other kind are passed over, as that section asks; of two with one kid the first counts.
func readSet(b []byte, algorithms []string) (map[string]token.Key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(b, &set) != nil || set.Keys == nil {
		return nil, errors.New("the answer is not a JSON Web Key Set")
	}
	keys := map[string]token.Key{}
	for _, raw := range set.Keys {
		k, ok := readJWK(raw, algorithms)
		if !ok {
			continue
		}
		if _, taken := keys[k.ID]; !taken {
			keys[k.ID] = k
		}
	}
	return keys, nil
}

// readJWK returns the public half of a key; ok is false where it is not of use. A secret never is: who publishes one
// has given it away.
func readJWK(raw []byte, algorithms []string) (k token.Key, ok bool) {
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(raw) != nil || jwk.Use != "" && jwk.Use != "sig" {
		return token.Key{}, false
	}
	public := jwk.Public().Key // nil for a secret, which fits no algorithm
	algorithm := cmp.Or(jwk.Algorithm, algorithmOf(public))
	if !slices.Contains(algorithms, algorithm) || fits(algorithm, public) != nil {
		return token.Key{}, false
	}
	return token.Key{ID: jwk.KeyID, Algorithm: algorithm, Public: public}, true
}

// algorithmOf returns the one algorithm that is used here with keys of that type.
func algorithmOf(public any) string {
	switch public.(type) {
	case *ecdsa.PublicKey:
		return "ES256"
	case ed25519.PublicKey:
		return "EdDSA"
	case *rsa.PublicKey:
		return "RS256"
	}
	return ""
}
