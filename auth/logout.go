package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

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
	p, err := s.presented(ctx, *refresh)
	if err != nil {
		return false, err
	}
	signedOut := self(EventSignedOut, p.user, p.session)
	if p.claims.Foreign() {
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

// ChangePassword changes the caller's password, ends every session of theirs, this one too, and begins a new one. A
// FormError says what is wrong with the passwords.
func (s *Service) ChangePassword(ctx context.Context, current, replacement string) (Pair, error) {
	user, err := s.Me(ctx)
	if err != nil {
		return Pair{}, err
	}
	result, err := s.Passwords.Verify(ctx, current, string(user.PasswordHash))
	if err != nil {
		return Pair{}, busy(err)
	}
	if !result.Match {
		s.passwordChangeFailed(ctx, user.ID)
	}
	if problems := s.checkChange(user, result.Match, replacement); len(problems) > 0 {
		return Pair{}, problems
	}
	hash, err := s.Passwords.Hash(ctx, replacement)
	if err != nil {
		return Pair{}, busy(err)
	}
	now, until := s.now(), s.until()
	session, err := s.newSession(ctx, user, now)
	if err != nil {
		return Pair{}, err
	}
	err = s.Recorder.change(ctx, func(tx models.Store) ([]event, error) {
		replaced, err := tx.ReplacePasswordHash(ctx, user.ID, user.PasswordHash, models.Secret(hash))
		if err != nil {
			return nil, err
		}
		if !replaced { // it was changed meanwhile, so what was given as current no longer is
			return nil, FormError{wrongPassword()}
		}
		// The epoch makes every older access token stale, so the sessions need no revocation each.
		if user.Epoch, err = tx.RaiseEpoch(ctx, user.ID, now, until); err != nil {
			return nil, err
		}
		if _, err := tx.EndSessions(ctx, user.ID, "", now, time.Time{}); err != nil {
			return nil, err
		}
		changed := []event{self(EventPasswordChanged, user.ID, session.ID)}
		return changed, tx.StartSession(ctx, &session, user.Epoch, false)
	})
	if form, ok := errors.AsType[FormError](err); ok {
		s.passwordChangeFailed(ctx, user.ID)
		return Pair{}, form
	}
	if errors.Is(err, models.ErrNotFound) { // deactivated or deleted meanwhile
		return Pair{}, fault.Unauthenticated(fault.TokenStale, "User is inactive")
	}
	if err != nil {
		return Pair{}, fmt.Errorf("change password: %w", err)
	}
	s.live.set.Add(models.Revocation{UserID: user.ID, Epoch: user.Epoch, ExpiresAt: until})
	refresh, err := s.refresh(user, session, nil)
	if err != nil {
		return Pair{}, err
	}
	return s.pair(user, session, refresh, nil, now)
}

// passwordChangeFailed records that the current password was not it.
func (s *Service) passwordChangeFailed(ctx context.Context, userID int64) {
	e := self(EventPasswordChangeFailed, userID, "")
	if caller, err := CallerFrom(ctx); err == nil {
		e.session = caller.SessionID
	}
	s.Recorder.fail(ctx, e, "")
}

func wrongPassword() FormProblem {
	return FormProblem{"current", FormWrongPassword, "Your old password was entered incorrectly. Please enter it again."}
}

func (s *Service) checkChange(user models.User, matches bool, replacement string) FormError {
	var e FormError
	if !matches {
		e = append(e, wrongPassword())
	}
	if replacement == "" {
		e.add("new", FormRequired, "This field is required.")
		return e
	}
	e.addPassword("new", s.Policy, replacement, user)
	return e
}

// SetActive makes a user active or inactive. An inactive user's tokens are STALE at once, and the sessions end.
func (s *Service) SetActive(ctx context.Context, userID int64, active bool) error {
	return s.change(ctx, userID, func(tx models.Store) (map[string]any, error) {
		changed, err := tx.SetActive(ctx, userID, active)
		if err != nil {
			return nil, err
		}
		if !active {
			if _, err := tx.EndSessions(ctx, userID, "", s.now(), time.Time{}); err != nil {
				return nil, err
			}
		}
		if !changed {
			return nil, nil // nothing was changed
		}
		return map[string]any{"is_active": active}, nil
	})
}

// SetRoles gives a user exactly the roles of those names. Access tokens with the old ones are STALE at once.
func (s *Service) SetRoles(ctx context.Context, userID int64, names []string) error {
	return s.change(ctx, userID, func(tx models.Store) (map[string]any, error) {
		return map[string]any{"roles": slices.Sorted(slices.Values(names))}, tx.SetUserRoles(ctx, userID, names)
	})
}

// change writes what makes a user's access tokens untrue and raises the epoch, in one transaction. write returns what it
// changed, with the new values; nil: nothing.
func (s *Service) change(ctx context.Context, userID int64, write func(models.Store) (map[string]any, error)) error {
	until := s.until()
	var epoch int64
	err := s.Recorder.change(ctx, func(tx models.Store) (_ []event, err error) {
		if epoch, err = tx.RaiseEpoch(ctx, userID, s.now(), until); err != nil {
			return nil, err
		}
		changed, err := write(tx)
		if err != nil || changed == nil {
			return nil, err
		}
		return []event{event{name: EventUserChanged, subject: userID, detail: changed}.by(ctx)}, nil
	})
	if errors.Is(err, models.ErrNotFound) {
		return fault.New(fault.KindNotFound)
	}
	if err != nil {
		return fmt.Errorf("change user %d: %w", userID, err)
	}
	s.live.set.Add(models.Revocation{UserID: userID, Epoch: epoch, ExpiresAt: until})
	return nil
}

// DeleteUser removes a user with sessions and all. Their tokens are STALE at once.
func (s *Service) DeleteUser(ctx context.Context, userID int64) error {
	until := s.until()
	err := s.Recorder.change(ctx, func(tx models.Store) ([]event, error) {
		deleted := []event{event{name: EventUserDeleted, subject: userID}.by(ctx)}
		return deleted, tx.DeleteUser(ctx, userID, until)
	})
	if errors.Is(err, models.ErrNotFound) {
		return fault.New(fault.KindNotFound)
	}
	if err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	s.live.set.Add(models.Revocation{UserID: userID, Epoch: models.EpochOfDeleted, ExpiresAt: until})
	return nil
}
