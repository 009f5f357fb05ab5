package store

import (
	"context"
	"encoding/json"
	"fmt"
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

// SessionsOf implements models.Sessions.
func (s *Store) SessionsOf(ctx context.Context, userIDs []int64, now time.Time) (map[int64][]models.Session, error) {
	of, ids := s.dialect.among("user_id", userIDs)
	list, err := gorm.G[models.Session](s.read).
		Where(of, ids).Where("ended_at IS NULL AND expires_at > ?", now).
		Order("last_used_at DESC, id").Find(ctx)
	found := make(map[int64][]models.Session, len(userIDs))
	for _, session := range list {
		found[session.UserID] = append(found[session.UserID], session)
	}
	return found, s.mapped(err, "read sessions")
}

// refreshUpdate is the one guarded UPDATE of a refresh, with the arguments of refreshArguments. Of any number at once with
// one generation, the row lets one pass. rotations is the dialect's way to put $3 in front of that column and to keep
// the newest eight, past its way to add the $10 microseconds to the limit.
func refreshUpdate(rotations, past, returning string) string {
	return `
UPDATE sessions SET
	last_used_at = $1,
	generation   = CASE WHEN $2 THEN generation + 1 ELSE generation END,
	rotations    = CASE WHEN $2 THEN ` + rotations + ` ELSE rotations END,
	expires_at   = CASE WHEN NOT $2 THEN expires_at WHEN limit_at < $4 THEN limit_at ELSE $4 END,
	keep_until   = CASE WHEN keep_until > $5 OR keep_until > ` + past + ` THEN keep_until
		WHEN ` + past + ` < $5 THEN ` + past + ` ELSE $5 END
WHERE id = $6 AND user_id = $7 AND generation = $8 AND ended_at IS NULL AND expires_at > $9
	AND EXISTS (SELECT 1 FROM users WHERE users.id = $7 AND users.is_active)
RETURNING ` + returning
}

func refreshArguments(r models.Refresh) []any {
	return []any{
		r.Now, r.Rotate, r.Now.UnixMicro(), r.ExpiresAt, r.KeepUntil,
		r.SessionID, r.UserID, r.Generation, r.ExpiredBy, r.KeepPast.Microseconds(),
	}
}

// sessionColumns are the columns of a session, for sessionFields.
const sessionColumns = `sessions.id, sessions.user_id, sessions.generation, sessions.created_at, sessions.last_used_at,
	sessions.expires_at, sessions.limit_at, sessions.ended_at, sessions.keep_until, sessions.sweep_at,
	sessions.rotations, sessions.user_agent, sessions.ip_address`

// sessionFields returns where the columns of a session are scanned to.
func sessionFields(s *models.Session) []any {
	return []any{
		&s.ID, &s.UserID, &s.Generation, &s.CreatedAt, &s.LastUsedAt,
		&s.ExpiresAt, &s.LimitAt, &s.EndedAt, &s.KeepUntil, &s.SweepAt,
		(*rotations)(&s.Rotations), &s.UserAgent, &s.IPAddress,
	}
}

// rotations is that column, a JSON array or NULL.
type rotations []int64

// Scan implements sql.Scanner.
func (r *rotations) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*r = nil
		return nil
	case string:
		return json.Unmarshal([]byte(v), r)
	case []byte:
		return json.Unmarshal(v, r)
	}
	return fmt.Errorf("rotations are a %T", value)
}
