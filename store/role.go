package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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

// Roles implements models.Roles.
func (s *Store) Roles(ctx context.Context) ([]models.Role, error) {
	roles, err := gorm.G[models.Role](s.read).Order("name").Find(ctx)
	sortRoles(roles)
	return roles, s.mapped(err, "read roles")
}

// sortRoles sorts by code point, which a database may see otherwise.
func sortRoles(roles []models.Role) {
	slices.SortFunc(roles, func(a, b models.Role) int { return strings.Compare(a.Name, b.Name) })
}

// RolesNamed implements models.Roles.
func (s *Store) RolesNamed(ctx context.Context, names []string) ([]models.Role, error) {
	if len(names) == 0 {
		return nil, nil
	}
	roles, err := gorm.G[models.Role](s.read).Where("name IN ?", names).Find(ctx)
	sortRoles(roles)
	return roles, s.mapped(err, "read roles")
}

// RolesOf implements models.Roles.
func (s *Store) RolesOf(ctx context.Context, userIDs []int64) (map[int64][]models.Role, error) {
	of, ids := s.dialect.among("user_id", userIDs)
	links, err := gorm.G[userRole](s.read).Where(of, ids).Find(ctx)
	if err != nil || len(links) == 0 {
		return nil, s.mapped(err, "read roles of users")
	}
	members := map[int64][]int64{} // of each role
	for _, l := range links {
		members[l.RoleID] = append(members[l.RoleID], l.UserID)
	}
	are, wanted := s.dialect.among("id", slices.Collect(maps.Keys(members)))
	roles, err := gorm.G[models.Role](s.read).Where(are, wanted).Find(ctx)
	sortRoles(roles)
	found := make(map[int64][]models.Role, len(userIDs))
	for _, r := range roles {
		for _, id := range members[r.ID] {
			found[id] = append(found[id], r)
		}
	}
	return found, s.mapped(err, "read roles")
}

// DeleteRole implements models.Roles.
func (s *Store) DeleteRole(ctx context.Context, name string) error {
	n, err := gorm.G[models.Role](s.write).Where("name = ?", name).Delete(ctx)
	if err == nil && n == 0 {
		return models.ErrNotFound
	}
	return s.mapped(err, "delete role")
}

// RaiseEpochsOf implements models.Roles. A refresh gives its session's token as the user was when it began; one that is
// under way while this looks for sessions may give a last one that this does not reach.
func (s *Store) RaiseEpochsOf(ctx context.Context, role string, usedAfter, now, until time.Time) (list []models.Revocation, err error) {
	err = s.tx(ctx, func(tx *Store) error {
		err := tx.write.WithContext(ctx).Raw(`UPDATE users SET epoch = epoch + 1, epoch_raised_at = ? WHERE id IN (
			SELECT user_roles.user_id FROM roles JOIN user_roles ON user_roles.role_id = roles.id WHERE roles.name = ?
			AND EXISTS (SELECT 1 FROM sessions WHERE sessions.user_id = user_roles.user_id AND sessions.last_used_at > ?))
			RETURNING id AS user_id, epoch`, now, role, usedAfter).Scan(&list).Error
		if err != nil {
			return tx.mapped(err, "raise epochs")
		}
		for i := range list {
			list[i].ExpiresAt = until
		}
		return tx.revoke(ctx, list...)
	})
	return list, err
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
