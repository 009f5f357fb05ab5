package store

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"latchkey/models"
)

// insertBatch is how many rows a statement writes: some 6,500 values, of the 32,766 that SQLite takes.
const insertBatch = 500

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
	ids := make([]int64, len(users))
	for i, u := range users {
		ids[i] = u.ID
	}
	roles, err := s.RolesOf(ctx, ids)
	for i, u := range users {
		users[i].Roles = roles[u.ID]
	}
	return users, err
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
		return tx.addTerms(ctx, list)
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
	return s.tx(ctx, func(tx *Store) error {
		n, err := gorm.G[models.User](tx.write).Where("id = ?", u.ID).
			Select("email", "first_name", "last_name", "password_hash", "is_active", "is_staff", "is_superuser", "date_joined", "last_login").
			Updates(ctx, u)
		if err == nil && n == 0 {
			return models.ErrNotFound
		}
		if err != nil {
			return tx.mapped(err, "update user")
		}
		return tx.renewTerms(ctx, u.ID)
	})
}
