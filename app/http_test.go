package app_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"latchkey/app"
	"latchkey/auth/password"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

func TestPaths(t *testing.T) {
	on, off := true, false
	open := testkit.Start(t, testdb.SQLite(t), func(c *config.Settings) { c.GraphiQL, c.Introspection = &on, &on })
	closed := testkit.Start(t, testdb.SQLite(t), func(c *config.Settings) { c.GraphiQL, c.Introspection = &off, &off })
	for _, row := range []struct {
		path         string
		open, closed int
		contentType  string
		contains     string
	}{
		{"/", 200, 404, "text/html", "<title>"},
		{"/graphiql", 200, 404, "text/html", "<title>"},
		{"/schema.graphql", 200, 404, "text/plain", "type Mutation"},
		{"/.well-known/jwks.json", 200, 200, "application/jwk-set+json", `"kty":"EC"`},
		{"/.well-known/openid-configuration", 200, 200, "application/json", `"jwks_uri":"http://127.0.0.1:`},
		{"/healthz", 200, 200, "text/plain", "ok"},
		{"/readyz", 200, 200, "text/plain", "ready"},
		{"/nothing", 404, 404, "text/plain", ""},
		{"/graphiql/../data/latchkey.db", 404, 404, "text/plain", ""},
	} {
		for name, s := range map[string]*testkit.Server{"open": open, "closed": closed} {
			want := row.open
			if s == closed {
				want = row.closed
			}
			r := s.Get(row.path)
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if r.StatusCode != want {
				t.Errorf("%s %s: status %d, want %d", name, row.path, r.StatusCode, want)
				continue
			}
			if want == 200 && (!strings.HasPrefix(r.Header.Get("Content-Type"), row.contentType) || !strings.Contains(string(body), row.contains)) {
				t.Errorf("%s %s: %s %.200s", name, row.path, r.Header.Get("Content-Type"), body)
			}
			if r.Header.Get("X-Request-Id") == "" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %s: headers %v", name, row.path, r.Header)
			}
		}
	}
	if a := closed.Query("{ __schema { queryType { name } } }", nil); len(a.Errors) != 1 {
		t.Errorf("introspection that is off answers %s", a.Body)
	}
}

func TestDiscoveryFollowsTheIssuerAndNotTheHost(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), func(c *config.Settings) { c.Issuer = "https://auth.example.org/" })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/.well-known/openid-configuration", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example"
	r.Header.Set("X-Forwarded-Host", "evil.example")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"issuer":"https://auth.example.org/","jwks_uri":"https://auth.example.org/.well-known/jwks.json",` +
		`"id_token_signing_alg_values_supported":["ES256"],"subject_types_supported":["public"],"response_types_supported":[]}`
	if strings.TrimSpace(string(body)) != want {
		t.Errorf("got %s", body)
	}
}

func TestNotReadyWithoutTheDatabase(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	if err := s.App.Store.Close(); err != nil {
		t.Fatal(err)
	}
	if r := s.Get("/readyz"); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", r.StatusCode)
	}
	if r := s.Get("/healthz"); r.StatusCode != http.StatusOK {
		t.Errorf("healthz: %d", r.StatusCode)
	}
	// A fault is never told as a bad password or a bad token, and shows nothing of itself.
	_, a := s.Obtain("ada", testkit.Password)
	a.Refused(t, "INTERNAL_SERVER_ERROR", "", "Internal server error.")
	if a.Errors[0].Extensions["requestId"] != a.Header.Get("X-Request-Id") {
		t.Errorf("the request id is not the header's: %s", a.Body)
	}
	if strings.Contains(a.Body, "sql") || strings.Contains(a.Body, "database") {
		t.Errorf("the answer tells of the fault: %s", a.Body)
	}
}

func TestSessionsKnowWhereTheyCameFrom(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), func(c *config.Settings) { c.TrustedProxies = []string{"127.0.0.1", "10.0.0.0/8"} })
	s.AddUser("ada")
	for _, row := range []struct{ forwarded, want string }{
		{"", "127.0.0.1"},
		{"203.0.113.9", "203.0.113.9"},
		{"198.51.100.1, 203.0.113.9", "203.0.113.9"}, // what the client claims stands on the left
		{"203.0.113.9, 10.1.2.3", "203.0.113.9"},
		{"10.9.9.9, 10.1.2.3", "10.9.9.9"},
		{"203.0.113.9, junk, 10.1.2.3", "10.1.2.3"},
		{"2001:db8::1", "2001:db8::1"},
		{"::ffff:203.0.113.9", "203.0.113.9"},
	} {
		header := []string{"User-Agent", "curl/8 🦊\xff" + strings.Repeat("x", 600)}
		if row.forwarded != "" {
			header = append(header, "X-Forwarded-For", row.forwarded)
		}
		a := s.Query(`mutation($p: String!) { tokenObtain(username: "ada", password: $p) { access } }`,
			map[string]any{"p": testkit.Password}, header...)
		access := strings.Split(strings.Split(a.Body, `"access":"`)[1], `"`)[0]
		caller, err := s.App.Auth.VerifyAccess(t.Context(), access)
		if err != nil {
			t.Fatal(err)
		}
		session, err := s.App.Store.SessionByID(t.Context(), caller.SessionID)
		if err != nil {
			t.Fatal(err)
		}
		if session.IPAddress != row.want {
			t.Errorf("%q: the address is %q, want %q", row.forwarded, session.IPAddress, row.want)
		}
		if len(session.UserAgent) != 512 || !strings.HasPrefix(session.UserAgent, "curl/8 🦊x") {
			t.Errorf("the user agent is %q", session.UserAgent)
		}
	}
}

// Everything a full run logs at debug level, searched for everything secret that went through it.
func TestTheLogHoldsNoSecret(t *testing.T) {
	var log bytes.Buffer
	settings := testkit.Settings(t, testdb.SQLite(t))
	a, err := app.Open(t.Context(), app.Options{
		Settings: settings, Hashing: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1},
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close() //nolint:errcheck // the test is over
	s := testkit.Serve(t, a)
	s.AddUser("ada")
	pair := s.SignIn("ada")
	next, _ := s.Refresh(pair.Refresh, "Authorization", "Bearer "+pair.Access)
	s.Refresh(pair.Refresh)
	s.Obtain("ada", "a wrong password 81")
	s.Obtain("a secret in the wrong place", "x")
	s.Query(`{ broken(`+testkit.Password, nil)
	s.Protected("Bearer " + next.Access)
	s.Get("/graphql?query={protected}&token=" + next.Access)
	postJSON(t, s, verifyPath, "token", next.Access)
	postJSON(t, s, refreshPath, "refresh", "a secret in the wrong place")
	callRest(t, s, http.MethodPost, obtainPath, "username=ada&password=a+wrong+password+81", "Content-Type", "application/x-www-form-urlencoded")

	if !strings.Contains(log.String(), "request_id=") || !strings.Contains(log.String(), "INVALID_CREDENTIALS") {
		t.Fatalf("the log is not what this test is about:\n%s", log.String())
	}
	for _, secret := range []string{
		testkit.Password, "a wrong password 81", "a secret in the wrong place", settings.SecretKey,
		pair.Access, pair.Refresh, next.Access, next.Refresh, "argon2id",
	} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %.40q…", secret)
		}
	}
}
