package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"latchkey/models"
)

func imported(id int64, name string, roles ...string) models.User {
	u := newUser(name)
	u.ID, u.Epoch = id, 0
	for _, r := range roles {
		u.Roles = append(u.Roles, models.Role{Name: r})
	}
	return u
}

func saveRoles(t *testing.T, s models.Store, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := s.SaveRole(t.Context(), &models.Role{Name: name, Permissions: []string{name + ":do"}}); err != nil {
			t.Fatal(err)
		}
	}
}

func insertKeepsIDs(t *testing.T, s models.Store) {
	saveRoles(t, s, "editors", "staff")
	login := moment.Add(-time.Hour)
	ada := imported(70, "ada", "staff", "editors")
	ada.LastLogin = &login
	if err := s.InsertUsers(t.Context(), []models.User{ada, imported(7, "grace"), imported(9, "joan", "staff")}); err != nil {
		t.Fatal(err)
	}
	got, err := s.UserByID(t.Context(), 70)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "roles", []string{"editors", "staff"}, got.RoleNames())
	got.Roles, ada.Roles = nil, nil
	diff(t, "user", ada, got)
	joan, err := s.UserByUsername(t.Context(), "joan")
	if err != nil || joan.ID != 9 {
		t.Errorf("joan is %d, %v", joan.ID, err)
	}
	diff(t, "roles of joan", []string{"staff"}, joan.RoleNames())
	if err := s.InsertUsers(t.Context(), nil); err != nil {
		t.Errorf("no users: %v", err)
	}
}

func insertRaisesIDs(t *testing.T, s models.Store) {
	if err := s.InsertUsers(t.Context(), []models.User{imported(1000, "ada"), imported(5, "grace")}); err != nil {
		t.Fatal(err)
	}
	next := createUser(t, s, "joan")
	if next.ID <= 1000 {
		t.Errorf("a new user has the id %d, want one above 1000", next.ID)
	}
	// A lower one than there was does not take it back.
	if err := s.DeleteUser(t.Context(), next.ID, moment); err != nil {
		t.Fatal(err)
	}
	if err := s.InsertUsers(t.Context(), []models.User{imported(6, "hedy")}); err != nil {
		t.Fatal(err)
	}
	if after := createUser(t, s, "joan"); after.ID <= next.ID {
		t.Errorf("a new user has the id %d, which was given before", after.ID)
	}
}

func insertConflict(t *testing.T, s models.Store) {
	if err := s.InsertUsers(t.Context(), []models.User{imported(5, "ada")}); err != nil {
		t.Fatal(err)
	}
	sameKey := imported(6, "Ada")
	sameKey.UsernameKey = "ada"
	for _, taken := range []struct {
		field string
		user  models.User
	}{{"id", imported(5, "grace")}, {"username", imported(6, "ada")}, {"username", sameKey}} {
		err := s.InsertUsers(t.Context(), []models.User{imported(7, "before"), taken.user, imported(8, "behind")})
		if conflict, ok := errors.AsType[*models.ConflictError](err); !ok || conflict.Field != taken.field {
			t.Errorf("%s of %q: got %v", taken.field, taken.user.Username, err)
		}
	}
	wantErr(t, "a role that does not exist", s.InsertUsers(t.Context(), []models.User{imported(7, "before"), imported(9, "joan", "none")}), models.ErrNotFound)
	for _, id := range []int64{6, 7, 8, 9} {
		_, err := s.UserByID(t.Context(), id)
		wantErr(t, fmt.Sprint("user ", id), err, models.ErrNotFound)
	}
}

func insertMany(t *testing.T, s models.Store) {
	saveRoles(t, s, "editors")
	var list []models.User
	for id := int64(1); id <= 1201; id++ {
		list = append(list, imported(id, fmt.Sprint("user", id), "editors"))
	}
	if err := s.InsertUsers(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	for _, id := range []int64{1, 500, 501, 1201} {
		if u, err := s.UserByID(t.Context(), id); err != nil || u.Username != fmt.Sprint("user", id) || len(u.Roles) != 1 {
			t.Errorf("user %d: %v, %v", id, u, err)
		}
	}
}

func usersAmong(t *testing.T, s models.Store) {
	saveRoles(t, s, "editors", "staff")
	err := s.InsertUsers(t.Context(), []models.User{
		imported(1, "ada", "staff", "editors"), imported(2, "grace"), imported(3, "joan", "staff"), imported(4, "hedy", "editors"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"1 ada [editors staff]", "2 grace []", "3 joan [staff]"}
	for _, lock := range []bool{false, true} {
		err := s.Tx(t.Context(), func(tx models.Store) error {
			found, err := tx.UsersAmong(t.Context(), models.Among{
				IDs: []int64{99, 3}, Usernames: []string{"ada", "Hedy"}, Keys: []string{"grace", "ada", "none"}, Lock: lock,
			})
			var got []string
			for _, u := range found {
				got = append(got, fmt.Sprint(u.ID, " ", u.Username, " ", u.RoleNames()))
			}
			diff(t, "users", want, got)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found, err := s.UsersAmong(t.Context(), models.Among{}); err != nil || len(found) != 0 {
		t.Errorf("among nobody: %v, %v", found, err)
	}
}

func rolesNamed(t *testing.T, s models.Store) {
	saveRoles(t, s, "staff", "editors", "others")
	found, err := s.RolesNamed(t.Context(), []string{"staff", "none", "editors"})
	if err != nil || len(found) != 2 || found[0].Name != "editors" || !slices.Equal(found[1].Permissions, []string{"staff:do"}) {
		t.Errorf("got %+v, %v", found, err)
	}
	if found, err := s.RolesNamed(t.Context(), nil); err != nil || len(found) != 0 {
		t.Errorf("of no name: %v, %v", found, err)
	}
}

func updateUser(t *testing.T, s models.Store) {
	before, other := createUser(t, s, "ada"), createUser(t, s, "grace")
	login := moment.Add(time.Hour)
	want := models.User{
		ID: before.ID, Username: before.Username, UsernameKey: before.UsernameKey, Epoch: before.Epoch,
		PasswordHash: "another", DateJoined: moment.Add(-time.Hour), LastLogin: &login, IsSuperuser: true,
	}
	sent := want
	sent.Username, sent.UsernameKey, sent.Epoch = "x", "x", 99 // these it leaves alone
	if err := s.UpdateUser(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	got, err := s.UserByID(t.Context(), before.ID)
	if err != nil {
		t.Fatal(err)
	}
	got.Roles = nil
	diff(t, "user", want, got)
	want.LastLogin = nil
	if err := s.UpdateUser(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got, err = s.UserByID(t.Context(), before.ID); err != nil || got.LastLogin != nil {
		t.Errorf("last login %v, %v", got.LastLogin, err)
	}
	kept, err := s.UserByID(t.Context(), other.ID)
	if err != nil {
		t.Fatal(err)
	}
	kept.Roles = nil
	diff(t, "another user", other, kept)
	wantErr(t, "nobody", s.UpdateUser(t.Context(), models.User{ID: 99, DateJoined: moment}), models.ErrNotFound)
}

// lockedWait lets many transactions read a number and write it back raised: with the lock none is lost.
func lockedWait(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	for _, err := range parallel(8, func() error {
		return s.Tx(t.Context(), func(tx models.Store) error {
			if err := tx.LockUsers(t.Context()); err != nil {
				return err
			}
			found, err := tx.UserByID(t.Context(), user.ID)
			if err != nil {
				return err
			}
			found.FirstName += "x"
			return tx.UpdateUser(t.Context(), found)
		})
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	if got, err := s.UserByID(t.Context(), user.ID); err != nil || got.FirstName != "Adaxxxxxxxx" {
		t.Errorf("after 8 changes it is %q, %v", got.FirstName, err)
	}
}
