package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"latchkey/models"
)

// Clean implements models.Cleaning.
func (s *Store) Clean(ctx context.Context, kind models.Perishable, over time.Time, limit int) (bite models.Bite, err error) {
	err = s.tx(ctx, func(tx *Store) error {
		alone, err := s.dialect.alone(ctx, tx)
		if bite.Busy = !alone; err != nil || !alone {
			return tx.mapped(err, "lock for cleaning")
		}
		looked := 0
		switch kind {
		case models.PerishableSessions:
			looked, bite.Deleted, err = tx.cleanSessions(ctx, over, limit)
		case models.PerishableRevocations:
			bite.Deleted, err = tx.deleteOldest(ctx, "revocations", "expires_at", over, limit)
		case models.PerishableForeign:
			bite.Deleted, err = tx.deleteOldest(ctx, "foreign_tokens", "expires_at", over, limit)
		case models.PerishableKeys:
			bite.Deleted, err = tx.deleteOldest(ctx, "signing_keys", "expires_at", over, limit)
		case models.PerishableAttempts:
			bite.Deleted, err = tx.deleteOldest(ctx, "attempts", "expires_at", over, limit)
		case models.PerishableEvents:
			bite.Deleted, err = tx.deleteOldest(ctx, "events", "at", over, limit, "seq = 0")
		default:
			return fmt.Errorf("clean %q: there is no such kind", kind)
		}
		bite.Done = max(looked, bite.Deleted) < limit
		return tx.mapped(err, "clean "+string(kind))
	})
	if err != nil {
		return models.Bite{}, err
	}
	return bite, nil
}

// deleteOldest deletes the rows of a table whose column is over, of those that fit. A row that is changed meanwhile is
// looked at again.
func (s *Store) deleteOldest(ctx context.Context, table, column string, over time.Time, limit int, fit ...string) (int, error) {
	conditions := strings.Join(append([]string{column + " <= ?"}, fit...), " AND ")
	result := s.write.WithContext(ctx).Exec(fmt.Sprintf(
		"DELETE FROM %[1]s WHERE id IN (SELECT id FROM %[1]s WHERE %[3]s ORDER BY %[2]s LIMIT ?) AND %[2]s <= ?",
		table, column, conditions), over, limit, over)
	return int(result.RowsAffected), result.Error
}

// cleanSessions deletes, of the sessions that are due to be looked at, those that are over, and looks at the others
// again when they would be. So a session that lives is looked at once in the lifetime of a refresh token, and its
// refreshes touch no index. It returns how many it looked at, and how many it deleted.
func (s *Store) cleanSessions(ctx context.Context, over time.Time, limit int) (looked, deleted int, err error) {
	lock := clause.Locking{Strength: clause.LockingStrengthUpdate, Options: clause.LockingOptionsSkipLocked}
	due, err := gorm.G[models.Session](s.write, lock).Select("id", "keep_until").
		Where("sweep_at <= ?", over).Order("sweep_at").Limit(limit).Find(ctx)
	if err != nil {
		return 0, 0, err
	}
	var gone, later []string
	for _, session := range due {
		if session.KeepUntil.After(over) {
			later = append(later, session.ID)
		} else {
			gone = append(gone, session.ID)
		}
	}
	if len(gone) > 0 {
		if deleted, err = gorm.G[models.Session](s.write).Where("id IN ?", gone).Delete(ctx); err != nil {
			return 0, 0, err
		}
	}
	if len(later) > 0 {
		err = s.write.WithContext(ctx).Exec("UPDATE sessions SET sweep_at = keep_until WHERE id IN ?", later).Error
	}
	return len(due), deleted, err
}
