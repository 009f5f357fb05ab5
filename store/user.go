package store

import (
	"context"

	"gorm.io/gorm"

	"latchkey/models"
)

// CreateUser implements models.Users.
func (s *Store) CreateUser(ctx context.Context, u *models.User) error {
	return s.mapped(gorm.G[models.User](s.write).Create(ctx, u), "create user")
}

// HasUsers implements models.Users.
func (s *Store) HasUsers(ctx context.Context) (bool, error) {
	var found bool
	err := s.read.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM users)").Scan(&found).Error
	return found, s.mapped(err, "look for users")
}

// UserByID implements models.Users.
func (s *Store) UserByID(ctx context.Context, id int64) (models.User, error) {
	return s.user(ctx, "id = ?", id)
}

// UserByUsername implements models.Users.
func (s *Store) UserByUsername(ctx context.Context, username string) (models.User, error) {
	return s.user(ctx, "username = ?", username)
}

func (s *Store) user(ctx context.Context, where string, value any) (models.User, error) {
	user, err := gorm.G[models.User](s.read).Where(where, value).Take(ctx)
	if err != nil {
		return models.User{}, s.mapped(err, "read user")
	}
	user.Roles, err = s.rolesOf(ctx, user.ID)
	return user, err
}

// ReplacePasswordHash implements models.Users.
func (s *Store) ReplacePasswordHash(ctx context.Context, id int64, old, replacement models.Secret) (bool, error) {
	n, err := gorm.G[models.User](s.write).
		Where("id = ? AND password_hash = ?", id, string(old)).
		Update(ctx, "password_hash", string(replacement))
	return n == 1, s.mapped(err, "replace password hash")
}

// SetActive implements models.Users.
func (s *Store) SetActive(ctx context.Context, id int64, active bool) (bool, error) {
	n, err := gorm.G[models.User](s.write).Where("id = ? AND is_active <> ?", id, active).Update(ctx, "is_active", active)
	return n == 1, s.mapped(err, "set active")
}
