package app_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/config"
	"latchkey/internal/testkit"
)

// The claims of the tokens that are made, as clients and other services of a Django project rely on them.
func TestSimpleJWTClaimsAsWritten(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		id := s.AddUser("ada")
		s.Clock.Advance(700 * time.Millisecond)
		pair := signInREST(t, s, "ada")
		now := fmt.Sprint(s.Clock.Now().Unix())
		s.Clock.Advance(time.Minute)
		next := mustRefresh(t, s, pair.Refresh)
		later := fmt.Sprint(s.Clock.Now().Unix())

		headers := map[string]bool{}
		for _, raw := range []string{pair.Access, pair.Refresh, next.Access, next.Refresh} {
			header, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[0])
			if err != nil {
				t.Fatal(err)
			}
			headers[string(header)] = true
		}
		if len(headers) != 1 || !headers[`{"alg":"HS256","typ":"JWT"}`] {
			t.Errorf("the headers are %v, without a kid it would be one", headers)
		}
		text := func(raw, name string) string { return fmt.Sprint(claimsOf(t, raw)[name]) }
		for name, c := range map[string]struct{ raw, kind, iat, lifetime string }{
			"access":              {pair.Access, "access", now, "300"},
			"refresh":             {pair.Refresh, "refresh", now, "86400"},
			"access, refreshed":   {next.Access, "access", later, "300"},
			"refresh, the second": {next.Refresh, "refresh", later, "86400"},
		} {
			if got := text(c.raw, "token_type"); got != c.kind {
				t.Errorf("%s: token_type is %s", name, got)
			}
			if got := text(c.raw, "iat"); got != c.iat {
				t.Errorf("%s: iat is %s, want %s, the instant of making", name, got, c.iat)
			}
			exp, err := claimsOf(t, c.raw)["exp"].(json.Number).Int64()
			iat, err2 := claimsOf(t, c.raw)["iat"].(json.Number).Int64()
			if err != nil || err2 != nil || fmt.Sprint(exp-iat) != c.lifetime {
				t.Errorf("%s: it lasts from %d to %d: %v, %v", name, iat, exp, err, err2)
			}
			if jti := text(c.raw, "jti"); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(jti) {
				t.Errorf("%s: jti is %s", name, jti)
			}
			if got, isText := claimsOf(t, c.raw)["user_id"].(string); !isText || got != id {
				t.Errorf("%s: user_id is %v", name, claimsOf(t, c.raw)["user_id"])
			}
			for _, absent := range []string{"aud", "iss", "nbf"} {
				if got, ok := claimsOf(t, c.raw)[absent]; ok {
					t.Errorf("%s: %s is %v", name, absent, got)
				}
			}
		}
		jtis := map[string]bool{}
		for _, raw := range []string{pair.Access, pair.Refresh, next.Access, next.Refresh} {
			jtis[text(raw, "jti")] = true
		}
		if len(jtis) != 4 {
			t.Errorf("four tokens have %d names", len(jtis))
		}
	}, sharing)
}

func TestSimpleJWTClaimsOfIssuerAndAudience(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		pair := signInREST(t, s, "ada")
		for _, raw := range []string{pair.Access, pair.Refresh} {
			if c := claimsOf(t, raw); c["iss"] != "https://id.example" || c["aud"] != "shop" {
				t.Errorf("iss is %v, aud is %v", c["iss"], c["aud"])
			}
		}
	}, sharing, func(c *config.Settings) { c.Issuer, c.Audience = "https://id.example", "shop" })
}

// How a token is read: each case is one that simplejwt accepts or refuses, but for those that say so.
func TestSimpleJWTClaimsAsRead(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		id := s.AddUser("ada")
		now := s.Clock.Now().Unix()
		const header = `{"alg":"HS256","typ":"JWT"}`
		with := func(member string) string {
			return fmt.Sprintf(`{"token_type":"access","exp":%d,"iat":%d,"jti":"j","user_id":%q%s}`, now+60, now, id, member)
		}
		token := func(header, payload string) string { return signedText(sharedSecret, header, payload) }
		parts := strings.Split(token(header, with("")), ".")
		padded := func(part string) string { return part + strings.Repeat("=", -len(part)&3) }
		for _, c := range []struct {
			name, token string
			accepted    bool
		}{
			{"as simplejwt writes it", token(header, with("")), true},
			{"no typ", token(`{"alg":"HS256"}`, with("")), true},
			{"typ at+jwt", token(`{"alg":"HS256","typ":"at+jwt"}`, with("")), true},
			{"kid that is no string", token(`{"alg":"HS256","kid":1}`, with("")), false},
			{"crit with an unknown name", token(`{"alg":"HS256","crit":["x"],"x":1}`, with("")), false},
			{"b64 false", token(`{"alg":"HS256","b64":false,"crit":["b64"]}`, with("")), false},
			{"alg in another case", token(`{"alg":"hs256"}`, with("")), false},
			{"a header that is no object", token(`[]`, with("")), false},
			{"a payload that is no object", token(header, `[]`), false},
			{"two segments", parts[0] + "." + parts[1], false},
			{"four segments", token(header, with("")) + ".", false},
			{"padding, which simplejwt accepts", padded(parts[0]) + "." + padded(parts[1]) + "." + padded(parts[2]), false},
			{"aud though none is configured", token(header, with(`,"aud":"other"`)), true},
			{"iss though none is configured", token(header, with(`,"iss":"other"`)), true},
			{"sub a string", token(header, with(`,"sub":"anybody"`)), true},
			{"sub a number", token(header, with(`,"sub":1`)), false},
			{"nbf now", token(header, with(fmt.Sprintf(`,"nbf":%d`, now))), true},
			{"nbf in the future", token(header, with(fmt.Sprintf(`,"nbf":%d`, now+1))), false},
			{"custom claims", token(header, with(`,"roles":"admin","x":{"y":[1]}`)), true},
			{"exp with a fraction", token(header, strings.Replace(with(""), fmt.Sprint(now+60), fmt.Sprint(now+60)+".9", 1)), true},
			{"exp this second and a fraction", token(header, strings.Replace(with(""), fmt.Sprint(now+60), fmt.Sprint(now)+".9", 1)), false},
			{"no iat", token(header, strings.Replace(with(""), fmt.Sprintf(`"iat":%d,`, now), "", 1)), true},
			{"iat a second ahead", token(header, strings.Replace(with(""), fmt.Sprintf(`"iat":%d`, now), fmt.Sprintf(`"iat":%d`, now+1), 1)), false},
		} {
			t.Run(c.name, func(t *testing.T) {
				a := callRest(t, s, http.MethodGet, protectedPath, "", "Authorization", "Bearer "+c.token)
				if want := map[bool]int{true: 200, false: 401}[c.accepted]; a.status != want {
					t.Errorf("got %d %s, want %d", a.status, a.body, want)
				}
			})
		}
	}, sharing)
}
