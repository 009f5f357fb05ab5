package store

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"latchkey/models"
)

// StartSession implements models.Sessions. The user's row is locked first: whatever changes the user at the same time
// comes before, and the session does not begin, or after, and finds the session there.
func (s *Store) StartSession(ctx context.Context, session *models.Session, epoch int64, lastLogin bool) error {
	return s.tx(ctx, func(tx *Store) error {
		user := gorm.G[models.User](tx.write, clause.Locking{Strength: clause.LockingStrengthUpdate}).
			Where("id = ? AND epoch = ? AND is_active", session.UserID, epoch)
		if _, err := user.Select("id").Take(ctx); err != nil {
			return tx.mapped(err, "lock user")
		}
		if lastLogin {
			_, err := gorm.G[models.User](tx.write).Where("id = ?", session.UserID).
				Update(ctx, "last_login", session.CreatedAt)
			if err != nil {
				return tx.mapped(err, "write last login")
			}
		}
		session.SweepAt = session.KeepUntil
		return tx.mapped(gorm.G[models.Session](tx.write).Create(ctx, session), "create session")
	})
}

// SessionByID implements models.Sessions.
func (s *Store) SessionByID(ctx context.Context, id string) (models.Session, error) {
	session, err := gorm.G[models.Session](s.read).Where("id = ?", id).Take(ctx)
	return session, s.mapped(err, "read session")
}

// RefreshSession implements models.Sessions.
func (s *Store) RefreshSession(ctx context.Context, r models.Refresh) (models.Session, models.User, error) {
	return s.dialect.refresh(ctx, s, r)
}

// SessionsOf implements models.Sessions.
func (s *Store) SessionsOf(ctx context.Context, userID int64, now time.Time) ([]models.Session, error) {
	list, err := gorm.G[models.Session](s.read).
		Where("user_id = ? AND ended_at IS NULL AND expires_at > ?", userID, now).
		Order("last_used_at DESC, id").Find(ctx)
	return list, s.mapped(err, "read sessions")
}

// refreshUpdate is the one guarded UPDATE of a refresh. Of any number at once with one generation, the row lets one
// pass. rotations is the dialect's way to put @micros in front of that column and to keep the newest eight.
func refreshUpdate(rotations string) string {
	return `
UPDATE sessions SET
	last_used_at = @now,
	generation   = CASE WHEN @rotate THEN generation + 1 ELSE generation END,
	rotations    = CASE WHEN @rotate THEN ` + rotations + ` ELSE rotations END,
	expires_at   = CASE WHEN NOT @rotate THEN expires_at WHEN limit_at < @expires THEN limit_at ELSE @expires END,
	keep_until   = CASE WHEN keep_until > @keep THEN keep_until ELSE @keep END
WHERE id = @session AND user_id = @user AND generation = @generation AND ended_at IS NULL AND expires_at > @expired
	AND EXISTS (SELECT 1 FROM users WHERE users.id = @user AND users.is_active)
RETURNING *`
}

func refreshArguments(r models.Refresh) map[string]any {
	return map[string]any{
		"session": r.SessionID, "user": r.UserID, "generation": r.Generation,
		"now": r.Now, "expired": r.ExpiredBy, "micros": r.Now.UnixMicro(), "rotate": r.Rotate, "expires": r.ExpiresAt,
		"keep": r.KeepUntil,
	}
}
