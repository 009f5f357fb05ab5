package auth

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"latchkey/auth/revocation"
	"latchkey/auth/token"
	"latchkey/fault"
)

// How a node goes on whose revocation feed has fallen behind: it asks the database for each request; while that does
// not answer either it trusts what it knows for a while; then it refuses.
const (
	freshFor   = 2 * time.Second        // how old the feed may be to be believed
	trustFor   = 10 * time.Second       // how much longer it is believed while the database is gone
	askTimeout = 500 * time.Millisecond // for one question about one token
	breakFor   = time.Second            // after a question without an answer, none is asked for so long
	clockSkew  = time.Minute            // between nodes: revocations are kept for so much longer

	leastRevocation = time.Hour // so long a revocation is kept at least: another node may give longer-lived access tokens
)

// live is what a Service knows about what was revoked.
type live struct {
	set     *revocation.Set
	feed    *revocation.Sync
	started time.Time    // of the breaker's clock, which is monotonic
	askFrom atomic.Int64 // when the database may be asked again
}

// VerifyAccess implements AccessVerifier: what a Verifier does, and then whether the token was revoked. Neither reads
// the database while the feed is fresh, but for the rare token without a session, which another issuer with the same
// key has made: what it says of its user nobody here has vouched for. A fault is never told as a bad token.
func (s *Service) VerifyAccess(ctx context.Context, raw string) (*Caller, error) {
	caller, err := s.Verifier.VerifyAccess(ctx, raw)
	if err != nil {
		return nil, err
	}
	if caller.SessionID == "" {
		err := s.ask(ctx, func(ctx context.Context) error {
			_, err := s.userOf(ctx, caller)
			return err
		})
		if err != nil {
			return nil, err
		}
		return caller, nil
	}
	// The present lifetime holds for older tokens, too: where it was shortened, revocations are not kept for longer.
	if !s.Now().Before(caller.IssuedAt.Add(s.AccessLifetime + s.Leeway)) {
		return nil, &token.Error{Problem: fault.TokenExpired, Message: textExpired}
	}
	problem, err := s.revoked(ctx, caller)
	if err != nil {
		return nil, err
	}
	if problem != "" {
		return nil, &token.Error{Problem: problem, Message: textRevoked}
	}
	return caller, nil
}

func (s *Service) revoked(ctx context.Context, c *Caller) (fault.TokenProblem, error) {
	known := s.live.set.Problem(c.SessionID, c.UserID, c.Epoch)
	age := s.live.feed.Age()
	if known != "" || age <= freshFor {
		return known, nil
	}
	err := s.ask(ctx, func(ctx context.Context) error { return s.askForProblem(ctx, c) })
	if refusal, ok := errors.AsType[*fault.Error](err); ok {
		return refusal.Reason, nil
	}
	if err != nil && age > freshFor+trustFor {
		return "", fmt.Errorf("the revocation feed is %s old: %w", age.Round(time.Second), err)
	}
	return "", nil
}

var errNotAsked = errors.New("the database did not answer just now")

// ask asks the database a question about one token, and not for long. The answer is nil or a *fault.Error; any other error
// says that there was none, and that none is asked for a while.
func (s *Service) ask(ctx context.Context, question func(context.Context) error) error {
	if int64(time.Since(s.live.started)) < s.live.askFrom.Load() { //nolint:forbidigo // the monotonic clock
		return errNotAsked
	}
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err := question(asking)
	if _, answered := errors.AsType[*fault.Error](err); err != nil && !answered && ctx.Err() == nil { // a client that left says nothing
		s.live.askFrom.Store(int64(time.Since(s.live.started) + breakFor)) //nolint:forbidigo // the monotonic clock
	}
	return err
}

// askForProblem returns nil for a token whose session goes on and whose user is as the token says.
func (s *Service) askForProblem(ctx context.Context, c *Caller) error {
	if _, err := s.livingSession(ctx, c.SessionID); err != nil {
		return err
	}
	_, err := s.userOf(ctx, c)
	return err
}

// Ready returns nil while what was revoked elsewhere is known here.
func (s *Service) Ready() error {
	if age := s.live.feed.Age(); age > freshFor {
		return fmt.Errorf("the revocation feed is %s old", age.Round(time.Second))
	}
	return nil
}

// Load reads what was revoked, before the first token is checked.
func (s *Service) Load(ctx context.Context) error { return s.live.feed.Load(ctx) }

// Follow keeps what was revoked equal to the database until ctx ends.
func (s *Service) Follow(ctx context.Context) { s.live.feed.Run(ctx) }

// until is how long a revocation made now is needed: as long as the longest-lived access token, of a node with another
// setting too, while that is being changed.
func (s *Service) until() time.Time { return revokedUntil(s.now(), s.AccessLifetime, s.Leeway) }

func revokedUntil(now time.Time, lifetime, leeway time.Duration) time.Time {
	return now.Add(max(lifetime, leastRevocation) + leeway + clockSkew)
}

// reloadKeys reads the keys anew and forgets which tokens were good under the old ones.
func (s *Service) reloadKeys(ctx context.Context) error {
	if err := s.Keys.Reload(ctx); err != nil {
		return fmt.Errorf("reload signing keys: %w", err)
	}
	s.refreshTokens.forget()
	s.verified.forget()
	return nil
}
