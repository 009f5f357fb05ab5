package app_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
	"latchkey/models"
)

// events is what a connection of events answers.
type events struct {
	Edges []struct{ Cursor string }
	Nodes []struct {
		ID, Type, Outcome                                             string
		At                                                            time.Time
		Reason, ActorName, SubjectID, SessionID, IPAddress, UserAgent *string
		ActorID                                                       *string
		Count                                                         int
		Changes                                                       []struct{ Field, Value string }
	}
	PageInfo struct {
		HasNextPage, HasPreviousPage bool
		StartCursor, EndCursor       *string
	}
	TotalCount int
}

func (e events) types() []string {
	list := []string{}
	for _, n := range e.Nodes {
		list = append(list, n.Type)
	}
	return list
}

const eventFields = `{ edges { cursor } nodes { id type at outcome reason count actorId actorName subjectId sessionId ipAddress userAgent
	changes { field value } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount }`

const eventsQuery = `query($first: Int, $after: String, $last: Int, $before: String, $type: [AuditEventType!], $user: ID, $actor: ID, $since: DateTime, $until: DateTime) {
	auditEvents(first: $first, after: $after, last: $last, before: $before, type: $type, user: $user, actor: $actor, since: $since, until: $until) ` + eventFields + ` }`

func listed(t *testing.T, s *testkit.Server, access string, variables map[string]any) events {
	t.Helper()
	a := s.Query(eventsQuery, variables, bearer(access)...)
	var answer struct{ AuditEvents events }
	if err := json.Unmarshal(a.Data, &answer); err != nil || len(a.Errors) > 0 {
		t.Fatalf("%v: %s", variables, a.Body)
	}
	return answer.AuditEvents
}

func own(t *testing.T, s *testkit.Server, access string) events {
	t.Helper()
	a := s.Query("{ me { securityEvents(first: 50) "+eventFields+" } }", nil, bearer(access)...)
	var answer struct {
		Me struct{ SecurityEvents events }
	}
	if err := json.Unmarshal(a.Data, &answer); err != nil || len(a.Errors) > 0 {
		t.Fatal(a.Body)
	}
	return answer.Me.SecurityEvents
}

// auditors makes an administrator, one who may read the audit and nothing else, and ada.
func auditors(t *testing.T, s *testkit.Server) (root, reader, ada string) {
	t.Helper()
	ctx := auth.AsOperator(t.Context())
	if _, err := s.App.Auth.SaveRole(ctx, auth.RoleForm{Name: "auditor", Permissions: []string{models.PermAuditRead}}); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, form := range []auth.UserForm{
		{Username: "root", IsSuperuser: true}, {Username: "reader", Roles: []string{"auditor"}}, {Username: "ada"},
	} {
		form.Password = testkit.Password
		user, err := s.App.Auth.CreateUser(ctx, form)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, user.IDText())
		s.Clock.Advance(time.Minute)
	}
	return ids[0], ids[1], ids[2]
}

func TestTheAuditIsRead(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		root, reader, ada := auditors(t, s)
		admin := s.SignIn("root").Access
		access := s.SignIn("reader").Access
		s.Clock.Advance(time.Minute)
		change := s.Query(`mutation($id: ID!) { userUpdate(id: $id, input: {email: "ada@example.org", roles: ["auditor"]}) { errors { code } } }`,
			map[string]any{"id": ada}, bearer(admin)...)
		if len(change.Errors) > 0 {
			t.Fatal(change.Body)
		}
		noon := s.Clock.Now()
		s.Clock.Advance(time.Minute)
		s.Obtain("ada", "not the password")
		if err := s.App.Recorder.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}

		all := []string{"SIGN_IN_FAILED", "USER_CHANGED", "SIGNED_IN", "SIGNED_IN", "USER_CREATED", "USER_CREATED", "USER_CREATED", "ROLE_SAVED"}
		for _, row := range []struct {
			arguments map[string]any
			want      []string
		}{
			{nil, all},
			{map[string]any{"first": 3}, all[:3]},
			{map[string]any{"last": 2}, all[6:]},
			{map[string]any{"type": []string{"SIGNED_IN", "ROLE_SAVED"}}, []string{"SIGNED_IN", "SIGNED_IN", "ROLE_SAVED"}},
			{map[string]any{"user": ada}, []string{"SIGN_IN_FAILED", "USER_CHANGED", "USER_CREATED"}},
			{map[string]any{"user": ada, "type": "USER_CHANGED"}, []string{"USER_CHANGED"}},
			{map[string]any{"actor": root}, []string{"USER_CHANGED", "SIGNED_IN"}},
			{map[string]any{"actor": root, "user": ada}, []string{"USER_CHANGED"}},
			{map[string]any{"actor": reader}, []string{"SIGNED_IN"}},
			{map[string]any{"since": noon.Format(time.RFC3339)}, []string{"SIGN_IN_FAILED", "USER_CHANGED"}},
			{map[string]any{"until": noon.Format(time.RFC3339)}, all[2:]},
			{map[string]any{"user": "424242"}, []string{}},
			{map[string]any{"first": 0}, []string{}},
		} {
			if d := cmp.Diff(row.want, listed(t, s, access, row.arguments).types()); d != "" {
				t.Errorf("%v: %s", row.arguments, d)
			}
		}
		// Page by page there is each once, in either direction.
		for _, size := range []int{1, 3, 5} {
			var forward, backward []string
			for arguments := map[string]any{"first": size}; ; {
				page := listed(t, s, access, arguments)
				forward = append(forward, page.types()...)
				if page.TotalCount != len(all) {
					t.Errorf("%d are counted", page.TotalCount)
				}
				if !page.PageInfo.HasNextPage {
					break
				}
				arguments["after"] = page.PageInfo.EndCursor
			}
			for arguments := map[string]any{"last": size}; ; {
				page := listed(t, s, access, arguments)
				backward = append(page.types(), backward...)
				if !page.PageInfo.HasPreviousPage {
					break
				}
				arguments["before"] = page.PageInfo.StartCursor
			}
			if d := cmp.Diff([][]string{all, all}, [][]string{forward, backward}); d != "" {
				t.Errorf("pages of %d: %s", size, d)
			}
		}

		changed := listed(t, s, access, map[string]any{"type": "USER_CHANGED"}).Nodes[0]
		if *changed.ActorName != "root" || *changed.ActorID != root || *changed.SubjectID != ada || *changed.IPAddress != "127.0.0.1" ||
			*changed.UserAgent != "Go-http-client/1.1" || *changed.SessionID != sessionID(t, admin) || changed.Outcome != "DONE" || changed.Reason != nil ||
			fmt.Sprint(changed.Changes) != `[{email "ada@example.org"} {roles ["auditor"]}]` {
			t.Errorf("%+v", changed)
		}
		failed := listed(t, s, access, map[string]any{"type": "SIGN_IN_FAILED"}).Nodes[0]
		if failed.ActorID != nil || failed.Outcome != "REFUSED" || *failed.Reason != "wrong_password" || len(failed.Changes) > 0 || failed.Count != 1 {
			t.Errorf("%+v", failed)
		}

		// Who did it stands there with the name, when the user is gone, too. Users as such are for users:read.
		who := `{ auditEvents(type: [USER_CHANGED]) { nodes { actorName actor { username email } subject { username roles { name } } } } }`
		a := s.Query(who, nil, bearer(access)...)
		if len(a.Errors) != 2 || a.Errors[0].Extensions["code"] != "FORBIDDEN" || !strings.Contains(a.Body, `"actorName":"root","actor":null`) {
			t.Errorf("without users:read: %s", a.Body)
		}
		if a = s.Query(who, nil, bearer(admin)...); len(a.Errors) > 0 || !strings.Contains(a.Body, `"actor":{"username":"root","email":null},"subject":{"username":"ada","roles":[{"name":"auditor"}]}`) {
			t.Errorf("with users:read: %s", a.Body)
		}
		if err := s.App.Auth.DeleteUser(auth.AsOperator(t.Context()), number(t, ada), ""); err != nil {
			t.Fatal(err)
		}
		gone := `{ auditEvents(type: [USER_DELETED, USER_CREATED], first: 2) { nodes { type subjectName subject { username } } } }`
		if a = s.Query(gone, nil, bearer(admin)...); len(a.Errors) > 0 || strings.Count(a.Body, `"subjectName":"ada","subject":null`) != 2 {
			t.Errorf("of who is gone: %s", a.Body)
		}
	})
}

func TestTheAuditIsForThoseWhoMay(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		_, _, ada := auditors(t, s)
		access := s.SignIn("ada").Access
		s.Query("{ auditEvents { nodes { id } } }", nil, bearer(access)...).Refused(t, "FORBIDDEN", "", "You do not have permission to perform this action.")
		if a := s.Query("{ auditEvents { nodes { id } } }", nil); len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != "UNAUTHENTICATED" {
			t.Error(a.Body)
		}
		// The events of others are not read through the user, by whoever may read users.
		admin := s.SignIn("root").Access
		a := s.Query(`query($id: ID!) { user(id: $id) { username securityEvents { totalCount } } }`, map[string]any{"id": ada}, bearer(admin)...)
		if len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != "FORBIDDEN" || !strings.Contains(a.Body, `"username":"ada"`) {
			t.Error(a.Body)
		}
	})
}

// A user sees what was done to them, and of others neither who nor from where.
func TestOnesOwnEventsTellNothingOfOthers(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		_, _, ada := auditors(t, s)
		admin := s.SignIn("root").Access
		s.Query(`mutation($id: ID!) { userUpdate(id: $id, input: {isStaff: true}) { errors { code } } }`, map[string]any{"id": ada}, bearer(admin)...)
		s.Clock.Advance(time.Minute)
		s.Obtain("ada", "not the password")
		if err := s.App.Recorder.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Minute)
		access := s.SignIn("ada").Access
		list := own(t, s, access)
		if d := cmp.Diff([]string{"SIGNED_IN", "SIGN_IN_FAILED", "USER_CHANGED", "USER_CREATED"}, list.types()); d != "" || list.TotalCount != 4 {
			t.Fatalf("%s, %d", d, list.TotalCount)
		}
		for i, n := range list.Nodes {
			if *n.SubjectID != ada {
				t.Errorf("%+v", n)
			}
			mine := n.Type == "SIGNED_IN" || n.Type == "SIGN_IN_FAILED"
			if (n.IPAddress != nil) != mine || (n.UserAgent != nil) != mine || n.ActorID != nil && *n.ActorID != ada || n.ActorName != nil && *n.ActorName != "ada" {
				t.Errorf("%d: %+v", i, n)
			}
		}
		if fmt.Sprint(list.Nodes[2].Changes) != "[{is_staff true}]" {
			t.Errorf("%v", list.Nodes[2].Changes)
		}
		pair := s.Query("mutation($p: String!) { tokenObtain(username: \"ada\", password: $p) { user { securityEvents { totalCount } } } }", map[string]any{"p": testkit.Password})
		if len(pair.Errors) > 0 || !strings.Contains(pair.Body, `"totalCount":5`) {
			t.Error(pair.Body)
		}
	})
}

func TestArgumentsOfTheAuditThatAreNotAcceptable(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		auditors(t, s)
		access := s.SignIn("reader").Access
		good := listed(t, s, access, nil).Edges[0].Cursor
		encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		for _, row := range []struct {
			arguments map[string]any
			field     string
		}{
			{map[string]any{"first": -1}, "first"},
			{map[string]any{"last": 101}, "last"},
			{map[string]any{"first": 1, "last": 1}, "first"},
			{map[string]any{"after": ""}, "after"},
			{map[string]any{"after": good + "="}, "after"},
			{map[string]any{"before": encode("1u1:ada")}, "before"},
			{map[string]any{"before": encode("1e1:9223372036854775807")}, "before"},
			{map[string]any{"before": encode("1e1:01")}, "before"},
			{map[string]any{"after": strings.Repeat("A", 10_000)}, "after"},
			{map[string]any{"user": "ada"}, "user"},
			{map[string]any{"actor": "0"}, "actor"},
			{map[string]any{"type": []string{"SIGNED_UP"}}, ""},
			{map[string]any{"since": "yesterday"}, ""},
		} {
			a := s.Query(eventsQuery, row.arguments, bearer(access)...)
			if len(a.Errors) == 0 || a.Status >= 500 || strings.Contains(a.Body, "INTERNAL") {
				t.Errorf("%.80v: %s", row.arguments, a.Body)
				continue
			}
			if e := a.Errors[0].Extensions; row.field != "" && (e["code"] != "BAD_USER_INPUT" || e["field"] != row.field) {
				t.Errorf("%.80v: %s", row.arguments, a.Body)
			}
		}
		for _, at := range []string{"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"} {
			listed(t, s, access, map[string]any{"since": at, "until": at})
		}
	})
}

// However many events are on a page, and users in them, they are read with the same number of statements.
func TestAPageOfEventsTakesAFixedNumberOfStatements(t *testing.T) {
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
		auditors(t, s)
		admin := s.SignIn("root").Access
		for i := range 40 {
			s.AddUser(fmt.Sprintf("user%03d", i))
		}
		counts := map[int]int{}
		for _, size := range []int{2, 10, 40} {
			mu.Lock()
			statements = nil
			mu.Unlock()
			answer := s.Query(`query($n: Int) { auditEvents(first: $n) { totalCount nodes { actor { username } subject { username roles { name } } } } }`,
				map[string]any{"n": size}, bearer(admin)...)
			if len(answer.Errors) > 0 || strings.Count(answer.Body, `"subject":{"username":"user`) != size {
				t.Fatal(answer.Body)
			}
			mu.Lock()
			counts[size] = len(statements)
			mu.Unlock()
		}
		if counts[2] != counts[10] || counts[10] != counts[40] {
			t.Errorf("statements by size: %v\n%q", counts, statements)
		}
	})
}
