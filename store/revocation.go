package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"latchkey/models"
)

// RevocationsSince implements models.Revocations.
func (s *Store) RevocationsSince(ctx context.Context, mark int64) ([]models.Revocation, int64, error) {
	return s.dialect.since(ctx, s, mark)
}

// Wakeups implements models.Revocations.
func (s *Store) Wakeups(ctx context.Context) <-chan struct{} { return s.dialect.wakeups(ctx) }

// revoke writes revocations and wakes the nodes, both when the transaction commits. It must be called in one.
func (s *Store) revoke(ctx context.Context, list ...models.Revocation) error {
	if len(list) == 0 {
		return nil
	}
	if err := gorm.G[models.Revocation](s.write).CreateInBatches(ctx, &list, 100); err != nil {
		return s.mapped(err, "write revocations")
	}
	return s.mapped(s.dialect.wake(ctx, s), "wake nodes")
}

// EndSession implements models.Sessions.
func (s *Store) EndSession(ctx context.Context, id string, now, until time.Time) (ended bool, err error) {
	err = s.tx(ctx, func(tx *Store) error {
		n, err := gorm.G[models.Session](tx.write).Where("id = ? AND ended_at IS NULL", id).Update(ctx, "ended_at", now)
		if ended = n == 1; err != nil || !ended {
			return tx.mapped(err, "end session")
		}
		return tx.revoke(ctx, models.Revocation{SessionID: id, ExpiresAt: until})
	})
	return ended && err == nil, err
}

// EndSessions implements models.Sessions.
func (s *Store) EndSessions(ctx context.Context, userID int64, except string, now, until time.Time) (ids []string, err error) {
	err = s.tx(ctx, func(tx *Store) error {
		// The user's row first, as whatever begins a session does.
		_, err := gorm.G[models.User](tx.write).Where("id = ?", userID).Update(ctx, "sessions_ended_at", now)
		if err != nil {
			return tx.mapped(err, "end sessions")
		}
		err = tx.write.WithContext(ctx).Raw(`UPDATE sessions SET ended_at = @now
			WHERE user_id = @user AND id <> @except AND ended_at IS NULL AND keep_until > @now RETURNING id`,
			map[string]any{"now": now, "user": userID, "except": except}).Scan(&ids).Error
		if err != nil {
			return tx.mapped(err, "end sessions")
		}
		if until.IsZero() {
			return nil
		}
		list := make([]models.Revocation, len(ids))
		for i, id := range ids {
			list[i] = models.Revocation{SessionID: id, ExpiresAt: until}
		}
		return tx.revoke(ctx, list...)
	})
	return ids, err
}

// RaiseEpoch implements models.Users.
func (s *Store) RaiseEpoch(ctx context.Context, userID int64, now, until time.Time) (epoch int64, err error) {
	err = s.tx(ctx, func(tx *Store) error {
		result := tx.write.WithContext(ctx).
			Raw("UPDATE users SET epoch = epoch + 1, epoch_raised_at = ? WHERE id = ? RETURNING epoch", now, userID).Scan(&epoch)
		if result.Error != nil {
			return tx.mapped(result.Error, "raise epoch")
		}
		if result.RowsAffected == 0 {
			return models.ErrNotFound
		}
		return tx.revoke(ctx, models.Revocation{UserID: userID, Epoch: epoch, ExpiresAt: until})
	})
	return epoch, err
}

// DeleteUser implements models.Users.
func (s *Store) DeleteUser(ctx context.Context, id int64, until time.Time) error {
	return s.tx(ctx, func(tx *Store) error {
		n, err := gorm.G[models.User](tx.write).Where("id = ?", id).Delete(ctx)
		if err != nil {
			return tx.mapped(err, "delete user")
		}
		if n == 0 {
			return models.ErrNotFound
		}
		return tx.revoke(ctx, models.Revocation{UserID: id, Epoch: models.EpochOfDeleted, ExpiresAt: until})
	})
}
