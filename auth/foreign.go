package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"latchkey/auth/token"
	"latchkey/fault"
	"latchkey/models"
)

// A foreign refresh token is one that another issuer with the same key has made, djangorestframework-simplejwt for
// example: it has no session, or as the successor that the other has made of a token of ours, the session of that and a
// jti that is none of that session's. At its first refresh it becomes a session, of which it is generation 0; from then on it is like any other
// refresh token: it rotates, it may come again within the leeway, and later it is reuse.

// foreignSession returns the id of the session that a foreign token becomes: always the same, so that it becomes one,
// whichever node gets it, and as often as it comes.
func foreignSession(jti string) string {
	sum := sha256.Sum256([]byte("latchkey foreign refresh token " + jti))
	return hex.EncodeToString(sum[:16])
}

// seenForeign returns what the store keeps of a foreign refresh token, for as long as some node may accept it.
func (s *Service) seenForeign(p presented) models.ForeignToken {
	return models.ForeignToken{ID: p.session, ExpiresAt: p.claims.ExpiresAt.Add(s.Leeway + clockSkew)}
}

// adopt makes the session of a foreign token, unless there is one already, or must not be one.
func (s *Service) adopt(ctx context.Context, p presented, now time.Time) error {
	if err := s.parentLives(ctx, p.claims); err != nil {
		return err
	}
	session, err := s.newSession(ctx, models.User{ID: p.user}, now)
	if err != nil {
		return err
	}
	session.ID = p.session
	session.ExpiresAt = earlier(p.claims.ExpiresAt, session.LimitAt)
	session.KeepUntil = s.keepUntil(session.ExpiresAt, session.LimitAt)
	err = s.Recorder.change(ctx, func(tx models.Store) ([]event, error) {
		adopted, err := tx.AdoptSession(ctx, &session, s.seenForeign(p), p.claims.IssuedAt)
		if err != nil || !adopted {
			return nil, err
		}
		return []event{self(EventSessionAdopted, p.user, session.ID)}, nil
	})
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return fmt.Errorf("adopt session: %w", err)
	}
	return nil
}

// parentLives returns nil unless the foreign token comes from one of ours, and that one's session is over.
func (s *Service) parentLives(ctx context.Context, claims token.Claims) error {
	if claims.Foreign() {
		return nil
	}
	_, err := s.livingSession(ctx, claims.SessionID)
	return err
}

// revokeForeign keeps a foreign token from becoming a session, and reports whether it might have: then the event has
// happened.
func (s *Service) revokeForeign(ctx context.Context, p presented, e event) (revoked bool, err error) {
	err = s.Recorder.change(ctx, func(tx models.Store) ([]event, error) {
		if revoked, err = tx.RevokeForeignToken(ctx, s.seenForeign(p)); err != nil || !revoked {
			return nil, err
		}
		return []event{e}, nil
	})
	if err != nil {
		return false, fmt.Errorf("revoke foreign token: %w", err)
	}
	return revoked, nil
}

// refreshNobody answers a foreign refresh token that names no user. There is nobody whose session it could become: it
// stays as it is until it expires.
func (s *Service) refreshNobody(ctx context.Context, raw string, p presented, now time.Time) (Pair, error) {
	revoked, err := s.Store.ForeignTokenSeen(ctx, p.session)
	if err != nil {
		return Pair{}, fmt.Errorf("read foreign token: %w", err)
	}
	if revoked {
		return Pair{}, fault.TokenNotValid(fault.TokenRevoked, textRevoked)
	}
	id, err := s.randomID()
	if err != nil {
		return Pair{}, err
	}
	issued := now.Truncate(time.Second)
	claims := token.Claims{
		Kind: token.Access, ID: id, IssuedAt: issued, ExpiresAt: issued.Add(s.AccessLifetime), Carried: p.claims.Carried,
	}
	access, err := s.Codec.Sign(claims, s.Keys.Ring().Signing())
	return Pair{
		Access: access, AccessExpiresAt: claims.ExpiresAt, AccessExpiresIn: s.AccessLifetime,
		Refresh: raw, RefreshExpiresAt: p.claims.ExpiresAt, RefreshExpiresIn: p.claims.ExpiresAt.Sub(now),
	}, err
}

// foreignLives returns nil when a foreign token has not been revoked, by its name, with its session or with all of its
// user's.
func (s *Service) foreignLives(ctx context.Context, claims token.Claims, user models.User) error {
	revoked := fault.TokenNotValid(fault.TokenRevoked, textRevoked)
	ended := !models.Outlived(user.SessionsEndedAt, claims.IssuedAt)
	if claims.Kind == token.Access {
		switch {
		case !models.Outlived(user.EpochRaisedAt, claims.IssuedAt):
			return refused(errStale)
		case ended:
			return revoked
		}
		return nil
	}
	if err := s.parentLives(ctx, claims); err != nil {
		return err
	}
	seen, err := s.Store.ForeignTokenSeen(ctx, foreignSession(claims.ID))
	if err != nil {
		return fmt.Errorf("read foreign token: %w", err)
	}
	if !seen {
		if ended {
			return revoked
		}
		return nil
	}
	session, err := s.livingSession(ctx, foreignSession(claims.ID))
	if err == nil && session.Generation > 0 {
		return revoked
	}
	return err
}
