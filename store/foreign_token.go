package store

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"latchkey/models"
)

// AdoptSession implements models.ForeignTokens. The user's row is locked first, as by StartSession.
func (s *Store) AdoptSession(ctx context.Context, session *models.Session, t models.ForeignToken, issued time.Time) (adopted bool, err error) {
	err = s.tx(ctx, func(tx *Store) error {
		user := gorm.G[models.User](tx.write, clause.Locking{Strength: clause.LockingStrengthUpdate}).
			Where("id = ? AND is_active AND (sessions_ended_at IS NULL OR sessions_ended_at < ?)", session.UserID, issued)
		if _, err := user.Select("id").Take(ctx); err != nil {
			return tx.mapped(err, "lock user")
		}
		first, err := tx.RevokeForeignToken(ctx, t)
		if err != nil || !first {
			return err
		}
		session.SweepAt = session.KeepUntil
		// The session is there already where the token came after its row was cleaned away, by a clock that is behind.
		result := gorm.WithResult()
		err = gorm.G[models.Session](tx.write, clause.OnConflict{DoNothing: true}, result).Create(ctx, session)
		adopted = result.RowsAffected == 1
		return tx.mapped(err, "create session")
	})
	return adopted && err == nil, err
}

// RevokeForeignToken implements models.ForeignTokens.
func (s *Store) RevokeForeignToken(ctx context.Context, t models.ForeignToken) (bool, error) {
	result := s.write.WithContext(ctx).Exec(
		"INSERT INTO foreign_tokens (id, expires_at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING", t.ID, t.ExpiresAt)
	return result.RowsAffected == 1, s.mapped(result.Error, "write foreign token")
}

// ForeignTokenSeen implements models.ForeignTokens.
func (s *Store) ForeignTokenSeen(ctx context.Context, id string) (bool, error) {
	n, err := gorm.G[models.ForeignToken](s.read).Where("id = ?", id).Count(ctx, "*")
	return n > 0, s.mapped(err, "read foreign token")
}
