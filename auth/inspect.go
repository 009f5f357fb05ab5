package auth

import (
	"context"
	"errors"
	"fmt"

	"latchkey/auth/token"
	"latchkey/fault"
	"latchkey/models"
)

// Inspected is what a valid token says.
type Inspected struct {
	Claims token.Claims
	User   models.User // with the roles
}

// Inspect verifies a token of either kind, and that what it says is still true: the session lives, the refresh token
// is the session's newest, the user is active and unchanged. TOKEN_NOT_VALID with the reason when not.
func (s *Service) Inspect(ctx context.Context, raw string) (Inspected, error) {
	claims, err := s.Codec.Parse(ctx, raw, s.Keys.Lookup)
	if err != nil {
		return Inspected{}, refused(err)
	}
	inspected, err := s.inspect(ctx, claims)
	if err == nil {
		markProved(ctx)
	}
	return inspected, err
}

// Verify returns nil for what Inspect accepts, and for a foreign token of any kind or none, also one that names nobody.
func (s *Service) Verify(ctx context.Context, raw string) error {
	claims, err := s.Codec.ParseAny(ctx, raw, s.Keys.Lookup)
	if err != nil {
		return refused(err)
	}
	if claims.NamesNobody() {
		return s.foreignLives(ctx, claims, models.User{})
	}
	if _, err = s.inspect(ctx, claims); err == nil {
		markProved(ctx)
	}
	return err
}

func (s *Service) inspect(ctx context.Context, claims token.Claims) (Inspected, error) {
	userID, err := userIDOf(claims)
	if err != nil {
		return Inspected{}, err
	}
	user, err := s.Store.UserByID(ctx, userID)
	if errors.Is(err, models.ErrNotFound) || err == nil && !user.IsActive {
		return Inspected{}, noAccount()
	}
	if err != nil {
		return Inspected{}, fmt.Errorf("read user: %w", err)
	}
	if generation, ours := generationOf(claims); claims.Foreign() || claims.Kind == token.Refresh && !ours {
		return Inspected{claims, user}, s.foreignLives(ctx, claims, user)
	} else if err := s.lives(ctx, claims, userID, generation); err != nil {
		return Inspected{}, err
	}
	if claims.Kind == token.Access && claims.Epoch != user.Epoch {
		return Inspected{}, refused(errStale)
	}
	return Inspected{claims, user}, nil
}

// lives returns nil when the token's session is the user's, goes on, and is not past this generation of refresh tokens.
func (s *Service) lives(ctx context.Context, claims token.Claims, userID, generation int64) error {
	session, err := s.livingSession(ctx, claims.SessionID)
	if err != nil {
		return err
	}
	if session.UserID != userID {
		return fault.TokenNotValid(fault.TokenRevoked, textRevoked)
	}
	if claims.Kind == token.Refresh && generation != session.Generation {
		return fault.TokenNotValid(fault.TokenRevoked, textRevoked)
	}
	return nil
}

// livingSession returns a session that has not ended. TOKEN_NOT_VALID with the reason REVOKED where it has, or is gone.
func (s *Service) livingSession(ctx context.Context, id string) (models.Session, error) {
	session, err := s.Store.SessionByID(ctx, id)
	if errors.Is(err, models.ErrNotFound) || err == nil && session.EndedAt != nil {
		return models.Session{}, fault.TokenNotValid(fault.TokenRevoked, textRevoked)
	}
	if err != nil {
		return models.Session{}, fmt.Errorf("read session: %w", err)
	}
	return session, nil
}
