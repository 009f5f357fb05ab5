package app_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"latchkey/config"
	"latchkey/fault"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// fuzzed is a server that answers without a network, and the tokens of one session, which stay as they are.
func fuzzed(f *testing.F) (answer func(*testing.T, *http.Request) testkit.Answer, access, refresh string) {
	f.Helper()
	a, _ := testkit.Open(f, testdb.SQLite(f), func(c *config.Settings) { c.RotateRefreshTokens = false })
	handler, err := a.Handler()
	if err != nil {
		f.Fatal(err)
	}
	testkit.Serve(f, a, testkit.NotFollowing).AddUser("ada")
	pair, err := a.Auth.Login(f.Context(), "ada", testkit.Password)
	if err != nil {
		f.Fatal(err)
	}
	return func(t *testing.T, r *http.Request) testkit.Answer {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		got := testkit.Answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Status != http.StatusOK {
			t.Fatalf("%d, %v: %s", got.Status, err, got.Body)
		}
		for _, e := range got.Errors {
			code, _ := e.Extensions["code"].(string)
			if !slices.Contains(fault.Kinds(), fault.Kind(code)) || code == string(fault.KindInternal) {
				t.Fatalf("got %s", got.Body)
			}
		}
		return got
	}, pair.Access, pair.Refresh
}

func graphqlRequest(t *testing.T, document string) *http.Request {
	body, err := json.Marshal(map[string]string{"query": document})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(string(body)))
	r.Host = "localhost:8000"
	r.Header.Set("Content-Type", "application/json")
	return r
}

// FuzzAuthorization sends any Authorization headers. TOKEN stands for an access token, which counts after Bearer, alone
// in the one header, and nowhere else.
func FuzzAuthorization(f *testing.F) {
	answer, access, refresh := fuzzed(f)
	for _, seed := range [][2]string{
		{"Bearer TOKEN", ""},
		{" Bearer\tTOKEN ", ""},
		{"Bearer TOKEN", "Bearer TOKEN"},
		{"bearer TOKEN", ""},
		{"BearerTOKEN", ""},
		{"Bearer TOKEN x", ""},
		{"Bearer TOKEN,", ""},
		{"Basic TOKEN", ""},
		{"Bearer REFRESH", ""},
		{"Bearer", ""},
		{"", "Bearer TOKEN"},
		{"Bearer \xff\x00", ""},
		{"Bearer TOKEN\u0085", ""},
		{"Bearer a.b.c", ""},
		{"Bearer " + strings.Repeat("a.", 9_000), ""},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		fill := strings.NewReplacer("TOKEN", access, "REFRESH", refresh)
		headers := []string{fill.Replace(first)}
		if second != "" {
			headers = append(headers, fill.Replace(second))
		}
		r := graphqlRequest(t, "{ protected __typename }")
		r.Header["Authorization"] = headers
		got := answer(t, r)
		good := len(headers) == 1 && slices.Equal(strings.Fields(headers[0]), []string{"Bearer", access})
		if strings.Contains(got.Body, "This view is protected") != good || good != (len(got.Errors) == 0) {
			t.Fatalf("%q: got %s", headers, got.Body)
		}
		if !strings.Contains(got.Body, `"__typename":"Query"`) {
			t.Fatalf("%q broke a public field: %s", headers, got.Body)
		}
	})
}

// FuzzCookie sends any Cookie and Origin headers. TOKEN stands for a refresh token. Only a cookie that has it gives a new
// access token, and only to the server's own pages.
func FuzzCookie(f *testing.F) {
	answer, access, refresh := fuzzed(f)
	for _, seed := range [][2]string{
		{"latchkey-refresh=TOKEN", ""},
		{"latchkey-refresh=TOKEN", "http://localhost:8000"},
		{"latchkey-refresh=TOKEN", "null"},
		{"latchkey-refresh=TOKEN", "https://localhost:8000"},
		{`latchkey-refresh="TOKEN"`, ""},
		{"a=b; latchkey-refresh=TOKEN; c", ""},
		{"latchkey-refresh=TOKEN; latchkey-refresh=x", ""},
		{"__Host-latchkey-refresh=TOKEN", ""},
		{"latchkey-refresh=ACCESS", ""},
		{"latchkey-refresh=", ""},
		{"latchkey-refresh", ""},
		{"=;=;", ""},
		{"latchkey-refresh=\xff\x00;\r\n", ""},
		{"latchkey-refresh=" + strings.Repeat("a", 5_000), ""},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, cookie, origin string) {
		cookie = strings.NewReplacer("TOKEN", refresh, "ACCESS", access).Replace(cookie)
		r := graphqlRequest(t, "mutation { tokenRefresh { access refresh } }")
		r.Header["Cookie"] = []string{cookie}
		if origin != "" {
			r.Header["Origin"] = []string{origin}
		}
		got := answer(t, r)
		if strings.Contains(got.Body, refresh) {
			t.Fatalf("a script can read the refresh token: %s", got.Body)
		}
		signedIn := strings.Contains(got.Body, `"access":"ey`)
		if signedIn && (!strings.Contains(cookie, "latchkey-refresh="+refresh) && !strings.Contains(cookie, `latchkey-refresh="`+refresh)) {
			t.Fatalf("%q got a token: %s", cookie, got.Body)
		}
		if signedIn && origin != "" && origin != "http://localhost:8000" {
			t.Fatalf("a page of %q got a token: %s", origin, got.Body)
		}
		for _, line := range got.Header["Set-Cookie"] {
			if strings.ContainsAny(line, "\r\n\x00") || !strings.HasPrefix(line, "latchkey-refresh=") || !strings.Contains(line, "; HttpOnly") {
				t.Fatalf("it sets %q", line)
			}
		}
	})
}
