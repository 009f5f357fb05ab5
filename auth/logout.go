package auth

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"latchkey/fault"
	"latchkey/models"
)

// Logout ends the session of a refresh token, or without one the session of the request's access token, and reports
// whether it had not ended before. From the moment it returns no token of that session is accepted on this node, and
// within a second on no other. A foreign refresh token that has become no session never becomes one.
func (s *Service) Logout(ctx context.Context, refresh *string) (ended bool, err error) {
	if refresh == nil {
		caller, err := CallerFrom(ctx)
		if err != nil {
			return false, err
		}
		if caller.SessionID == "" {
			return false, fault.BadUserInput("The access token belongs to no session.", "refresh")
		}
		userID, err := strconv.ParseInt(caller.UserID, 10, 64)
		if err != nil {
			userID = 0
		}
		return s.end(ctx, self(EventSignedOut, userID, caller.SessionID))
	}
	return s.endByRefresh(ctx, *refresh)
}

// endByRefresh ends the session of a refresh token, and reports whether it had not ended before.
func (s *Service) endByRefresh(ctx context.Context, refresh string) (ended bool, err error) {
	p, err := s.presented(ctx, refresh)
	if err != nil {
		return false, err
	}
	signedOut := self(EventSignedOut, p.user, p.session)
	if p.foreign {
		revoked, err := s.revokeForeign(ctx, p, signedOut)
		if err != nil || revoked {
			return revoked, err
		}
	}
	return s.end(ctx, signedOut)
}

// end ends the session of the event, here before it returns, and reports whether it had not ended before: then the
// event has happened.
func (s *Service) end(ctx context.Context, e event) (ended bool, err error) {
	until := s.until()
	err = s.Recorder.change(ctx, func(tx models.Store) ([]event, error) {
		if ended, err = tx.EndSession(ctx, e.session, s.now(), until); err != nil || !ended {
			return nil, err
		}
		return []event{e}, nil
	})
	if err != nil {
		return false, fmt.Errorf("end session: %w", err)
	}
	s.live.set.Add(models.Revocation{SessionID: e.session, ExpiresAt: until})
	return ended, nil
}

// EndSession ends one of the caller's own sessions. NOT_FOUND for any other.
func (s *Service) EndSession(ctx context.Context, id string) error {
	user, err := s.Me(ctx)
	if err != nil {
		return err
	}
	session, err := s.Store.SessionByID(ctx, id)
	if errors.Is(err, models.ErrNotFound) || err == nil && (session.UserID != user.ID || session.EndedAt != nil) {
		return fault.New(fault.KindNotFound)
	}
	if err != nil {
		return fmt.Errorf("read session: %w", err)
	}
	e := self(EventSessionsEnded, user.ID, id)
	e.detail = map[string]any{"count": 1}
	_, err = s.end(ctx, e)
	return err
}

// EndSessions ends the caller's sessions, all or all but the current one, and returns how many it ended.
func (s *Service) EndSessions(ctx context.Context, exceptCurrent bool) (int, error) {
	user, err := s.Me(ctx)
	if err != nil {
		return 0, err
	}
	caller, err := CallerFrom(ctx)
	if err != nil {
		return 0, err
	}
	except := ""
	if exceptCurrent {
		except = caller.SessionID
	}
	until := s.until()
	var ids []string
	err = s.Recorder.change(ctx, func(tx models.Store) ([]event, error) {
		if ids, err = tx.EndSessions(ctx, user.ID, except, s.now(), until); err != nil || len(ids) == 0 {
			return nil, err
		}
		e := self(EventSessionsEnded, user.ID, "")
		e.detail = map[string]any{"count": len(ids)}
		return []event{e}, nil
	})
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	for _, id := range ids {
		s.live.set.Add(models.Revocation{SessionID: id, ExpiresAt: until})
	}
	return len(ids), nil
}

// Sessions returns the sessions of a user that go on, the last used first. They are for their owner, who may have proved
// to be that with this very request, and for whoever has users:read.
func (s *Service) Sessions(ctx context.Context, owner models.User) ([]models.Session, error) {
	current := owner.SignedInAs
	caller, err := CallerFrom(ctx)
	if err == nil && caller.UserID == owner.IDText() && current == "" {
		current = caller.SessionID
	}
	if current == "" {
		if err := s.Authorize(ctx, models.PermUsersRead); err != nil {
			return nil, err
		}
	}
	list, err := s.Store.SessionsOf(ctx, owner.ID, s.now())
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	for i := range list {
		list[i].IsCurrent = list[i].ID == current
	}
	return list, nil
}
