package app_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"latchkey/auth"
	"latchkey/fault"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
	"latchkey/models"
)

// connection is what `users` answers.
type connection struct {
	Users struct {
		Edges []struct {
			Node   struct{ Username string }
			Cursor string
		}
		Nodes    []struct{ Username string }
		PageInfo struct {
			HasNextPage, HasPreviousPage bool
			StartCursor, EndCursor       *string
		}
		TotalCount int
	}
}

func (c connection) names() []string {
	list := []string{}
	for _, n := range c.Users.Nodes {
		list = append(list, n.Username)
	}
	return list
}

const usersQuery = `query($first: Int, $after: String, $last: Int, $before: String, $search: String, $isActive: Boolean, $role: String, $orderBy: UserOrder) {
	users(first: $first, after: $after, last: $last, before: $before, search: $search, isActive: $isActive, role: $role, orderBy: $orderBy) {
		edges { node { username } cursor } nodes { username } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }`

func (s *staff) users(access string, variables map[string]any) connection {
	s.t.Helper()
	a := s.Query(usersQuery, variables, bearer(access)...)
	var c connection
	if err := json.Unmarshal(a.Data, &c); err != nil || len(a.Errors) > 0 {
		s.t.Fatalf("%v: %s", variables, a.Body)
	}
	if len(c.Users.Edges) != len(c.Users.Nodes) {
		s.t.Fatalf("there are more edges or more nodes: %s", a.Body)
	}
	for i, e := range c.Users.Edges {
		if e.Node != c.Users.Nodes[i] {
			s.t.Fatalf("edges and nodes differ: %s", a.Body)
		}
	}
	if n := len(c.Users.Edges); n > 0 &&
		(*c.Users.PageInfo.StartCursor != c.Users.Edges[0].Cursor || *c.Users.PageInfo.EndCursor != c.Users.Edges[n-1].Cursor) {
		s.t.Fatalf("the cursors of the page are not those of its ends: %s", a.Body)
	}
	return c
}

func TestUsersConnection(t *testing.T) {
	testkit.Each(t, func(t *testing.T, server *testkit.Server) {
		s := startStaff(t, server)
		access := s.SignIn("reader").Access
		all := []string{"ada", "auditor", "clerk", "grace", "guard", "manager", "reader", "root"}
		t.Run("forward and back", func(t *testing.T) {
			for _, order := range []map[string]any{nil, {"field": "USERNAME"}, {"field": "USERNAME", "direction": "DESC"}, {"field": "DATE_JOINED"}} {
				whole := s.users(access, map[string]any{"orderBy": order})
				if whole.Users.TotalCount != len(all) || whole.Users.PageInfo.HasNextPage || whole.Users.PageInfo.HasPreviousPage {
					t.Errorf("%v: %+v", order, whole)
				}
				if d := cmp.Diff(all, slices.Sorted(slices.Values(whole.names()))); d != "" {
					t.Error(d)
				}
				var forward, back []string
				page := map[string]any{"first": 3, "orderBy": order}
				for {
					c := s.users(access, page)
					forward = append(forward, c.names()...)
					if c.Users.PageInfo.HasPreviousPage != (page["after"] != nil) {
						t.Errorf("hasPreviousPage: %+v", c)
					}
					if !c.Users.PageInfo.HasNextPage {
						break
					}
					page["after"] = c.Users.PageInfo.EndCursor
				}
				page = map[string]any{"last": 3, "orderBy": order}
				for {
					c := s.users(access, page)
					back = append(c.names(), back...)
					if c.Users.PageInfo.HasNextPage != (page["before"] != nil) {
						t.Errorf("hasNextPage: %+v", c)
					}
					if !c.Users.PageInfo.HasPreviousPage {
						break
					}
					page["before"] = c.Users.PageInfo.StartCursor
				}
				if d := cmp.Diff(whole.names(), forward); d != "" {
					t.Errorf("%v, forward: %s", order, d)
				}
				if d := cmp.Diff(whole.names(), back); d != "" {
					t.Errorf("%v, back: %s", order, d)
				}
			}
		})
		t.Run("filters", func(t *testing.T) {
			if err := s.App.Auth.SetActive(auth.AsOperator(t.Context()), s.ids["grace"], false); err != nil {
				t.Fatal(err)
			}
			for _, row := range []struct {
				arguments map[string]any
				want      []string
			}{
				{map[string]any{"isActive": false}, []string{"grace"}},
				{map[string]any{"role": "plain"}, []string{"grace"}},
				{map[string]any{"role": "plain", "isActive": true}, nil},
				{map[string]any{"search": " G"}, []string{"grace", "guard"}},
				{map[string]any{"search": "G", "isActive": true}, []string{"guard"}},
				{map[string]any{"search": "g", "orderBy": map[string]any{"field": "USERNAME", "direction": "DESC"}}, []string{"guard", "grace"}},
				{map[string]any{"search": "  ", "first": 2}, []string{"ada", "auditor"}},
				{map[string]any{"first": 0}, nil},
				{map[string]any{"last": 1}, []string{"root"}},
			} {
				if d := cmp.Diff(row.want, s.users(access, row.arguments).names(), cmpopts.EquateEmpty()); d != "" {
					t.Errorf("%v: %s", row.arguments, d)
				}
			}
		})
		t.Run("a place stays where it is", func(t *testing.T) {
			first := s.users(access, map[string]any{"first": 3})
			after := map[string]any{"first": 2, "after": first.Users.PageInfo.EndCursor}
			want := s.users(access, after).names()
			if err := s.App.Auth.DeleteUser(auth.AsOperator(t.Context()), s.ids["clerk"], ""); err != nil { // whose place it is
				t.Fatal(err)
			}
			s.AddUser("aaa")
			if d := cmp.Diff(want, s.users(access, after).names()); d != "" {
				t.Error(d)
			}
		})
		t.Run("what is not acceptable", func(t *testing.T) {
			byDate := s.users(access, map[string]any{"orderBy": map[string]any{"field": "DATE_JOINED"}}).Users.Edges[0].Cursor
			good := s.users(access, nil).Users.Edges[0].Cursor
			encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
			for _, row := range []struct {
				arguments map[string]any
				field     string
			}{
				{map[string]any{"first": -1}, "first"},
				{map[string]any{"first": 101}, "first"},
				{map[string]any{"last": 101}, "last"},
				{map[string]any{"first": 1, "last": 1}, "first"},
				{map[string]any{"after": ""}, "after"},
				{map[string]any{"after": "🦊"}, "after"},
				{map[string]any{"before": byDate}, "before"},
				{map[string]any{"after": good + "="}, "after"},
				{map[string]any{"after": good + "\n"}, "after"},
				{map[string]any{"after": encode("2u1:ada")}, "after"},
				{map[string]any{"after": encode("1uada")}, "after"},
				{map[string]any{"after": encode("1u+1:ada")}, "after"},
				{map[string]any{"after": encode("1u1:a\x00")}, "after"},
				{map[string]any{"after": encode("1u1:\xff")}, "after"},
				{map[string]any{"after": encode("1d1:9223372036854775807"), "orderBy": map[string]any{"field": "DATE_JOINED"}}, "after"},
				{map[string]any{"after": strings.Repeat("A", 10_000)}, "after"},
				{map[string]any{"search": strings.Repeat("%", 255)}, "search"},
				{map[string]any{"search": strings.Repeat("🦊", 10_000)}, "search"},
				{map[string]any{"search": "a\x00"}, ""},
				{map[string]any{"role": "\x00"}, ""},
			} {
				a := s.Query(usersQuery, row.arguments, bearer(access)...)
				if len(a.Errors) == 0 || a.Status >= 500 {
					t.Errorf("%.80v: %s", row.arguments, a.Body)
					continue
				}
				code, field := a.Errors[0].Extensions["code"], a.Errors[0].Extensions["field"]
				if row.field != "" && (code != "BAD_USER_INPUT" || field != row.field) || strings.Contains(a.Body, "INTERNAL") {
					t.Errorf("%.80v: %s", row.arguments, a.Body)
				}
			}
		})
		t.Run("a page costs by its size", func(t *testing.T) {
			const deep = `{ users(first: 100) { %s } }`
			part := `edges { node { roles { name } sessions { id } } } `
			if a := s.Query(fmt.Sprintf(deep, part), nil, bearer(access)...); len(a.Errors) > 0 {
				t.Error(a.Body)
			}
			var parts strings.Builder
			for i := range 6 {
				fmt.Fprintf(&parts, "p%d: %s", i, part)
			}
			if a := s.Query(fmt.Sprintf(deep, parts.String()), nil, bearer(access)...); len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != "COMPLEXITY_LIMIT_EXCEEDED" {
				t.Error(a.Body)
			}
		})
	})
}

// However many users are on a page, what belongs to them is read with the same number of statements.
func TestAPageTakesAFixedNumberOfStatements(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		a, clock := testkit.Open(t, url)
		var mu sync.Mutex
		var statements []string
		a.Store.Observe(func(statement string) {
			if strings.Contains(statement, "revocations") || strings.Contains(statement, "signing_keys") {
				return // the feed, now and then
			}
			mu.Lock()
			defer mu.Unlock()
			statements = append(statements, statement)
		})
		s := testkit.Serve(t, a)
		s.Clock = clock
		ctx := auth.AsOperator(t.Context())
		for i := range 5 {
			if _, err := a.Auth.SaveRole(ctx, auth.RoleForm{Name: fmt.Sprint("role", i), Permissions: []string{models.PermUsersRead}}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 110 {
			form := auth.UserForm{Username: fmt.Sprintf("user%03d", i), Password: testkit.Password, Roles: []string{fmt.Sprint("role", i%5), "role0"}}
			user, err := a.Auth.CreateUser(ctx, form)
			if err != nil {
				t.Fatal(err)
			}
			now := a.Auth.Now().UTC()
			session := models.Session{
				ID: fmt.Sprintf("%032x", i), UserID: user.ID, CreatedAt: now, LastUsedAt: now,
				ExpiresAt: now.Add(time.Hour), KeepUntil: now.Add(time.Hour),
			}
			if err := a.Store.StartSession(t.Context(), &session, 0, false); err != nil {
				t.Fatal(err)
			}
		}
		pair := s.SignIn("user007")
		counts := map[int]int{}
		for _, size := range []int{1, 10, 100} {
			mu.Lock()
			statements = nil
			mu.Unlock()
			answer := s.Query(`query($n: Int) { users(first: $n) { totalCount edges { node { username roles { name } permissions sessions { id } } } } }`,
				map[string]any{"n": size}, bearer(pair.Access)...)
			if len(answer.Errors) > 0 || strings.Count(answer.Body, `"permissions":["users:read"]`) != size || strings.Count(answer.Body, `"sessions":[{`) != size {
				t.Fatalf("%d users: %.600s", size, answer.Body)
			}
			mu.Lock()
			counts[size] = len(statements)
			mu.Unlock()
		}
		if counts[1] != counts[10] || counts[1] != counts[100] || counts[1] > 10 {
			t.Errorf("statements by the size of the page: %v, the last of them %q", counts, statements)
		}
		t.Logf("statements by the size of the page: %v", counts)
	})
}

// FuzzUsers asks for users by anything at all. The answer is one of the codes, and never a fault.
func FuzzUsers(f *testing.F) {
	a, _ := testkit.Open(f, testdb.SQLite(f))
	s := testkit.Serve(f, a)
	root, err := a.Auth.CreateUser(auth.AsOperator(f.Context()), auth.UserForm{Username: "root", Password: testkit.Password, IsSuperuser: true})
	if err != nil {
		f.Fatal(err)
	}
	access := s.SignIn("root").Access
	cursor := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	f.Add(20, 0, "", "", "ada", "", root.IDText(), uint8(0))
	f.Add(-1, 101, cursor("1u1:ada"), cursor("1m1:ada"), `%_'"\`, "plain", "0", uint8(1))
	f.Add(1<<31-1, -1<<31, cursor("1d1:1769860800000000"), "====", strings.Repeat("🦊", 3000), "\x00", "٣", uint8(2))
	f.Add(5, 5, cursor("1u1:\xff"), cursor("1u-1:"), "a\x00", "'; DROP TABLE users;--", "1e400", uint8(7))
	f.Fuzz(func(t *testing.T, first, last int, after, before, search, role, id string, which uint8) {
		variables := map[string]any{"id": id}
		for bit, argument := range []struct {
			name  string
			value any
		}{{"first", first}, {"last", last}, {"after", after}, {"before", before}, {"search", search}, {"role", role}} {
			if which&(1<<bit) == 0 {
				variables[argument.name] = argument.value
			}
		}
		if which&64 != 0 {
			variables["orderBy"] = map[string]any{"field": "DATE_JOINED", "direction": "DESC"}
		}
		query := strings.Replace(strings.Replace(usersQuery, "query(", "query($id: ID!, ", 1), "{\n", "{ user(id: $id) { id }\n", 1)
		answer := post(t, s.URL, access, query, variables)
		if answer.Status >= 500 {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		for _, e := range answer.Errors {
			code, _ := e.Extensions["code"].(string)
			if !slices.Contains(fault.Kinds(), fault.Kind(code)) || fault.Kind(code) == fault.KindInternal {
				t.Fatalf("%v: %s", variables, answer.Body)
			}
		}
	})
}

// post is Query for a fuzz target, which has a test of its own for each input.
func post(t *testing.T, url, access, query string, variables map[string]any) (answer testkit.Answer) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+access)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &answer); err != nil {
		t.Fatalf("%v: %s", err, content)
	}
	answer.Status, answer.Body = response.StatusCode, string(content)
	return answer
}
