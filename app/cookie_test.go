package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/app"
	"latchkey/auth/password"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

const (
	hostCookie     = "__Host-latchkey-refresh"
	loopbackCookie = "latchkey-refresh"
	csrfRejected   = "CSRF_REJECTED"
	csrfText       = "The request was refused because a foreign page could have made it."
	revokedText    = "Token is blacklisted"
	allowedOrigin  = "https://app.example.org"
)

// The operations of a front end.
const (
	obtainInto  = `mutation($d: TokenDelivery!) { tokenObtain(username: "ada", password: "` + testkit.Password + `", delivery: $d) { access refresh } }`
	refreshHeld = `mutation { tokenRefresh { access refresh } }`
	revokeHeld  = `mutation { tokenRevoke }`
)

var intoCookie = map[string]any{"d": "COOKIE"}

// behindProxy makes the test the trusted proxy of a server that its clients reach over HTTPS.
func behindProxy(c *config.Settings) { c.TrustedProxies = []string{"127.0.0.1"} }

func allowing(origins ...string) func(*config.Settings) {
	return func(c *config.Settings) { c.AllowedOrigins = origins }
}

// client sends what a browser would.
type client struct {
	*testing.T
	server *testkit.Server
	header http.Header // of each request; Host stands for the host
	cookie string      // the Cookie header; kept as answers say
}

// overHTTPS returns a client of a server behindProxy.
func overHTTPS(t *testing.T, s *testkit.Server) *client {
	return &client{T: t, server: s, header: http.Header{"X-Forwarded-Proto": {"https"}, "Host": {"auth.example.org"}}}
}

// overHTTP returns a client of a server on its own machine.
func overHTTP(t *testing.T, s *testkit.Server) *client {
	return &client{T: t, server: s, header: http.Header{}}
}

// with returns a client that sends these headers, too, instead of those of the names it sends now.
func (c client) with(header http.Header) *client {
	c.header = c.header.Clone()
	for name, values := range header {
		c.header[name] = values
	}
	return &c
}

// bearing returns a client that sends an access token.
func (c client) bearing(access string) *client {
	return c.with(http.Header{"Authorization": {"Bearer " + access}})
}

// send sends a request, and keeps the cookie of the answer.
func (c *client) send(query string, variables map[string]any) testkit.Answer {
	c.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		c.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.server.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	r.Header = c.header.Clone()
	r.Host = r.Header.Get("Host")
	r.Header.Del("Host")
	r.Header.Set("Content-Type", "application/json")
	if c.cookie != "" {
		r.Header.Set("Cookie", c.cookie)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	content, err := io.ReadAll(response.Body)
	if err != nil {
		c.Fatal(err)
	}
	a := testkit.Answer{Status: response.StatusCode, Header: response.Header, Body: string(content)}
	if err := json.Unmarshal(content, &a); err != nil {
		c.Fatalf("the answer is not JSON: %v\n%s", err, content)
	}
	if lines := a.Header["Set-Cookie"]; len(lines) > 0 {
		if a.Header.Get("Cache-Control") != "no-store" {
			c.Errorf("an answer that sets a cookie may be cached: %v", a.Header)
		}
		c.cookie, _, _ = strings.Cut(lines[len(lines)-1], ";")
	}
	return a
}

// signIn signs ada in and returns the access token. The client has the cookie.
func (c *client) signIn() string {
	c.Helper()
	a := c.send(obtainInto, intoCookie)
	access, refresh := tokensIn(c.T, a)
	if refresh != "" {
		c.Fatalf("the refresh token is in the body: %s", a.Body)
	}
	return access
}

// token returns the token in the cookie.
func (c *client) token() string {
	_, value, _ := strings.Cut(c.cookie, "=")
	return value
}

// tokensIn returns the tokens in the body of an answer.
func tokensIn(t *testing.T, a testkit.Answer) (access, refresh string) {
	t.Helper()
	if len(a.Errors) > 0 {
		t.Fatalf("got %s", a.Body)
	}
	var data map[string]struct {
		Access  string
		Refresh *string
		Tokens  struct {
			Access  string
			Refresh *string
		}
	}
	if err := json.Unmarshal(a.Data, &data); err != nil {
		t.Fatalf("%v: %s", err, a.Body)
	}
	for _, field := range data {
		if field.Refresh == nil {
			field.Refresh = field.Tokens.Refresh
		}
		if field.Refresh != nil {
			refresh = *field.Refresh
		}
		access = field.Access + field.Tokens.Access
	}
	return access, refresh
}

// wantCookie fails the test unless the answer sets that one cookie, to the letter; VALUE stands for a token.
func wantCookie(t *testing.T, a testkit.Answer, want string) {
	t.Helper()
	var got []string
	for _, line := range a.Header["Set-Cookie"] {
		name, rest, _ := strings.Cut(line, "=")
		value, attributes, _ := strings.Cut(rest, ";")
		if strings.Count(value, ".") == 2 {
			value = "VALUE"
		}
		got = append(got, name+"="+value+";"+attributes)
	}
	var wants []string
	if want != "" {
		wants = []string{want}
	}
	if d := cmp.Diff(wants, got); d != "" {
		t.Errorf("the cookies of %s (-want +got):\n%s", a.Body, d)
	}
}

// What a cookie's line says, over HTTPS and by default.
const (
	hostSet     = hostCookie + "=VALUE; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Strict"
	hostCleared = hostCookie + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"
)

func TestTheRefreshTokenStaysInTheCookie(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		c := overHTTPS(t, s)
		a := c.send(obtainInto, intoCookie)
		wantCookie(t, a, hostSet)
		if access, refresh := tokensIn(t, a); access == "" || refresh != "" || strings.Contains(a.Body, c.token()) {
			t.Errorf("got %s", a.Body)
		}
		first := c.token()

		s.Clock.Advance(time.Hour)
		a = c.send(refreshHeld, nil)
		wantCookie(t, a, hostSet)
		second := c.token()
		if second == first {
			t.Error("the refresh token was not rotated")
		}
		// Asking for the body does not help whoever can send the cookie and cannot read it.
		a = c.send(`mutation { tokenRefresh(delivery: BODY) { access refresh } }`, nil)
		wantCookie(t, a, hostSet)
		access, refresh := tokensIn(t, a)
		if refresh != "" || strings.Contains(a.Body, c.token()) || c.token() == second {
			t.Errorf("got %s", a.Body)
		}
		wantProtected(t, s.Protected("Bearer "+access))

		a = c.send(revokeHeld, nil)
		wantCookie(t, a, hostCleared)
		if string(a.Data) != `{"tokenRevoke":true}` {
			t.Errorf("got %s", a.Body)
		}
		s.Protected("Bearer "+access).Refused(t, unauthentic, "REVOKED", notValid)
		c.cookie = hostCookie + "=" + second
		a = c.send(refreshHeld, nil)
		a.Refused(t, tokenNotValid, "REVOKED", revokedText)
		wantCookie(t, a, hostCleared)
	}, behindProxy)
}

func TestTheCookieLivesAsLongAsItsToken(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), behindProxy, func(c *config.Settings) {
		c.SessionLifetime, c.RefreshTokenLifetime = 3*time.Hour, 2*time.Hour
	})
	s.AddUser("ada")
	c := overHTTPS(t, s)
	wantCookie(t, c.send(obtainInto, intoCookie), strings.Replace(hostSet, "86400", "7200", 1))
	s.Clock.Advance(110*time.Minute + 300*time.Millisecond)
	wantCookie(t, c.send(refreshHeld, nil), strings.Replace(hostSet, "86400", "4199", 1)) // to the session's limit
}

func TestWithoutRotationTheCookieKeepsItsToken(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), behindProxy, func(c *config.Settings) { c.RotateRefreshTokens = false })
	s.AddUser("ada")
	c := overHTTPS(t, s)
	c.signIn()
	first := c.token()
	s.Clock.Advance(time.Hour)
	a := c.send(refreshHeld, nil)
	wantCookie(t, a, strings.Replace(hostSet, "86400", "82800", 1))
	if c.token() != first || strings.Contains(a.Body, first) {
		t.Errorf("got %s", a.Body)
	}
}

func TestTheWayToTheServerDecidesAboutTheCookie(t *testing.T) {
	const onLoopback = loopbackCookie + "=VALUE; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict"
	refusedFor := "The refresh token can be put into a cookie over HTTPS only, or over plain http on the client's own " +
		"machine. Behind a proxy that ends TLS, the server must be told to trust it."
	for _, row := range []struct {
		host, proto string
		trusted     bool
		want        string // empty: refused
	}{
		{"127.0.0.1:8000", "", false, onLoopback},
		{"127.9.9.9", "", false, onLoopback},
		{"localhost:8000", "", false, onLoopback},
		{"LOCALHOST", "", false, onLoopback},
		{"app.localhost:8000", "", false, onLoopback},
		{"[::1]:8000", "", false, onLoopback},
		{"[::1]", "", false, onLoopback},
		{"auth.example.org", "", false, ""},
		{"localhost.example.org", "", false, ""},
		{"127.0.0.1.example.org", "", false, ""},
		{"10.0.0.7:8000", "", false, ""},
		{"auth.example.org", "https", false, ""}, // anybody can write that
		{"localhost:8000", "https", false, onLoopback},
		{"auth.example.org", "https", true, hostSet},
		{"auth.example.org", "HTTPS", true, hostSet},
		{"localhost:8000", "https", true, hostSet},
		{"auth.example.org", "http", true, ""},
		{"auth.example.org", "https, http", true, ""}, // the last word is the proxy's own
		{"auth.example.org", "http, https", true, hostSet},
		{"auth.example.org", "httpsx", true, ""},
		{"auth.example.org", "", true, ""},
	} {
		t.Run(fmt.Sprintf("%s by %q, trusted %t", row.host, row.proto, row.trusted), func(t *testing.T) {
			s := testkit.Start(t, testdb.SQLite(t), func(c *config.Settings) {
				if row.trusted {
					behindProxy(c)
				}
			})
			s.AddUser("ada")
			c := overHTTP(t, s).with(http.Header{"Host": {row.host}})
			if row.proto != "" {
				c = c.with(http.Header{"X-Forwarded-Proto": {row.proto}})
			}
			a := c.send(obtainInto, intoCookie)
			wantCookie(t, a, row.want)
			if row.want != "" {
				c.signIn()
				wantCookie(t, c.send(refreshHeld, nil), row.want)
				return
			}
			a.Refused(t, "BAD_USER_INPUT", "", refusedFor)
			if a.Errors[0].Extensions["field"] != "delivery" {
				t.Errorf("got %s", a.Body)
			}
			// Nothing was begun, and no cookie is read here.
			pair := s.SignIn("ada")
			for _, name := range []string{hostCookie, loopbackCookie} {
				c.cookie = name + "=" + pair.Refresh
				c.send(refreshHeld, nil).Refused(t, "BAD_USER_INPUT", "", "This field is required.")
			}
			if n := sessionsOf(t, s, pair.Access); n != 1 {
				t.Errorf("%d sessions, want 1", n)
			}
		})
	}
}

// sessionsOf returns how many sessions the owner of an access token has.
func sessionsOf(t *testing.T, s *testkit.Server, access string) int {
	t.Helper()
	a := s.Query(`{ me { sessions { id } } }`, nil, "Authorization", "Bearer "+access)
	if len(a.Errors) > 0 {
		t.Fatal(a.Body)
	}
	return strings.Count(a.Body, `"id":`)
}

func TestTLSOfTheServersOwnCounts(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	s.AddUser("ada")
	handler, err := s.App.Handler()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	body, err := json.Marshal(map[string]any{"query": obtainInto, "variables": intoCookie})
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]int{server.URL: 1, strings.Replace(server.URL, "https:", "http:", 1): 0} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/graphql", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", origin)
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		lines := response.Header["Set-Cookie"]
		if len(lines) != want || want > 0 && !strings.HasPrefix(lines[0], hostCookie+"=") {
			t.Errorf("a page of %s gets %.60q", origin, lines)
		}
	}
}

func TestSameSite(t *testing.T) {
	for _, row := range []struct{ setting, overTLS, onLoopback string }{
		{"Strict", "SameSite=Strict", "SameSite=Strict"},
		{"Lax", "SameSite=Lax", "SameSite=Lax"},
		{"None", "SameSite=None", "SameSite=Lax"}, // without Secure, browsers would drop None
	} {
		t.Run(row.setting, func(t *testing.T) {
			s := testkit.Start(t, testdb.SQLite(t), behindProxy, func(c *config.Settings) { c.CookieSameSite = row.setting })
			s.AddUser("ada")
			wantCookie(t, overHTTPS(t, s).send(obtainInto, intoCookie), strings.Replace(hostSet, "SameSite=Strict", row.overTLS, 1))
			wantCookie(t, overHTTP(t, s).send(obtainInto, intoCookie),
				loopbackCookie+"=VALUE; Path=/; Max-Age=86400; HttpOnly; "+row.onLoopback)
		})
	}
}

// What names a page that may, or may not, use the cookie of https://auth.example.org.
var pages = map[string]struct {
	header http.Header
	may    bool
}{
	"no browser":                         {nil, true},
	"the server's own page":              {http.Header{"Origin": {"https://auth.example.org"}, "Sec-Fetch-Site": {"same-origin"}}, true},
	"its own page in an old browser":     {http.Header{"Origin": {"https://auth.example.org"}}, true},
	"its own page without an origin":     {http.Header{"Sec-Fetch-Site": {"same-origin"}}, true},
	"an allowed page":                    {http.Header{"Origin": {allowedOrigin}, "Sec-Fetch-Site": {"same-site"}}, true},
	"a foreign page":                     {http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}, false},
	"a foreign page in an old browser":   {http.Header{"Origin": {"https://evil.example"}}, false},
	"a foreign page without an origin":   {http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
	"a neighbour without an origin":      {http.Header{"Sec-Fetch-Site": {"same-site"}}, false},
	"no page at all, says the browser":   {http.Header{"Sec-Fetch-Site": {"none"}}, false},
	"its own page over plain http":       {http.Header{"Origin": {"http://auth.example.org"}}, false},
	"its own host on another port":       {http.Header{"Origin": {"https://auth.example.org:8443"}}, false},
	"its own page, the browser disagree": {http.Header{"Origin": {"https://auth.example.org"}, "Sec-Fetch-Site": {"cross-site"}}, false},
	"a host that begins like it":         {http.Header{"Origin": {"https://auth.example.org.evil.example"}}, false},
	"a host that ends like it":           {http.Header{"Origin": {"https://evilauth.example.org"}}, false},
	"an allowed host over plain http":    {http.Header{"Origin": {"http://app.example.org"}}, false},
	"an allowed host on another port":    {http.Header{"Origin": {"https://app.example.org:444"}}, false},
	"an allowed host in capitals":        {http.Header{"Origin": {"https://APP.example.org"}}, false},
	"below an allowed host":              {http.Header{"Origin": {"https://x.app.example.org"}}, false},
	"an allowed origin and a slash":      {http.Header{"Origin": {"https://app.example.org/"}}, false},
	"a sandboxed page":                   {http.Header{"Origin": {"null"}}, false},
	"an empty origin":                    {http.Header{"Origin": {""}}, false},
	"two origins":                        {http.Header{"Origin": {"https://auth.example.org", "https://evil.example"}}, false},
	"two origins in one":                 {http.Header{"Origin": {"https://auth.example.org, https://evil.example"}}, false},
	"the same origin twice":              {http.Header{"Origin": {allowedOrigin, allowedOrigin}}, false},
	"a forwarded host":                   {http.Header{"Origin": {"https://evil.example"}, "X-Forwarded-Host": {"evil.example"}}, false},
}

func TestForeignPagesNeitherUseNorSetTheCookie(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), behindProxy, allowing(allowedOrigin, "http://localhost:3000"))
	s.AddUser("ada")
	for name, page := range pages {
		t.Run(name, func(t *testing.T) {
			own := overHTTPS(t, s)
			access := own.signIn()
			before := own.cookie
			for operation, wantSet := range map[string]string{
				obtainInto:  hostSet,
				refreshHeld: hostSet,
				`mutation { tokenRefresh(delivery: COOKIE) { access refresh } }`: hostSet,
				revokeHeld: hostCleared,
			} {
				if page.may { // each with a session of its own
					own = overHTTPS(t, s)
					own.signIn()
				}
				c := own.with(page.header)
				var variables map[string]any
				if operation == obtainInto {
					variables = intoCookie
				}
				a := c.send(operation, variables)
				if page.may {
					wantCookie(t, a, wantSet)
					if len(a.Errors) > 0 {
						t.Errorf("%s: %s", operation, a.Body)
					}
					continue
				}
				a.Refused(t, csrfRejected, "", csrfText)
				wantCookie(t, a, "")
				if a.Status != http.StatusOK || string(a.Data) != "null" {
					t.Errorf("%s: %d %s", operation, a.Status, a.Body)
				}
			}
			if page.may {
				return
			}
			// Nothing happened to the session, and the generation in the cookie is still the newest.
			wantProtected(t, s.Protected("Bearer "+access))
			a := s.Query(`mutation($t: String!) { tokenVerify(token: $t) { tokenType } }`,
				map[string]any{"t": strings.TrimPrefix(before, hostCookie+"=")})
			if len(a.Errors) > 0 {
				t.Errorf("the cookie's token was used: %s", a.Body)
			}
			// Without a cookie there is none to refuse, but none to use, either.
			c := overHTTPS(t, s).with(page.header)
			c.send(refreshHeld, nil).Refused(t, csrfRejected, "", csrfText)
			// A token in the Authorization header or an argument is no browser's doing.
			a = c.bearing(access).send(revokeHeld, nil)
			if len(a.Errors) > 0 {
				t.Errorf("a sign-out by access token: %s", a.Body)
			}
		})
	}
}

// A browser drops a cookie that a page of another site is not to have, and the page would lose its session without a
// word at its first refresh: so it hears of that when it signs in.
func TestAPageOfAnotherSiteIsToldThatItsBrowserKeepsNoCookie(t *testing.T) {
	const page = "http://localhost:3000"
	const refusal = "The browser would not keep the cookie: the page is of another site than the server. Name both with the " +
		"same host, be it localhost or 127.0.0.1, or put them under one domain, or have the server say SameSite=None, over HTTPS."
	for _, row := range []struct {
		sameSite     string
		https, keeps bool
	}{
		{"Strict", true, false},
		{"Lax", true, false},
		{"None", true, true},
		{"Strict", false, false},
		{"None", false, false}, // without Secure it counts as Lax
	} {
		t.Run(fmt.Sprintf("%s, https %t", row.sameSite, row.https), func(t *testing.T) {
			s := testkit.Start(t, testdb.SQLite(t), behindProxy, allowing(page), func(c *config.Settings) { c.CookieSameSite = row.sameSite })
			s.AddUser("ada")
			c := overHTTP(t, s)
			if row.https {
				c = overHTTPS(t, s)
			}
			c = c.with(http.Header{"Origin": {page}, "Sec-Fetch-Site": {"cross-site"}})
			a := c.send(obtainInto, intoCookie)
			if row.keeps {
				wantCookie(t, a, strings.Replace(hostSet, "Strict", row.sameSite, 1))
				return
			}
			a.Refused(t, "BAD_USER_INPUT", "", refusal)
			wantCookie(t, a, "")
			if _, refresh := tokensIn(t, c.send(obtainInto, map[string]any{"d": "BODY"})); refresh == "" {
				t.Error("into the body it gets no token, either")
			}
		})
	}
}

func TestAForeignPageSignsInAndRefreshesInTheBodyAlone(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), behindProxy)
	s.AddUser("ada")
	c := overHTTPS(t, s).with(http.Header{"Origin": {"https://evil.example"}})
	_, refresh := tokensIn(t, c.send(obtainInto, map[string]any{"d": "BODY"}))
	into := map[string]any{"r": refresh, "d": "COOKIE"}
	const query = `mutation($r: String, $d: TokenDelivery!) { tokenRefresh(refresh: $r, delivery: $d) { access refresh } }`
	a := c.send(query, into)
	a.Refused(t, csrfRejected, "", csrfText)
	wantCookie(t, a, "")
	into["d"] = "BODY"
	if _, next := tokensIn(t, c.send(query, into)); next == "" || next == refresh {
		t.Error("the refresh token is not the successor")
	}
}

func TestTheArgumentGoesBeforeTheCookie(t *testing.T) {
	const refresh = `mutation($r: String, $d: TokenDelivery!) { tokenRefresh(refresh: $r, delivery: $d) { access refresh } }`
	const revoke = `mutation($r: String) { tokenRevoke(refresh: $r) }`
	for name, row := range map[string]struct {
		query, delivery string
		sameSession     bool
		wantLine        string
	}{
		"refresh of another session":                 {refresh, "BODY", false, ""},
		"refresh of another session into the cookie": {refresh, "COOKIE", false, hostSet},
		"refresh of the same session":                {refresh, "BODY", true, hostCleared}, // the session moves to the body
		"refresh of the same session into cookie":    {refresh, "COOKIE", true, hostSet},
		"sign-out of another session":                {revoke, "", false, ""},
		"sign-out of the same session":               {revoke, "", true, hostCleared},
	} {
		t.Run(name, func(t *testing.T) {
			s := testkit.Start(t, testdb.SQLite(t), behindProxy)
			s.AddUser("ada")
			c := overHTTPS(t, s)
			kept := c.signIn()
			held := c.cookie
			given := s.SignIn("ada")
			if row.sameSession {
				given.Access, given.Refresh = kept, c.token()
			}
			variables := map[string]any{"r": given.Refresh}
			if row.delivery != "" {
				variables["d"] = row.delivery
			}
			a := c.send(row.query, variables)
			wantCookie(t, a, row.wantLine)
			if row.query == revoke {
				s.Protected("Bearer "+given.Access).Refused(t, unauthentic, "REVOKED", notValid)
			} else if _, inBody := tokensIn(t, a); (inBody != "") != (row.delivery == "BODY") {
				t.Errorf("got %s", a.Body)
			}
			if !row.sameSession { // the cookie's session goes on as it was
				c.cookie = held
				wantCookie(t, c.send(refreshHeld, nil), hostSet)
			}
		})
	}
}

func TestABadArgumentLeavesTheCookieAlone(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), behindProxy)
	s.AddUser("ada")
	c := overHTTPS(t, s)
	c.signIn()
	for _, query := range []string{`mutation { tokenRefresh(refresh: "x") { access } }`, `mutation { tokenRevoke(refresh: "x") }`} {
		a := c.send(query, nil)
		a.Refused(t, tokenNotValid, "MALFORMED", "Token is invalid")
		wantCookie(t, a, "")
	}
	wantCookie(t, c.send(refreshHeld, nil), hostSet)
}

func TestWhichRefusalsClearTheCookie(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), behindProxy)
	s.AddUser("ada")
	for name, row := range map[string]struct {
		spoil        func(t *testing.T, c *client)
		reason, text string
		want         string
	}{
		"expired":         {func(_ *testing.T, _ *client) { s.Clock.Advance(25 * time.Hour) }, "EXPIRED", "Token is expired", hostCleared},
		"no token at all": {func(_ *testing.T, c *client) { c.cookie = hostCookie + "=junk" }, "MALFORMED", "Token is invalid", hostCleared},
		"longer than any token": {func(_ *testing.T, c *client) {
			c.cookie = hostCookie + "=" + strings.Repeat("x", 4097)
		}, "MALFORMED", "Token is invalid", hostCleared},
		"an access token": {func(_ *testing.T, c *client) {
			c.cookie = hostCookie + "=" + s.SignIn("ada").Access
		}, "WRONG_TYPE", "Token has wrong type", hostCleared},
		"used up long ago": {func(_ *testing.T, c *client) {
			first := c.cookie
			c.send(refreshHeld, nil)
			c.cookie = first
			s.Clock.Advance(11 * time.Second)
		}, "REUSED", revokedText, hostCleared},
		// The newest is in the browser by the time the answer is.
		"overtaken just now": {func(_ *testing.T, c *client) {
			first := c.cookie
			c.send(refreshHeld, nil)
			c.send(refreshHeld, nil)
			c.cookie = first
		}, "REVOKED", revokedText, ""},
		"sent twice": {func(_ *testing.T, c *client) {
			c.cookie += "; " + hostCookie + "=" + s.SignIn("ada").Refresh
		}, "MALFORMED", "The refresh cookie was sent more than once.", ""},
		"sent twice, the same": {func(_ *testing.T, c *client) {
			c.cookie += "; " + c.cookie
		}, "MALFORMED", "The refresh cookie was sent more than once.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := overHTTPS(t, s)
			c.signIn()
			row.spoil(t, c)
			a := c.send(refreshHeld, nil)
			a.Refused(t, tokenNotValid, row.reason, row.text)
			wantCookie(t, a, row.want)
		})
	}
}

func TestOfTwoCookiesNeitherSignsOut(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t))
	s.AddUser("ada")
	c := overHTTP(t, s)
	access := c.signIn()
	planted := s.SignIn("ada")
	c.cookie = loopbackCookie + "=" + planted.Refresh + "; " + c.cookie
	a := c.send(revokeHeld, nil)
	a.Refused(t, tokenNotValid, "MALFORMED", "The refresh cookie was sent more than once.")
	wantCookie(t, a, "")
	wantProtected(t, s.Protected("Bearer "+access))
	wantProtected(t, s.Protected("Bearer "+planted.Access))
}

// Without the prefix anybody below the same domain can plant a cookie, so over HTTPS only the prefixed one counts.
func TestOtherCookiesDoNotCount(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), behindProxy)
	s.AddUser("ada")
	refresh := s.SignIn("ada").Refresh
	const required = "This field is required."
	for _, name := range []string{
		loopbackCookie, "refresh", "__host-latchkey-refresh", "__Host-latchkey-refresh2", "$Version=1, " + hostCookie, "\u2000" + hostCookie,
	} {
		c := overHTTPS(t, s)
		c.cookie = name + "=" + refresh
		a := c.send(refreshHeld, nil)
		a.Refused(t, "BAD_USER_INPUT", "", required)
		wantCookie(t, a, "")
	}
	c := overHTTP(t, s)
	c.cookie = hostCookie + "=" + refresh
	c.send(refreshHeld, nil).Refused(t, "BAD_USER_INPUT", "", required)
	c.cookie = ""
	c.send(refreshHeld, nil).Refused(t, "BAD_USER_INPUT", "", required)
	c.cookie = loopbackCookie + "="
	c.send(refreshHeld, nil).Refused(t, "BAD_USER_INPUT", "", required)
	c.send(`mutation { tokenRefresh(refresh: null) { access } }`, nil).Refused(t, "BAD_USER_INPUT", "", required)
	c.send(revokeHeld, nil).Refused(t, unauthentic, "", notProvided)
}

func TestAFaultClearsNothing(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), behindProxy)
	s.AddUser("ada")
	c := overHTTPS(t, s)
	c.signIn()
	if err := s.App.Store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{refreshHeld, revokeHeld} {
		a := c.send(query, nil)
		a.Refused(t, "INTERNAL_SERVER_ERROR", "", "Internal server error.")
		wantCookie(t, a, "")
	}
}

func TestWhatEndsTheSessionTakesTheCookie(t *testing.T) {
	const (
		revokeOne = `mutation($id: ID!) { sessionRevoke(id: $id) }`
		revokeAll = `mutation { sessionsRevokeAll(exceptCurrent: false) }`
		others    = `mutation { sessionsRevokeAll }`
	)
	for name, row := range map[string]struct {
		query  string
		target string // whose session is revoked by id
		bearer string // whose access token is sent
		want   string
	}{
		"the session itself":                              {revokeOne, "cookie", "cookie", hostCleared},
		"the session itself, from another one":            {revokeOne, "cookie", "other", hostCleared},
		"another session":                                 {revokeOne, "other", "cookie", ""},
		"somebody else's session":                         {revokeOne, "stranger", "cookie", ""},
		"all sessions":                                    {revokeAll, "", "cookie", hostCleared},
		"all sessions, from another one":                  {revokeAll, "", "other", hostCleared},
		"all sessions of somebody else":                   {revokeAll, "", "stranger", ""},
		"the other sessions":                              {others, "", "cookie", ""},
		"the other sessions, and the cookie's among them": {others, "", "other", hostCleared},
		"the other sessions of somebody else":             {others, "", "stranger", ""},
		"all sessions, by nobody":                         {revokeAll, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := testkit.Start(t, testdb.SQLite(t), behindProxy)
			s.AddUser("ada")
			s.AddUser("grace")
			c := overHTTPS(t, s)
			access := map[string]string{
				"": "", "cookie": c.signIn(), "other": s.SignIn("ada").Access, "stranger": s.SignIn("grace").Access,
			}
			var variables map[string]any
			if row.target != "" {
				caller, err := s.App.Auth.VerifyAccess(t.Context(), access[row.target])
				if err != nil {
					t.Fatal(err)
				}
				variables = map[string]any{"id": caller.SessionID}
			}
			wantCookie(t, c.bearing(access[row.bearer]).send(row.query, variables), row.want)
			// A foreign page does the same without touching the cookie: to it there is none.
			foreign := c.bearing(access[row.bearer]).with(http.Header{"Origin": {"https://evil.example"}})
			wantCookie(t, foreign.send(row.query, variables), "")
		})
	}
}

func TestPasswordChangeAnswersWhereTheTokenWas(t *testing.T) {
	const change = `mutation($c: String!) { passwordChange(current: $c, new: "another fine horse") { tokens { access refresh } errors { code } } }`
	right := map[string]any{"c": testkit.Password}
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		c := overHTTPS(t, s)
		access := c.signIn()
		first := c.token()
		a := c.bearing(access).send(change, map[string]any{"c": "wrong"})
		wantCookie(t, a, "")
		if !strings.Contains(a.Body, "WRONG_PASSWORD") {
			t.Errorf("got %s", a.Body)
		}
		changed := c.bearing(access)
		a = changed.send(change, right)
		wantCookie(t, a, hostSet)
		if _, refresh := tokensIn(t, a); refresh != "" || strings.Contains(a.Body, changed.token()) || changed.token() == first {
			t.Errorf("got %s", a.Body)
		}
		wantCookie(t, changed.with(http.Header{"Authorization": nil}).send(refreshHeld, nil), hostSet)
	}, behindProxy)

	for name, row := range map[string]struct {
		prepare func(t *testing.T, s *testkit.Server, c *client) // what becomes of the cookie before
		want    string
	}{
		"no cookie came along":          {func(_ *testing.T, _ *testkit.Server, c *client) { c.cookie = "" }, ""},
		"the cookie of another session": {func(_ *testing.T, _ *testkit.Server, c *client) { c.signIn() }, hostCleared}, // it ended, too
		"the cookie of somebody else": {func(_ *testing.T, s *testkit.Server, c *client) {
			c.cookie = hostCookie + "=" + s.SignIn("grace").Refresh
		}, ""},
		"the cookie from a foreign page": {func(_ *testing.T, _ *testkit.Server, c *client) { c.header.Set("Origin", "https://evil.example") }, ""},
		"a cookie that is none":          {func(_ *testing.T, _ *testkit.Server, c *client) { c.cookie = hostCookie + "=junk" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := testkit.Start(t, testdb.SQLite(t), behindProxy)
			s.AddUser("ada")
			s.AddUser("grace")
			c := overHTTPS(t, s)
			access := c.signIn()
			row.prepare(t, s, c)
			a := c.bearing(access).send(change, right)
			wantCookie(t, a, row.want)
			if _, refresh := tokensIn(t, a); refresh == "" {
				t.Errorf("the refresh token is nowhere: %s", a.Body)
			}
		})
	}
}

// The fields of one mutation see the cookie as those before them left it, and the answer sets it once.
func TestOneAnswerSetsOneCookie(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), behindProxy)
	s.AddUser("ada")
	c := overHTTPS(t, s)
	a := c.send(`mutation($p: String!) {
		tokenObtain(username: "ada", password: $p, delivery: COOKIE) { refresh }
		tokenRefresh { refresh }
	}`, map[string]any{"p": testkit.Password})
	wantCookie(t, a, hostSet)
	if len(a.Errors) > 0 || string(a.Data) != `{"tokenObtain":{"refresh":null},"tokenRefresh":{"refresh":null}}` {
		t.Errorf("got %s", a.Body)
	}
	wantCookie(t, c.send(`mutation { tokenRefresh { access } tokenRevoke }`, nil), hostCleared)
}

func TestQueriesAndOtherPathsHaveNothingToDoWithTheCookie(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), allowing(allowedOrigin))
	s.AddUser("ada")
	c := overHTTP(t, s)
	c.signIn()
	for _, path := range []string{
		"/graphql?query={protected}", "/graphql?query=mutation{tokenRefresh{access}}", "/", "/graphiql", "/readyz",
		"/.well-known/jwks.json", "/schema.graphql",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", c.cookie)
		r.Header.Set("Origin", allowedOrigin)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), `"access"`) || strings.Contains(string(body), `"data":{"protected":"`) || len(response.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %v %.200s", path, response.Header, body)
		}
		shared := response.Header.Get("Access-Control-Allow-Origin") != ""
		if want := strings.HasPrefix(path, "/graphql?"); shared != want {
			t.Errorf("%s is shared with an allowed origin: %t, want %t", path, shared, want)
		}
	}
	wantCookie(t, c.send(refreshHeld, nil), loopbackCookie+"=VALUE; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict")
}

func TestPreflight(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), allowing(allowedOrigin, "https://other.example.org"))
	closed := testkit.Start(t, testdb.SQLite(t))
	shared := map[string]string{
		"Access-Control-Allow-Origin": allowedOrigin, "Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "authorization,content-type,x-of-a-client",
		"Access-Control-Max-Age": "7200",
	}
	for name, row := range map[string]struct {
		server  *testkit.Server
		origins []string
		method  string
		status  int
		want    map[string]string
	}{
		"an allowed origin":                    {s, []string{allowedOrigin}, "POST", 204, shared},
		"an allowed origin and another method": {s, []string{allowedOrigin}, "DELETE", 204, nil},
		"a foreign origin":                     {s, []string{"https://evil.example"}, "POST", 204, nil},
		"an allowed origin in capitals":        {s, []string{"https://APP.example.org"}, "POST", 204, nil},
		"no page's origin":                     {s, []string{"null"}, "POST", 204, nil},
		"two origins":                          {s, []string{allowedOrigin, "https://evil.example"}, "POST", 204, nil},
		"any origin where none is allowed":     {closed, []string{allowedOrigin}, "POST", 405, nil},
		"the server's own, which need not ask": {s, []string{s.URL}, "POST", 204, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, row.server.URL+"/graphql", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header["Origin"] = row.origins
			r.Header.Set("Access-Control-Request-Method", row.method)
			r.Header.Set("Access-Control-Request-Headers", "authorization,content-type,x-of-a-client")
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := response.Body.Close(); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for name := range response.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					got[name] = strings.Join(response.Header[name], "|")
				}
			}
			if row.want == nil {
				row.want = map[string]string{}
			}
			if d := cmp.Diff(row.want, got); d != "" || response.StatusCode != row.status {
				t.Errorf("status %d, want %d (-want +got):\n%s", response.StatusCode, row.status, d)
			}
			if row.status == 204 && !strings.Contains(strings.Join(response.Header["Vary"], ","), "Origin") {
				t.Errorf("Vary: %q", response.Header["Vary"])
			}
		})
	}
}

func TestOnlyAllowedOriginsReadAnswers(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), allowing(allowedOrigin))
	for origin, want := range map[string][]string{
		allowedOrigin:               {allowedOrigin, "true", "Retry-After, X-Request-Id"},
		"https://evil.example":      {"", "", ""},
		"http://app.example.org":    {"", "", ""},
		"null":                      {"", "", ""},
		s.URL:                       {"", "", ""},
		"https://x.app.example.org": {"", "", ""},
	} {
		a := s.Query(`{ __typename }`, nil, "Origin", origin)
		got := []string{
			a.Header.Get("Access-Control-Allow-Origin"), a.Header.Get("Access-Control-Allow-Credentials"),
			a.Header.Get("Access-Control-Expose-Headers"),
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", origin, d)
		}
		if vary := strings.Join(a.Header["Vary"], ","); !strings.Contains(vary, "Origin") {
			t.Errorf("%s: Vary is %q", origin, vary)
		}
	}
}

func TestTheCookieIsInNoLogAndNoAnswer(t *testing.T) {
	var log bytes.Buffer
	a, err := app.Open(t.Context(), app.Options{
		Settings: testkit.Settings(t, testdb.SQLite(t)), Hashing: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1},
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close() //nolint:errcheck // the test is over
	s := testkit.Serve(t, a)
	s.AddUser("ada")
	c := overHTTP(t, s)
	c.signIn()
	secrets := []string{c.token(), "a-junk-cookie"}
	var answers strings.Builder
	ask := func(c *client, query string) { answers.WriteString(c.send(query, nil).Body) }
	ask(c, refreshHeld)
	secrets = append(secrets, c.token())
	ask(c.with(http.Header{"Origin": {"https://evil.example"}}), refreshHeld)
	ask(c, `{ broken(`)
	ask(c, revokeHeld)
	for _, junk := range []string{"a-junk-cookie", secrets[0] + "; " + loopbackCookie + "=" + secrets[0]} {
		c.cookie = loopbackCookie + "=" + junk
		ask(c, refreshHeld)
	}
	if !strings.Contains(log.String(), csrfRejected) || !strings.Contains(log.String(), tokenNotValid) {
		t.Fatalf("the log is not what this test is about:\n%s", log.String())
	}
	for _, secret := range secrets {
		if strings.Contains(log.String(), secret) || strings.Contains(answers.String(), secret) {
			t.Errorf("%.40q… is in the log or an answer", secret)
		}
	}
}
