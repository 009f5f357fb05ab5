package auth

import (
	"context"
	"errors"

	"latchkey/auth/token"
	"latchkey/fault"
)

// ErrOvertaken is the cause of a refusal that says nothing against the session: the refresh token is not the newest,
// and was used so shortly ago that whoever sent it again may well hold the newest.
var ErrOvertaken = errors.New("a newer refresh token of the session is in use")

// Owner is whose a refresh token is.
type Owner struct{ UserID, SessionID string }

// OwnerOf returns whose a refresh token is, by its signature and times alone; whether its session goes on is not asked.
// TOKEN_NOT_VALID with the reason when they do not hold.
func (s *Service) OwnerOf(ctx context.Context, refresh string) (Owner, error) {
	claims, err := s.ownRefresh(ctx, refresh)
	return Owner{UserID: claims.UserID, SessionID: claims.SessionID}, err
}

// ownRefresh returns what a refresh token says that is of a session of ours, by its signature and times alone.
func (s *Service) ownRefresh(ctx context.Context, raw string) (token.Claims, error) {
	claims, err := s.Codec.ParseKind(ctx, raw, s.Keys.Lookup, token.Refresh)
	if err != nil {
		return token.Claims{}, refused(err)
	}
	if _, ok := generationOf(claims); !ok {
		return token.Claims{}, fault.TokenNotValid(fault.TokenMalformed, "")
	}
	return claims, nil
}
