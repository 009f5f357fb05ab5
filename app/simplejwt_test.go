package app_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// The paths of the views that djangorestframework-simplejwt's documentation has.
const (
	obtainPath    = "/api/token/"
	refreshPath   = "/api/token/refresh/"
	verifyPath    = "/api/token/verify/"
	blacklistPath = "/api/token/blacklist/"
	protectedPath = "/protected/"
)

// The bodies that several of them answer.
const (
	invalidBody     = `{"detail":"Token is invalid","code":"token_not_valid"}`
	expiredBody     = `{"detail":"Token is expired","code":"token_not_valid"}`
	noExpiryBody    = `{"detail":"Token has no 'exp' claim","code":"token_not_valid"}`
	noIDBody        = `{"detail":"Token has no id","code":"token_not_valid"}`
	noTypeBody      = `{"detail":"Token has no type","code":"token_not_valid"}`
	wrongTypeBody   = `{"detail":"Token has wrong type","code":"token_not_valid"}`
	blacklistedBody = `{"detail":"Token is blacklisted","code":"token_not_valid"}`
	noAccountBody   = `{"detail":"No active account found for the given token."}`
)

// restAnswer is what a view answered.
type restAnswer struct {
	status int
	body   string
	header http.Header
}

// callRest sends a request. header is a list of names and values.
func callRest(t testing.TB, s *testkit.Server, method, path, body string, header ...string) restAnswer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(r) // which follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return restAnswer{response.StatusCode, string(content), response.Header}
}

// postJSON sends an object of one text.
func postJSON(t testing.TB, s *testkit.Server, path, name, text string) restAnswer {
	t.Helper()
	body, err := json.Marshal(map[string]string{name: text})
	if err != nil {
		t.Fatal(err)
	}
	return callRest(t, s, http.MethodPost, path, string(body), "Content-Type", "application/json")
}

// want checks an answer, and what all answers of the views have in common.
func (a restAnswer) want(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("got  %d %s\nwant %d %s", a.status, a.body, status, body)
	}
	challenge := ""
	if status == http.StatusUnauthorized {
		challenge = `Bearer realm="api"`
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Vary": "Accept", "Cache-Control": "no-store", "Www-Authenticate": challenge,
	} {
		if got := strings.Join(a.header.Values(name), "|"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if len(a.header.Values("Set-Cookie")) > 0 {
		t.Error("a cookie was set")
	}
}

// tokens returns the texts of an answer, by their names, which must be these in that order.
func (a restAnswer) tokens(t testing.TB, names ...string) map[string]string {
	t.Helper()
	var texts map[string]string
	if err := json.Unmarshal([]byte(a.body), &texts); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = strconv.Quote(name) + ":" + strconv.Quote(texts[name])
	}
	a.want(t, http.StatusOK, "{"+strings.Join(parts, ",")+"}")
	return texts
}

func signInREST(t testing.TB, s *testkit.Server, name string) testkit.Pair {
	t.Helper()
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, name, testkit.Password)
	got := callRest(t, s, http.MethodPost, obtainPath, body, "Content-Type", "application/json").tokens(t, "refresh", "access")
	return testkit.Pair{Access: got["access"], Refresh: got["refresh"]}
}

const sharedSecret = "the secret of a Django project, long enough to be one"

// sharing makes a server that signs as a Django project does.
func sharing(c *config.Settings) { c.Algorithm, c.SigningKey = "HS256", sharedSecret }

// signed returns the token that another with the secret would make.
func signed(t testing.TB, secret, alg string, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return signedText(secret, `{"alg":"`+alg+`","typ":"JWT"}`, string(payload))
}

// signedText returns the token of a header and a payload, whatever they are.
func signedText(secret, header, payload string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64([]byte(header)) + "." + b64([]byte(payload))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + b64(mac.Sum(nil))
}

// claimsOf returns what a token says.
func claimsOf(t testing.TB, raw string) map[string]any {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	var claims map[string]any
	if err := d.Decode(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// without is a claim that is taken away.
type without struct{}

// altered returns the token with other claims, its signature good.
func altered(t testing.TB, raw string, change map[string]any) string {
	t.Helper()
	claims := claimsOf(t, raw)
	for name, v := range change {
		if _, gone := v.(without); gone {
			delete(claims, name)
			continue
		}
		claims[name] = v
	}
	return signed(t, sharedSecret, "HS256", claims)
}

// refusal is a token that every view refuses alike.
type refusal struct{ name, token, body string }

// refusals returns variants of a good token, which the clock's time is handed along for.
func refusals(t testing.TB, good string, now time.Time) []refusal {
	t.Helper()
	parts := strings.Split(good, ".")
	change := func(name string, v any) string { return altered(t, good, map[string]any{name: v}) }
	later, before := now.Add(time.Minute).Unix(), now.Add(-time.Second).Unix()
	list := []refusal{
		{"garbage", "garbage", invalidBody},
		{"three segments of garbage", "a.b.c", invalidBody},
		{"tampered", parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2], invalidBody},
		{"another key", signed(t, "another secret that is long enough, too", "HS256", claimsOf(t, good)), invalidBody},
		{"another algorithm", signed(t, sharedSecret, "HS512", claimsOf(t, good)), invalidBody},
		{"no algorithm", signed(t, sharedSecret, "none", claimsOf(t, good)), invalidBody},
		{"no signature", parts[0] + "." + parts[1] + ".", invalidBody},
		{"nbf in the future", change("nbf", later), invalidBody},
		{"iat in the future", change("iat", later), invalidBody},
		{"jti that is no string", change("jti", 1), invalidBody},
		{"sub that is no string", change("sub", 1), invalidBody},
		{"expired", change("exp", before), expiredBody},
		{"expired at this very second", change("exp", now.Unix()), expiredBody},
		{"expired by a fraction", change("exp", float64(now.Unix())+0.5), expiredBody},
		{"no exp", change("exp", without{}), noExpiryBody},
		{"no jti", change("jti", without{}), noIDBody},
		{"expired and of the wrong type", altered(t, good, map[string]any{"exp": before, "token_type": "sliding"}), expiredBody},
		{"expired and of another key", signed(t, "another secret that is long enough, too", "HS256", map[string]any{"exp": before}), invalidBody},
		{"no exp and no jti", altered(t, good, map[string]any{"exp": without{}, "jti": without{}}), noExpiryBody},
		{"no jti and no type", altered(t, good, map[string]any{"jti": without{}, "token_type": without{}}), noIDBody},
	}
	for _, odd := range []any{"99999999999", nil, []int{1}, 1e18, true, map[string]int{}} {
		list = append(list, refusal{fmt.Sprintf("exp is %v", odd), change("exp", odd), invalidBody})
	}
	list = append(list, refusal{"iat is null", change("iat", nil), invalidBody})
	for _, odd := range []any{"abc", []int{1}, map[string]int{}, 1.5, true, strings.Repeat("9", 30)} {
		list = append(list, refusal{fmt.Sprintf("user_id is %v", odd), change("user_id", odd), invalidBody})
	}
	return list
}

func TestSimpleJWTObtain(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		inactive, err := strconv.ParseInt(s.AddUser("inactive"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.App.Auth.SetActive(auth.AsOperator(t.Context()), inactive, false); err != nil {
			t.Fatal(err)
		}
		const refused = `{"detail":"No active account found with the given credentials"}`
		for _, row := range []struct{ name, user, password string }{
			{"wrong password", "ada", "not it"},
			{"unknown user", "nobody", testkit.Password},
			{"inactive user", "inactive", testkit.Password},
			{"user name in another case", "Ada", testkit.Password},
		} {
			t.Run(row.name, func(t *testing.T) {
				body := fmt.Sprintf(`{"username":%q,"password":%q}`, row.user, row.password)
				callRest(t, s, http.MethodPost, obtainPath, body, "Content-Type", "application/json").want(t, 401, refused)
			})
		}
		form := "username=ada&password=" + strings.ReplaceAll(testkit.Password, " ", "+")
		multipart := "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nada\r\n" +
			"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n" + testkit.Password + "\r\n--x--\r\n"
		for _, row := range []struct{ name, contentType, body string }{
			{"JSON", "application/json", `{"username":"ada","password":"` + testkit.Password + `"}`},
			{"JSON with a charset, in capitals", "Application/JSON; charset=UTF-8", `{"username":"ada","password":"` + testkit.Password + `"}`},
			{"form", "application/x-www-form-urlencoded", form},
			{"multipart", "multipart/form-data; boundary=x", multipart},
			{"white space around both", "application/json", `{"username":"\u00a0 ada\n","password":"\u001f` + testkit.Password + `\u3000"}`},
			{"the last of several values", "application/x-www-form-urlencoded", "username=x&" + form},
			{"the last of several members", "application/json", `{"username":null,"username":"ada","password":"` + testkit.Password + `","Username":1}`},
		} {
			t.Run(row.name, func(t *testing.T) {
				pair := callRest(t, s, http.MethodPost, obtainPath, row.body, "Content-Type", row.contentType).tokens(t, "refresh", "access")
				wantProtected(t, s.Protected("Bearer "+pair["access"]))
				mustRefresh(t, s, pair["refresh"])
			})
		}
	})
}

func TestSimpleJWTRefresh(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		id := s.AddUser("ada")
		good := signInREST(t, s, "ada")
		refresh := func(t *testing.T, raw string) restAnswer {
			t.Helper()
			return postJSON(t, s, refreshPath, "refresh", raw)
		}
		rows := append(refusals(t, good.Refresh, s.Clock.Now()),
			refusal{"no token_type", altered(t, good.Refresh, map[string]any{"token_type": without{}}), noTypeBody},
			refusal{"an access token", good.Access, wrongTypeBody},
			refusal{"a sliding token", altered(t, good.Refresh, map[string]any{"token_type": "sliding"}), wrongTypeBody},
			refusal{"token_type null", altered(t, good.Refresh, map[string]any{"token_type": nil}), wrongTypeBody})
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) { refresh(t, row.token).want(t, 401, row.body) })
		}
		t.Run("good, then used up", func(t *testing.T) {
			next := refresh(t, good.Refresh).tokens(t, "access", "refresh")
			wantProtected(t, s.Protected("Bearer "+next["access"]))
			same := refresh(t, good.Refresh).tokens(t, "access", "refresh") // a lost reply
			if same["refresh"] != next["refresh"] {
				t.Error("the same token has two successors")
			}
			s.Clock.Advance(11 * time.Second)
			refresh(t, good.Refresh).want(t, 401, blacklistedBody)
			refresh(t, next["refresh"]).want(t, 401, blacklistedBody)
		})
		t.Run("user inactive", func(t *testing.T) {
			pair := signInREST(t, s, "ada")
			number, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.App.Auth.SetActive(auth.AsOperator(t.Context()), number, false); err != nil {
				t.Fatal(err)
			}
			refresh(t, pair.Refresh).want(t, 401, noAccountBody)
			if err := s.App.Auth.SetActive(auth.AsOperator(t.Context()), number, true); err != nil {
				t.Fatal(err)
			}
			refresh(t, pair.Refresh).want(t, 401, blacklistedBody) // the session is over for good
		})
		t.Run("user deleted", func(t *testing.T) {
			number, err := strconv.ParseInt(s.AddUser("grace"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			pair := signInREST(t, s, "grace")
			if err := s.App.Auth.DeleteUser(auth.AsOperator(t.Context()), number, ""); err != nil {
				t.Fatal(err)
			}
			refresh(t, pair.Refresh).want(t, 401, noAccountBody)
		})
		t.Run("password changed", func(t *testing.T) {
			pair := signInREST(t, s, "ada")
			change := fmt.Sprintf(`passwordChange(current: %q, new: "another horse battery") { errors { code } }`, testkit.Password)
			if got := mutate(t, s, pair.Access, change); got != `{"errors":[]}` {
				t.Fatal(got)
			}
			refresh(t, pair.Refresh).want(t, 401, blacklistedBody)
		})
	}, sharing)
}

func TestSimpleJWTRefreshWithoutRotation(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		pair := signInREST(t, s, "ada")
		for range 2 {
			s.Clock.Advance(time.Minute)
			got := postJSON(t, s, refreshPath, "refresh", pair.Refresh).tokens(t, "access")
			wantProtected(t, s.Protected("Bearer "+got["access"]))
		}
		s.Clock.Advance(24 * time.Hour)
		postJSON(t, s, refreshPath, "refresh", pair.Refresh).want(t, 401, expiredBody)
	}, func(c *config.Settings) { c.RotateRefreshTokens = false })
}

func TestSimpleJWTIssuerAndAudience(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), sharing, func(c *config.Settings) { c.Issuer, c.Audience = "us", "shop" })
	s.AddUser("ada")
	pair := signInREST(t, s, "ada")
	for _, change := range []map[string]any{
		{"iss": "them"},
		{"iss": without{}},
		{"aud": "pub"},
		{"aud": without{}},
		{"aud": []string{"pub", "club"}},
	} {
		for path, name := range map[string]string{refreshPath: "refresh", verifyPath: "token", blacklistPath: "refresh"} {
			postJSON(t, s, path, name, altered(t, pair.Refresh, change)).want(t, 401, invalidBody)
		}
	}
	postJSON(t, s, verifyPath, "token", altered(t, pair.Refresh, map[string]any{"aud": []string{"pub", "shop"}})).want(t, 200, `{}`)
}

func TestSimpleJWTVerify(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		pair := signInREST(t, s, "ada")
		verify := func(t *testing.T, raw string) restAnswer {
			t.Helper()
			return postJSON(t, s, verifyPath, "token", raw)
		}
		for _, row := range append(refusals(t, pair.Refresh, s.Clock.Now()), refusals(t, pair.Access, s.Clock.Now())...) {
			t.Run(row.name, func(t *testing.T) { verify(t, row.token).want(t, 401, row.body) })
		}
		const revoked = `{"non_field_errors":["Token is blacklisted"]}`
		t.Run("good", func(t *testing.T) {
			verify(t, pair.Access).want(t, 200, `{}`)
			verify(t, pair.Refresh).want(t, 200, `{}`)
			verify(t, " "+pair.Refresh+"\n").want(t, 200, `{}`)
		})
		t.Run("a broken Authorization header is not looked at", func(t *testing.T) {
			callRest(t, s, http.MethodPost, verifyPath, "token="+pair.Access, "Content-Type", "application/x-www-form-urlencoded",
				"Authorization", "Bearer a b c").want(t, 200, `{}`)
		})
		t.Run("used up", func(t *testing.T) {
			mustRefresh(t, s, pair.Refresh)
			verify(t, pair.Refresh).want(t, 400, revoked)
			verify(t, pair.Access).want(t, 200, `{}`)
		})
		t.Run("of a session that was ended", func(t *testing.T) {
			pair := signInREST(t, s, "ada")
			postJSON(t, s, blacklistPath, "refresh", pair.Refresh).want(t, 200, `{}`)
			verify(t, pair.Refresh).want(t, 400, revoked)
			verify(t, pair.Access).want(t, 400, revoked)
		})
		t.Run("user with other roles", func(t *testing.T) {
			id, err := strconv.ParseInt(s.AddUser("grace"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			pair := signInREST(t, s, "grace")
			if err := s.MakeStale(id); err != nil {
				t.Fatal(err)
			}
			verify(t, pair.Access).want(t, 401, invalidBody)
			verify(t, pair.Refresh).want(t, 200, `{}`)
			if err := s.App.Auth.SetActive(auth.AsOperator(t.Context()), id, false); err != nil {
				t.Fatal(err)
			}
			verify(t, pair.Access).want(t, 401, noAccountBody)
			verify(t, pair.Refresh).want(t, 401, noAccountBody)
			if err := s.App.Auth.DeleteUser(auth.AsOperator(t.Context()), id, ""); err != nil {
				t.Fatal(err)
			}
			verify(t, pair.Access).want(t, 401, noAccountBody)
			verify(t, pair.Refresh).want(t, 401, noAccountBody)
		})
	}, sharing)
}

func TestSimpleJWTBlacklist(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		blacklist := func(t *testing.T, raw string) restAnswer {
			t.Helper()
			return postJSON(t, s, blacklistPath, "refresh", raw)
		}
		pair := signInREST(t, s, "ada")
		rows := append(refusals(t, pair.Refresh, s.Clock.Now()),
			refusal{"no token_type", altered(t, pair.Refresh, map[string]any{"token_type": without{}}), noTypeBody},
			refusal{"an access token", pair.Access, wrongTypeBody})
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) { blacklist(t, row.token).want(t, 401, row.body) })
		}
		t.Run("good, then again", func(t *testing.T) {
			wantProtected(t, s.Protected("Bearer "+pair.Access)) // none of the above has ended it
			blacklist(t, pair.Refresh).want(t, 200, `{}`)
			wantRevoked(t, s, pair)
			blacklist(t, pair.Refresh).want(t, 401, blacklistedBody)
			postJSON(t, s, refreshPath, "refresh", pair.Refresh).want(t, 401, blacklistedBody)
		})
		t.Run("used up, its session going on", func(t *testing.T) {
			first := signInREST(t, s, "ada")
			second := mustRefresh(t, s, first.Refresh)
			blacklist(t, first.Refresh).want(t, 200, `{}`)
			wantRevoked(t, s, second)
			blacklist(t, second.Refresh).want(t, 401, blacklistedBody)
		})
		t.Run("user inactive, then deleted", func(t *testing.T) {
			id, err := strconv.ParseInt(s.AddUser("grace"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			pair := signInREST(t, s, "grace")
			if err := s.App.Auth.SetActive(auth.AsOperator(t.Context()), id, false); err != nil {
				t.Fatal(err)
			}
			blacklist(t, pair.Refresh).want(t, 200, `{}`)
			if err := s.App.Auth.DeleteUser(auth.AsOperator(t.Context()), id, ""); err != nil {
				t.Fatal(err)
			}
			blacklist(t, pair.Refresh).want(t, 200, `{}`)
		})
	}, sharing)
}

// notAccepted is the answer of the protected view to a token with that fault.
func notAccepted(fault string) string {
	return `{"detail":"Given token not valid for any token type","code":"token_not_valid",` +
		`"messages":[{"token_class":"AccessToken","token_type":"access","message":` + strconv.Quote(fault) + `}]}`
}

func TestSimpleJWTProtected(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		id, err := strconv.ParseInt(s.AddUser("ada"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		pair := signInREST(t, s, "ada")
		ask := func(t *testing.T, authorization ...string) restAnswer {
			t.Helper()
			var header []string
			for _, a := range authorization {
				header = append(header, "Authorization", a)
			}
			return callRest(t, s, http.MethodGet, protectedPath, "", header...)
		}
		const (
			shown    = `{"content":"This view is protected"}`
			none     = `{"detail":"Authentication credentials were not provided."}`
			badWords = `{"detail":"Authorization header must contain two space-delimited values","code":"bad_authorization_header"}`
		)
		for _, row := range []struct {
			name          string
			authorization []string
			status        int
			body          string
		}{
			{"good", []string{"Bearer " + pair.Access}, 200, shown},
			{"several spaces", []string{"  Bearer   " + pair.Access + " "}, 200, shown},
			{"a tab", []string{"Bearer\t" + pair.Access}, 200, shown},
			{"no header", nil, 401, none},
			{"empty", []string{""}, 401, none},
			{"Basic", []string{"Basic YWRhOmE="}, 401, none},
			{"JWT", []string{"JWT " + pair.Access}, 401, none},
			{"Token", []string{"Token " + pair.Access}, 401, none},
			{"bearer", []string{"bearer " + pair.Access}, 401, none},
			{"BEARER", []string{"BEARER " + pair.Access}, 401, none},
			{"the bare token", []string{pair.Access}, 401, none},
			{"Bearer alone", []string{"Bearer"}, 401, badWords},
			{"Bearer and two words", []string{"Bearer " + pair.Access + " x"}, 401, badWords},
			{"Bearer and three words", []string{"Bearer a b c"}, 401, badWords},
			{"two headers", []string{"Bearer " + pair.Access, "Bearer " + pair.Access}, 401, badWords},
			{"a refresh token", []string{"Bearer " + pair.Refresh}, 401, notAccepted("Token has wrong type")},
			{"no token_type", []string{"Bearer " + altered(t, pair.Access, map[string]any{"token_type": without{}})}, 401, notAccepted("Token has no type")},
		} {
			t.Run(row.name, func(t *testing.T) { ask(t, row.authorization...).want(t, row.status, row.body) })
		}
		for _, row := range refusals(t, pair.Access, s.Clock.Now()) {
			if strings.HasPrefix(row.name, "user_id is") {
				continue // below
			}
			t.Run(row.name, func(t *testing.T) {
				var body struct{ Detail string }
				if err := json.Unmarshal([]byte(row.body), &body); err != nil {
					t.Fatal(err)
				}
				ask(t, "Bearer "+row.token).want(t, 401, notAccepted(body.Detail))
			})
		}
		t.Run("neither the query nor the body nor a cookie is looked at", func(t *testing.T) {
			callRest(t, s, http.MethodGet, protectedPath+"?token="+pair.Access, "token="+pair.Access,
				"Cookie", "access="+pair.Access).want(t, 401, none)
		})
		t.Run("methods", func(t *testing.T) {
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, "BREW"} {
				callRest(t, s, method, protectedPath, "").want(t, 401, none)
				a := callRest(t, s, method, protectedPath, "", "Authorization", "Bearer "+pair.Access)
				a.want(t, 405, `{"detail":"Method \"`+method+`\" not allowed."}`)
				if got := a.header.Get("Allow"); got != "GET, HEAD, OPTIONS" {
					t.Errorf("Allow is %q", got)
				}
			}
			callRest(t, s, http.MethodHead, protectedPath, "", "Authorization", "Bearer "+pair.Access).want(t, 200, "")
			callRest(t, s, http.MethodHead, protectedPath, "").want(t, 401, "")
		})
		t.Run("another user's id, and nobody's", func(t *testing.T) {
			// As a Django project with the same key makes them: without a session.
			foreign := func(userID any) string {
				return altered(t, pair.Access, map[string]any{"sid": without{}, "epoch": without{}, "roles": without{}, "sub": without{}, "user_id": userID})
			}
			ask(t, "Bearer "+foreign(id)).want(t, 200, shown)
			ask(t, "Bearer "+foreign(strconv.FormatInt(id, 10))).want(t, 200, shown)
			for _, nobody := range []any{"77", 0, "abc"} {
				ask(t, "Bearer "+foreign(nobody)).want(t, 401, `{"detail":"User not found","code":"user_not_found"}`)
			}
		})
		t.Run("session ended", func(t *testing.T) {
			ended := signInREST(t, s, "ada")
			postJSON(t, s, blacklistPath, "refresh", ended.Refresh).want(t, 200, `{}`)
			ask(t, "Bearer "+ended.Access).want(t, 401, notAccepted("Token is blacklisted"))
		})
		t.Run("user changed, inactive, deleted", func(t *testing.T) {
			ended := signInREST(t, s, "ada")
			postJSON(t, s, blacklistPath, "refresh", ended.Refresh).want(t, 200, `{}`)
			if err := s.MakeStale(id); err != nil {
				t.Fatal(err)
			}
			ask(t, "Bearer "+pair.Access).want(t, 401, notAccepted("Token is invalid"))
			if err := s.App.Auth.SetActive(auth.AsOperator(t.Context()), id, false); err != nil {
				t.Fatal(err)
			}
			for _, access := range []string{pair.Access, ended.Access} {
				ask(t, "Bearer "+access).want(t, 401, `{"detail":"User is inactive","code":"user_inactive"}`)
			}
			if err := s.App.Auth.DeleteUser(auth.AsOperator(t.Context()), id, ""); err != nil {
				t.Fatal(err)
			}
			for _, access := range []string{pair.Access, ended.Access} {
				ask(t, "Bearer "+access).want(t, 401, `{"detail":"User not found","code":"user_not_found"}`)
			}
		})
	}, sharing)
}

func TestSimpleJWTSchemesOfTheSettings(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), func(c *config.Settings) { c.AuthHeaderTypes = []string{"JWT", "Bearer"} })
	s.AddUser("ada")
	pair := signInREST(t, s, "ada")
	for scheme, status := range map[string]int{"JWT": 200, "Bearer": 200, "Token": 401} {
		a := callRest(t, s, http.MethodGet, protectedPath, "", "Authorization", scheme+" "+pair.Access)
		if a.status != status {
			t.Errorf("%s: %d %s", scheme, a.status, a.body)
		}
	}
	for _, a := range []restAnswer{
		callRest(t, s, http.MethodGet, protectedPath, ""),
		postJSON(t, s, verifyPath, "token", "x"),
	} {
		if got := a.header.Get("WWW-Authenticate"); got != `JWT realm="api"` {
			t.Errorf("WWW-Authenticate is %q", got)
		}
	}
}

// views are the token views with the fields that they want.
var views = map[string][]string{
	obtainPath: {"username", "password"}, refreshPath: {"refresh"}, verifyPath: {"token"}, blacklistPath: {"refresh"},
}

func TestSimpleJWTFields(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	for path, names := range views {
		t.Run(path, func(t *testing.T) {
			var all []string
			for _, name := range names {
				all = append(all, `"`+name+`":["This field is required."]`)
			}
			required := "{" + strings.Join(all, ",") + "}"
			for _, row := range []struct{ name, contentType, body, want string }{
				{"an empty object", "application/json", `{}`, required},
				{"no body, JSON", "application/json", ``, required},
				{"no body, any type", "text/plain", ``, required},
				{"an empty multipart form", "multipart/form-data; boundary=x", "--x--\r\n", required},
				{"names in another case", "application/json", `{"Username":"a","PASSWORD":"a","Refresh":"a","TOKEN":"a"}`, required},
				{"a list", "application/json", `[1]`, `{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}`},
				{"a text", "application/json", `"a"`, `{"non_field_errors":["Invalid data. Expected a dictionary, but got str."]}`},
				{"a whole number", "application/json", `1`, `{"non_field_errors":["Invalid data. Expected a dictionary, but got int."]}`},
				{"a number", "application/json", `1.5`, `{"non_field_errors":["Invalid data. Expected a dictionary, but got float."]}`},
				{"true", "application/json", `true`, `{"non_field_errors":["Invalid data. Expected a dictionary, but got bool."]}`},
				{"null", "application/json", `null`, `{"non_field_errors":["No data provided"]}`},
			} {
				t.Run(row.name, func(t *testing.T) {
					callRest(t, s, http.MethodPost, path, row.body, "Content-Type", row.contentType).want(t, 400, row.want)
				})
			}
			for value, problem := range map[string]string{
				`null`: "This field may not be null.", `""`: "This field may not be blank.", `" \t\u2003\u001c"`: "This field may not be blank.",
				`true`: "Not a valid string.", `false`: "Not a valid string.", `["a"]`: "Not a valid string.", `{"a":1}`: "Not a valid string.",
				`"a\u0000b"`: "Null characters are not allowed.", `"\ud800"`: "Surrogate characters are not allowed: U+D800.",
				`"a\udc00\ud800"`: "Surrogate characters are not allowed: U+DC00.",
			} {
				body, want := make([]string, len(names)), make([]string, len(names))
				for i, name := range names {
					body[i], want[i] = fmt.Sprintf("%q:%s", name, value), fmt.Sprintf("%q:[%q]", name, problem)
				}
				callRest(t, s, http.MethodPost, path, "{"+strings.Join(body, ",")+"}", "Content-Type", "application/json").
					want(t, 400, "{"+strings.Join(want, ",")+"}")
			}
			for _, number := range []string{`1`, `1.5`, `-0`, `1e400`} {
				body := make([]string, len(names))
				for i, name := range names {
					body[i] = fmt.Sprintf("%q:%s", name, number)
				}
				a := callRest(t, s, http.MethodPost, path, "{"+strings.Join(body, ",")+"}", "Content-Type", "application/json")
				if a.status != http.StatusUnauthorized { // taken as text, and no token
					t.Errorf("%s: %d %s", number, a.status, a.body)
				}
			}
		})
	}
	one := callRest(t, s, http.MethodPost, obtainPath, `{"username":"ada"}`, "Content-Type", "application/json")
	one.want(t, 400, `{"password":["This field is required."]}`)
	two := callRest(t, s, http.MethodPost, obtainPath, `{"username":"a\u0000\ud800","password":" "}`, "Content-Type", "application/json")
	two.want(t, 400, `{"username":["Null characters are not allowed.","Surrogate characters are not allowed: U+D800."],"password":["This field may not be blank."]}`)
	file := callRest(t, s, http.MethodPost, verifyPath, "--x\r\nContent-Disposition: form-data; name=\"token\"; filename=\"a\"\r\n\r\na\r\n--x--\r\n",
		"Content-Type", "multipart/form-data; boundary=x")
	file.want(t, 400, `{"token":["Not a valid string."]}`)
	form := callRest(t, s, http.MethodPost, verifyPath, "token=a%00&token", "Content-Type", "application/x-www-form-urlencoded")
	form.want(t, 400, `{"token":["This field may not be blank."]}`)
}

func TestSimpleJWTNumbersAreTheirText(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	s.AddUser("1.5")
	for body, status := range map[string]int{
		`{"username":1.50,"password":"` + testkit.Password + `"}`:  200,
		`{"username":15e-1,"password":"` + testkit.Password + `"}`: 200,
		`{"username":1,"password":"` + testkit.Password + `"}`:     401,
	} {
		if a := callRest(t, s, http.MethodPost, obtainPath, body, "Content-Type", "application/json"); a.status != status {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

func TestSimpleJWTBodies(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	parse := func(text string) string { return `{"detail":"JSON parse error - ` + text + `"}` }
	for _, row := range []struct {
		name, contentType, body string
		status                  int
		want                    string
	}{
		{"malformed JSON", "application/json", `{`, 400, parse("Expecting property name enclosed in double quotes: line 1 column 2 (char 1)")},
		{"no JSON", "application/json", `hello`, 400, parse("Expecting value: line 1 column 1 (char 0)")},
		{"something after it", "application/json", `{"username":"a"} x`, 400, parse("Extra data: line 1 column 18 (char 17)")},
		{"white space only", "application/json", " \n ", 400, parse("Expecting value: line 2 column 2 (char 3)")},
		{"NaN", "application/json", `{"username":NaN}`, 400, parse("Out of range float values are not JSON compliant: 'NaN'")},
		{"Infinity", "application/json", `{"x":[-Infinity]}`, 400, parse("Out of range float values are not JSON compliant: '-Infinity'")},
		{"invalid UTF-8", "application/json", "{\"username\":\"\xff\"}", 400, parse("'utf-8' codec can't decode byte 0xff in position 13: invalid start byte")},
		{"a BOM", "application/json", "\ufeff{}", 400, parse("Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)")},
		{"places are counted in characters", "application/json", "{\"é🦊\":\n \"ü\" é", 400, parse("Expecting ',' delimiter: line 2 column 6 (char 12)")},
		{"Latin-1 by its name", "application/json; charset=latin-1", "{\"token\":\"\xe9\"}", 401, invalidBody},
		{"another type", "text/plain", `x`, 415, `{"detail":"Unsupported media type \"text/plain\" in request."}`},
		{"another type with parameters", `text/xml; charset="utf-8"`, `x`, 415, `{"detail":"Unsupported media type \"text/xml; charset=\"utf-8\"\" in request."}`},
		{"no type", "", `x`, 415, `{"detail":"Unsupported media type \"\" in request."}`},
		{"multipart without boundary", "multipart/form-data", `x`, 400, `{"detail":"Multipart form parse error - Invalid boundary in multipart: None"}`},
		{"multipart with a bad boundary", `multipart/form-data; boundary="a "`, `x`, 400, `{"detail":"Multipart form parse error - Invalid boundary in multipart: a "}`},
		{"deeply nested", "application/json", strings.Repeat("[", 100_000), 400, parse("Nested deeper than 512 levels: line 1 column 513 (char 512)")},
		{"too long", "application/json", `{"token":"` + strings.Repeat("a", 1<<20) + `"}`, 413, `{"detail":"The body is too long; the limit is 1048576 bytes."}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			var header []string
			if row.contentType != "" {
				header = []string{"Content-Type", row.contentType}
			}
			callRest(t, s, http.MethodPost, verifyPath, row.body, header...).want(t, row.status, row.want)
		})
	}
}

func TestSimpleJWTFrame(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	const (
		notAcceptable = `{"detail":"Could not satisfy the request Accept header."}`
		notFound      = `{"detail":"Not found."}`
		required      = `{"token":["This field is required."]}`
	)
	for path := range views {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} {
			body := `{"detail":"Method \"` + method + `\" not allowed."}`
			if method == http.MethodHead {
				body = ""
			}
			a := callRest(t, s, method, path, "")
			a.want(t, 405, body)
			if got := a.header.Get("Allow"); got != "POST, OPTIONS" {
				t.Errorf("Allow is %q", got)
			}
		}
	}
	for _, row := range []struct {
		name, method, target, accept string
		status                       int
		want                         string
	}{
		{"JSON", "POST", "", "application/json", 400, required},
		{"JSON in capitals, with parameters", "POST", "", "Application/JSON; indent=4", 400, required},
		{"anything", "POST", "", "*/*", 400, required},
		{"any application", "POST", "", "application/*", 400, required},
		{"one of several", "POST", "", "application/xml, */*;q=0.1", 400, required},
		{"a page is not to be had", "POST", "", "text/html", 400, required},
		{"XML", "POST", "", "application/xml", 406, notAcceptable},
		{"XML, before the method is looked at", "GET", "", "application/xml", 406, notAcceptable},
		{"format=json", "POST", "?format=json", "", 400, required},
		{"format=xml", "POST", "?format=xml", "", 404, notFound},
		{"the last format", "POST", "?format=xml&format=json", "", 400, required},
		{"no format", "POST", "?format=", "", 400, required},
	} {
		t.Run(row.name, func(t *testing.T) {
			var header []string
			if row.accept != "" {
				header = []string{"Accept", row.accept}
			}
			callRest(t, s, row.method, verifyPath+row.target, "", header...).want(t, row.status, row.want)
		})
	}
	callRest(t, s, http.MethodGet, protectedPath, "", "Accept", "application/xml").want(t, 406, notAcceptable)
	if a := callRest(t, s, http.MethodPost, "/api/", ""); a.status != http.StatusNotFound {
		t.Errorf("an unknown path: %d", a.status)
	}
}

func TestSimpleJWTMetadata(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	s.AddUser("ada")
	const frame = `"renders":["application/json"],"parses":["application/json","application/x-www-form-urlencoded","multipart/form-data"]`
	text := func(name, label string) string {
		return `"` + name + `":{"type":"string","required":true,"read_only":false,"label":"` + label + `"}`
	}
	for path, want := range map[string]struct{ name, fields string }{
		obtainPath:    {"Token Obtain Pair", text("username", "Username") + "," + text("password", "Password")},
		refreshPath:   {"Token Refresh", text("refresh", "Refresh") + `,"access":{"type":"string","required":false,"read_only":true,"label":"Access"}`},
		verifyPath:    {"Token Verify", text("token", "Token")},
		blacklistPath: {"Token Blacklist", text("refresh", "Refresh")},
	} {
		a := callRest(t, s, http.MethodOptions, path, "")
		var described struct{ Description string }
		if err := json.Unmarshal([]byte(a.body), &described); err != nil || described.Description == "" {
			t.Errorf("%v: %s", err, a.body)
		}
		a.want(t, 200, `{"name":"`+want.name+`","description":"`+described.Description+`",`+frame+`,"actions":{"POST":{`+want.fields+`}}}`)
	}
	access := signInREST(t, s, "ada").Access
	callRest(t, s, http.MethodOptions, protectedPath, "").want(t, 401, `{"detail":"Authentication credentials were not provided."}`)
	callRest(t, s, http.MethodOptions, protectedPath, "", "Authorization", "Bearer "+access).
		want(t, 200, `{"name":"Protected","description":"",`+frame+`}`)
}

func TestPathsWithoutTheLastSlash(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	for _, path := range append(slices.Collect(maps.Keys(views)), protectedPath) {
		short := strings.TrimSuffix(path, "/")
		for method, status := range map[string]int{"GET": 301, "HEAD": 301, "POST": 308, "OPTIONS": 308, "BREW": 308} {
			a := callRest(t, s, method, short+"?a=%2F&a=//x", "")
			if got := a.header.Get("Location"); a.status != status || got != path+"?a=%2F&a=//x" {
				t.Errorf("%s %s: %d to %q", method, short, a.status, got)
			}
			if got := callRest(t, s, method, short, "").header.Get("Location"); got != path {
				t.Errorf("%s %s: to %q", method, short, got)
			}
		}
	}
	if a := callRest(t, s, http.MethodPost, "/api/token/other", ""); a.status != http.StatusNotFound {
		t.Errorf("an unknown path: %d", a.status)
	}
}

func TestSimpleJWTShowsNothingOfAFault(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	s.AddUser("ada")
	pair := signInREST(t, s, "ada")
	if err := s.App.Store.Close(); err != nil {
		t.Fatal(err)
	}
	const fault = `{"detail":"Internal server error."}`
	a := callRest(t, s, http.MethodPost, obtainPath, "username=ada&password=x", "Content-Type", "application/x-www-form-urlencoded")
	a.want(t, 500, fault)
	if a.header.Get("X-Request-Id") == "" {
		t.Error("there is no request id to look for in the log")
	}
	postJSON(t, s, refreshPath, "refresh", pair.Refresh).want(t, 500, fault)
	postJSON(t, s, verifyPath, "token", pair.Refresh).want(t, 500, fault)
	postJSON(t, s, blacklistPath, "refresh", pair.Refresh).want(t, 500, fault)
	postJSON(t, s, refreshPath, "refresh", "x").want(t, 401, invalidBody)
}

func TestSimpleJWTForPagesOfOtherOrigins(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), allowing(allowedOrigin))
	for _, path := range append(slices.Collect(maps.Keys(views)), protectedPath) {
		preflight := callRest(t, s, http.MethodOptions, path, "", "Origin", allowedOrigin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
		if got := preflight.header.Get("Access-Control-Allow-Origin"); preflight.status != 204 || got != allowedOrigin {
			t.Errorf("%s: the preflight is answered %d %v", path, preflight.status, preflight.header)
		}
		a := callRest(t, s, http.MethodPost, path, "", "Origin", allowedOrigin)
		if got := a.header.Values("Vary"); a.header.Get("Access-Control-Allow-Origin") != allowedOrigin || !cmp.Equal(got, []string{"Origin", "Accept"}) {
			t.Errorf("%s: %v", path, a.header)
		}
		a = callRest(t, s, http.MethodPost, path, "", "Origin", "https://evil.example")
		if got := a.header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: %q may read the answer", path, got)
		}
	}
}

// Clients of a project whose users sign in with something else send that.
func TestSimpleJWTUsernameField(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		form := func(body string) restAnswer {
			return callRest(t, s, http.MethodPost, obtainPath, body, "Content-Type", "application/x-www-form-urlencoded")
		}
		form("email=ada&password="+strings.ReplaceAll(testkit.Password, " ", "+")).tokens(t, "refresh", "access")
		form("username=ada&password=x").want(t, 400, `{"email":["This field is required."]}`)
		if a := callRest(t, s, http.MethodOptions, obtainPath, ""); !strings.Contains(a.body, `"email":{"type":"string","required":true,"read_only":false,"label":"Email"}`) {
			t.Errorf("the metadata are %s", a.body)
		}
	}, func(c *config.Settings) { c.UsernameField = "email" })
}
