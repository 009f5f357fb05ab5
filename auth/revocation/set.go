// Package revocation is what makes an access token stop at once without a question to the database for each request: a
// set in memory of what must be refused, and the loop that keeps it equal to the database.
//
// The set holds only what a token that has not expired can still need: what was ended or changed within the lifetime of
// an access token. Its size does not depend on how many users or sessions there are.
package revocation

import (
	"encoding/hex"
	"strconv"
	"sync"
	"time"

	"latchkey/fault"
	"latchkey/models"
)

// Set is the revocations in memory. It is safe for use by many goroutines.
type Set struct {
	mu       sync.RWMutex
	sessions map[sessionKey]int64 // until when, in seconds since 1970
	users    map[int64]userEntry
}

// sessionKey is a session's id, 32 hex digits, in half the space.
type sessionKey [16]byte

type userEntry struct{ epoch, until int64 }

// NewSet returns an empty Set.
func NewSet() *Set {
	return &Set{sessions: map[sessionKey]int64{}, users: map[int64]userEntry{}}
}

// Add adds revocations. Adding one twice does no harm.
func (s *Set) Add(list ...models.Revocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range list {
		until := r.ExpiresAt.Unix() + 1
		if key, ok := keyOf(r.SessionID); ok {
			s.sessions[key] = max(s.sessions[key], until)
		}
		if r.UserID != 0 {
			e := s.users[r.UserID]
			s.users[r.UserID] = userEntry{max(e.epoch, r.Epoch), max(e.until, until)}
		}
	}
}

// Problem returns why an access token with these claims must be refused: REVOKED, STALE, or "" where it need not be.
func (s *Set) Problem(sessionID, userID string, epoch int64) fault.TokenProblem {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if key, ok := keyOf(sessionID); ok {
		if _, ended := s.sessions[key]; ended {
			return fault.TokenRevoked
		}
	}
	if len(s.users) == 0 {
		return ""
	}
	id, err := strconv.ParseInt(userID, 10, 64)
	if err == nil && epoch < s.users[id].epoch {
		return fault.TokenStale
	}
	return ""
}

// Forget drops what no token needs any more at the time given.
func (s *Set) Forget(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, until := range s.sessions {
		if until < now.Unix() {
			delete(s.sessions, key)
		}
	}
	for id, e := range s.users {
		if e.until < now.Unix() {
			delete(s.users, id)
		}
	}
}

// Len returns how many entries there are.
func (s *Set) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.sessions) + len(s.users)
}

func keyOf(sessionID string) (key sessionKey, ok bool) {
	if len(sessionID) != 2*len(key) {
		return key, false
	}
	_, err := hex.Decode(key[:], []byte(sessionID))
	return key, err == nil
}
