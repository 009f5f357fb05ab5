package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/fault"
	"latchkey/models"
)

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

// SetRoles gives a user exactly the roles of those names; BAD_USER_INPUT where no token could carry them. Access tokens with the old ones are STALE at once.
func (s *Service) SetRoles(ctx context.Context, userID int64, names []string) error {
	if !fitToken(names) {
		return fault.BadUserInput("The names of so many roles do not fit into a token.", "roles")
	}
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
