package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"latchkey/models"
)

// CreateUser implements models.Users.
func (s *Store) CreateUser(ctx context.Context, u *models.User) error {
	return s.tx(ctx, func(tx *Store) error {
		if err := gorm.G[models.User](tx.write).Create(ctx, u); err != nil {
			return tx.mapped(err, "create user")
		}
		return tx.addTerms(ctx, []models.User{*u})
	})
}

// HasUsers implements models.Users.
func (s *Store) HasUsers(ctx context.Context) (bool, error) {
	var found bool
	err := s.read.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM users)").Scan(&found).Error
	return found, s.mapped(err, "look for users")
}

// UserByID implements models.Users.
func (s *Store) UserByID(ctx context.Context, id int64) (models.User, error) {
	return s.user(ctx, userByID, id)
}

// UserByUsername implements models.Users.
func (s *Store) UserByUsername(ctx context.Context, username string) (models.User, error) {
	return s.user(ctx, userByUsername, username)
}

// A user with the roles is read with each request that asks who it is from: one statement, and no reflection. Each role
// makes a row.
const (
	userByID       = "SELECT " + userColumns + " FROM users" + userRoles + " WHERE users.id = $1"
	userByUsername = "SELECT " + userColumns + " FROM users" + userRoles + " WHERE users.username = $1"

	userColumns = `users.id, users.username, users.username_key, users.email, users.first_name, users.last_name,
	users.password_hash, users.is_active, users.is_staff, users.is_superuser, users.epoch, users.epoch_raised_at,
	users.sessions_ended_at, users.date_joined, users.last_login, roles.id, roles.name, roles.description, roles.permissions`

	userRoles = ` LEFT JOIN user_roles ON user_roles.user_id = users.id LEFT JOIN roles ON roles.id = user_roles.role_id`
)

func (s *Store) user(ctx context.Context, query string, key any) (models.User, error) {
	rows, err := s.read.Statement.ConnPool.QueryContext(ctx, query, key)
	if err != nil {
		return models.User{}, s.mapped(err, "read user")
	}
	user, err := scanUser(rows)
	return user, s.mapped(err, "read user")
}

// scanUser reads the rows of one user and closes them. The destinations of the columns that come before the user's are
// others. sql.ErrNoRows where there is no row.
func scanUser(rows *sql.Rows, others ...any) (user models.User, err error) {
	defer func() {
		if closing := rows.Close(); err == nil {
			err = closing
		}
	}()
	var role roleColumns
	fields := slices.Concat(others, []any{
		&user.ID, &user.Username, &user.UsernameKey, &user.Email, &user.FirstName, &user.LastName,
		(*string)(&user.PasswordHash), &user.IsActive, &user.IsStaff, &user.IsSuperuser, &user.Epoch, &user.EpochRaisedAt,
		&user.SessionsEndedAt, &user.DateJoined, &user.LastLogin, &role.id, &role.name, &role.description, &role.permissions,
	})
	found := false
	for rows.Next() {
		found = true
		if err := rows.Scan(fields...); err != nil {
			return models.User{}, err
		}
		if role.id == nil {
			continue
		}
		r, err := role.role()
		if err != nil {
			return models.User{}, err
		}
		user.Roles = append(user.Roles, r)
	}
	if err := rows.Err(); err != nil {
		return models.User{}, err
	}
	if !found {
		return models.User{}, sql.ErrNoRows
	}
	slices.SortFunc(user.Roles, func(a, b models.Role) int { return strings.Compare(a.Name, b.Name) })
	return user, nil
}

// ReplacePasswordHash implements models.Users.
func (s *Store) ReplacePasswordHash(ctx context.Context, id int64, old, replacement models.Secret) (bool, error) {
	n, err := gorm.G[models.User](s.write).
		Where("id = ? AND password_hash = ?", id, string(old)).
		Update(ctx, "password_hash", string(replacement))
	return n == 1, s.mapped(err, "replace password hash")
}

// ChangeUser implements models.Users.
func (s *Store) ChangeUser(ctx context.Context, u models.User) error {
	columns := []any{"username_key", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser"}
	if u.PasswordHash != "" {
		columns = append(columns, "password_hash")
	}
	return s.tx(ctx, func(tx *Store) error {
		n, err := gorm.G[models.User](tx.write).Where("id = ?", u.ID).Select("username", columns...).Updates(ctx, u)
		if err == nil && n == 0 {
			return models.ErrNotFound
		}
		if err != nil {
			return tx.mapped(err, "change user")
		}
		return tx.renewTerms(ctx, u.ID)
	})
}

// LockUsers implements models.Users.
func (s *Store) LockUsers(ctx context.Context) error {
	return s.mapped(s.dialect.lockUsers(ctx, s), "lock users")
}

// HasOtherSuperuser implements models.Users.
func (s *Store) HasOtherSuperuser(ctx context.Context, id int64) (found bool, err error) {
	err = s.read.WithContext(ctx).
		Raw("SELECT EXISTS (SELECT 1 FROM users WHERE is_superuser AND is_active AND id <> ?)", id).Scan(&found).Error
	return found, s.mapped(err, "look for superusers")
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
