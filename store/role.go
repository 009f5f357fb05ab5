package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"latchkey/models"
)

// roleColumns is a role next to its user; nil everywhere for a user who has none.
type roleColumns struct {
	id                             *int64
	name, description, permissions *string
}

func (c roleColumns) role() (models.Role, error) {
	r := models.Role{ID: *c.id, Name: *c.name, Description: *c.description}
	if err := json.Unmarshal([]byte(*c.permissions), &r.Permissions); err != nil {
		return models.Role{}, fmt.Errorf("permissions of the role %q: %w", r.Name, err)
	}
	return r, nil
}

// SaveRole implements models.Roles.
func (s *Store) SaveRole(ctx context.Context, r *models.Role) error {
	replace := clause.OnConflict{
		Columns:   []clause.Column{{Name: "name"}},
		DoUpdates: clause.AssignmentColumns([]string{"description", "permissions"}),
	}
	return s.tx(ctx, func(tx *Store) error {
		if err := gorm.G[models.Role](tx.write, replace).Create(ctx, r); err != nil {
			return tx.mapped(err, "save role")
		}
		kept, err := gorm.G[models.Role](tx.read).Where("name = ?", r.Name).Take(ctx)
		r.ID = kept.ID
		return tx.mapped(err, "read role")
	})
}

// userRole is a row of the table between users and roles.
type userRole struct {
	UserID int64 `gorm:"primaryKey"`
	RoleID int64 `gorm:"primaryKey"`
}

// SetUserRoles implements models.Roles.
func (s *Store) SetUserRoles(ctx context.Context, userID int64, names []string) error {
	return s.tx(ctx, func(tx *Store) error {
		user := gorm.G[models.User](tx.write, clause.Locking{Strength: clause.LockingStrengthUpdate}).Where("id = ?", userID)
		if _, err := user.Select("id").Take(ctx); err != nil {
			return tx.mapped(err, "lock user")
		}
		roles, err := gorm.G[models.Role](tx.read).Where("name IN ?", names).Find(ctx)
		if err != nil {
			return tx.mapped(err, "read roles")
		}
		if len(roles) != len(names) {
			return models.ErrNotFound
		}
		if _, err := gorm.G[userRole](tx.write).Where("user_id = ?", userID).Delete(ctx); err != nil {
			return tx.mapped(err, "take roles")
		}
		for _, r := range roles {
			if err := gorm.G[userRole](tx.write).Create(ctx, &userRole{userID, r.ID}); err != nil {
				return tx.mapped(err, "give role")
			}
		}
		return nil
	})
}
