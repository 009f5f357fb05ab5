package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"latchkey/auth"
	"latchkey/internal/testkit"
	"latchkey/models"
)

const forbidden = "FORBIDDEN"

// staff is a server with people of several ranks, by username. Each has a role of the same name, if any.
type staff struct {
	*testkit.Server
	t   *testing.T
	ids map[string]int64
}

func startStaff(t *testing.T, s *testkit.Server) *staff {
	t.Helper()
	x := &staff{Server: s, t: t, ids: map[string]int64{}}
	ctx := auth.AsOperator(t.Context())
	for name, permissions := range map[string][]string{
		"clerk":   {"users:write"},
		"reader":  {"users:read"},
		"manager": {"users:read", "users:write", "roles:read", "roles:write", "orders:write"},
		"auditor": {"audit:read"},
		"guard":   {"sessions:write"},
		"plain":   {},
	} {
		if _, err := s.App.Auth.SaveRole(ctx, auth.RoleForm{Name: name, Permissions: permissions}); err != nil {
			t.Fatal(err)
		}
	}
	for _, form := range []auth.UserForm{
		{Username: "root", IsSuperuser: true, IsStaff: true},
		{Username: "clerk", Roles: []string{"clerk"}},
		{Username: "reader", Roles: []string{"reader"}},
		{Username: "manager", Roles: []string{"manager"}},
		{Username: "auditor", Roles: []string{"auditor"}},
		{Username: "guard", Roles: []string{"guard"}},
		{Username: "ada"},
		{Username: "grace", Roles: []string{"plain"}},
	} {
		form.Password = testkit.Password
		user, err := s.App.Auth.CreateUser(ctx, form)
		if err != nil {
			t.Fatal(err)
		}
		x.ids[form.Username] = user.ID
	}
	return x
}

// as sends a request of a user who signs in for it.
func (s *staff) as(name, query string, variables map[string]any) testkit.Answer {
	s.t.Helper()
	return s.Query(query, variables, bearer(s.SignIn(name).Access)...)
}

// user returns somebody as they are now.
func (s *staff) user(name string) models.User {
	s.t.Helper()
	u, err := s.App.Store.UserByID(s.t.Context(), s.ids[name])
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

// payload is what a mutation with a form answers.
type payload struct {
	User   *struct{ ID, Username, Email, FirstName, LastName string }
	Role   *models.Role
	Errors []struct {
		Code  string
		Field []string
	}
}

// problems returns the codes and fields of a payload, sorted.
func (p payload) problems() []string {
	list := []string{}
	for _, e := range p.Errors {
		list = append(list, strings.Join(e.Field, ".")+" "+e.Code)
	}
	slices.Sort(list)
	return list
}

// form sends a mutation with a form.
func (s *staff) form(as, mutation, inputType string, input any, more string) payload {
	s.t.Helper()
	result := map[string]string{"RoleInput!": "role { name description permissions }"}[inputType]
	if result == "" {
		result = "user { id username email firstName lastName }"
	}
	a := s.as(as, fmt.Sprintf("mutation($in: %s) { it: %s(%sinput: $in) { %s errors { code field message } } }", inputType, mutation, more, result),
		map[string]any{"in": input})
	if len(a.Errors) > 0 {
		s.t.Fatal(a.Body)
	}
	var data struct{ It payload }
	if err := json.Unmarshal(a.Data, &data); err != nil {
		s.t.Fatal(err)
	}
	return data.It
}

func (s *staff) update(as, whom string, input map[string]any) payload {
	s.t.Helper()
	return s.form(as, "userUpdate", "UserUpdateInput!", input, fmt.Sprintf("id: %d, ", s.ids[whom]))
}

func wantProblems(t *testing.T, p payload, want ...string) {
	t.Helper()
	slices.Sort(want)
	if d := cmp.Diff(want, p.problems(), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
	if len(want) > 0 && (p.User != nil || p.Role != nil) {
		t.Errorf("there are problems and a result: %+v", p)
	}
}

func TestUserForms(t *testing.T) {
	testkit.Each(t, func(t *testing.T, server *testkit.Server) {
		s := startStaff(t, server)
		const create = "UserCreateInput!"
		t.Run("all that is wrong is told at once", func(t *testing.T) {
			wantProblems(
				t, s.form("root", "userCreate", create, map[string]any{
					"username": "ADA", "password": "12345678", "email": "none", "firstName": strings.Repeat("x", 151),
					"lastName": strings.Repeat("é", 151), "roles": []string{"plain", "nobody", "x"},
				}, ""),
				"input.username TAKEN", "input.password TOO_COMMON", "input.email INVALID",
				"input.firstName TOO_LONG", "input.lastName TOO_LONG", "input.roles.1 NOT_FOUND", "input.roles.2 NOT_FOUND",
			)
			wantProblems(t, s.form("root", "userCreate", create, map[string]any{"username": "", "password": ""}, ""),
				"input.username REQUIRED", "input.password REQUIRED")
			wantProblems(
				t, s.update("root", "ada", map[string]any{
					"username": "a b", "password": "x9Kq", "email": "x@", "roles": []string{"none"}, "isStaff": nil, "isActive": nil,
				}),
				"input.username INVALID", "input.password TOO_SHORT", "input.email INVALID", "input.roles.0 NOT_FOUND",
				"input.isStaff REQUIRED", "input.isActive REQUIRED",
			)
			wantProblems(t, s.update("root", "ada", map[string]any{"username": nil, "password": nil, "isSuperuser": nil}),
				"input.username REQUIRED", "input.password REQUIRED", "input.isSuperuser REQUIRED")
		})
		t.Run("a user is made, found, changed and removed", func(t *testing.T) {
			made := s.form("root", "userCreate", create, map[string]any{
				"username": "hedy", "password": "correct horse", "email": "hedy@example.org", "firstName": "Hedy",
				"lastName": "Lamarr", "isStaff": true, "roles": []string{"plain", "reader", "plain"},
			}, "")
			wantProblems(t, made)
			id, _ := strconv.ParseInt(made.User.ID, 10, 64)
			s.ids["hedy"] = id
			got := s.as("reader", fmt.Sprintf(`{ user(id: %d) { username email isActive isStaff isSuperuser roles { name } permissions lastLogin } }`, id), nil)
			want := `{"user":{"username":"hedy","email":"hedy@example.org","isActive":true,"isStaff":true,"isSuperuser":false,"roles":[{"name":"plain"},{"name":"reader"}],"permissions":["users:read"],"lastLogin":null}}`
			if string(got.Data) != want {
				t.Errorf("got  %s\nwant %s", got.Body, want)
			}
			wantProblems(t, s.update("root", "hedy", map[string]any{"lastName": "Markey"})) // what is absent stays
			if u := s.user("hedy"); u.Email != "hedy@example.org" || u.FirstName != "Hedy" || u.LastName != "Markey" || !u.IsStaff || len(u.Roles) != 2 {
				t.Errorf("what was left out has changed: %+v", u)
			}
			wantProblems(t, s.update("root", "hedy", map[string]any{"email": nil, "firstName": nil, "lastName": nil, "roles": nil}))
			if u := s.user("hedy"); u.Email != "" || u.FirstName != "" || u.LastName != "" || len(u.Roles) != 0 || u.Username != "hedy" {
				t.Errorf("what is null was not cleared: %+v", u)
			}
			old := s.SignIn("ada")
			wantProblems(t, s.update("root", "ada", map[string]any{"password": "a new horse", "username": "Ada.L"}))
			s.Protected("Bearer "+old.Access).Refused(t, unauthentic, "STALE", notValid)
			if _, a := s.Refresh(old.Refresh); len(a.Errors) == 0 {
				t.Error("a new password did not end the sessions")
			}
			if _, a := s.Obtain("Ada.L", "a new horse"); len(a.Errors) > 0 {
				t.Error(a.Body)
			}
			wantProblems(t, s.update("root", "grace", map[string]any{"username": "ADA.L"}), "input.username TAKEN")
			remove := fmt.Sprintf("mutation { userDelete(id: %d) }", id)
			if a := s.as("root", remove, nil); string(a.Data) != `{"userDelete":true}` {
				t.Error(a.Body)
			}
			s.as("root", remove, nil).Refused(t, "NOT_FOUND", "", "Not found.")
		})
		t.Run("an id that nobody has", func(t *testing.T) {
			for _, id := range []string{"999999", "0", "-1", "x", "", "1e3", "007", "9223372036854775808", " 1", "🦊"} {
				for _, query := range []string{
					"query($id: ID!) { user(id: $id) { id } }", "mutation($id: ID!) { userDelete(id: $id) }",
					"mutation($id: ID!) { userUpdate(id: $id, input: {}) { errors { code } } }",
				} {
					s.as("root", query, map[string]any{"id": id}).Refused(t, "NOT_FOUND", "", "Not found.")
				}
			}
		})
		t.Run("nobody removes or deactivates themselves by accident", func(t *testing.T) {
			self := fmt.Sprintf("mutation($c: String) { userDelete(id: %d, confirm: $c) }", s.ids["manager"])
			for _, confirm := range []any{nil, "", "Manager", "root"} {
				a := s.as("manager", self, map[string]any{"c": confirm})
				if len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != "BAD_USER_INPUT" || a.Errors[0].Extensions["field"] != "confirm" {
					t.Errorf("confirm %v: %s", confirm, a.Body)
				}
			}
			wantProblems(t, s.update("manager", "manager", map[string]any{"isActive": false}), "input.isActive INVALID")
			wantProblems(t, s.update("manager", "manager", map[string]any{"password": "another battery"}), "input.password INVALID")
			if a := s.as("manager", self, map[string]any{"c": "manager"}); string(a.Data) != `{"userDelete":true}` {
				t.Error(a.Body)
			}
		})
		t.Run("the last active superuser stays", func(t *testing.T) {
			wantProblems(t, s.update("root", "root", map[string]any{"isSuperuser": false}), "input.isSuperuser INVALID")
			a := s.as("root", fmt.Sprintf(`mutation { userDelete(id: %d, confirm: "root") }`, s.ids["root"]), nil)
			if len(a.Errors) != 1 || a.Errors[0].Extensions["field"] != "id" {
				t.Error(a.Body)
			}
			operator := auth.AsOperator(t.Context())
			if err := s.App.Auth.SetActive(operator, s.ids["root"], false); err == nil {
				t.Error("an operator deactivates the last superuser")
			}
			if err := s.App.Auth.DeleteUser(operator, s.ids["root"], ""); err == nil {
				t.Error("an operator removes the last superuser")
			}
		})
	})
}

func TestRoleForms(t *testing.T) {
	testkit.Each(t, func(t *testing.T, server *testkit.Server) {
		s := startStaff(t, server)
		save := func(as string, input map[string]any) payload {
			return s.form(as, "roleSave", "RoleInput!", input, "")
		}
		many := make([]string, 201)
		for i := range many {
			many[i] = "orders:" + strconv.Itoa(i)
		}
		for _, row := range []struct {
			name  string
			input map[string]any
			want  []string
		}{
			{"no name", map[string]any{"name": "", "permissions": []string{}}, []string{"input.name REQUIRED"}},
			{"a long name", map[string]any{"name": strings.Repeat("x", 81), "permissions": []string{}}, []string{"input.name TOO_LONG"}},
			{"a name with quotes", map[string]any{"name": `a"b`, "permissions": []string{}}, []string{"input.name INVALID"}},
			{"a name with spaces around", map[string]any{"name": " a", "permissions": []string{}}, []string{"input.name INVALID"}},
			{"a name of letters that look alike", map[string]any{"name": "аdmin", "permissions": []string{}}, []string{"input.name INVALID"}},
			{"a name that imports keep", map[string]any{"name": "user:7", "permissions": []string{}}, []string{"input.name INVALID"}},
			{
				"everything",
				map[string]any{"name": "\n", "description": strings.Repeat("x", 1001), "permissions": []string{"a:b", "", "a b", strings.Repeat("x", 101)}},
				[]string{"input.name INVALID", "input.description TOO_LONG", "input.permissions.1 INVALID", "input.permissions.2 INVALID", "input.permissions.3 TOO_LONG"},
			},
			{"too many permissions", map[string]any{"name": "x", "permissions": many}, []string{"input.permissions TOO_LONG"}},
		} {
			t.Run(row.name, func(t *testing.T) { wantProblems(t, save("root", row.input), row.want...) })
		}
		made := save("root", map[string]any{"name": "Order desk", "description": "Sells.", "permissions": []string{"orders:write", "audit:read", "audit:read"}})
		wantProblems(t, made)
		want := models.Role{Name: "Order desk", Description: "Sells.", Permissions: []string{"audit:read", "orders:write"}}
		if d := cmp.Diff(&want, made.Role); d != "" {
			t.Errorf("role (-want +got):\n%s", d)
		}
		again := save("root", map[string]any{"name": "Order desk", "permissions": []string{}})
		if again.Role == nil || again.Role.Description != "Sells." || len(again.Role.Permissions) != 0 {
			t.Errorf("replaced: %+v", again)
		}
		if a := s.as("manager", "{ roles { name } }", nil); strings.Count(a.Body, `"name"`) != 7 {
			t.Error(a.Body)
		}
		if a := s.as("root", `mutation { roleDelete(name: "Order desk") }`, nil); string(a.Data) != `{"roleDelete":true}` {
			t.Error(a.Body)
		}
		s.as("root", `mutation { roleDelete(name: "Order desk") }`, nil).Refused(t, "NOT_FOUND", "", "Not found.")
	})
}

// What a role gives is asked with each request, and nobody goes on with a token that says something else.
func TestARoleTakenAwayIsGoneAtOnce(t *testing.T) {
	testkit.Each(t, func(t *testing.T, server *testkit.Server) {
		s := startStaff(t, server)
		operator := auth.AsOperator(t.Context())
		const ask = "{ roles { name } }"
		for _, row := range []struct {
			name string
			act  func() error
		}{
			{"the role is taken from the user", func() error { return s.App.Auth.SetRoles(operator, s.ids["manager"], nil) }},
			{"the permission is taken from the role", func() error {
				_, err := s.App.Auth.SaveRole(operator, auth.RoleForm{Name: "manager", Permissions: []string{"users:read"}})
				return err
			}},
			{"the role is removed", func() error { return s.App.Auth.DeleteRole(operator, "manager") }},
		} {
			t.Run(row.name, func(t *testing.T) {
				form := auth.RoleForm{Name: "manager", Permissions: []string{"roles:read"}}
				if _, err := s.App.Auth.SaveRole(operator, form); err != nil {
					t.Fatal(err)
				}
				if err := s.App.Auth.SetRoles(operator, s.ids["manager"], []string{"manager"}); err != nil {
					t.Fatal(err)
				}
				pair, other := s.SignIn("manager"), s.SignIn("ada")
				if a := s.Query(ask, nil, bearer(pair.Access)...); len(a.Errors) > 0 {
					t.Fatal(a.Body)
				}
				if err := row.act(); err != nil {
					t.Fatal(err)
				}
				s.Query(ask, nil, bearer(pair.Access)...).Refused(t, unauthentic, "STALE", notValid)
				s.Protected("Bearer "+pair.Access).Refused(t, unauthentic, "STALE", notValid)
				next := mustRefresh(t, s.Server, pair.Refresh)
				s.Query(ask, nil, bearer(next.Access)...).Refused(t, forbidden, "", "You do not have permission to perform this action.")
				wantProtected(t, s.Protected("Bearer "+other.Access))
			})
		}
		t.Run("other words for a role change no token", func(t *testing.T) {
			text := "Looks at the audit."
			pair := s.SignIn("auditor")
			form := auth.RoleForm{Name: "auditor", Description: &text, Permissions: []string{"audit:read"}}
			if _, err := s.App.Auth.SaveRole(operator, form); err != nil {
				t.Fatal(err)
			}
			wantProtected(t, s.Protected("Bearer "+pair.Access))
		})
	})
}

func TestSessionsOfOthers(t *testing.T) {
	testkit.Each(t, func(t *testing.T, server *testkit.Server) {
		s := startStaff(t, server)
		victim := s.SignIn("ada")
		end := fmt.Sprintf("mutation { sessionRevoke(id: %q) }", sessionID(t, victim.Access))
		list := fmt.Sprintf("{ user(id: %d) { sessions { id isCurrent } } }", s.ids["ada"])
		want := fmt.Sprintf(`{"user":{"sessions":[{"id":%q,"isCurrent":false}]}}`, sessionID(t, victim.Access))
		if a := s.as("reader", list, nil); string(a.Data) != want {
			t.Errorf("got %s, want %s", a.Body, want)
		}
		for _, name := range []string{"reader", "clerk", "manager", "grace"} {
			s.as(name, end, nil).Refused(t, "NOT_FOUND", "", "Not found.")
		}
		wantProtected(t, s.Protected("Bearer "+victim.Access))
		if a := s.as("guard", end, nil); string(a.Data) != `{"sessionRevoke":true}` {
			t.Error(a.Body)
		}
		wantRevoked(t, s.Server, victim)
		s.as("guard", end, nil).Refused(t, "NOT_FOUND", "", "Not found.")
	})
}

// A user who may change users tries to become more than that, to read or end what is not theirs, and to see what they may
// not. None of it works, and each try is in the audit.
func TestNoWayUp(t *testing.T) {
	testkit.Each(t, func(t *testing.T, server *testkit.Server) {
		s := startStaff(t, server)
		secretary, err := s.App.Auth.CreateUser(auth.AsOperator(t.Context()),
			auth.UserForm{Username: "secretary", Password: testkit.Password, IsStaff: true})
		if err != nil {
			t.Fatal(err)
		}
		s.ids["secretary"] = secretary.ID
		root, ada, clerk := s.ids["root"], s.ids["ada"], s.ids["clerk"]
		victim := s.SignIn("ada")
		clerkPair := s.SignIn("clerk")
		managerPair := s.SignIn("manager")
		before := map[string]models.User{}
		for name := range s.ids {
			before[name] = s.user(name)
		}
		rolesBefore, err := s.App.Store.Roles(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		create := `mutation { userCreate(input: {username: "evil", password: "correct horse battery", %s}) { errors { code } } }`
		update := `mutation { userUpdate(id: %d, input: {%s}) { errors { code } } }`
		for _, try := range []struct {
			name, as, query string
			code            string // FORBIDDEN where it is empty
		}{
			{name: "make a superuser", query: fmt.Sprintf(create, "isSuperuser: true")},
			{name: "make somebody of the staff", query: fmt.Sprintf(create, "isStaff: true")},
			{name: "make somebody with a role that one lacks", query: fmt.Sprintf(create, `roles: ["manager"]`)},
			{name: "make somebody with a role of no permission that one lacks", query: fmt.Sprintf(create, `roles: ["plain"]`)},
			{name: "make oneself a superuser", query: fmt.Sprintf(update, clerk, "isSuperuser: true")},
			{name: "make oneself of the staff", query: fmt.Sprintf(update, clerk, "isStaff: true")},
			{name: "give oneself a role", query: fmt.Sprintf(update, clerk, `roles: ["clerk", "manager"]`)},
			{name: "give a friend a role", query: fmt.Sprintf(update, ada, `roles: ["auditor"]`)},
			{name: "make a friend a superuser", query: fmt.Sprintf(update, ada, "isSuperuser: true")},
			{name: "set a superuser's password", query: fmt.Sprintf(update, root, `password: "correct horse battery"`)},
			{name: "set a superuser's address", query: fmt.Sprintf(update, root, `email: "evil@example.org"`)},
			{name: "rename a superuser", query: fmt.Sprintf(update, root, `username: "former"`)},
			{name: "deactivate a superuser", query: fmt.Sprintf(update, root, "isActive: false")},
			{name: "demote a superuser", query: fmt.Sprintf(update, root, "isSuperuser: false")},
			{name: "delete a superuser", query: fmt.Sprintf("mutation { userDelete(id: %d) }", root)},
			{name: "delete a superuser with their name", query: fmt.Sprintf(`mutation { userDelete(id: %d, confirm: "root") }`, root)},
			{name: "set the password of somebody who may more", query: fmt.Sprintf(update, s.ids["auditor"], `password: "correct horse battery"`)},
			{name: "set the address of somebody who may more", query: fmt.Sprintf(update, s.ids["manager"], `email: "evil@example.org"`)},
			{name: "set the password of somebody with a role of no permission that one lacks", query: fmt.Sprintf(update, s.ids["grace"], `password: "correct horse battery"`)},
			{name: "set the address of somebody with such a role", query: fmt.Sprintf(update, s.ids["grace"], `email: "evil@example.org"`)},
			{name: "take such a role and set the password at once", query: fmt.Sprintf(update, s.ids["grace"], `roles: null, password: "correct horse battery"`)},
			{name: "set the password of somebody of the staff", query: fmt.Sprintf(update, s.ids["secretary"], `password: "correct horse battery"`)},
			{name: "set the address of somebody of the staff", query: fmt.Sprintf(update, s.ids["secretary"], `email: "evil@example.org"`)},
			{name: "delete somebody who may more", query: fmt.Sprintf("mutation { userDelete(id: %d) }", s.ids["manager"])},
			{name: "take a role from somebody who may more", query: fmt.Sprintf(update, s.ids["auditor"], "roles: null")},
			{name: "save a role", query: `mutation { roleSave(input: {name: "clerk", permissions: ["users:read"]}) { errors { code } } }`},
			{name: "delete a role", query: `mutation { roleDelete(name: "auditor") }`},
			{name: "widen a role that one has", as: "manager", query: `mutation { roleSave(input: {name: "manager", permissions: ["users:read", "users:write", "roles:read", "roles:write", "keys:write"]}) { errors { code } } }`},
			{name: "make a role of more than one has", as: "manager", query: `mutation { roleSave(input: {name: "new", permissions: ["sessions:write"]}) { errors { code } } }`},
			{name: "make a role of another service's permission", as: "manager", query: `mutation { roleSave(input: {name: "new", permissions: ["orders:delete"]}) { errors { code } } }`},
			{name: "take a role's permission that one lacks", as: "manager", query: `mutation { roleSave(input: {name: "auditor", permissions: []}) { errors { code } } }`},
			{name: "delete a role of more than one has", as: "manager", query: `mutation { roleDelete(name: "auditor") }`},
			{name: "end somebody's session", query: fmt.Sprintf("mutation { sessionRevoke(id: %q) }", sessionID(t, victim.Access)), code: "NOT_FOUND"},
			{name: "read the users", query: "{ users { nodes { username } } }"},
			{name: "count the users by an alias", query: "{ a: users(first: 0) { b: totalCount } }"},
			{name: "read a user in a fragment", query: fmt.Sprintf("query { ...F } fragment F on Query { x: user(id: %d) { ... on User { email } } }", ada)},
			{name: "read the roles", query: "{ roles { name } }"},
			{
				name:  "read another's sessions by the answer of a change",
				query: fmt.Sprintf("mutation { userUpdate(id: %d, input: {}) { user { ... { s: sessions { id } } } errors { code } } }", ada),
			},
			{
				name:  "read another's sessions by a token of theirs",
				query: fmt.Sprintf(`mutation { tokenVerify(token: %q) { user { sessions { id } } } }`, victim.Access),
			},
		} {
			t.Run(try.name, func(t *testing.T) {
				pair := clerkPair
				if try.as == "manager" {
					pair = managerPair
				}
				count := s.App.Recorder.Counts()[auth.EventPermissionDenied]
				a := s.Query(try.query, nil, bearer(pair.Access)...)
				code := try.code
				if code == "" {
					code = forbidden
				}
				if len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != code {
					t.Errorf("want one %s: %s", code, a.Body)
				}
				if strings.Contains(a.Body, "example.org") || strings.Contains(a.Body, sessionID(t, victim.Access)) {
					t.Errorf("the answer tells what it must not: %s", a.Body)
				}
				if got := s.App.Recorder.Counts()[auth.EventPermissionDenied] - count; got != 1 {
					t.Errorf("%d tries are in the audit", got)
				}
			})
		}
		for name := range s.ids {
			if d := cmp.Diff(before[name], s.user(name)); d != "" {
				t.Errorf("%s has changed (-before +after):\n%s", name, d)
			}
		}
		rolesAfter, err := s.App.Store.Roles(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(rolesBefore, rolesAfter); d != "" {
			t.Errorf("the roles have changed (-before +after):\n%s", d)
		}
		if _, err := s.App.Store.UserByUsername(t.Context(), "evil"); err == nil {
			t.Error("a user was made")
		}
		wantProtected(t, s.Protected("Bearer "+victim.Access))
		if err := s.App.Recorder.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		events, err := s.App.Store.EventsBefore(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		reasons := map[string]bool{}
		for _, e := range events {
			if e.Type == string(auth.EventPermissionDenied) {
				if e.ActorID != clerk && e.ActorID != s.ids["manager"] || e.SessionID == "" || e.Address == "" {
					t.Errorf("a try is recorded as %+v", e)
				}
				reasons[fmt.Sprint(e.Detail["reason"])] = true
			}
		}
		for _, reason := range []string{
			"superuser_only", "flag_not_held", "role_not_held", "above_caller", "gives_not_held", "foreign_session", "users:read", "roles:read", "roles:write",
		} {
			if !reasons[reason] {
				t.Errorf("no try is recorded for the reason %s: %v", reason, reasons)
			}
		}
		t.Run("and what they may is done", func(t *testing.T) {
			a := s.Query(fmt.Sprintf(update, ada, `firstName: "Ada", isActive: false`), nil, bearer(clerkPair.Access)...)
			if string(a.Data) != `{"userUpdate":{"errors":[]}}` {
				t.Error(a.Body)
			}
			for _, name := range []string{"grace", "secretary"} {
				a := s.Query(fmt.Sprintf(update, s.ids[name], `lastName: "Hopper"`), nil, bearer(clerkPair.Access)...)
				if string(a.Data) != `{"userUpdate":{"errors":[]}}` {
					t.Error(a.Body)
				}
			}
			a = s.Query(fmt.Sprintf(create, `roles: ["clerk"]`), nil, bearer(clerkPair.Access)...)
			if string(a.Data) != `{"userCreate":{"errors":[]}}` {
				t.Error(a.Body)
			}
		})
	})
}

// Without a caller in the context nothing is done: it is no operator.
func TestTheServiceAsksAgain(t *testing.T) {
	testkit.Each(t, func(t *testing.T, server *testkit.Server) {
		s, ctx := startStaff(t, server), t.Context()
		for name, act := range map[string]func() error{
			"create": func() error {
				_, err := s.App.Auth.CreateUser(ctx, auth.UserForm{Username: "x", Password: testkit.Password})
				return err
			},
			"update":     func() error { return s.App.Auth.SetActive(ctx, s.ids["ada"], false) },
			"delete":     func() error { return s.App.Auth.DeleteUser(ctx, s.ids["ada"], "") },
			"roles":      func() error { _, err := s.App.Auth.Roles(ctx); return err },
			"saveRole":   func() error { _, err := s.App.Auth.SaveRole(ctx, auth.RoleForm{Name: "x"}); return err },
			"deleteRole": func() error { return s.App.Auth.DeleteRole(ctx, "plain") },
			"users":      func() error { _, err := s.App.Auth.Users(ctx, models.UserQuery{Limit: 1}); return err },
			"count":      func() error { _, err := s.App.Auth.CountUsers(ctx, models.UserFilter{}); return err },
			"user":       func() error { _, err := s.App.Auth.User(ctx, s.ids["ada"]); return err },
			"userNamed":  func() error { _, err := s.App.Auth.UserNamed(ctx, "ada"); return err },
		} {
			if err := act(); err == nil || !strings.Contains(err.Error(), "credentials") {
				t.Errorf("%s without a caller: %v", name, err)
			}
		}
	})
}

// Of superusers who put each other out of office at the same moment one is left, however they go about it.
func TestOneSuperuserIsLeft(t *testing.T) {
	testkit.Each(t, func(t *testing.T, server *testkit.Server) {
		const number = 16
		operator := auth.AsOperator(t.Context())
		users := make([]models.User, number)
		for i := range users {
			var err error
			users[i], err = server.App.Auth.CreateUser(operator, auth.UserForm{Username: fmt.Sprint("root", i), Password: testkit.Password, IsSuperuser: true})
			if err != nil {
				t.Fatal(err)
			}
		}
		var group sync.WaitGroup
		done := make([]bool, number)
		for i, u := range users {
			by := operator
			if i%2 == 0 { // by the one before, who may be none any more
				by = auth.WithCaller(t.Context(), &auth.Caller{UserID: users[(i+number-1)%number].IDText(), SessionID: "x"})
			}
			group.Go(func() {
				var err error
				switch i % 3 {
				case 0:
					err = server.App.Auth.SetActive(by, u.ID, false)
				case 1:
					err = server.App.Auth.DeleteUser(by, u.ID, u.Username)
				default:
					_, err = server.App.Auth.UpdateUser(by, u.ID, auth.UserChange{IsSuperuser: auth.Some(false)})
				}
				done[i] = err == nil
			})
		}
		group.Wait()
		left, gone := 0, 0
		for i, u := range users {
			got, err := server.App.Store.UserByID(t.Context(), u.ID)
			if err == nil && got.IsActive && got.IsSuperuser {
				left++
			}
			if done[i] {
				gone++
			}
		}
		if left == 0 || left+gone != number || gone == 0 {
			t.Errorf("%d superusers are left of %d, and %d were told to be gone", left, number, gone)
		}
	})
}
