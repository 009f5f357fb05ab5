package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"latchkey/auth/token"
	"latchkey/fault"
)

// verifiedTokens is how many verified tokens a Verifier remembers; some 300 bytes each.
const verifiedTokens = 10_000

// Verifier verifies access tokens without any I/O but what its key lookup does. A token that verified once is
// remembered by its digest, so that the signature, by far the dearest step, is checked once for each token; its expiry
// is checked each time. It is safe for use by many goroutines.
type Verifier struct {
	codec    *token.Codec
	lookup   token.Lookup
	verified *lru.Cache[[sha256.Size]byte, remembered]
	era      atomic.Uint64 // of the keys: what verified in an earlier one is not believed
}

// textNoUser is why a foreign access token is refused that names nobody.
const textNoUser = "Token contained no recognizable user identification"

type remembered struct {
	claims token.Claims
	caller *Caller // shared by all requests with the token; nobody writes to it
	era    uint64
}

// NewVerifier returns a Verifier for the tokens of the keys that lookup knows: a Ring of one's own keys or the Remote
// key set of a server.
func NewVerifier(codec *token.Codec, lookup token.Lookup) (*Verifier, error) {
	cache, err := lru.New[[sha256.Size]byte, remembered](verifiedTokens)
	if err != nil {
		return nil, fmt.Errorf("make verifier: %w", err)
	}
	return &Verifier{codec: codec, lookup: lookup, verified: cache}, nil
}

// VerifyAccess implements AccessVerifier.
func (v *Verifier) VerifyAccess(ctx context.Context, raw string) (*Caller, error) {
	digest, era := sha256.Sum256([]byte(raw)), v.era.Load()
	if r, ok := v.verified.Get(digest); ok && r.era == era && !v.codec.Expired(r.claims) {
		return r.caller, nil
	}
	claims, err := v.codec.ParseKind(ctx, raw, v.lookup, token.Access)
	if err != nil {
		return nil, err
	}
	if claims.UserID == "" {
		return nil, &token.Error{Problem: fault.TokenMalformed, Message: textNoUser}
	}
	caller := &Caller{
		UserID: claims.UserID, SessionID: claims.SessionID, TokenID: claims.ID, Epoch: claims.Epoch,
		Roles: claims.Roles, IssuedAt: claims.IssuedAt, ExpiresAt: claims.ExpiresAt,
	}
	v.verified.Add(digest, remembered{claims, caller, era})
	return caller, nil
}

// forget makes every token be verified again, also one that is being verified just now.
func (v *Verifier) forget() {
	v.era.Add(1)
	v.verified.Purge()
}
