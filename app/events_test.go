package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"latchkey/app"
	"latchkey/auth"
	"latchkey/auth/password"
	"latchkey/auth/token"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
	"latchkey/models"
)

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// audited is a server whose events and log are looked at. No refresh token may be sent again.
type audited struct {
	*testkit.Server
	log  *logBuffer
	last int64 // the id of the newest event that was looked at
}

func startAudited(t *testing.T, url string) *audited {
	t.Helper()
	settings := testkit.Settings(t, url)
	settings.Throttle = true
	settings.RefreshReuseLeeway = 0
	log := &logBuffer{}
	a, err := app.Open(t.Context(), app.Options{
		Settings: settings, Logger: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Hashing: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return &audited{Server: testkit.Serve(t, a), log: log}
}

// happened is what a test says of an event.
type happened struct {
	Name           auth.EventType
	Actor, Subject int64
	Session        string
	Detail         map[string]any
}

// news returns the events since the last call, and checks what is the same in all: who sent it, and the line in the log.
func (a *audited) news(t *testing.T, fromClient bool) []happened {
	t.Helper()
	if err := a.App.Recorder.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := a.App.Store.EventsBefore(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var list []happened
	for i := len(rows) - 1; i >= 0; i-- {
		row := rows[i]
		if row.ID <= a.last {
			continue
		}
		a.last = row.ID
		if row.At.IsZero() || fromClient && (row.Address != "127.0.0.1" || row.UserAgent != "Go-http-client/1.1") {
			t.Errorf("%s: at %v, address %q, user agent %q", row.Type, row.At, row.Address, row.UserAgent)
		}
		if (row.ActorName != "") != (row.ActorID != 0) || (row.SubjectName != "") != (row.SubjectID != 0) {
			t.Errorf("%s: actor %d %q, subject %d %q", row.Type, row.ActorID, row.ActorName, row.SubjectID, row.SubjectName)
		}
		a.wantLine(t, row, fromClient)
		list = append(list, happened{auth.EventType(row.Type), row.ActorID, row.SubjectID, row.SessionID, row.Detail})
	}
	return list
}

// wantLine looks for the line of a row in the log.
func (a *audited) wantLine(t *testing.T, row models.Event, fromClient bool) {
	t.Helper()
	for line := range strings.Lines(a.log.String()) {
		var entry struct {
			Msg       string
			RequestID string `json:"request_id"`
			ActorID   int64  `json:"actor_id"`
			SubjectID int64  `json:"subject_id"`
			SessionID string `json:"session_id"`
			Address   string
			Detail    map[string]any
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Msg == row.Type && entry.ActorID == row.ActorID && entry.SubjectID == row.SubjectID &&
			entry.SessionID == row.SessionID && entry.Address == row.Address && (entry.RequestID != "") == fromClient &&
			cmp.Equal(entry.Detail, row.Detail, cmpopts.EquateEmpty()) {
			return
		}
	}
	t.Errorf("no line in the log is that of %+v", row)
}

func (a *audited) want(t *testing.T, fromClient bool, want ...happened) {
	t.Helper()
	for i := range want {
		if want[i].Detail == nil {
			want[i].Detail = map[string]any{}
		}
	}
	if d := cmp.Diff(want, a.news(t, fromClient)); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

// Each event has a row, a line and a number, by what causes it; and no row and no line has a secret.
func TestEvents(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s := startAudited(t, url)
		var secrets []string
		signIn := func(name string) (testkit.Pair, string) {
			pair := s.SignIn(name)
			secrets = append(secrets, pair.Access, pair.Refresh)
			return pair, sessionID(t, pair.Access)
		}
		caused := map[auth.EventType]uint64{}
		want := func(fromClient bool, list ...happened) {
			t.Helper()
			for _, h := range list {
				caused[h.Name]++
			}
			s.want(t, fromClient, list...)
		}
		ctx := t.Context()

		ada, _ := strconv.ParseInt(s.AddUser("ada"), 10, 64)
		want(false, happened{auth.EventUserCreated, 0, ada, "", map[string]any{"is_staff": false, "is_superuser": false}})

		pair, session := signIn("ada")
		want(true, happened{auth.EventSignedIn, ada, ada, session, nil})

		const typed = "hunter2-typed-into-the-wrong-field"
		secrets = append(secrets, typed, testkit.Password, "another horse battery")
		s.Obtain(typed, testkit.Password)
		want(true, happened{auth.EventSignInFailed, 0, 0, "", map[string]any{"reason": "unknown_user"}})
		s.Obtain("ada", typed)
		want(true, happened{auth.EventSignInFailed, 0, ada, "", map[string]any{"reason": "wrong_password"}})
		s.Obtain("ada", strings.Repeat(typed, 200))
		want(true, happened{auth.EventSignInFailed, 0, 0, "", map[string]any{"reason": "too_long"}})

		mustRefresh(t, s.Server, pair.Refresh)
		want(true) // a refresh that succeeds is no event
		s.Refresh(typed)
		want(true, happened{auth.EventRefreshRefused, 0, 0, "", map[string]any{"reason": "MALFORMED"}})
		s.Refresh(pair.Access)
		want(true, happened{auth.EventRefreshRefused, 0, 0, "", map[string]any{"reason": "WRONG_TYPE"}})
		s.Refresh(pair.Refresh)
		want(true, happened{auth.EventRefreshReused, 0, ada, session, nil})
		s.Refresh(pair.Refresh)
		want(true, happened{auth.EventRefreshRefused, 0, ada, session, map[string]any{"reason": "REVOKED"}})

		pair, session = signIn("ada")
		want(true, happened{auth.EventSignedIn, ada, ada, session, nil})
		for range 2 { // the second time nothing happens
			mutate(t, s.Server, "", fmt.Sprintf("tokenRevoke(refresh: %q)", pair.Refresh))
		}
		want(true, happened{auth.EventSignedOut, ada, ada, session, nil})
		pair, session = signIn("ada")
		mutate(t, s.Server, pair.Access, "tokenRevoke")
		want(true, happened{auth.EventSignedIn, ada, ada, session, nil}, happened{auth.EventSignedOut, ada, ada, session, nil})

		pair, session = signIn("ada")
		_, second := signIn("ada")
		_, third := signIn("ada")
		_, fourth := signIn("ada")
		mutate(t, s.Server, pair.Access, fmt.Sprintf("sessionRevoke(id: %q)", second))
		for range 2 {
			mutate(t, s.Server, pair.Access, "sessionsRevokeAll")
		}
		want(
			true,
			happened{auth.EventSignedIn, ada, ada, session, nil}, happened{auth.EventSignedIn, ada, ada, second, nil},
			happened{auth.EventSignedIn, ada, ada, third, nil}, happened{auth.EventSignedIn, ada, ada, fourth, nil},
			happened{auth.EventSessionsEnded, ada, ada, second, map[string]any{"count": 1.0}},
			happened{auth.EventSessionsEnded, ada, ada, "", map[string]any{"count": 2.0}},
		)

		change := func(current string) testkit.Answer {
			return s.Query(`mutation($c: String!, $n: String!) { passwordChange(current: $c, new: $n) { tokens { access } } }`,
				map[string]any{"c": current, "n": "another horse battery"}, bearer(pair.Access)...)
		}
		change(typed)
		want(true, happened{auth.EventPasswordChangeFailed, ada, ada, session, nil})
		var changed struct {
			PasswordChange struct{ Tokens struct{ Access string } }
		}
		if err := json.Unmarshal(change(testkit.Password).Data, &changed); err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, changed.PasswordChange.Tokens.Access)
		want(true, happened{auth.EventPasswordChanged, ada, ada, sessionID(t, changed.PasswordChange.Tokens.Access), nil})

		if err := s.App.Store.SaveRole(ctx, &models.Role{Name: "reader", Permissions: []string{"users:read"}}); err != nil {
			t.Fatal(err)
		}
		grace, _ := strconv.ParseInt(s.AddUser("grace"), 10, 64)
		rootUser, err := s.App.Auth.CreateUser(auth.AsOperator(ctx), auth.UserForm{Username: "root", Password: testkit.Password, IsSuperuser: true})
		if err != nil {
			t.Fatal(err)
		}
		root := rootUser.ID
		by := auth.WithCaller(ctx, &auth.Caller{UserID: rootUser.IDText(), SessionID: "0"})
		for _, act := range []func() error{
			func() error { return s.App.Auth.SetRoles(by, grace, []string{"reader"}) },
			func() error { return s.App.Auth.SetActive(by, grace, false) },
			func() error { return s.App.Auth.SetActive(by, grace, false) }, // no change
		} {
			if err := act(); err != nil {
				t.Fatal(err)
			}
		}
		want(
			false,
			happened{auth.EventUserCreated, 0, grace, "", map[string]any{"is_staff": false, "is_superuser": false}},
			happened{auth.EventUserCreated, 0, root, "", map[string]any{"is_staff": false, "is_superuser": true}},
			happened{auth.EventUserChanged, root, grace, "0", map[string]any{"roles": []any{"reader"}}},
			happened{auth.EventUserChanged, root, grace, "0", map[string]any{"is_active": false}},
		)
		for range 5 {
			s.Obtain("grace", testkit.Password)
			want(true, happened{auth.EventSignInFailed, 0, grace, "", map[string]any{"reason": "inactive"}})
		}
		s.Obtain("grace", testkit.Password)
		want(true, happened{auth.EventSignInThrottled, 0, grace, "", nil})
		if err := s.App.Auth.DeleteUser(by, grace, ""); err != nil {
			t.Fatal(err)
		}
		want(false, happened{auth.EventUserDeleted, root, grace, "0", nil})

		form := auth.RoleForm{Name: "writer", Permissions: []string{"users:write", "orders:write", "users:write"}}
		for range 2 { // the second time nothing happens
			if _, err := s.App.Auth.SaveRole(by, form); err != nil {
				t.Fatal(err)
			}
		}
		want(false, happened{auth.EventRoleSaved, root, 0, "0", map[string]any{
			"role": "writer", "description": "", "permissions": []any{"orders:write", "users:write"},
		}})
		if err := s.App.Auth.DeleteRole(by, "writer"); err != nil {
			t.Fatal(err)
		}
		want(false, happened{auth.EventRoleDeleted, root, 0, "0", map[string]any{"role": "writer"}})
		pair, session = signIn("root")
		want(true, happened{auth.EventSignedIn, root, root, session, nil})
		const reset = "a fifth horse battery"
		secrets = append(secrets, reset)
		s.Query(`mutation($id: ID!, $p: String!) { userUpdate(id: $id, input: {password: $p, email: "ada@example.org", isStaff: true}) { errors { code } } }`,
			map[string]any{"id": ada, "p": reset}, bearer(pair.Access)...)
		want(true, happened{auth.EventUserChanged, root, ada, session, map[string]any{"password": true, "email": "ada@example.org", "is_staff": true}})
		pair, a := s.Obtain("ada", reset)
		secrets = append(secrets, pair.Access, pair.Refresh)
		session = sessionID(t, pair.Access)
		s.Query(`{ roles { name } }`, nil, bearer(pair.Access)...).Refused(t, "FORBIDDEN", "", "You do not have permission to perform this action.")
		if len(a.Errors) > 0 {
			t.Fatal(a.Body)
		}
		want(
			true, happened{auth.EventSignedIn, ada, ada, session, nil},
			happened{auth.EventPermissionDenied, ada, 0, session, map[string]any{"reason": "roles:read"}},
		)
		importer := auth.NewImporter(auth.ImportOptions{Recorder: s.App.Recorder})
		if err := importer.Record(ctx, map[string]any{"new": 1}); err != nil {
			t.Fatal(err)
		}
		want(false, happened{auth.EventUsersImported, 0, 0, "", map[string]any{"new": 1.0}})

		lin := s.AddUser("lin")
		want(false, happened{auth.EventUserCreated, 0, number(t, lin), "", map[string]any{"is_staff": false, "is_superuser": false}})
		foreign, err := token.New(token.Options{Now: time.Now}).Sign(token.Claims{
			Kind: token.Refresh, ID: jti(1), UserID: lin, IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
		}, s.App.Keys.Ring().Signing())
		if err != nil {
			t.Fatal(err)
		}
		adopted := mustRefresh(t, s.Server, foreign)
		secrets = append(secrets, foreign, adopted.Access, adopted.Refresh)
		want(true, happened{auth.EventSessionAdopted, number(t, lin), number(t, lin), sessionID(t, adopted.Access), nil})

		old := s.App.Keys.Ring().Signing().ID
		rows, err := s.App.Keeper.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		next := rows[1].ID
		if next == old {
			next = rows[0].ID
		}
		if _, err := s.App.Keeper.RotateNow(ctx); err != nil {
			t.Fatal(err)
		}
		want(false, happened{auth.EventSigningKeyRotated, 0, 0, "", map[string]any{"from": old, "to": next}})
		if err := s.App.Keeper.Retire(ctx, old); err != nil {
			t.Fatal(err)
		}
		want(false, happened{auth.EventSigningKeyRetired, 0, 0, "", map[string]any{"kid": old}})

		// What does not come about is not recorded.
		for _, act := range []func() error{
			func() error { return s.App.Auth.SetRoles(by, ada, []string{"reader", "none"}) },
			func() error { return s.App.Auth.SetActive(by, 999, false) },
			func() error { return s.App.Auth.DeleteUser(by, 999, "") },
			func() error { return s.App.Keeper.Retire(ctx, "none") },
			func() error {
				_, err := s.App.Auth.CreateUser(auth.AsOperator(ctx), auth.UserForm{Username: "Ada", Password: testkit.Password})
				return err
			},
		} {
			if err := act(); err == nil {
				t.Error("what cannot be done succeeded")
			}
		}
		want(false)

		caused[auth.EventAuditRestarted] = 0 // no server's: TestANewChainBeginsBehindABreak
		for _, name := range auth.EventTypes() {
			if caused[name] == 0 && name != auth.EventAuditRestarted {
				t.Errorf("nothing here causes %s", name)
			}
		}
		if d := cmp.Diff(caused, s.App.Recorder.Counts()); d != "" {
			t.Errorf("counts (-want +got):\n%s", d)
		}
		kept, err := s.App.Store.EventsBefore(ctx, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		mustVerify(t, url, int64(len(kept)))
		all := fmt.Sprint(kept) + s.log.String()
		for _, secret := range secrets {
			if strings.Contains(all, secret) {
				t.Errorf("a row or a line has the secret %.40s", secret)
			}
		}
	})
}

// However many failures there are, a few rows tell of all of them, and no answer waits for one.
func TestManyFailuresAreAFewRows(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s := startAudited(t, url)
		s.AddUser("ada")
		s.news(t, false)
		const tries = 400
		for range tries {
			_, a := s.Refresh("made up")
			a.Refused(t, tokenNotValid, "MALFORMED", "Token is invalid")
		}
		if err := s.App.Recorder.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, err := s.App.Store.EventsBefore(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, row := range rows {
			if auth.EventType(row.Type) == auth.EventRefreshRefused {
				count, ok := row.Detail["count"].(float64)
				if !ok {
					count = 1
				}
				sum += count
			}
		}
		if len(rows) > 20 || sum != tries {
			t.Errorf("%d rows tell of %g failures, want a few and %d", len(rows), sum, tries)
		}
		if lines := strings.Count(s.log.String(), `"msg":"refresh_refused"`); lines > 40 {
			t.Errorf("%d lines tell of them", lines)
		}
	})
}
