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

// Refresh gives a new access token for a refresh token and, with rotation, the refresh token that follows it. Of any
// number of calls with the same token, one succeeds. TOKEN_NOT_VALID with the reason when the token is not accepted.
func (s *Service) Refresh(ctx context.Context, raw string) (Pair, error) {
	claims, err := s.Codec.ParseKind(ctx, raw, s.Keys.Lookup, token.Refresh)
	if err != nil {
		return Pair{}, refused(err)
	}
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
		SessionID: claims.SessionID, UserID: userID, Generation: generation, Now: now,
		Rotate: s.Rotate, ExpiresAt: now.Truncate(time.Second).Add(s.RefreshLifetime),
	})
	if errors.Is(err, models.ErrNotFound) {
		return Pair{}, s.explain(ctx, claims, now)
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

// The texts of a refresh token whose signature and expiry hold and which is not accepted all the same.
const (
	textRevoked   = "Token is blacklisted"
	textExpired   = "Token is expired"
	textNoAccount = "No active account found for the given token."
)

// explain says why the refresh did not happen although the token's signature and expiry hold.
func (s *Service) explain(ctx context.Context, claims token.Claims, now time.Time) error {
	session, err := s.Store.SessionByID(ctx, claims.SessionID)
	switch {
	case errors.Is(err, models.ErrNotFound):
		return fault.TokenNotValid(fault.TokenRevoked, textRevoked)
	case err != nil:
		return fmt.Errorf("read session: %w", err)
	case session.EndedAt != nil:
		return fault.TokenNotValid(fault.TokenRevoked, textRevoked)
	case !now.Before(session.ExpiresAt):
		return fault.TokenNotValid(fault.TokenExpired, textExpired)
	}
	generation, _ := generationOf(claims)
	if generation != session.Generation {
		return fault.TokenNotValid(fault.TokenRevoked, textRevoked)
	}
	// Nothing else is asked of the session, so it is the user who is gone or inactive.
	return fault.TokenNotValid(fault.TokenStale, textNoAccount)
}
