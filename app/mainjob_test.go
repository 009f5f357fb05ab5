package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth"
	"latchkey/config"
	"latchkey/fault"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
	"latchkey/models"
)

const (
	notProvided   = "Authentication credentials were not provided."
	notValid      = "Given token not valid for any token type"
	noAccount     = "No active account found with the given credentials"
	isProtected   = `{"data":{"protected":"This view is protected"}}`
	unauthentic   = "UNAUTHENTICATED"
	tokenNotValid = "TOKEN_NOT_VALID"
)

func wantProtected(t *testing.T, a testkit.Answer) {
	t.Helper()
	if a.Body != isProtected {
		t.Errorf("got %s, want %s", a.Body, isProtected)
	}
}

func TestMainJob(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		id := s.AddUser("ada")
		pair, answer := s.Obtain("ada", testkit.Password)
		now := s.Clock.Now()
		want := testkit.Pair{
			Access: pair.Access, Refresh: pair.Refresh, AccessExpiresIn: 300,
			AccessExpiresAt: now.Add(5 * time.Minute), RefreshExpiresAt: now.Add(24 * time.Hour),
		}
		want.User.ID, want.User.Username = id, "ada"
		if d := cmp.Diff(want, pair); d != "" {
			t.Errorf("the pair (-want +got):\n%s", d)
		}
		if got := answer.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control of an answer with tokens is %q", got)
		}

		wantProtected(t, s.Protected("Bearer "+pair.Access))
		s.Protected("").Refused(t, unauthentic, "", notProvided)
		s.Protected("Bearer "+pair.Refresh).Refused(t, unauthentic, "WRONG_TYPE", notValid)

		s.Clock.Advance(5*time.Minute - time.Second)
		wantProtected(t, s.Protected("Bearer "+pair.Access))
		s.Clock.Advance(time.Second) // a token is not good at its exp (RFC 7519 section 4.1.4)
		s.Protected("Bearer "+pair.Access).Refused(t, unauthentic, "EXPIRED", notValid)

		next, answer := s.Refresh(pair.Refresh, "Authorization", "Bearer "+pair.Access)
		if len(answer.Errors) > 0 {
			t.Fatalf("a refresh with an expired token in the header: %s", answer.Body)
		}
		wantProtected(t, s.Protected("Bearer "+next.Access))
		if next.Refresh == pair.Refresh || next.RefreshExpiresAt.Equal(pair.RefreshExpiresAt) {
			t.Error("the refresh token was not rotated")
		}
		if _, answer = s.Refresh(next.Refresh); len(answer.Errors) > 0 {
			t.Errorf("the second refresh: %s", answer.Body)
		}
	})
}

func TestAuthorizationHeader(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	s.AddUser("ada")
	access := s.SignIn("ada").Access
	const twoWords = "Authorization header must contain two space-delimited values"
	for header, want := range map[string][3]string{
		"Bearer " + access:            {},
		"Bearer \t  " + access + "  ": {},
		"bearer " + access:            {unauthentic, "", notProvided},
		"Basic YWRhOnB3":              {unauthentic, "", notProvided},
		access:                        {unauthentic, "", notProvided},
		" ":                           {unauthentic, "", notProvided},
		"Bearer":                      {unauthentic, "MALFORMED", twoWords},
		"Bearer a b":                  {unauthentic, "MALFORMED", twoWords},
		"Bearer x":                    {unauthentic, "MALFORMED", notValid},
		"Bearer " + access + "x":      {unauthentic, "MALFORMED", notValid},
	} {
		answer := s.Protected(header)
		if want == ([3]string{}) {
			wantProtected(t, answer)
			continue
		}
		t.Run(strings.ReplaceAll(header, access, "ACCESS"), func(t *testing.T) {
			answer.Refused(t, want[0], want[1], want[2])
		})
	}
}

// Only the Authorization header names the caller (RFC 9700, 4.3.2): what is in a URL ends up in logs and histories.
func TestATokenElsewhereThanInTheHeaderNamesNobody(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	s.AddUser("ada")
	access := s.SignIn("ada").Access
	query := url.Values{"query": {"{ protected }"}}.Encode()
	for name, place := range map[string]struct {
		path   string
		header [2]string
	}{
		"the query string":            {"/graphql?" + query + "&access_token=" + access, [2]string{}},
		"… under the header's name":   {"/graphql?" + query + "&Authorization=Bearer+" + access, [2]string{}},
		"the extensions of a request": {"/graphql?" + query + "&extensions=" + url.QueryEscape(`{"access_token":"`+access+`"}`), [2]string{}},
		"a cookie":                    {"/graphql?" + query, [2]string{"Cookie", "access_token=" + access + "; Authorization=Bearer " + access}},
		"another header":              {"/graphql?" + query, [2]string{"X-Access-Token", access}},
		"the header of proxies":       {"/graphql?" + query, [2]string{"Proxy-Authorization", "Bearer " + access}},
		"a view's query string":       {"/protected/?access_token=" + access, [2]string{}},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+place.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "application/json")
		if place.header[0] != "" {
			r.Header.Set(place.header[0], place.header[1])
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(body), "Authentication credentials were not provided.") {
			t.Errorf("%s: %d %s", name, response.StatusCode, body)
		}
	}
}

func TestABadTokenBreaksNoPublicField(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	s.AddUser("ada")
	refresh := s.SignIn("ada").Refresh
	a := s.Query(`mutation($r: String!) { tokenVerify(token: $r) { tokenType sessionId user { username } } }`,
		map[string]any{"r": refresh}, "Authorization", "Bearer junk")
	if len(a.Errors) > 0 || !strings.Contains(a.Body, `"tokenType":"REFRESH"`) {
		t.Errorf("got %s", a.Body)
	}
	// One refusal leaves the rest of the answer whole.
	a = s.Query(`{ protected __typename }`, nil, "Authorization", "Bearer junk")
	a.Refused(t, unauthentic, "MALFORMED", notValid)
	if string(a.Data) != `{"protected":null,"__typename":"Query"}` {
		t.Errorf("got %s", a.Body)
	}
}

func TestSignInIsRefusedForOneReasonOnly(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		inactive := models.User{
			Username: "grace", UsernameKey: "grace", PasswordHash: "!", DateJoined: s.Clock.Now(),
		}
		if err := s.App.Store.CreateUser(t.Context(), &inactive); err != nil {
			t.Fatal(err)
		}
		for name, try := range map[string][2]string{
			"wrong password":            {"ada", "correct horse batterz"},
			"password with a space":     {"ada", testkit.Password + " "},
			"empty password":            {"ada", ""},
			"password beyond the limit": {"ada", strings.Repeat("x", 1025)},
			"unknown user":              {"nobody", testkit.Password},
			"user in another case":      {"Ada", testkit.Password},
			"user with a space":         {" ada", testkit.Password},
			"user beyond the limit":     {strings.Repeat("a", 100_000), testkit.Password},
			"empty user":                {"", testkit.Password},
			"inactive user":             {"grace", testkit.Password},
		} {
			t.Run(name, func(t *testing.T) {
				_, a := s.Obtain(try[0], try[1])
				a.Refused(t, "INVALID_CREDENTIALS", "", noAccount)
			})
		}
	})
}

// asked notes what a Service asks of its Store about users.
type asked struct {
	models.Store
	calls []string
}

func (a *asked) UserByID(ctx context.Context, id int64) (models.User, error) {
	a.calls = append(a.calls, "UserByID")
	return a.Store.UserByID(ctx, id)
}

func (a *asked) UserByUsername(ctx context.Context, name string) (models.User, error) {
	a.calls = append(a.calls, "UserByUsername")
	return a.Store.UserByUsername(ctx, name)
}

func TestARefusedSignInAsksTheDatabaseTheSameWhoeverItNames(t *testing.T) {
	a, clock := testkit.Open(t, testdb.SQLite(t))
	s := testkit.Serve(t, a, testkit.NotFollowing)
	s.AddUser("ada")
	inactive := models.User{Username: "grace", UsernameKey: "grace", PasswordHash: "!", DateJoined: clock.Now()}
	if err := a.Store.CreateUser(t.Context(), &inactive); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ada", "nobody", "grace"} {
		store := &asked{Store: a.Store}
		a.Auth.Store = store
		_, err := a.Auth.Login(t.Context(), name, "wrong password")
		if refusal, ok := errors.AsType[*fault.Error](err); !ok || refusal.Kind != fault.KindInvalidCredentials {
			t.Errorf("%s: got %v", name, err)
		}
		if want := []string{"UserByUsername"}; !slices.Equal(store.calls, want) {
			t.Errorf("%s: asked %v, want %v", name, store.calls, want)
		}
	}
}

func TestTextThatNoDatabaseTakesIsBadInput(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		for _, try := range [][2]string{{"ada\x00", testkit.Password}, {"ada", "correct\x00horse"}} {
			_, a := s.Obtain(try[0], try[1])
			a.Refused(t, "BAD_USER_INPUT", "", "Null characters are not allowed.")
		}
	})
}

func TestUsernameIsNormalisedAsInDjango(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	s.AddUser("ﬁnn") // U+FB01, which NFKC writes as two letters
	if pair := s.SignIn("finn"); pair.User.Username != "finn" {
		t.Errorf("got the user %q", pair.User.Username)
	}
}

func TestParallelRefreshesHaveOneWinner(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		refresh := s.SignIn("ada").Refresh
		answers := make([]testkit.Answer, 32)
		var group sync.WaitGroup
		for i := range answers {
			group.Go(func() { _, answers[i] = s.Refresh(refresh) })
		}
		group.Wait()
		won := 0
		for _, a := range answers {
			if len(a.Errors) == 0 {
				won++
			} else if code := a.Errors[0].Extensions["code"]; code != tokenNotValid {
				t.Errorf("a loser got %v", code)
			}
		}
		if won != 1 {
			t.Errorf("%d of 32 refreshes won, want 1", won)
		}
	}, func(c *config.Settings) { c.RefreshReuseLeeway = 0 })
}

func TestSessionLimits(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		pair := s.SignIn("ada")

		// Idle: just before the refresh token's expiry it works, at it no more.
		s.Clock.Advance(24*time.Hour - time.Second)
		pair, a := s.Refresh(pair.Refresh)
		if len(a.Errors) > 0 {
			t.Fatalf("a refresh in time: %s", a.Body)
		}
		idle := s.SignIn("ada")
		s.Clock.Advance(24 * time.Hour)
		_, a = s.Refresh(idle.Refresh)
		a.Refused(t, tokenNotValid, "EXPIRED", "Token is expired")
		_, a = s.Refresh(pair.Refresh)
		a.Refused(t, tokenNotValid, "EXPIRED", "Token is expired")

		// Absolute: no refresh moves the end, for either token.
		begun := s.Clock.Now()
		pair = s.SignIn("ada")
		for range 2 {
			s.Clock.Advance(23 * time.Hour)
			if pair, a = s.Refresh(pair.Refresh); len(a.Errors) > 0 {
				t.Fatalf("a refresh in time: %s", a.Body)
			}
		}
		limit := begun.Add(50 * time.Hour)
		if !pair.RefreshExpiresAt.Equal(limit) {
			t.Errorf("the refresh token expires at %v, want the limit %v", pair.RefreshExpiresAt, limit)
		}
		s.Clock.Advance(4*time.Hour - time.Minute)
		if pair, a = s.Refresh(pair.Refresh); len(a.Errors) > 0 {
			t.Fatalf("a refresh before the limit: %s", a.Body)
		}
		if !pair.AccessExpiresAt.Equal(limit) {
			t.Errorf("the access token expires at %v, want the limit %v", pair.AccessExpiresAt, limit)
		}
		s.Clock.Advance(time.Minute)
		_, a = s.Refresh(pair.Refresh)
		a.Refused(t, tokenNotValid, "EXPIRED", "Token is expired")
	}, func(c *config.Settings) { c.SessionLifetime = 50 * time.Hour })
}

func TestWithoutRotationTheRefreshTokenStays(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		pair := s.SignIn("ada")
		for range 3 {
			s.Clock.Advance(time.Hour)
			next, a := s.Refresh(pair.Refresh)
			if len(a.Errors) > 0 {
				t.Fatalf("refresh: %s", a.Body)
			}
			if next.Refresh != pair.Refresh || !next.RefreshExpiresAt.Equal(pair.RefreshExpiresAt) {
				t.Error("the refresh token changed")
			}
			wantProtected(t, s.Protected("Bearer "+next.Access))
		}
		s.Clock.Advance(21 * time.Hour)
		_, a := s.Refresh(pair.Refresh)
		a.Refused(t, tokenNotValid, "EXPIRED", "Token is expired")
	}, func(c *config.Settings) { c.RotateRefreshTokens = false })
}

func TestRefreshIsRefused(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		pair := s.SignIn("ada")
		_, a := s.Refresh(pair.Access)
		a.Refused(t, tokenNotValid, "WRONG_TYPE", "Token has wrong type")
		_, a = s.Refresh("junk")
		a.Refused(t, tokenNotValid, "MALFORMED", "Token is invalid")
		_, a = s.Refresh("")
		a.Refused(t, tokenNotValid, "MALFORMED", "Token is invalid")
		a = s.Query(`mutation { tokenRefresh { access } }`, nil)
		a.Refused(t, "BAD_USER_INPUT", "", "This field is required.")
		if a.Errors[0].Extensions["field"] != "refresh" {
			t.Errorf("the field is not named: %s", a.Body)
		}

		user, err := s.App.Store.UserByUsername(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.App.Auth.DeleteUser(auth.AsOperator(t.Context()), user.ID, ""); err != nil {
			t.Fatal(err)
		}
		_, a = s.Refresh(pair.Refresh)
		a.Refused(t, tokenNotValid, "STALE", nobodyActive)
		s.Protected("Bearer "+pair.Access).Refused(t, unauthentic, "STALE", notValid)
	})
}

func TestMeAndVerify(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		id := s.AddUser("ada")
		user, err := s.App.Store.UserByUsername(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		role := models.Role{Name: "reader", Description: "Reads.", Permissions: []string{"users:read", "shop:see"}}
		if err := s.App.Store.SaveRole(t.Context(), &role); err != nil {
			t.Fatal(err)
		}
		if err := s.App.Store.SetUserRoles(t.Context(), user.ID, []string{"reader"}); err != nil {
			t.Fatal(err)
		}
		pair := s.SignIn("ada")
		a := s.Query(`{ me { id username email firstName lastName isActive isStaff isSuperuser
			roles { name description permissions } permissions dateJoined lastLogin } }`, nil,
			"Authorization", "Bearer "+pair.Access)
		want := `{"me":{"id":"` + id + `","username":"ada","email":null,"firstName":"","lastName":"","isActive":true,` +
			`"isStaff":false,"isSuperuser":false,"roles":[{"name":"reader","description":"Reads.",` +
			`"permissions":["users:read","shop:see"]}],"permissions":["shop:see","users:read"],` +
			`"dateJoined":"2026-01-31T12:00:00.000Z","lastLogin":"2026-01-31T12:00:00.000Z"}}`
		if string(a.Data) != want {
			t.Errorf("got %s\nwant %s", a.Body, want)
		}

		const verify = `mutation($t: String!) { tokenVerify(token: $t) { tokenType expiresAt issuedAt sessionId user { id } } }`
		for kind, raw := range map[string]string{"ACCESS": pair.Access, "REFRESH": pair.Refresh} {
			a := s.Query(verify, map[string]any{"t": raw})
			var data struct {
				TokenVerify struct {
					TokenType, SessionID string
					ExpiresAt, IssuedAt  time.Time
					User                 struct{ ID string }
				}
			}
			if err := json.Unmarshal(a.Data, &data); err != nil || len(a.Errors) > 0 {
				t.Fatalf("%s: %s", kind, a.Body)
			}
			v := data.TokenVerify
			if v.TokenType != kind || len(v.SessionID) != 32 || v.User.ID != id || !v.IssuedAt.Equal(s.Clock.Now()) {
				t.Errorf("%s: got %s", kind, a.Body)
			}
		}
		s.Query(verify, map[string]any{"t": "junk"}).Refused(t, tokenNotValid, "MALFORMED", "Token is invalid")

		if _, a := s.Refresh(pair.Refresh); len(a.Errors) > 0 {
			t.Fatal(a.Body)
		}
		s.Query(verify, map[string]any{"t": pair.Refresh}).Refused(t, tokenNotValid, "REVOKED", "Token is blacklisted")
		s.Clock.Advance(5 * time.Minute)
		s.Query(verify, map[string]any{"t": pair.Access}).Refused(t, tokenNotValid, "EXPIRED", "Token is expired")
	})
}

func TestARestartChangesNothing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		before := testkit.Start(t, url)
		before.AddUser("ada")
		pair := before.SignIn("ada")
		after := testkit.Start(t, url)
		wantProtected(t, after.Protected("Bearer "+pair.Access))
		if _, a := after.Refresh(pair.Refresh); len(a.Errors) > 0 {
			t.Errorf("a refresh after a restart: %s", a.Body)
		}
	})
}
