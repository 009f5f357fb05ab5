package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/auth/token"
	"latchkey/fault"
	"latchkey/models"
)

// Refresh gives a new access token for a refresh token and, with rotation, the refresh token that follows it (RFC 9700
// section 4.14.2). Of any number of calls with the same token one rotates; the others get, within the leeway, the very
// same successor, so that a lost reply or a second tab does no harm. A refresh token that was used up longer ago comes
// from a thief or went to one, and ends the session. TOKEN_NOT_VALID with the reason when the token is not accepted.
func (s *Service) Refresh(ctx context.Context, raw string) (Pair, error) {
	return s.refreshToken(ctx, raw, s.exchange)
}

// RefreshAny is Refresh, and answers a foreign refresh token that names no user, too, as djangorestframework-simplejwt
// does: with an access token that names none either and opens nothing here.
func (s *Service) RefreshAny(ctx context.Context, raw string) (Pair, error) {
	return s.refreshToken(ctx, raw, func(ctx context.Context, raw string, p presented, now time.Time) (Pair, error) {
		if p.user == 0 {
			return s.refreshNobody(ctx, raw, p, now)
		}
		return s.exchange(ctx, raw, p, now)
	})
}

type exchange func(ctx context.Context, raw string, p presented, now time.Time) (Pair, error)

func (s *Service) refreshToken(ctx context.Context, raw string, answer exchange) (Pair, error) {
	p, err := s.presented(ctx, raw)
	if err != nil {
		s.outcomes.refresh(Pair{}, err)
		return Pair{}, s.refreshRefused(ctx, presented{}, err)
	}
	pair, err := answer(ctx, raw, p, s.now())
	s.outcomes.refresh(pair, err)
	if err != nil {
		return Pair{}, s.refreshRefused(ctx, p, err)
	}
	markProved(ctx)
	return pair, nil
}

// refreshRefused records the error, where it is the refusal of a refresh token, and returns it. Of a token that did not
// verify nothing that it says is kept.
func (s *Service) refreshRefused(ctx context.Context, p presented, err error) error {
	refusal, ok := errors.AsType[*fault.Error](err)
	if !ok || refusal.Kind != fault.KindTokenNotValid || refusal.Reason == fault.TokenReused {
		return err // reused has recorded the last of them
	}
	s.Recorder.fail(ctx, event{name: EventRefreshRefused, session: p.session, subject: p.user}, string(refusal.Reason))
	return err
}

// presented is a refresh token whose signature and expiry hold.
type presented struct {
	claims           token.Claims
	foreign          bool
	session          string
	user, generation int64 // the user is 0 in a foreign token that names nobody
}

// presentedBy returns which session and generation the token is of: a foreign one the first of the session that it
// becomes. TOKEN_NOT_VALID where no session can be the token's.
func presentedBy(claims token.Claims) (presented, error) {
	p := presented{claims: claims, session: claims.SessionID}
	generation, ours := generationOf(claims)
	if p.generation = generation; !ours {
		p.foreign, p.session = true, foreignSession(claims.ID)
	}
	if claims.NamesNobody() {
		return p, nil
	}
	var err error
	p.user, err = userIDOf(claims)
	return p, err
}

// exchange answers a refresh token whose signature and expiry hold.
func (s *Service) exchange(ctx context.Context, raw string, p presented, now time.Time) (Pair, error) {
	if p.user == 0 {
		return Pair{}, fault.TokenNotValid(fault.TokenMalformed, "")
	}
	session, user, err := s.rotate(ctx, p, now)
	if errors.Is(err, models.ErrNotFound) && p.foreign {
		if err := s.adopt(ctx, p, now); err != nil {
			return Pair{}, err
		}
		session, user, err = s.rotate(ctx, p, now)
	}
	if errors.Is(err, models.ErrNotFound) {
		return s.refreshAgain(ctx, p, now)
	}
	if err != nil {
		return Pair{}, fmt.Errorf("refresh session: %w", err)
	}
	if s.Rotate {
		if raw, err = s.refresh(user, session, p.claims.Carried); err != nil {
			return Pair{}, err
		}
	}
	return s.pair(user, session, raw, p.claims.Carried, now)
}

// rotate is the guarded change of a refresh. models.ErrNotFound where it is for others to decide.
func (s *Service) rotate(ctx context.Context, p presented, now time.Time) (models.Session, models.User, error) {
	expires := now.Truncate(time.Second).Add(s.RefreshLifetime)
	lastUse := now
	if s.Rotate {
		lastUse = expires
	}
	return s.Store.RefreshSession(ctx, models.Refresh{
		SessionID: p.session, UserID: p.user, Generation: p.generation, Now: now, ExpiredBy: now.Add(-s.Leeway),
		Rotate: s.Rotate, ExpiresAt: expires, KeepUntil: s.keepUntil(lastUse, nil), KeepPast: s.Leeway,
	})
}

// keepUntil is until when a session is kept whose refresh token is last used at a time: it gives an access token then, and
// that one is accepted for its own lifetime, but not past the session's limit. nil: none, or the store's to know.
func (s *Service) keepUntil(lastUse time.Time, limit *time.Time) time.Time {
	return earlier(lastUse.Add(s.AccessLifetime), limit).Add(s.Leeway)
}

// The texts of a refresh token whose signature and expiry hold and which is not accepted all the same.
const (
	textRevoked   = "Token is blacklisted"
	textExpired   = "Token is expired"
	textNoAccount = "No active account found for the given token."
)

// refreshAgain decides about a refresh token whose signature and expiry hold and which did not rotate: it is answered
// as it was before, refused, or the end of its session.
func (s *Service) refreshAgain(ctx context.Context, p presented, now time.Time) (Pair, error) {
	user, err := s.Store.UserByID(ctx, p.user)
	if errors.Is(err, models.ErrNotFound) || err == nil && !user.IsActive {
		return Pair{}, noAccount()
	}
	if err != nil {
		return Pair{}, fmt.Errorf("read user: %w", err)
	}
	session, err := s.livingSession(ctx, p.session)
	if err != nil {
		return Pair{}, err
	}
	switch {
	case session.UserID != p.user:
		return Pair{}, fault.TokenNotValid(fault.TokenRevoked, textRevoked)
	case !now.Add(-s.Leeway).Before(session.ExpiresAt):
		return Pair{}, fault.TokenNotValid(fault.TokenExpired, textExpired)
	case p.generation >= session.Generation: // it was the newest and the user was inactive a moment ago, or no session made it
		return Pair{}, noAccount()
	case !s.usedUpJustNow(session, p.generation, p.claims.IssuedAt, now):
		return Pair{}, s.reused(ctx, session)
	case p.generation < session.Generation-1: // a late duplicate: its successor was used already, by whoever has the newest
		return Pair{}, fault.TokenNotValid(fault.TokenRevoked, textRevoked).Because(ErrOvertaken)
	}
	successor, err := s.refresh(user, session, p.claims.Carried)
	if err != nil {
		return Pair{}, err
	}
	pair, err := s.pair(user, session, successor, p.claims.Carried, now)
	pair.repeated = true
	return pair, err
}

// usedUpJustNow reports whether the generation was used up within the leeway. Of one so old that the session no longer
// remembers when, it is only known that it was after the token was made: where that is within the leeway, it was used up
// within it, too. Else it counts as reuse, or whoever has the newest token could hide behind many quick refreshes.
func (s *Service) usedUpJustNow(session models.Session, generation int64, issued, now time.Time) bool {
	at, exact := session.RotatedAt(generation)
	if !exact {
		at = issued
	}
	return s.ReuseLeeway > 0 && now.Sub(at) <= s.ReuseLeeway
}

// reused ends the session of a refresh token that came again, and then refuses: what was written stays written.
func (s *Service) reused(ctx context.Context, session models.Session) error {
	e := event{name: EventRefreshReused, subject: session.UserID, session: session.ID}
	ended, err := s.end(ctx, e)
	if err != nil {
		return err
	}
	if !ended { // it came twice at once, and the other one has recorded it
		e.name = EventRefreshRefused
		s.Recorder.fail(ctx, e, string(fault.TokenReused))
	}
	return fault.TokenNotValid(fault.TokenReused, textRevoked)
}
