package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/models"
)

// people makes users for lists, and returns their names in the order of code points.
func people(t *testing.T, s models.Store) []string {
	t.Helper()
	saveRoles(t, s, "editors", "staff")
	var list []models.User
	for i, p := range []struct{ name, email, first, last, roles string }{
		{"ada", "countess@example.org", "Ada", "Lovelace", "editors staff"},
		{"Bob", "bob@example.org", "", "", "staff"},
		{"Ärzte", "", "Änne", "Émile", "editors"},
		{"zoe", "ADA.fan@example.org", "Zoë", "Adams", ""},
		{"per%cent", "a_b@example.org", `Robert'); DROP TABLE users;--`, "", ""},
		{"percent", "ab@example.org", "ADA", "Yonath", "editors"},
		{"fox", "", "🦊", "\\", ""},
	} {
		u := imported(int64(100-i), p.name, strings.Fields(p.roles)...)
		u.UsernameKey, u.Email, u.FirstName, u.LastName = "key "+p.name, p.email, p.first, p.last
		u.IsActive = p.name != "zoe" && p.name != "Bob"
		u.DateJoined = moment.Add(time.Duration(i/2) * time.Hour) // two are alike
		list = append(list, u)
	}
	if err := s.InsertUsers(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	return []string{"Bob", "ada", "fox", "per%cent", "percent", "zoe", "Ärzte"}
}

func names(page models.UserPage) []string {
	list := []string{}
	for _, u := range page.Users {
		list = append(list, u.Username)
	}
	return list
}

// all reads a list page by page, and fails where a page is not as large as it should be.
func all(t *testing.T, s models.Store, q models.UserQuery) []string {
	t.Helper()
	list := []string{}
	for range 20 {
		page, err := s.ListUsers(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Keys) != len(page.Users) || page.More && len(page.Users) != q.Limit {
			t.Fatalf("%+v gives %d users and %d keys, more: %v", q, len(page.Users), len(page.Keys), page.More)
		}
		if q.Last {
			list = append(names(page), list...)
		} else {
			list = append(list, names(page)...)
		}
		if !page.More {
			return list
		}
		end := page.End
		if q.Last {
			q.Before = &end
		} else {
			q.After = &end
		}
	}
	t.Fatalf("%+v has no end", q)
	return nil
}

func listUsers(t *testing.T, s models.Store) {
	ordered := people(t, s)
	yes, no := true, false
	for _, row := range []struct {
		name   string
		filter models.UserFilter
		want   []string
	}{
		{"all", models.UserFilter{}, ordered},
		{"active", models.UserFilter{IsActive: &yes}, []string{"ada", "fox", "per%cent", "percent", "Ärzte"}},
		{"inactive", models.UserFilter{IsActive: &no}, []string{"Bob", "zoe"}},
		{"of a role", models.UserFilter{Role: "editors"}, []string{"ada", "percent", "Ärzte"}},
		{"of a role, inactive", models.UserFilter{Role: "staff", IsActive: &no}, []string{"Bob"}},
		{"of no such role", models.UserFilter{Role: "Editors"}, []string{}},
		{"found by any field, whatever the case", models.UserFilter{Search: "aDA"}, []string{"ada", "percent", "zoe"}},
		{"found by both names", models.UserFilter{Search: "ada love"}, []string{"ada"}},
		{"found by both names the other way round", models.UserFilter{Search: "Lovelace A"}, []string{"ada"}},
		{"found in another script's case", models.UserFilter{Search: "ä"}, []string{"Ärzte"}},
		{"found by the family name", models.UserFilter{Search: "ÉMI"}, []string{"Ärzte"}},
		{"found and active", models.UserFilter{Search: "ada", IsActive: &yes}, []string{"ada", "percent"}},
		{"found and of a role", models.UserFilter{Search: "ada", Role: "editors"}, []string{"ada", "percent"}},
		{"a percent sign is itself", models.UserFilter{Search: "per%"}, []string{"per%cent"}},
		{"alone, too", models.UserFilter{Search: "%"}, []string{}},
		{"so is an underscore", models.UserFilter{Search: "a_"}, []string{"per%cent"}},
		{"and a quote", models.UserFilter{Search: "robert')"}, []string{"per%cent"}},
		{"and an emoji", models.UserFilter{Search: "🦊"}, []string{"fox"}},
		{"and a backslash", models.UserFilter{Search: `\`}, []string{"fox"}},
		{"the middle of a word is not found", models.UserFilter{Search: "ovelace"}, []string{}},
		{"more than there is", models.UserFilter{Search: strings.Repeat("ada", 5000)}, []string{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, limit := range []int{1, 2, 100} {
				q := models.UserQuery{UserFilter: row.filter, Limit: limit}
				if limit == 0 {
					continue
				}
				diff(t, fmt.Sprint("by username, pages of ", limit), row.want, all(t, s, q))
				q.Last = true
				diff(t, "the last first", row.want, all(t, s, q))
				q.Descending = true
				backward := slices.Clone(row.want)
				slices.Reverse(backward)
				diff(t, "descending, the last first", backward, all(t, s, q))
				q.Order, q.Last = models.ByDateJoined, false
				diff(t, "by date", sorted(row.want), sorted(all(t, s, q)))
				if row.filter.Search != "" {
					q.Order = models.ByMatch
					down := all(t, s, q)
					diff(t, "by match", sorted(row.want), sorted(down))
					q.Descending = false
					up := all(t, s, q)
					slices.Reverse(up)
					diff(t, "by match, up and down", down, up)
					q.Last = true
					slices.Reverse(up)
					diff(t, "by match, the last first", up, all(t, s, q))
				}
			}
			n, err := s.CountUsers(t.Context(), row.filter)
			if err != nil || n != int64(len(row.want)) {
				t.Errorf("CountUsers = %d, %v, want %d", n, err, len(row.want))
			}
		})
	}
	t.Run("by date, and then by id", func(t *testing.T) {
		q := models.UserQuery{Order: models.ByDateJoined, Limit: 1}
		diff(t, "up", []string{"Bob", "ada", "zoe", "Ärzte", "percent", "per%cent", "fox"}, all(t, s, q))
		q.Descending = true
		diff(t, "down", []string{"fox", "per%cent", "percent", "Ärzte", "zoe", "ada", "Bob"}, all(t, s, q))
	})
	t.Run("between two places", func(t *testing.T) {
		q := models.UserQuery{Limit: 2, After: &models.UserKey{Text: "b"}, Before: &models.UserKey{Text: "percent", ID: 95}}
		page, err := s.ListUsers(t.Context(), q)
		if err != nil || page.More {
			t.Errorf("more %v, %v", page.More, err)
		}
		diff(t, "page", []string{"fox", "per%cent"}, names(page))
	})
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// A list follows a change, and what is found is what is there now.
func listFollows(t *testing.T, s models.Store) {
	people(t, s)
	ada, err := s.UserByUsername(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	hash := ada.PasswordHash
	ada.Username, ada.UsernameKey, ada.FirstName, ada.PasswordHash, ada.IsStaff = "augusta", "augusta", "Augusta", "", false
	if err := s.ChangeUser(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	got, err := s.UserByID(t.Context(), ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := ada
	want.PasswordHash = hash
	diff(t, "user", want, got)
	for search, want := range map[string][]string{
		"ada": {"percent", "zoe"}, "augusta l": {"augusta"}, "lovelace au": {"augusta"}, "countess": {"augusta"},
	} {
		diff(t, search, want, all(t, s, models.UserQuery{UserFilter: models.UserFilter{Search: search}, Limit: 10}))
	}
	taken := got
	taken.Username, taken.UsernameKey = "Fox", "key fox"
	conflict, ok := errors.AsType[*models.ConflictError](s.ChangeUser(t.Context(), taken))
	if !ok || conflict.Field != "username" {
		t.Errorf("a taken name: %v", conflict)
	}
	wantErr(t, "nobody", s.ChangeUser(t.Context(), models.User{ID: 999, Username: "x"}), models.ErrNotFound)
	got.PasswordHash = "another"
	if err := s.ChangeUser(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	if got, err = s.UserByID(t.Context(), ada.ID); err != nil || got.PasswordHash != "another" {
		t.Errorf("the hash is %q, %v", string(got.PasswordHash), err)
	}
	if err := s.DeleteUser(t.Context(), ada.ID, moment); err != nil {
		t.Fatal(err)
	}
	diff(t, "after it was deleted", []string{}, all(t, s, models.UserQuery{UserFilter: models.UserFilter{Search: "aug"}, Limit: 10}))
}

func superusers(t *testing.T, s models.Store) {
	people(t, s)
	first, second := createUser(t, s, "first"), createUser(t, s, "second")
	for _, step := range []struct {
		user          models.User
		super, active bool
		want          bool // whether there is one beside the first
	}{{first, true, true, false}, {second, true, false, false}, {second, true, true, true}, {second, false, true, false}} {
		step.user.IsSuperuser, step.user.IsActive = step.super, step.active
		if err := s.ChangeUser(t.Context(), step.user); err != nil {
			t.Fatal(err)
		}
		if got, err := s.HasOtherSuperuser(t.Context(), first.ID); err != nil || got != step.want {
			t.Errorf("%s, superuser %v, active %v: %v, %v", step.user.Username, step.super, step.active, got, err)
		}
	}
}

func roleLife(t *testing.T, s models.Store) {
	people(t, s)
	roles, err := s.Roles(t.Context())
	if err != nil || len(roles) != 2 || roles[0].Name != "editors" || roles[1].Permissions[0] != "staff:do" {
		t.Errorf("Roles: %+v, %v", roles, err)
	}
	of, err := s.RolesOf(t.Context(), []int64{100, 97, 99, 12345})
	if err != nil || len(of) != 2 || len(of[100]) != 2 || of[100][0].Name != "editors" || of[99][0].Name != "staff" {
		t.Errorf("RolesOf: %+v, %v", of, err)
	}
	if err := s.DeleteRole(t.Context(), "editors"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "once more", s.DeleteRole(t.Context(), "editors"), models.ErrNotFound)
	ada, err := s.UserByUsername(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "who had it", []string{"staff"}, ada.RoleNames())
}

// Those are made stale who have the role and may have an access token that is accepted, and nobody else.
func raiseEpochsOf(t *testing.T, s models.Store) {
	saveRoles(t, s, "editors", "staff")
	users := map[string]models.User{}
	for name, roles := range map[string][]string{"busy": {"editors"}, "away": {"editors"}, "late": {"editors", "staff"}, "other": {"staff"}} {
		users[name] = createUser(t, s, name)
		if err := s.SetUserRoles(t.Context(), users[name].ID, roles); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"busy", "late", "other"} {
		startSession(t, s, name, users[name])
	}
	old := newSession("old", users["late"])
	old.LastUsedAt = moment.Add(-time.Hour)
	if err := s.StartSession(t.Context(), &old, 3, false); err != nil {
		t.Fatal(err)
	}
	_, mark := since(t, s, "")
	now, until := moment.Add(time.Minute), moment.Add(time.Hour)
	list, err := s.RaiseEpochsOf(t.Context(), "editors", moment.Add(-time.Minute), now, until)
	if err != nil || len(list) != 2 {
		t.Fatalf("RaiseEpochsOf: %+v, %v", list, err)
	}
	for name, want := range map[string]int64{"busy": 4, "away": 3, "late": 4, "other": 3} {
		got, err := s.UserByID(t.Context(), users[name].ID)
		if err != nil || got.Epoch != want {
			t.Errorf("%s is at epoch %d, want %d: %v", name, got.Epoch, want, err)
		}
	}
	told, _ := since(t, s, mark)
	stale := map[int64]bool{}
	for _, r := range told {
		if r.Epoch != 4 || !r.ExpiresAt.Equal(until) {
			t.Errorf("a revocation is %+v", r)
		}
		stale[r.UserID] = true
	}
	diff(t, "who is told of", map[int64]bool{users["busy"].ID: true, users["late"].ID: true}, stale)
	if list, err := s.RaiseEpochsOf(t.Context(), "none", moment, now, until); err != nil || len(list) != 0 {
		t.Errorf("of no such role: %+v, %v", list, err)
	}
}
