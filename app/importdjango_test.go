package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/app"
	"latchkey/auth"
	"latchkey/internal/testkit"
	"latchkey/models"
)

// importDump imports a dump and returns what was refused, too.
func importDump(t *testing.T, s *testkit.Server, dump string, change ...func(*app.DjangoImport)) (app.DjangoReport, []string, error) {
	t.Helper()
	var refused []string
	o := app.DjangoImport{
		Settings: s.App.Settings, Store: s.App.Store, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: s.Clock.Now,
		Dump:    strings.NewReader(dump),
		Refused: func(err error) { refused = append(refused, err.Error()) }, Progress: func(string, int64, int) {},
	}
	for _, c := range change {
		c(&o)
	}
	report, err := app.ImportDjango(t.Context(), o)
	return report, refused, err
}

func mustImport(t *testing.T, s *testkit.Server, dump string, change ...func(*app.DjangoImport)) app.DjangoReport {
	t.Helper()
	report, refused, err := importDump(t, s, dump, change...)
	if err != nil || refused != nil {
		t.Fatalf("%v, refused %q", err, refused)
	}
	return report
}

// djangoUser is a record of a dump; with more than the least there must be.
func djangoUser(id int64, name string, more ...string) string {
	fields := slices.Concat([]string{fmt.Sprintf(`"username":%q,"password":"!"`, name)}, more)
	return fmt.Sprintf(`{"model":"auth.user","pk":%d,"fields":{%s}}`, id, strings.Join(fields, ","))
}

func djangoGroup(id int64, name string, permissions ...string) string {
	keys := make([]string, len(permissions))
	for i, p := range permissions {
		keys[i] = fmt.Sprintf(`[%q,"shop","order"]`, p)
	}
	return fmt.Sprintf(`{"model":"auth.group","pk":%d,"fields":{"name":%q,"permissions":[%s]}}`, id, name, strings.Join(keys, ","))
}

func lines(records ...string) string { return strings.Join(records, "\n") }

// ownHash is a hash of testkit.Password that the server can verify.
func ownHash(t *testing.T, s *testkit.Server) string {
	t.Helper()
	hash, err := s.App.Auth.Passwords.Hash(t.Context(), testkit.Password)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`"password":%q`, hash)
}

func userByID(t *testing.T, s *testkit.Server, id int64) models.User {
	t.Helper()
	user, err := s.App.Store.UserByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

func TestADumpOfDjangoIsImported(t *testing.T) {
	for _, name := range []string{"natural.json", "pk_types.json", "pk_types.jsonl"} {
		t.Run(name, func(t *testing.T) {
			dump, err := os.ReadFile("../django/testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			testkit.Each(t, func(t *testing.T, s *testkit.Server) {
				report := mustImport(t, s, string(dump))
				if report.Users != (app.DjangoCounts{New: 8}) || report.Roles != (app.DjangoCounts{New: 2}) || report.Unreadable["md5"] != 1 {
					t.Errorf("report %+v", report)
				}
				clara := userByID(t, s, 2)
				want := models.User{
					ID: 2, Username: "Clara", UsernameKey: "clara", Email: "clara@example.org", FirstName: "Clara", LastName: "Müller",
					PasswordHash: clara.PasswordHash, IsActive: true, IsStaff: true,
					DateJoined: time.Date(2019, 5, 17, 8, 30, 0, 123000000, time.UTC), Roles: clara.Roles,
				}
				if diff := cmp.Diff(want, clara); diff != "" {
					t.Errorf("Clara (-want +got):\n%s", diff)
				}
				if got := strings.Join(clara.RoleNames(), " "); got != "editors user:2" || !strings.HasPrefix(string(clara.PasswordHash), "pbkdf2_sha256$260000$") {
					t.Errorf("Clara has the roles %s and the hash %q", got, string(clara.PasswordHash))
				}
				if got := strings.Join(clara.Permissions(), " "); got != "sessions.add_session sessions.delete_session sessions.view_session" {
					t.Errorf("Clara has the permissions %s", got)
				}
				root := userByID(t, s, 4)
				if !root.IsSuperuser || !root.Can(models.PermUsersWrite) || root.LastLogin == nil ||
					!root.LastLogin.Equal(time.Date(2026, 1, 2, 3, 4, 5, 678000000, time.UTC)) {
					t.Errorf("root is %+v", root)
				}
				if gone, sso := userByID(t, s, 5), userByID(t, s, 6); gone.IsActive || !strings.HasPrefix(string(sso.PasswordHash), "!") {
					t.Errorf("gone is %+v, sso %+v", gone, sso)
				}
				again := mustImport(t, s, string(dump))
				if again.Users != (app.DjangoCounts{Unchanged: 8}) || again.Roles != (app.DjangoCounts{Unchanged: 2}) {
					t.Errorf("the second time: %+v", again)
				}
			})
		})
	}
}

func TestImportedNamesSignInAsTheyAre(t *testing.T) {
	names := []string{
		"Clara", "ciara", "CLARA", "a b@c+d", " in front", "e\u0301mile", "émile", "ﬁsh", "fish", "日本語", "'; --", "user#1",
		strings.Repeat("ﷺ", 150),
		manyWords(), // the longest key that an index cannot compress
	}
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		var records []string
		for i, name := range names {
			records = append(records, djangoUser(int64(i+1), name, ownHash(t, s)))
		}
		mustImport(t, s, lines(records...))
		for i, name := range names {
			if got := s.SignIn(name); userByID(t, s, int64(i+1)).Username != name || got.Access == "" {
				t.Errorf("%q is another", name)
			}
		}
		for _, name := range []string{"clara", "CIARA", "a b@c+d ", "emile"} {
			_, a := s.Obtain(name, testkit.Password)
			a.Refused(t, "INVALID_CREDENTIALS", "", noAccount)
		}
		// A new name that is not in its normal form means the normal one, where nobody has it as it is.
		if pair, a := s.Obtain("ｆｉｓｈ", testkit.Password); pair.Access == "" {
			t.Errorf("full width: %s", a.Body)
		}
		// What an imported name looks like is taken for new ones, and its own key cannot be had by name.
		for _, name := range []string{"Ciara", "c1ara", "fısh", "clara#2"} {
			_, err := s.App.Auth.CreateUser(auth.AsOperator(t.Context()), auth.UserForm{Username: name, Password: testkit.Password})
			if _, ok := errors.AsType[auth.FormError](err); !ok {
				t.Errorf("a new user %q: %v", name, err)
			}
		}
	})
}

// manyWords returns 150 characters, no two alike, each of which stands for a word or a number in brackets.
func manyWords() string {
	var list []rune
	for _, r := range [][2]rune{{0x3300, 0x3357}, {0xFDF0, 0xFDFB}, {0x3220, 0x3243}, {0x3358, 0x3365}} {
		for c := r[0]; c <= r[1]; c++ {
			list = append(list, c)
		}
	}
	return string(list)
}

// Nobody signs in with a hash that cannot be read, and nobody is told of it.
func TestAnUnreadablePasswordIsNone(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		report := mustImport(t, s, lines(
			djangoUser(1, "ada", `"password":"md5$salt$d0e6"`), djangoUser(2, "bob", `"password":"in the clear"`), djangoUser(3, "eve", `"password":""`)))
		if diff := cmp.Diff(map[string]int{"md5": 1, "unknown": 1}, report.Unreadable); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, name := range []string{"ada", "bob", "eve"} {
			for _, plain := range []string{testkit.Password, "in the clear", ""} {
				_, a := s.Obtain(name, plain)
				a.Refused(t, "INVALID_CREDENTIALS", "", noAccount)
			}
		}
	})
}

// Of each hash that is imported the report says whether a sign-in can read it.
func TestEveryUnreadablePasswordIsCounted(t *testing.T) {
	const (
		bcryptTag = "$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"
		salt, tag = "c2FsdHNhbHQ", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	)
	for _, test := range []struct{ name, hash, want string }{
		{"argon2id", "argon2$argon2id$v=19$m=512,t=2,p=2$" + salt + "$" + tag, ""},
		{"argon2i", "argon2$argon2i$v=19$m=512,t=2,p=2$" + salt + "$" + tag, ""},
		{"argon2d", "argon2$argon2d$v=19$m=512,t=2,p=2$" + salt + "$" + tag, "argon2"},
		{"argon2, cut off", "argon2$argon2id$v=19$m=512,t=2,p=2$" + salt, "argon2"},
		{"bcrypt, cost 14", "bcrypt_sha256$$2b$14" + bcryptTag, ""},
		{"bcrypt, cost 15", "bcrypt_sha256$$2b$15" + bcryptTag, "bcrypt_sha256"},
		{"bcrypt without Django's name", "$2b$12" + bcryptTag, "unknown"},
		{"pbkdf2", "pbkdf2_sha256$5000000$s$" + tag + "=", ""},
		{"pbkdf2 above the bound", "pbkdf2_sha256$5000001$s$" + tag + "=", "pbkdf2_sha256"},
		{"pbkdf2, cut off", "pbkdf2_sha256$260000$abc", "pbkdf2_sha256"},
		{"pbkdf2, the tag cut off", "pbkdf2_sha1$260000$s$AAAA", "pbkdf2_sha1"},
		{"our own", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + tag, ""},
		{"our own, cut off", "$argon2id$v=19$m=19456,t=2,p=1$" + salt, "argon2id"},
		{"our own, too much work", "$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + tag, "argon2id"},
		{"no password", "!abc", ""},
		{"a dollar", "$", "unknown"},
		{"a password in the clear", "swordfish$1", "unknown"},
		{"another algorithm", "legacy_sha$s$68617368", "unknown"},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.Each(t, func(t *testing.T, s *testkit.Server) {
				report := mustImport(t, s, djangoUser(1, "ada", fmt.Sprintf(`"password":%q`, test.hash)))
				want := map[string]int{}
				if test.want != "" {
					want[test.want] = 1
				}
				if diff := cmp.Diff(want, report.Unreadable); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWhatASecondImportChanges(t *testing.T) {
	const (
		untouched = "access and refresh go on"
		stale     = "a refresh brings the new state"
		out       = "signed out"
	)
	for _, test := range []struct {
		name         string
		more, groups []string // of the second dump
		before       func(t *testing.T, s *testkit.Server, user models.User)
		change       func(*app.DjangoImport)
		want         app.DjangoCounts
		tokens       string
		check        func(t *testing.T, s *testkit.Server, user models.User)
	}{
		{name: "nothing", want: app.DjangoCounts{Unchanged: 1}, tokens: untouched},
		{
			name: "names and addresses", more: []string{`"first_name":"Ada","last_name":"L","email":"a@example.org"`},
			want: app.DjangoCounts{Updated: 1}, tokens: untouched,
			check: func(t *testing.T, _ *testkit.Server, u models.User) {
				if u.FirstName != "Ada" || u.LastName != "L" || u.Email != "a@example.org" {
					t.Errorf("got %+v", u)
				}
			},
		},
		{
			name: "a role more", groups: []string{"editors", "staff"}, want: app.DjangoCounts{Updated: 1}, tokens: stale,
			check: wantRoles("editors staff"),
		},
		{
			name: "a role less", groups: []string{}, want: app.DjangoCounts{Updated: 1}, tokens: stale, check: wantRoles(""),
		},
		{
			name: "a role of its own", more: []string{`"user_permissions":[["refund","shop","order"]]`}, want: app.DjangoCounts{Updated: 1},
			tokens: stale, check: wantRoles("editors user:7"),
		},
		{
			name: "a role that was given here", want: app.DjangoCounts{Unchanged: 1}, tokens: untouched,
			before: func(t *testing.T, s *testkit.Server, u models.User) {
				if err := s.App.Store.SaveRole(t.Context(), &models.Role{Name: "auditors", Permissions: []string{"audit:read"}}); err != nil {
					t.Fatal(err)
				}
				if err := s.App.Store.SetUserRoles(t.Context(), u.ID, []string{"auditors", "editors"}); err != nil {
					t.Fatal(err)
				}
			},
			check: wantRoles("auditors editors"),
		},
		{name: "staff", more: []string{`"is_staff":true`}, want: app.DjangoCounts{Updated: 1}, tokens: stale},
		{name: "superuser", more: []string{`"is_superuser":true`}, want: app.DjangoCounts{Updated: 1}, tokens: stale},
		{name: "inactive", more: []string{`"is_active":false`}, want: app.DjangoCounts{Updated: 1}, tokens: out},
		{
			name: "the password", more: []string{`"password":"pbkdf2_sha256$1$s$bmV3"`}, want: app.DjangoCounts{Updated: 1}, tokens: out,
			before: func(t *testing.T, s *testkit.Server, u models.User) { // as an import brought it
				if _, err := s.App.Store.ReplacePasswordHash(t.Context(), u.ID, u.PasswordHash, "pbkdf2_sha256$1$s$b2xk"); err != nil {
					t.Fatal(err)
				}
			},
			check: wantHash("pbkdf2_sha256$1$s$bmV3"),
		},
		{
			name: "a hash that only looks like one of ours", more: []string{`"password":"pbkdf2_sha256$1$s$bmV3"`},
			want: app.DjangoCounts{Updated: 1}, tokens: out,
			before: func(t *testing.T, s *testkit.Server, u models.User) {
				if _, err := s.App.Store.ReplacePasswordHash(t.Context(), u.ID, u.PasswordHash, "$2b$12$c2FsdA"); err != nil {
					t.Fatal(err)
				}
			},
			check: wantHash("pbkdf2_sha256$1$s$bmV3"),
		},
		{
			name: "a password that was used here", more: []string{`"password":"pbkdf2_sha256$1$s$bmV3"`},
			want: app.DjangoCounts{Unchanged: 1}, tokens: untouched, check: wantHash("$argon2id$"),
		},
		{
			name: "such a password, by force", more: []string{`"password":"pbkdf2_sha256$1$s$bmV3"`},
			change: func(o *app.DjangoImport) { o.OverwritePasswords = true },
			want:   app.DjangoCounts{Updated: 1}, tokens: out, check: wantHash("pbkdf2_sha256$1$s$bmV3"),
		},
		{
			name: "an earlier sign-in", more: []string{`"last_login":"2020-01-01T00:00:00Z"`}, want: app.DjangoCounts{Unchanged: 1}, tokens: untouched,
			before: func(t *testing.T, s *testkit.Server, u models.User) {
				u.LastLogin = new(s.Clock.Now())
				if err := s.App.Store.UpdateUser(t.Context(), u); err != nil {
					t.Fatal(err)
				}
			},
			check: func(t *testing.T, s *testkit.Server, u models.User) {
				if u.LastLogin == nil || !u.LastLogin.Equal(s.Clock.Now()) {
					t.Errorf("the last sign-in was %v", u.LastLogin)
				}
			},
		},
		{
			name: "a later sign-in", more: []string{`"last_login":"2030-01-01T00:00:00Z"`}, want: app.DjangoCounts{Updated: 1}, tokens: untouched,
			check: func(t *testing.T, _ *testkit.Server, u models.User) {
				if u.LastLogin == nil || u.LastLogin.Year() != 2030 {
					t.Errorf("the last sign-in was %v", u.LastLogin)
				}
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.Each(t, func(t *testing.T, s *testkit.Server) {
				groups := lines(djangoGroup(1, "editors", "edit"), djangoGroup(2, "staff"))
				first := []string{`"groups":[["editors"]]`, `"date_joined":"2019-05-17T08:30:00Z"`, ownHash(t, s)}
				mustImport(t, s, lines(djangoUser(7, "ada", first...), groups))
				pair := s.SignIn("ada")
				if test.before != nil {
					test.before(t, s, userByID(t, s, 7))
				}
				before := userByID(t, s, 7)
				if test.groups != nil {
					keys := make([]string, len(test.groups))
					for i, name := range test.groups {
						keys[i] = fmt.Sprintf("[%q]", name)
					}
					first[0] = `"groups":[` + strings.Join(keys, ",") + "]"
				}
				second := lines(djangoUser(7, "ada", slices.Concat(first, test.more)...), groups)
				change := test.change
				if change == nil {
					change = func(*app.DjangoImport) {}
				}
				dry := mustImport(t, s, second, change, func(o *app.DjangoImport) { o.DryRun = true })
				if diff := cmp.Diff(before, userByID(t, s, 7)); diff != "" || dry.Users != test.want {
					t.Errorf("dry run: %+v, want %+v; it changed (-before +after):\n%s", dry.Users, test.want, diff)
				}
				wantProtected(t, s.Protected("Bearer "+pair.Access))

				report := mustImport(t, s, second, change)
				if report.Users != test.want {
					t.Errorf("got %+v, want %+v", report.Users, test.want)
				}
				after := userByID(t, s, 7)
				if test.check != nil {
					test.check(t, s, after)
				}
				raised := int64(1)
				if test.tokens == untouched {
					raised = 0
				}
				if after.Epoch != before.Epoch+raised {
					t.Errorf("the epoch went from %d to %d", before.Epoch, after.Epoch)
				}
				began := time.Now()
				for test.tokens != untouched && len(s.Protected("Bearer "+pair.Access).Errors) == 0 {
					if time.Since(began) > 10*time.Second {
						t.Fatal("the server still accepts the access token")
					}
				}
				if test.tokens == untouched {
					wantProtected(t, s.Protected("Bearer "+pair.Access))
				}
				if _, a := s.Refresh(pair.Refresh); (len(a.Errors) > 0) != (test.tokens == out) {
					t.Errorf("a refresh: %s", a.Body)
				}
			})
		})
	}
}

func wantRoles(names string) func(*testing.T, *testkit.Server, models.User) {
	return func(t *testing.T, _ *testkit.Server, u models.User) {
		t.Helper()
		if got := strings.Join(u.RoleNames(), " "); got != names {
			t.Errorf("the roles are %q, want %q", got, names)
		}
	}
}

func wantHash(prefix string) func(*testing.T, *testkit.Server, models.User) {
	return func(t *testing.T, _ *testkit.Server, u models.User) {
		t.Helper()
		if !strings.HasPrefix(string(u.PasswordHash), prefix) {
			t.Errorf("the hash is %q, want %s…", string(u.PasswordHash), prefix)
		}
	}
}

func TestRolesFollowTheGroups(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		if err := s.App.Store.SaveRole(t.Context(), &models.Role{Name: "staff", Permissions: []string{"users:read"}}); err != nil {
			t.Fatal(err)
		}
		mustImport(t, s, lines(djangoUser(1, "ada", `"groups":[["editors"]]`), djangoGroup(1, "editors", "edit", "add")))
		mustImport(t, s, lines(djangoUser(1, "ada", `"groups":[["editors"]]`), djangoGroup(1, "editors", "edit", "delete")))
		if got := strings.Join(userByID(t, s, 1).Permissions(), " "); got != "shop.delete shop.edit" {
			t.Errorf("the permissions are %s", got)
		}
		// A group that is gone is a role that nobody of the dump has any more.
		mustImport(t, s, djangoUser(1, "ada"))
		wantRoles("")(t, s, userByID(t, s, 1))

		// A role that was made here is not the group's to change.
		_, refused, err := importDump(t, s, lines(djangoUser(2, "bob", `"groups":[5]`), djangoGroup(5, "staff", "edit"), djangoUser(3, "eve")),
			func(o *app.DjangoImport) { o.KeepGoing = true })
		want := []string{
			`there is a role "staff" already, which no import made, with other permissions`,
			`the user "bob" has the role "staff", which was refused`,
		}
		if diff := cmp.Diff(want, withoutPlaces(refused)); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if _, err := s.App.Store.UserByID(t.Context(), 2); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("bob: %v", err)
		}
		userByID(t, s, 3)
	})
}

// withoutPlaces cuts the places off, which another test is about.
func withoutPlaces(refused []string) []string {
	var list []string
	for _, text := range refused {
		_, reason, _ := strings.Cut(text, "): ")
		list = append(list, reason)
	}
	return list
}

func TestARecordInConflictKeepsEverythingOut(t *testing.T) {
	for _, test := range []struct{ name, record, want string }{
		{"the id of another", djangoUser(3, "grace"), `the id 3 is that of the user "bob" here, and not of "grace"`},
		{"the name of another", djangoUser(2, "bob"), `the user "bob" is here already, with the id 3 and not 2`},
		{"no JSON", `{"model":`, "it is no JSON, from its byte 8 on"},
		{"a group that is not there", djangoUser(2, "grace", `"groups":[9]`), `the user "grace" is in group 9, which cannot be taken from the dump; dump auth.group, too`},
		{"a group with a name that is kept", djangoGroup(2, "user:12"), `the name "user:12" is kept for a role of one user`},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.Each(t, func(t *testing.T, s *testkit.Server) {
				mustImport(t, s, lines(djangoUser(1, "ada"), djangoUser(3, "bob")))
				dump := lines(djangoUser(10, "before"), test.record, djangoUser(11, "behind"), djangoUser(1, "ada", `"is_staff":true`), djangoGroup(7, "editors"))
				for _, dry := range []bool{true, false} {
					_, refused, err := importDump(t, s, dump, func(o *app.DjangoImport) { o.DryRun = dry })
					if !errors.Is(err, app.ErrRefused) || !slices.Equal(withoutPlaces(refused), []string{test.want}) ||
						!strings.HasPrefix(refused[0], "record 2 (line 2, byte ") {
						t.Errorf("dry %t: %v, refused %q", dry, err, refused)
					}
				}
				if roles, err := s.App.Store.RolesNamed(t.Context(), []string{"editors"}); err != nil || len(roles) > 0 {
					t.Errorf("roles %v, %v", roles, err)
				}
				for _, id := range []int64{2, 10, 11} {
					if _, err := s.App.Store.UserByID(t.Context(), id); !errors.Is(err, models.ErrNotFound) {
						t.Errorf("user %d: %v", id, err)
					}
				}
				if userByID(t, s, 1).IsStaff {
					t.Error("ada was changed")
				}

				report, refused, err := importDump(t, s, dump, func(o *app.DjangoImport) { o.KeepGoing = true })
				if err != nil || len(refused) != 1 || report.Refused != 1 || report.Users.New != 2 || report.Users.Updated != 1 || report.Roles.New != 1 {
					t.Errorf("keep going: %v, refused %q, %+v", err, refused, report)
				}
				if !userByID(t, s, 1).IsStaff || userByID(t, s, 11).Username != "behind" {
					t.Error("the others were not imported")
				}
			})
		})
	}
}

func TestADryRunWritesNothing(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		dump := lines(djangoUser(900, "ada", `"groups":[["editors"]],"user_permissions":[["x","shop","y"]]`), djangoGroup(1, "editors", "edit"))
		report := mustImport(t, s, dump, func(o *app.DjangoImport) { o.DryRun = true })
		if report.Users.New != 1 || report.Roles.New != 1 {
			t.Errorf("report %+v", report)
		}
		found, err := s.App.Store.HasUsers(t.Context())
		events, err2 := s.App.Store.EventsBefore(t.Context(), 0, 1)
		roles, err3 := s.App.Store.RolesNamed(t.Context(), []string{"editors", "user:900"})
		if err := errors.Join(err, err2, err3); err != nil || found || len(events) > 0 || len(roles) > 0 {
			t.Errorf("users %t, events %v, roles %v, %v", found, events, roles, err)
		}
		if id := s.AddUser("grace"); id != "1" {
			t.Errorf("the next id is %s", id)
		}
	})
}

func TestAnImportThatIsCalledOffGoesOnTheNextTime(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		var records []string
		for id := int64(1); id <= 1700; id++ {
			records = append(records, djangoUser(id, fmt.Sprint("user", id)))
		}
		dump := lines(records...)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		report, err := app.ImportDjango(ctx, app.DjangoImport{
			Settings: s.App.Settings, Store: s.App.Store, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: s.Clock.Now,
			Dump: strings.NewReader(dump), Refused: func(err error) { t.Error(err) },
			Progress: func(phase string, _ int64, users int) {
				if phase == "writing" && users == 1000 {
					cancel()
				}
			},
		})
		if !errors.Is(err, context.Canceled) || report.Users != (app.DjangoCounts{New: 1000}) {
			t.Fatalf("%v, report %+v", err, report)
		}
		userByID(t, s, 1000)
		if _, err := s.App.Store.UserByID(t.Context(), 1001); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("user 1001: %v", err)
		}
		if again := mustImport(t, s, dump); again.Users != (app.DjangoCounts{New: 700, Unchanged: 1000}) {
			t.Errorf("the second time: %+v", again.Users)
		}
		userByID(t, s, 1700)

		events, err := s.App.Store.EventsBefore(t.Context(), 0, 10)
		if err != nil || len(events) != 2 {
			t.Fatalf("%v, %v", events, err)
		}
		want := map[string]any{"new": 700.0, "updated": 0.0, "unchanged": 1000.0, "refused": 0.0, "roles": 0.0, "finished": true}
		if diff := cmp.Diff(want, events[0].Detail); diff != "" || events[0].Type != string(auth.EventUsersImported) || events[0].ActorID != 0 {
			t.Errorf("%+v (-want +got):\n%s", events[0], diff)
		}
		want = map[string]any{"new": 1000.0, "updated": 0.0, "unchanged": 0.0, "refused": 0.0, "roles": 0.0, "finished": false}
		if diff := cmp.Diff(want, events[1].Detail); diff != "" {
			t.Errorf("the first (-want +got):\n%s", diff)
		}
	})
}

// Between the look and the writing somebody else takes a name: the batch is given up, whole.
func TestAChangeMeanwhileStopsTheImport(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		dump := lines(djangoUser(50, "before"), djangoUser(51, "grace"))
		_, refused, err := importDump(t, s, dump, func(o *app.DjangoImport) {
			o.Progress = func(phase string, _ int64, _ int) {
				if phase == "checking" {
					s.AddUser("grace")
				}
			}
		})
		if err == nil || len(refused) != 1 || !strings.Contains(refused[0], `the user "grace" is here already, with the id 1 and not 51`) {
			t.Errorf("%v, refused %q", err, refused)
		}
		if _, err := s.App.Store.UserByID(t.Context(), 50); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("user 50: %v", err)
		}
	})
}

func TestTheHighestIDLeavesRoomForNewUsers(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		_, refused, err := importDump(t, s, djangoUser(9223372036854775807, "max"))
		want := []string{`auth.user: its "pk" is no whole number from 1 to 9007199254740991, as ids are here`}
		if diff := cmp.Diff(want, withoutPlaces(refused)); !errors.Is(err, app.ErrRefused) || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		mustImport(t, s, djangoUser(9007199254740991, "high"))
		if id := s.AddUser("next"); id != "9007199254740992" {
			t.Errorf("the next id is %s", id)
		}
	})
}

func TestALongGroupNameIsRefusedByItsPlace(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		var b strings.Builder // no two parts alike, so that nothing can be compressed into an index
		for i := 0; b.Len() < 40_000; i++ {
			fmt.Fprintf(&b, "%x", i*2654435761)
		}
		report, refused, err := importDump(t, s, lines(djangoUser(7, "ada"), djangoGroup(1, b.String())), func(o *app.DjangoImport) { o.KeepGoing = true })
		if err != nil || len(refused) != 1 || !strings.HasPrefix(refused[0], "record 2 (line 2, byte ") || report.Users.New != 1 {
			t.Errorf("%v, refused %.200q, %+v", err, refused, report)
		}
	})
}

// numbered returns names of so many characters that differ in their numbers.
func numbered(count, length int, filler string) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("%03d", i) + strings.Repeat(filler, length-3)
	}
	return names
}

// Whoever is imported can sign in: the access token names the roles, and has room for so many.
func TestAUserHasNoMoreRolesThanATokenCanCarry(t *testing.T) {
	for _, test := range []struct {
		name      string
		names     []string
		here      []string // roles that were given here
		permitted bool
	}{
		{"6144 bytes", append(numbered(40, 150, "n"), strings.Repeat("n", 20)), nil, true},
		{"6145 bytes", append(numbered(40, 150, "n"), strings.Repeat("n", 21)), nil, false},
		{"few that JSON makes longer", numbered(6, 150, "<"), nil, true},
		{"one more of these", numbered(7, 150, "<"), nil, false},
		{"as many as a user of a large site may have", numbered(400, 28, "n"), nil, false},
		{"with those that were given here", numbered(40, 150, "n"), []string{strings.Repeat("h", 20)}, true},
		{"with one more that was given here", numbered(40, 150, "n"), []string{strings.Repeat("h", 21)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.Each(t, func(t *testing.T, s *testkit.Server) {
				before := djangoUser(7, "ada", ownHash(t, s))
				mustImport(t, s, before)
				for _, name := range slices.Concat(test.here, test.names) {
					if err := s.App.Store.SaveRole(t.Context(), &models.Role{Name: name, Permissions: []string{}}); err != nil {
						t.Fatal(err)
					}
				}
				// The same bound holds for what is given here.
				err := s.App.Auth.SetRoles(auth.AsOperator(t.Context()), 7, slices.Concat(test.here, test.names))
				if _, refused := errors.AsType[auth.FormError](err); refused == test.permitted || (err == nil) != test.permitted {
					t.Errorf("given here: %v", err)
				}
				if err := s.App.Auth.SetRoles(auth.AsOperator(t.Context()), 7, test.here); err != nil {
					t.Fatal(err)
				}

				var groups, keys []string
				for i, name := range test.names {
					groups = append(groups, djangoGroup(int64(i+1), name))
					keys = append(keys, fmt.Sprint(i+1))
				}
				dump := lines(djangoUser(7, "ada", ownHash(t, s), `"groups":[`+strings.Join(keys, ",")+`]`), lines(groups...))
				for _, dry := range []bool{true, false} {
					_, refused, err := importDump(t, s, dump, func(o *app.DjangoImport) { o.DryRun = dry })
					want := []string{fmt.Sprintf(`the user "ada" has %d roles, whose names do not fit into a token`, len(test.here)+len(test.names))}
					if test.permitted && (err != nil || refused != nil) ||
						!test.permitted && (!errors.Is(err, app.ErrRefused) || !slices.Equal(withoutPlaces(refused), want)) {
						t.Errorf("dry %t: %v, refused %.300q", dry, err, refused)
					}
				}
				s.SignIn("ada")
			})
		})
	}
}

func TestARoleThatWasMadeHereStaysThoughAGroupHasItsName(t *testing.T) {
	for _, test := range []struct {
		name, group string
		refused     int
		groups      string // of the user, in the dump
	}{
		{"the group's permissions are the same", djangoGroup(5, "staff"), 0, ""},
		{"and the user is in it", djangoGroup(5, "staff"), 0, "5"},
		{"the group was refused", djangoGroup(5, "staff", "edit"), 1, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.Each(t, func(t *testing.T, s *testkit.Server) {
				mustImport(t, s, djangoUser(7, "ada"))
				if err := s.App.Store.SaveRole(t.Context(), &models.Role{Name: "staff", Permissions: []string{}}); err != nil {
					t.Fatal(err)
				}
				if err := s.App.Store.SetUserRoles(t.Context(), 7, []string{"staff"}); err != nil {
					t.Fatal(err)
				}
				dump := lines(djangoUser(7, "ada", `"groups":[`+test.groups+`]`), test.group)
				report, refused, err := importDump(t, s, dump, func(o *app.DjangoImport) { o.KeepGoing = true })
				if err != nil || len(refused) != test.refused || report.Users != (app.DjangoCounts{Unchanged: 1}) {
					t.Errorf("%v, refused %q, %+v", err, refused, report)
				}
				wantRoles("staff")(t, s, userByID(t, s, 7))
			})
		})
	}
}

func TestNothingIsWrittenOfARefusedUser(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		mustImport(t, s, lines(djangoUser(1, "clara"), djangoUser(9, "clara#2"))) // which would be the key of another Clara
		_, refused, err := importDump(t, s, djangoUser(2, "Clara", `"user_permissions":[["x","shop","y"]]`),
			func(o *app.DjangoImport) { o.KeepGoing = true })
		want := []string{`a user looks like "Clara", and another one has even the name "clara#2"`}
		if diff := cmp.Diff(want, withoutPlaces(refused)); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if roles, err := s.App.Store.RolesNamed(t.Context(), []string{"user:2"}); err != nil || len(roles) > 0 {
			t.Errorf("roles %v, %v", roles, err)
		}
	})
}

// Who starts a server before the import has a superuser whom the dump does not know.
func TestTheSuperuserOfTheFirstStartIsInTheWay(t *testing.T) {
	const hint = "; where that is the superuser whom the first start made, import into an empty database"
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		if _, err := s.App.EnsureSuperuser(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, refused, err := importDump(t, s, lines(djangoUser(1, "ada"), djangoUser(2, "admin")))
		want := []string{
			`the id 1 is that of the user "admin" here, and not of "ada"` + hint,
			`the user "admin" is here already, with the id 1 and not 2` + hint,
		}
		if diff := cmp.Diff(want, withoutPlaces(refused)); !errors.Is(err, app.ErrRefused) || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

// A dump may say that somebody is no superuser any more, but not of the last one.
func TestImportKeepsTheLastSuperuser(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		importer := auth.NewImporter(auth.ImportOptions{Store: s.App.Store, Recorder: s.App.Recorder, Now: s.Clock.Now})
		user := models.User{ID: 7, Username: "ada", PasswordHash: "!", IsActive: true, IsSuperuser: true}
		bring := func(list ...models.User) []auth.ImportChange {
			t.Helper()
			var users []auth.ImportedUser
			for _, u := range list {
				users = append(users, auth.ImportedUser{User: u})
			}
			outcomes, err := importer.Users(t.Context(), users, false)
			if err != nil {
				t.Fatal(err)
			}
			var changes []auth.ImportChange
			for _, o := range outcomes {
				changes = append(changes, o.Change)
			}
			return changes
		}
		demoted, inactive := user, user
		demoted.IsSuperuser, inactive.IsActive = false, false
		other := models.User{ID: 8, Username: "grace", PasswordHash: "!", IsActive: true, IsSuperuser: true}
		for _, step := range []struct {
			name string
			list []models.User
			want []auth.ImportChange
		}{
			{"she comes", []models.User{user}, []auth.ImportChange{auth.ImportNew}},
			{"she is the last one", []models.User{demoted}, []auth.ImportChange{auth.ImportRefused}},
			{"in another way", []models.User{inactive}, []auth.ImportChange{auth.ImportRefused}},
			{"another comes before", []models.User{other, demoted}, []auth.ImportChange{auth.ImportNew, auth.ImportUpdated}},
		} {
			if got := bring(step.list...); !slices.Equal(got, step.want) {
				t.Errorf("%s: got %v, want %v", step.name, got, step.want)
			}
		}
	})
}
