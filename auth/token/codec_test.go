package token_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth/keys"
	"latchkey/auth/token"
)

func TestWhatIsSignedIsParsed(t *testing.T) {
	for _, algorithm := range keys.Algorithms() {
		by := newIssuer(t, algorithm)
		shared := by
		shared.ID = "" // as a secret that others share
		for _, tt := range []struct {
			name   string
			by     issuer
			o      token.Options
			claims func(*token.Claims)
		}{
			{"an access token", by, token.Options{}, func(*token.Claims) {}},
			{"a refresh token", by, token.Options{}, func(c *token.Claims) { c.Kind, c.Roles = token.Refresh, nil }},
			{"no roles", by, token.Options{}, func(c *token.Claims) { c.Roles = nil }},
			{"no kid", shared, token.Options{}, func(*token.Claims) {}},
			{"an issuer and an audience", by, token.Options{Issuer: "https://id.example", Audience: "shop"}, func(*token.Claims) {}},
			{"another claim for the user", by, token.Options{UserIDClaim: "uid"}, func(*token.Claims) {}},
			{"claims that are carried", by, token.Options{Carried: []string{"plan", "x"}}, func(c *token.Claims) {
				c.Carried = map[string]string{"plan": `"gold"`, "x": `{"a":[1,null]}`}
			}},
			{"no session and no user", by, token.Options{}, func(c *token.Claims) { c.SessionID, c.UserID, c.Epoch, c.Roles = "", "", 0, nil }},
			{"letters that JSON and HTML escape", by, token.Options{Issuer: `"<&>\`}, func(c *token.Claims) { c.Roles = []string{"<&>\"\\\u2028", "é😀"} }},
		} {
			t.Run(algorithm+"/"+tt.name, func(t *testing.T) {
				want := said()
				tt.claims(&want)
				c := codec(tt.o)
				raw, err := c.Sign(want, tt.by.Key)
				if err != nil {
					t.Fatal(err)
				}
				got, err := c.Parse(t.Context(), raw, tt.by.lookup)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error("claims (-signed +parsed):\n", diff)
				}
			})
		}
	}
}

func TestSignWritesWhatIsPublished(t *testing.T) {
	hs := secretIssuer("HS256", []byte("a shared secret of 32 bytes or so"))
	es := newIssuer(t, "ES256")
	refresh := said()
	refresh.Kind, refresh.Epoch = token.Refresh, 0
	plain := said()
	plain.Roles = nil
	plain.IssuedAt = plain.IssuedAt.Add(999 * time.Millisecond)
	const common = `"exp":1700000300,"iat":1700000000,"jti":"0123456789abcdef0123456789abcdef","sub":"1","sid":"fedcba9876543210fedcba9876543210"`
	for _, tt := range []struct {
		name            string
		by              issuer
		o               token.Options
		claims          token.Claims
		header, payload string
	}{
		{
			"an access token", es,
			token.Options{},
			said(),
			`{"alg":"ES256","kid":"` + es.ID + `","typ":"JWT"}`, `{"token_type":"access","user_id":"1","epoch":3,"roles":["editor"],` + common + `}`,
		},
		{
			"a refresh token carries no roles", hs,
			token.Options{},
			refresh,
			`{"alg":"HS256","typ":"JWT"}`, `{"token_type":"refresh","user_id":"1","epoch":0,` + common + `}`,
		},
		{
			"no roles are an empty array, and times are cut to the second", hs,
			token.Options{},
			plain,
			`{"alg":"HS256","typ":"JWT"}`, `{"token_type":"access","user_id":"1","epoch":3,"roles":[],` + common + `}`,
		},
		{
			"issuer, audience and another claim for the user", hs,
			token.Options{Issuer: "i", Audience: "a", UserIDClaim: "uid"},
			said(),
			`{"alg":"HS256","typ":"JWT"}`, `{"token_type":"access","uid":"1","epoch":3,"roles":["editor"],"iss":"i","aud":"a",` + common + `}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := codec(tt.o).Sign(tt.claims, tt.by.Key)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []string{tt.header, tt.payload} {
				if diff := cmp.Diff(members(t, want), members(t, string(must(base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[i]))))); diff != "" {
					t.Errorf("segment %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

func TestSignRefusesAKeyThatCannotSign(t *testing.T) {
	es, rs := newIssuer(t, "ES256"), newIssuer(t, "RS256")
	secret := []byte("a shared secret of 32 bytes or so")
	many := said()
	for range 2000 {
		many.Roles = append(many.Roles, "a role")
	}
	for _, tt := range []struct {
		name   string
		claims token.Claims
		key    token.Key
		want   string
	}{
		{"no private half", said(), token.Key{Algorithm: "ES256", Public: es.Public}, "no private half"},
		{"no key at all", said(), token.Key{}, `unknown algorithm ""`},
		{"none", said(), token.Key{Algorithm: "none", Private: secret, Public: secret}, `unknown algorithm "none"`},
		{"an algorithm that is not ours", said(), token.Key{Algorithm: "PS256", Private: rs.Private, Public: rs.Public}, `unknown algorithm "PS256"`},
		{"a key of another kind", said(), token.Key{Algorithm: "ES256", Private: rs.Private, Public: rs.Public}, "invalid type"},
		{"a short secret", said(), token.Key{Algorithm: "HS256", Private: secret[:31]}, "31 bytes"},
		{"an empty secret", said(), token.Key{Algorithm: "HS512", Private: []byte{}, Public: []byte{}}, "0 bytes"},
		{"so many roles that no server would take the token", many, es.Key, "too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := codec(token.Options{}).Sign(tt.claims, tt.key)
			if raw != "" || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, error %v; want an error with %q", raw, err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), string(secret[:31])) {
				t.Error("the error shows the secret:", err)
			}
		})
	}
}

func TestLeewayCountsToTheSecond(t *testing.T) {
	by := secretIssuer("HS256", []byte("a shared secret of 32 bytes or so"))
	exp := func(seconds int) string { return claim(by, `1700000300`, fmt.Sprint(1700000000+seconds)) }
	iat := func(seconds int) string {
		return claim(by, `"iat":1700000000`, fmt.Sprint(`"iat":`, 1700000000+seconds))
	}
	nbf := func(seconds int) string { return claim(by, `"iat"`, fmt.Sprintf(`"nbf":%d,"iat"`, 1700000000+seconds)) }
	future := func(name string) refusal { return invalid(name + " is in the future") }
	var good refusal
	for _, tt := range []struct {
		name   string
		raw    string
		at     time.Duration // after now
		leeway time.Duration
		want   refusal
	}{
		{"a nanosecond before exp", exp(1), time.Second - 1, 0, good},
		{"at exp", exp(0), 0, 0, expired},
		{"half a second after exp", exp(0), time.Second / 2, 0, expired},
		{"before exp and its leeway", exp(-10), -1, 10 * time.Second, good},
		{"at exp and its leeway", exp(-10), 0, 10 * time.Second, expired},
		{"within a leeway of half a second", exp(0), time.Second/2 - 1, time.Second / 2, good},
		{"at the end of a leeway of half a second", exp(0), time.Second / 2, time.Second / 2, expired},
		{"at iat", iat(0), 0, 0, good},
		{"a nanosecond before iat", iat(0), -1, 0, future("iat")},
		{"before iat by its leeway", iat(10), 0, 10 * time.Second, good},
		{"before iat by more than its leeway", iat(10), -1, 10 * time.Second, future("iat")},
		{"at nbf", nbf(0), 0, 0, good},
		{"a nanosecond before nbf", nbf(1), time.Second - 1, 0, future("nbf")},
		{"before nbf by its leeway", nbf(10), 0, 10 * time.Second, good},
		{"before nbf by more than its leeway", nbf(11), time.Second - 1, 10 * time.Second, future("nbf")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := codec(token.Options{Leeway: tt.leeway, Now: func() time.Time { return now.Add(tt.at) }})
			claims, err := c.Parse(t.Context(), tt.raw, by.lookup)
			if tt.want == good {
				if err != nil {
					t.Fatal(err)
				}
				if c.Expired(claims) {
					t.Error("what was just parsed counts as expired")
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if got := refusalOf(t, err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestExpiredFollowsTheClock(t *testing.T) {
	at := now
	c := token.New(token.Options{Leeway: time.Second, Now: func() time.Time { return at }})
	claims := token.Claims{ExpiresAt: now.Add(time.Minute)}
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {time.Minute, false}, {time.Minute + time.Second - 1, false}, {time.Minute + time.Second, true}, {time.Hour, true}} {
		at = now.Add(tt.after)
		if got := c.Expired(claims); got != tt.want {
			t.Errorf("after %v: got %v, want %v", tt.after, got, tt.want)
		}
	}
}

func TestParseKindRefusesTheOtherKind(t *testing.T) {
	by := newIssuer(t, "EdDSA")
	access := by.token()
	refresh := claim(by, `"access"`, `"refresh"`)
	namesNobody := by.sign(by.header(), edit(edit(payload, `"access"`, `"refresh"`), `"user_id":"1",`, ``))
	c := codec(token.Options{})
	for _, tt := range []struct {
		name string
		raw  string
		want token.Kind
		good bool
	}{
		{"access for access", access, token.Access, true},
		{"refresh for refresh", refresh, token.Refresh, true},
		{"refresh for access", refresh, token.Access, false},
		{"access for refresh", access, token.Refresh, false},
		{"refresh for access, with more that is wrong", namesNobody, token.Access, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			claims, err := c.ParseKind(t.Context(), tt.raw, by.lookup, tt.want)
			if tt.good {
				if err != nil || claims.Kind != tt.want {
					t.Errorf("got kind %q, error %v", claims.Kind, err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if got := refusalOf(t, err); got != wrongType {
				t.Errorf("got %v, want %v", got, wrongType)
			}
		})
	}
}

func TestFaultsAreNotTheTokens(t *testing.T) {
	es, ed, rs := newIssuer(t, "ES256"), newIssuer(t, "EdDSA"), newIssuer(t, "RS256")
	hs := secretIssuer("HS256", []byte("a shared secret of 32 bytes or so"))
	down := errors.New("the database is down")
	returns := func(k token.Key, err error) token.Lookup {
		return func(context.Context, string) (token.Key, error) { return k, err }
	}
	for _, tt := range []struct {
		name   string
		by     issuer
		lookup token.Lookup
		is     error // what the error wraps; nil: nothing in particular
	}{
		{"the look-up fails", es, returns(token.Key{}, down), down},
		{"the look-up fails and returns a good key all the same", es, returns(es.Key, down), down},
		{"the caller has gone", es, returns(token.Key{}, context.Canceled), context.Canceled},
		{"no key and no error", es, returns(token.Key{}, nil), nil},
		{"a key of no algorithm that is ours", es, returns(token.Key{Algorithm: "none"}, nil), nil},
		{"ES256 without a public half", es, returns(token.Key{Algorithm: "ES256"}, nil), nil},
		{"ES256 with a private key for the public one", es, returns(token.Key{Algorithm: "ES256", Public: es.Private}, nil), nil},
		{"ES256 with an RSA key", es, returns(token.Key{Algorithm: "ES256", Public: rs.Public}, nil), nil},
		{"ES256 with a secret", es, returns(token.Key{Algorithm: "ES256", Public: hs.Public}, nil), nil},
		{"EdDSA with an ECDSA key", ed, returns(token.Key{Algorithm: "EdDSA", Public: es.Public}, nil), nil},
		{"EdDSA with half a key", ed, returns(token.Key{Algorithm: "EdDSA", Public: ed.Public.(ed25519.PublicKey)[:16]}, nil), nil},
		{"RS256 with an ECDSA key", rs, returns(token.Key{Algorithm: "RS256", Public: es.Public}, nil), nil},
		{"HS256 with a public key", hs, returns(token.Key{Algorithm: "HS256", Public: es.Public}, nil), nil},
		{"HS256 with a string", hs, returns(token.Key{Algorithm: "HS256", Public: "a shared secret of 32 bytes or so"}, nil), nil},
		{"HS256 with a secret of 31 bytes", hs, returns(token.Key{Algorithm: "HS256", Public: hs.Public.([]byte)[:31]}, nil), nil},
		{"HS256 with an empty secret", secretIssuer("HS256", nil), returns(token.Key{Algorithm: "HS256", Public: []byte{}}, nil), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			claims, err := codec(token.Options{}).Parse(t.Context(), tt.by.token(), tt.lookup)
			if err == nil {
				t.Fatalf("accepted, as %+v", claims)
			}
			if e, ok := errors.AsType[*token.Error](err); ok {
				t.Errorf("the token is blamed: %v", e)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, which does not wrap %v", err, tt.is)
			}
		})
	}
}

func TestLookupIsAskedOnceAndForTheKidAlone(t *testing.T) {
	es := newIssuer(t, "ES256")
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "the caller's")
	for _, tt := range []struct {
		name string
		raw  string
		want []string
	}{
		{"a good token", es.token(), []string{es.ID}},
		{"a token without a kid", es.sign(`{"alg":"ES256"}`, payload), []string{""}},
		{"a kid by escapes", es.sign(`{"alg":"ES256","kid":"\u006b\u0000d"}`, payload), nil},
		{"a header that is refused", es.sign(`{"alg":"ES256","kid":"k","crit":["x"]}`, payload), nil},
		{"no token", "x.y.z", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked []string
			_, err := codec(token.Options{}).Parse(ctx, tt.raw, func(ctx context.Context, kid string) (token.Key, error) {
				if ctx.Value(key{}) != "the caller's" {
					t.Error("the look-up has another context")
				}
				asked = append(asked, kid)
				return token.Key{}, fmt.Errorf("in the ring: %w", token.ErrUnknownKey)
			})
			if diff := cmp.Diff(tt.want, asked); diff != "" {
				t.Error("kids asked for (-want +got):\n", diff)
			}
			if e, ok := errors.AsType[*token.Error](err); !ok || e.Message != "Token is invalid" {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func TestNoErrorShowsTheToken(t *testing.T) {
	es := newIssuer(t, "ES256")
	for _, raw := range []string{
		newIssuer(t, "ES256").token(),
		resigned(es, []byte("x")),
		es.sign(edit(es.header(), es.ID, "canary"), payload),
		claim(es, `"access"`, `"canary"`),
		claim(es, `"user_id":"1"`, `"user_id":["canary"]`),
	} {
		_, err := codec(token.Options{}).Parse(t.Context(), raw, es.lookup)
		if err == nil {
			t.Fatal("accepted")
		}
		for _, part := range append(strings.Split(raw, "."), "canary") {
			if strings.Contains(err.Error(), part) {
				t.Errorf("error %q shows %q", err, part)
			}
		}
	}
}

func members(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// Those who do not care of which kind a token is take a foreign one of any kind, and of ours the two kinds there are.
func TestParseAny(t *testing.T) {
	by := secretIssuer("HS256", []byte("a shared secret of 32 bytes or so"))
	parse := func(payload string) (token.Claims, error) {
		return codec(token.Options{}).ParseAny(t.Context(), by.sign(`{"alg":"HS256","typ":"JWT"}`, payload), by.lookup)
	}
	for kind, member := range map[token.Kind]string{"sliding": `"token_type":"sliding",`, "access": `"token_type":"access",`, "": ``} {
		claims, err := parse(`{` + member + `"exp":1700000300,"jti":"j","user_id":1}`)
		if err != nil || claims.Kind != kind || claims.UserID != "1" {
			t.Errorf("kind %q: %+v, %v", kind, claims, err)
		}
	}
	for name, payload := range map[string]string{
		"of ours, of another kind": `{"token_type":"sliding","exp":1700000300,"iat":1700000000,"jti":"j","user_id":1,"sid":"s"}`,
		"of ours, of no kind":      `{"exp":1700000300,"iat":1700000000,"jti":"j","user_id":1,"sid":"s"}`,
		"without jti":              `{"exp":1700000300}`,
		"without exp":              `{"jti":"j"}`,
		"expired":                  `{"exp":1700000000,"jti":"j"}`,
	} {
		if _, err := parse(payload); err == nil {
			t.Errorf("accepted: %s", name)
		}
	}
}
