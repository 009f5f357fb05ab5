package auth

import (
	"crypto/sha256"
	"fmt"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"latchkey/auth/token"
)

// memorySize is how many tokens a memory holds; some 300 bytes each.
const memorySize = 10_000

// memory holds what tokens of one kind say whose signature is known to be good: it was checked here, or made here. It
// knows them by their digest. It is safe for use by many goroutines.
type memory struct {
	codec  *token.Codec
	tokens *lru.Cache[[sha256.Size]byte, remembered]
	era    atomic.Uint64 // of the keys: what is known from an earlier one is not believed

	hits, misses atomic.Uint64 // of get
}

type remembered struct {
	claims token.Claims
	caller *Caller // of an access token; shared by all requests with it, and nobody writes to it
	era    uint64
}

func newMemory(codec *token.Codec) (*memory, error) {
	tokens, err := lru.New[[sha256.Size]byte, remembered](memorySize)
	if err != nil {
		return nil, fmt.Errorf("make memory of tokens: %w", err)
	}
	return &memory{codec: codec, tokens: tokens}, nil
}

// get returns what is known of a token that has not expired.
func (m *memory) get(raw string) (remembered, bool) {
	known, ok := m.tokens.Get(digestOf(raw))
	ok = ok && known.era == m.era.Load() && !m.codec.Expired(known.claims)
	if ok {
		m.hits.Add(1)
	} else {
		m.misses.Add(1)
	}
	return known, ok
}

// add remembers a token. era is what it was before the key was looked up that the signature is good by.
func (m *memory) add(raw string, claims token.Claims, era uint64) remembered {
	known := remembered{claims: claims, era: era}
	if claims.Kind == token.Access {
		known.caller = &Caller{
			UserID: claims.UserID, SessionID: claims.SessionID, TokenID: claims.ID, Epoch: claims.Epoch,
			Roles: claims.Roles, IssuedAt: claims.IssuedAt, ExpiresAt: claims.ExpiresAt,
		}
	}
	m.tokens.Add(digestOf(raw), known)
	return known
}

// digestOf returns what a token is known by.
func digestOf(raw string) [sha256.Size]byte {
	var room [1024]byte // for most tokens: the copy stays on the stack
	return sha256.Sum256(append(room[:0], raw...))
}

// forget makes every signature be checked again, also of a token that is being checked or signed just now.
func (m *memory) forget() {
	m.era.Add(1)
	m.tokens.Purge()
}
