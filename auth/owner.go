package auth

import (
	"context"
	"errors"
)

// ErrOvertaken is the cause of a refusal that says nothing against the session: the refresh token is not the newest,
// and was used so shortly ago that whoever sent it again may well hold the newest.
var ErrOvertaken = errors.New("a newer refresh token of the session is in use")

// Owner is whose a refresh token is.
type Owner struct{ UserID, SessionID string }

// OwnerOf returns whose a refresh token is, by its signature and times alone; whether its session goes on is not asked.
// TOKEN_NOT_VALID with the reason when they do not hold.
func (s *Service) OwnerOf(ctx context.Context, refresh string) (Owner, error) {
	p, err := s.presented(ctx, refresh)
	return Owner{UserID: p.claims.UserID, SessionID: p.session}, err
}

// presented returns what a refresh token says, by its signature and times alone.
func (s *Service) presented(ctx context.Context, raw string) (presented, error) {
	claims, err := s.parseRefresh(ctx, raw)
	if err != nil {
		return presented{}, refused(err)
	}
	p, err := presentedBy(claims)
	if err != nil {
		return presented{}, err
	}
	return p, nil
}
