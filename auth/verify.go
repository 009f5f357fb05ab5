package auth

import (
	"context"
	"fmt"

	"latchkey/auth/token"
	"latchkey/fault"
)

// Verifier verifies access tokens without any I/O but what its key lookup does. A token that verified once is
// remembered by its digest, so that the signature, by far the dearest step, is checked once for each token; its expiry
// is checked each time. It is safe for use by many goroutines.
type Verifier struct {
	codec    *token.Codec
	lookup   token.Lookup
	verified *memory
}

// errNoUser is why a foreign access token is refused that names nobody.
var errNoUser = &token.Error{Problem: fault.TokenMalformed, Message: "Token contained no recognizable user identification"}

// NewVerifier returns a Verifier for the tokens of the keys that lookup knows: a Ring of one's own keys or the Remote
// key set of a server.
func NewVerifier(codec *token.Codec, lookup token.Lookup) (*Verifier, error) {
	verified, err := newMemory(codec)
	if err != nil {
		return nil, fmt.Errorf("make verifier: %w", err)
	}
	return &Verifier{codec: codec, lookup: lookup, verified: verified}, nil
}

// VerifyAccess implements AccessVerifier.
func (v *Verifier) VerifyAccess(ctx context.Context, raw string) (*Caller, error) {
	era := v.verified.era.Load()
	if known, ok := v.verified.get(raw); ok {
		return known.caller, nil
	}
	claims, err := v.codec.ParseKind(ctx, raw, v.lookup, token.Access)
	if err != nil {
		return nil, err
	}
	if claims.UserID == "" {
		return nil, errNoUser
	}
	return v.verified.add(raw, claims, era).caller, nil
}
