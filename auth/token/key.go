package token

import (
	"context"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// Key is a key of one algorithm. The algorithm belongs to the key, never to the token (RFC 8725 section 3.1).
//
//	Algorithm            Private              Public
//	ES256                *ecdsa.PrivateKey    *ecdsa.PublicKey, on P-256
//	EdDSA                ed25519.PrivateKey   ed25519.PublicKey
//	RS256                *rsa.PrivateKey      *rsa.PublicKey, of 2048 bits at least
//	HS256, HS384, HS512  []byte               the same []byte, of MinSecretLength at least
type Key struct {
	ID        string // kid; empty for a secret that is shared with others
	Algorithm string // as in RFC 7518 and RFC 8037
	Private   any    // nil where only verifying is possible
	Public    any
}

// MinSecretLength is the least length of an HMAC secret, in bytes: the output of SHA-256 (RFC 7518 section 3.2). It is
// not raised for HS384 and HS512, since 256 bits cannot be guessed either, and Django projects sign with shorter ones.
const MinSecretLength = 32

// Lookup returns the key for the kid of a token, which is empty where the token names none.
// ErrUnknownKey where there is none; any other error is a fault, and the token is not called bad for it.
type Lookup func(ctx context.Context, kid string) (Key, error)

// ErrUnknownKey says that no key has the kid.
var ErrUnknownKey = errors.New("unknown key")

// method returns how the key signs. It is an error if its algorithm is not one of ours, "none" among them, or if its
// secret is so short that it could be guessed.
func (k Key) method() (jwt.SigningMethod, error) {
	for _, half := range []any{k.Private, k.Public} {
		if secret, ok := half.([]byte); ok && len(secret) < MinSecretLength {
			return nil, fmt.Errorf("the %s secret is %d bytes long; it must be %d at least", k.Algorithm, len(secret), MinSecretLength)
		}
	}
	switch k.Algorithm {
	case "ES256":
		return jwt.SigningMethodES256, nil
	case "EdDSA":
		return jwt.SigningMethodEdDSA, nil
	case "RS256":
		return jwt.SigningMethodRS256, nil
	case "HS256":
		return jwt.SigningMethodHS256, nil
	case "HS384":
		return jwt.SigningMethodHS384, nil
	case "HS512":
		return jwt.SigningMethodHS512, nil
	}
	return nil, fmt.Errorf("unknown algorithm %q", k.Algorithm)
}
