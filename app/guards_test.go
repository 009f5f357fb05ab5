package app_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// Every path, by methods that it has and has not, whatever is answered.
func TestEveryAnswerTellsBrowsersToBeCareful(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), behindProxy, allowing(allowedOrigin))
	s.AddUser("ada")
	access := s.SignIn("ada").Access
	const (
		noStore   = "no-store"
		nothing   = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
		obtain    = `{"username":"ada","password":"` + testkit.Password + `"}`
		mutation  = `{"query":"mutation { tokenObtain(username: \"ada\", password: \"` + testkit.Password + `\") { access refresh } }"}`
		cacheable = "public, max-age=300"
	)
	for _, row := range []struct {
		method, path, body string
		status             int
		cache              string
	}{
		{"POST", "/graphql", mutation, 200, noStore},
		{"POST", "/graphql", `{"query":"{ me { username } }"}`, 200, noStore},
		{"POST", "/graphql", `{"query":"{ nothing }"}`, 200, noStore},
		{"POST", "/graphql", `{`, 400, noStore},
		{"POST", "/graphql", strings.Repeat(" ", 2<<20), 413, noStore},
		{"GET", "/graphql?query={me{username}}", "", 200, noStore},
		{"GET", "/graphql?query=mutation{tokenRevoke}", "", 405, noStore},
		{"DELETE", "/graphql", "", 405, noStore},
		{"OPTIONS", "/graphql", "", 405, noStore},
		{"POST", "/api/token/", obtain, 200, noStore},
		{"POST", "/api/token/", `{}`, 400, noStore},
		{"POST", "/api/token/", `{"username":"ada","password":"wrong"}`, 401, noStore},
		{"GET", "/api/token/", "", 405, noStore},
		{"POST", "/api/token", "", 308, noStore},
		{"POST", "/api/token/refresh/", `{"refresh":"a"}`, 401, noStore},
		{"POST", "/api/token/verify/", `{"token":"a"}`, 401, noStore},
		{"POST", "/api/token/blacklist/", `{"refresh":"a"}`, 401, noStore},
		{"GET", "/protected/", "", 200, noStore},
		{"GET", "/protected", "", 301, noStore},
		{"GET", "/", "", 200, "no-cache"},
		{"GET", "/graphiql", "", 200, "no-cache"},
		{"GET", "/graphiql/nothing", "", 404, noStore},
		{"POST", "/graphiql", "", 405, noStore},
		{"GET", "/schema.graphql", "", 200, noStore},
		{"GET", "/.well-known/jwks.json", "", 200, cacheable},
		{"POST", "/.well-known/jwks.json", "", 405, noStore},
		{"GET", "/.well-known/openid-configuration", "", 200, noStore},
		{"GET", "/healthz", "", 200, noStore},
		{"GET", "/readyz", "", 200, noStore},
		{"POST", "/readyz", "", 405, noStore},
		{"GET", "/nothing", "", 404, noStore},
		{"GET", "//graphql", "", 307, noStore},
	} {
		for _, proto := range []string{"http", "https"} {
			t.Run(row.method+" "+row.path+" "+proto, func(t *testing.T) {
				r, err := http.NewRequestWithContext(t.Context(), row.method, s.URL+row.path, strings.NewReader(row.body))
				if err != nil {
					t.Fatal(err)
				}
				r.Host = "auth.example.org"
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", "Bearer "+access)
				r.Header.Set("X-Forwarded-Proto", proto)
				response, err := http.DefaultTransport.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close() //nolint:errcheck // it was read
				body, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				if response.StatusCode != row.status {
					t.Fatalf("got %d %.200s", response.StatusCode, body)
				}
				hsts := ""
				if proto == "https" {
					hsts = "max-age=31536000"
				}
				for name, want := range map[string]string{
					"Cache-Control": row.cache, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
					"X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": hsts,
				} {
					if got := strings.Join(response.Header[name], "|"); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				got := response.Header["Content-Security-Policy"]
				page := strings.HasPrefix(row.path, "/graphiql") || row.path == "/"
				if len(got) != 1 || !page && got[0] != nothing || page && !strings.Contains(got[0], "script-src 'self'; ") ||
					!strings.Contains(got[0], "default-src 'none'; ") || !strings.Contains(got[0], "frame-ancestors 'none'") ||
					strings.Contains(got[0], "unsafe") {
					t.Errorf("Content-Security-Policy is %q", got)
				}
				if got := response.Header.Get("Permissions-Policy"); !strings.Contains(got, "camera=()") || !strings.Contains(got, "geolocation=()") {
					t.Errorf("Permissions-Policy is %q", got)
				}
				if page && response.Header.Get("Cross-Origin-Opener-Policy") != "same-origin" {
					t.Errorf("Cross-Origin-Opener-Policy is %q", response.Header.Get("Cross-Origin-Opener-Policy"))
				}
			})
		}
	}
}

func TestHSTSIsSaidWhereItHoldsForThisServerAlone(t *testing.T) {
	proxied := testkit.Start(t, testdb.SQLite(t), behindProxy)
	alone := testkit.Start(t, testdb.SQLite(t))
	for _, row := range []struct {
		server      *testkit.Server
		host, proto string
		want        bool
	}{
		{proxied, "auth.example.org", "https", true},
		{proxied, "auth.example.org:8443", "https", true},
		{proxied, "localhost.example.org", "https", true},
		{proxied, "auth.example.org", "http", false},
		{proxied, "auth.example.org", "http, https", true},
		{proxied, "auth.example.org", "https, http", false},
		{proxied, "localhost:8000", "https", false},
		{proxied, "LOCALHOST.", "https", false},
		{proxied, "app.localhost:8000", "https", false},
		{alone, "auth.example.org", "https", false},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, row.server.URL+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = row.host
		r.Header.Set("X-Forwarded-Proto", row.proto)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close() //nolint:errcheck // nothing was written
		if got := response.Header.Get("Strict-Transport-Security") != ""; got != row.want {
			t.Errorf("%s by %s: got %t", row.host, row.proto, got)
		}
	}

	pair := newKeyPair(t, 90*day, "127.0.0.1")
	s := testkit.Listen(t, testdb.SQLite(t), servingTLS(t, pair))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.Address+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-Proto", "http") // nobody is trusted to say so
	response, err := client2(t, pair).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close() //nolint:errcheck // nothing was written
	if got := response.Header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("over TLS of its own: got %q", got)
	}
}

// The Host header is what addresses are made of; other headers that name a host never are, whoever sends them.
func TestOtherHeadersThatNameAHostAreNotBelieved(t *testing.T) {
	for name, change := range map[string]func(*config.Settings){"trusted": behindProxy, "not trusted": func(*config.Settings) {}} {
		s := testkit.Start(t, testdb.SQLite(t), change)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/.well-known/openid-configuration", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "auth.example.org"
		for _, header := range []string{"X-Forwarded-Host", "X-Host", "X-Forwarded-Server", "X-Original-Host", "X-Original-Url", "X-Rewrite-Url"} {
			r.Header.Set(header, "evil.example")
		}
		r.Header.Set("Forwarded", "host=evil.example;proto=https")
		r.Header.Set("X-Forwarded-Proto", "https")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close() //nolint:errcheck // it was read
		scheme := map[string]string{"trusted": "https", "not trusted": "http"}[name]
		if err != nil || strings.Contains(string(body), "evil") || !strings.Contains(string(body), `"issuer":"`+scheme+`://auth.example.org"`) {
			t.Errorf("%s: %v %s", name, err, body)
		}
	}
}
