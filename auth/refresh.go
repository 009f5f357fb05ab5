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
	claims, err := s.Codec.ParseKind(ctx, raw, s.Keys.Lookup, token.Refresh)
	if err != nil {
		return Pair{}, s.refreshRefused(ctx, claims, refused(err))
	}
	pair, err := s.exchange(ctx, raw, claims)
	if err != nil {
		return Pair{}, s.refreshRefused(ctx, claims, err)
	}
	return pair, nil
}

// refreshRefused records the error, where it is the refusal of a refresh token, and returns it. Of a token that did not
// verify there are no claims, and nothing that it says is kept.
func (s *Service) refreshRefused(ctx context.Context, claims token.Claims, err error) error {
	refusal, ok := errors.AsType[*fault.Error](err)
	if !ok || refusal.Kind != fault.KindTokenNotValid || refusal.Reason == fault.TokenReused {
		return err // reused has recorded the last of them
	}
	e := event{name: EventRefreshRefused}
	if _, ours := generationOf(claims); ours {
		e.session = claims.SessionID
		e.subject, _ = userIDOf(claims) // 0 where it names nobody
	}
	s.Recorder.fail(ctx, e, string(refusal.Reason))
	return err
}

// exchange answers a refresh token whose signature and expiry hold.
func (s *Service) exchange(ctx context.Context, raw string, claims token.Claims) (Pair, error) {
	userID, err := userIDOf(claims)
	if err != nil {
		return Pair{}, err
	}
	generation, ok := generationOf(claims)
	if !ok {
		return Pair{}, fault.TokenNotValid(fault.TokenMalformed, "")
	}
	now := s.now()
	session, user, err := s.Store.RefreshSession(ctx, models.Refresh{
		SessionID: claims.SessionID, UserID: userID, Generation: generation, Now: now, ExpiredBy: now.Add(-s.Leeway),
		Rotate: s.Rotate, ExpiresAt: now.Truncate(time.Second).Add(s.RefreshLifetime), KeepUntil: s.keepUntil(now),
	})
	if errors.Is(err, models.ErrNotFound) {
		return s.refreshAgain(ctx, claims, userID, generation, now)
	}
	if err != nil {
		return Pair{}, fmt.Errorf("refresh session: %w", err)
	}
	if s.Rotate {
		if raw, err = s.refresh(user, session); err != nil {
			return Pair{}, err
		}
	}
	return s.pair(user, session, raw, now)
}

// keepUntil is until when a session is kept that is refreshed now: its refresh token can give an access token up to the
// last moment, and that one is accepted for its own lifetime.
func (s *Service) keepUntil(now time.Time) time.Time {
	keep := now.Truncate(time.Second).Add(s.AccessLifetime + s.Leeway)
	if s.Rotate {
		return keep.Add(s.RefreshLifetime)
	}
	return keep
}

// The texts of a refresh token whose signature and expiry hold and which is not accepted all the same.
const (
	textRevoked   = "Token is blacklisted"
	textExpired   = "Token is expired"
	textNoAccount = "No active account found for the given token."
)

// refreshAgain decides about a refresh token whose signature and expiry hold and which did not rotate: it is answered
// as it was before, refused, or the end of its session.
func (s *Service) refreshAgain(ctx context.Context, claims token.Claims, userID, generation int64, now time.Time) (Pair, error) {
	session, err := s.Store.SessionByID(ctx, claims.SessionID)
	if errors.Is(err, models.ErrNotFound) {
		return Pair{}, fault.TokenNotValid(fault.TokenRevoked, textRevoked)
	}
	if err != nil {
		return Pair{}, fmt.Errorf("read session: %w", err)
	}
	user, err := s.Store.UserByID(ctx, session.UserID)
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return Pair{}, fmt.Errorf("read user: %w", err)
	}
	switch {
	case session.EndedAt != nil || session.UserID != userID:
		return Pair{}, fault.TokenNotValid(fault.TokenRevoked, textRevoked)
	case !now.Add(-s.Leeway).Before(session.ExpiresAt):
		return Pair{}, fault.TokenNotValid(fault.TokenExpired, textExpired)
	case !user.IsActive:
		return Pair{}, fault.TokenNotValid(fault.TokenStale, textNoAccount)
	case generation >= session.Generation: // it was the newest and the user was inactive a moment ago, or no session made it
		return Pair{}, fault.TokenNotValid(fault.TokenStale, textNoAccount)
	case !s.usedUpJustNow(session, generation, claims.IssuedAt, now):
		return Pair{}, s.reused(ctx, session)
	case generation < session.Generation-1: // a late duplicate: its successor was used already, by whoever has the newest
		return Pair{}, fault.TokenNotValid(fault.TokenRevoked, textRevoked).Because(ErrOvertaken)
	}
	successor, err := s.refresh(user, session)
	if err != nil {
		return Pair{}, err
	}
	return s.pair(user, session, successor, now)
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
