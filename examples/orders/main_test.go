package main

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/auth/keys"
	"latchkey/auth/token"
)

// The service as its users see it, beside a server that publishes keys as Latchkey does.
func TestOrders(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) }
	key, err := keys.Generate("ES256", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.NewRing(key)
	if err != nil {
		t.Fatal(err)
	}
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/jwks.json" {
			w.Write(ring.JWKS()) //nolint:errcheck // the test then fails for want of keys
		}
	}))
	defer issuer.Close()
	handler, err := newHandler(issuer.URL, now)
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(handler)
	defer service.Close()

	sign := func(kind token.Kind, expires time.Duration, roles ...string) string {
		raw, err := token.New(token.Options{Now: now}).Sign(token.Claims{
			Kind: kind, ID: strings.Repeat("0", 32), UserID: "1", SessionID: strings.Repeat("1", 32), Roles: roles,
			IssuedAt: now().Add(-time.Minute), ExpiresAt: now().Add(expires),
		}, key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	const good = time.Minute
	for _, row := range []struct {
		name, token, path, query string
		status                   int
		want                     string
	}{
		{"anyone, a public field", "", "/graphql", "{ count }", 200, `{"data":{"count":2}}`},
		{"anyone, a guarded field", "", "/graphql", "{ mine }", 200, "Authentication credentials were not provided."},
		{"a user, a guarded field", sign(token.Access, good), "/graphql", "{ mine }", 200, `{"data":{"mine":["tea"]}}`},
		{"a user, a field for a role", sign(token.Access, good), "/graphql", "{ all }", 200, "You do not have permission to perform this action."},
		{"a manager, a field for a role", sign(token.Access, good, "manager"), "/graphql", "{ all }", 200, `{"data":{"all":["tea","coffee"]}}`},
		{"a refresh token", sign(token.Refresh, good), "/graphql", "{ mine }", 200, "Given token not valid for any token type"},
		{"an expired token", sign(token.Access, -time.Second), "/graphql", "{ mine }", 200, "Given token not valid for any token type"},
		{"an expired token, a public field", sign(token.Access, -time.Second), "/graphql", "{ count }", 200, `{"data":{"count":2}}`},
		{"anyone, a plain handler", "", "/whoami", "", 401, `{"code":"UNAUTHENTICATED","message":"Authentication credentials were not provided."}`},
		{"an expired token, a plain handler", sign(token.Access, -time.Second), "/whoami", "", 401, `"reason":"EXPIRED"`},
		{"a user, a plain handler", sign(token.Access, good), "/whoami", "", 200, "user 1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := http.NewRequest("POST", service.URL+row.path, strings.NewReader(`{"query":"`+row.query+`"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			if row.token != "" {
				r.Header.Set("Authorization", "Bearer "+row.token)
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close() //nolint:errcheck // it was read
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != row.status || !strings.Contains(string(body), row.want) {
				t.Errorf("got %d %s, want %d with %s", response.StatusCode, body, row.status, row.want)
			}
		})
	}
}
