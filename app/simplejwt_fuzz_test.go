package app_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// FuzzSimpleJWTToken sends any token at all, and any claims under a good signature, to every view. None of them fails,
// and whatever is refused has a text.
func FuzzSimpleJWTToken(f *testing.F) {
	a, clock := testkit.Open(f, testdb.SQLite(f), sharing)
	handler, err := a.Handler()
	if err != nil {
		f.Fatal(err)
	}
	testkit.Serve(f, a, testkit.NotFollowing).AddUser("ada")
	pair, err := a.Auth.Login(f.Context(), "ada", testkit.Password)
	if err != nil {
		f.Fatal(err)
	}
	for _, raw := range []string{pair.Access, pair.Refresh, "", "a.b.c", "\x00", strings.Repeat("a", 10_000)} {
		f.Add(raw, false)
	}
	exp := clock.Now().Unix() + 60
	for _, claims := range []map[string]any{
		claimsOf(f, pair.Access), claimsOf(f, pair.Refresh),
		{},
		{"token_type": "refresh", "exp": exp, "iat": exp - 60, "jti": "a", "user_id": 1},
		{"token_type": "access", "exp": exp, "iat": exp - 60, "jti": "a", "user_id": "1"},
		{"token_type": "access", "exp": exp, "iat": 0, "jti": "a", "user_id": nil, "sid": "\x00", "roles": []any{1, nil}, "epoch": 1e18},
		{"token_type": nil, "exp": "99999999999", "iat": []int{1}, "jti": strings.Repeat("a", 300), "user_id": map[string]int{}},
	} {
		payload, err := json.Marshal(claims)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(payload), true)
	}
	f.Fuzz(func(t *testing.T, text string, sign bool) {
		if sign {
			text = signedText(sharedSecret, `{"alg":"HS256","typ":"JWT"}`, text)
		}
		for path, name := range map[string]string{verifyPath: "token", refreshPath: "refresh", blacklistPath: "refresh", protectedPath: ""} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(url.Values{name: {text}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if path == protectedPath {
				r.Method = http.MethodGet
				r.Header["Authorization"] = []string{"Bearer " + text}
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != 200 && w.Code != 400 && w.Code != 401 {
				t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
			var body map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 200 && len(body) == 0 {
				t.Fatalf("%s: %v: %s", path, err, w.Body)
			}
		}
	})
}
