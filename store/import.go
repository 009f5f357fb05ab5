package store

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"latchkey/models"
)

// insertBatch is how many rows a statement writes: some 6,500 values, of the 32,766 that SQLite takes.
const insertBatch = 500

// LockImports implements models.Imports.
func (s *Store) LockImports(ctx context.Context) error {
	return s.mapped(s.dialect.lockImports(ctx, s), "lock imports")
}

// UsersAmong implements models.Imports.
func (s *Store) UsersAmong(ctx context.Context, a models.Among) ([]models.User, error) {
	query := gorm.G[models.User](s.read).
		Where("id IN ? OR username IN ? OR username_key IN ?", a.IDs, a.Usernames, a.Keys).Order("id")
	if a.Lock {
		query = gorm.G[models.User](s.write, clause.Locking{Strength: clause.LockingStrengthUpdate}).
			Where("id IN ? OR username IN ? OR username_key IN ?", a.IDs, a.Usernames, a.Keys).Order("id")
	}
	users, err := query.Find(ctx)
	if err != nil || len(users) == 0 {
		return nil, s.mapped(err, "read users")
	}
	return users, s.addRoles(ctx, users)
}

// addRoles fills in the roles of the users, by name.
func (s *Store) addRoles(ctx context.Context, users []models.User) error {
	ids, at := make([]int64, len(users)), map[int64]int{}
	for i, u := range users {
		ids[i], at[u.ID] = u.ID, i
	}
	links, err := gorm.G[userRole](s.read).Where("user_id IN ?", ids).Find(ctx)
	if err != nil || len(links) == 0 {
		return s.mapped(err, "read roles of users")
	}
	members := map[int64][]int64{} // of each role
	for _, l := range links {
		members[l.RoleID] = append(members[l.RoleID], l.UserID)
	}
	wanted := make([]int64, 0, len(members))
	for id := range members {
		wanted = append(wanted, id)
	}
	roles, err := gorm.G[models.Role](s.read).Where("id IN ?", wanted).Order("name").Find(ctx)
	for _, r := range roles {
		for _, id := range members[r.ID] {
			users[at[id]].Roles = append(users[at[id]].Roles, r)
		}
	}
	return s.mapped(err, "read roles")
}

// RolesNamed implements models.Imports.
func (s *Store) RolesNamed(ctx context.Context, names []string) ([]models.Role, error) {
	if len(names) == 0 {
		return nil, nil
	}
	roles, err := gorm.G[models.Role](s.read).Where("name IN ?", names).Order("name").Find(ctx)
	return roles, s.mapped(err, "read roles")
}

// InsertUsers implements models.Imports.
func (s *Store) InsertUsers(ctx context.Context, list []models.User) error {
	if len(list) == 0 {
		return nil
	}
	return s.tx(ctx, func(tx *Store) error {
		links, err := tx.links(ctx, list)
		if err != nil {
			return err
		}
		var highest int64
		for _, u := range list {
			highest = max(highest, u.ID)
		}
		if err := tx.dialect.raiseUserID(ctx, tx, highest); err != nil { // first, so that nobody draws one of these ids
			return tx.mapped(err, "raise the id of users")
		}
		if err := gorm.G[models.User](tx.write).CreateInBatches(ctx, &list, insertBatch); err != nil {
			return tx.mapped(err, "insert users")
		}
		if len(links) > 0 {
			if err := gorm.G[userRole](tx.write).CreateInBatches(ctx, &links, insertBatch); err != nil {
				return tx.mapped(err, "give roles")
			}
		}
		return nil
	})
}

// links returns the rows between the users and the roles that they name.
func (s *Store) links(ctx context.Context, list []models.User) ([]userRole, error) {
	ids := map[string]int64{}
	for _, u := range list {
		for _, r := range u.Roles {
			ids[r.Name] = 0
		}
	}
	names := make([]string, 0, len(ids))
	for name := range ids {
		names = append(names, name)
	}
	roles, err := s.RolesNamed(ctx, names)
	if err != nil {
		return nil, err
	}
	if len(roles) != len(names) {
		return nil, models.ErrNotFound
	}
	for _, r := range roles {
		ids[r.Name] = r.ID
	}
	var links []userRole
	for _, u := range list {
		for _, r := range u.Roles {
			links = append(links, userRole{u.ID, ids[r.Name]})
		}
	}
	return links, nil
}

// UpdateUser implements models.Imports.
func (s *Store) UpdateUser(ctx context.Context, u models.User) error {
	n, err := gorm.G[models.User](s.write).Where("id = ?", u.ID).
		Select("email", "first_name", "last_name", "password_hash", "is_active", "is_staff", "is_superuser", "date_joined", "last_login").
		Updates(ctx, u)
	if err == nil && n == 0 {
		return models.ErrNotFound
	}
	return s.mapped(err, "update user")
}
