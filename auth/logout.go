package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

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
	ended, err = s.end(ctx, signedOut)
	if ended {
		markProved(ctx)
	}
	return ended, err
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

// EndSession ends a session: one of the caller's own, or with sessions:write any. NOT_FOUND for any other, whether there
// is one of that id or not.
func (s *Service) EndSession(ctx context.Context, id string) error {
	user, err := s.Me(ctx)
	if err != nil {
		return err
	}
	if !isText(id) {
		return fault.New(fault.KindNotFound)
	}
	session, err := s.Store.SessionByID(ctx, id)
	if errors.Is(err, models.ErrNotFound) || err == nil && session.EndedAt != nil {
		return fault.New(fault.KindNotFound)
	}
	if err != nil {
		return fmt.Errorf("read session: %w", err)
	}
	if session.UserID != user.ID && !user.Can(models.PermSessionsWrite) {
		return s.denied(ctx, session.UserID, ruleForeign, fault.New(fault.KindNotFound))
	}
	_, err = s.end(ctx, event{
		name: EventSessionsEnded, actor: user.ID, subject: session.UserID, session: id, detail: map[string]any{"count": 1},
	})
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

// SessionsOf returns the sessions of each of the users that go on, the last used first, or why they are not told. They are
// for their owner, who may have proved to be that with this very request, and for whoever has users:read. However many
// users there are, they are read at once.
func (s *Service) SessionsOf(ctx context.Context, owners []Owner) ([][]models.Session, []error) {
	lists, errs := make([][]models.Session, len(owners)), make([]error, len(owners))
	current := make([]string, len(owners))
	var wanted []int64
	others := sync.OnceValue(func() error { return s.Authorize(ctx, models.PermUsersRead) })
	for i, o := range owners {
		if current[i] = s.currentOf(ctx, o); current[i] == "" {
			if errs[i] = others(); errs[i] != nil {
				continue
			}
		}
		wanted = append(wanted, userNumber(o))
	}
	if len(wanted) == 0 {
		return lists, errs
	}
	found, err := s.Store.SessionsOf(ctx, wanted, s.now())
	for i, o := range owners {
		switch {
		case errs[i] != nil:
		case err != nil:
			errs[i] = fmt.Errorf("read sessions: %w", err)
		default:
			lists[i] = slices.Clone(found[userNumber(o)])
			for at := range lists[i] {
				lists[i][at].IsCurrent = lists[i][at].ID == current[i]
			}
		}
	}
	return lists, errs
}

// currentOf returns the session with which the request proves to be the owner's; "" where it does not.
func (s *Service) currentOf(ctx context.Context, o Owner) string {
	if o.SessionID != "" {
		return o.SessionID
	}
	caller, err := CallerFrom(ctx)
	if err != nil || caller.UserID != o.UserID {
		return ""
	}
	return caller.SessionID
}

func userNumber(o Owner) int64 {
	id, _ := strconv.ParseInt(o.UserID, 10, 64) // 0, which nobody has, where it is none
	return id
}
