package token_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth/token"
)

// said is what the payload of these tests says.
func said() token.Claims {
	return token.Claims{
		Kind:      token.Access,
		ID:        "0123456789abcdef0123456789abcdef",
		UserID:    "1",
		SessionID: "fedcba9876543210fedcba9876543210",
		Epoch:     3,
		Roles:     []string{"editor"},
		IssuedAt:  now,
		ExpiresAt: now.Add(5 * time.Minute),
	}
}

func TestOddButGoodTokensAreAccepted(t *testing.T) {
	es, rs := newIssuer(t, "ES256"), newIssuer(t, "RS256")
	hs := secretIssuer("HS256", []byte("a shared secret of 32 bytes or so"))
	foreign := token.Claims{Kind: token.Access, ID: "0123456789abcdef0123456789abcdef", UserID: "1", IssuedAt: now, ExpiresAt: now.Add(5 * time.Minute)}
	refresh := foreign
	refresh.Kind = token.Refresh
	simplejwt := func(kind, user string) string {
		return hs.sign(`{"alg":"HS256","typ":"JWT"}`, `{"token_type":"`+kind+`","exp":1700000300,"iat":1700000000,`+
			`"jti":"0123456789abcdef0123456789abcdef","user_id":`+user+`}`)
	}
	const hsHeader = `{"alg":"HS256","typ":"JWT"}`
	bare := func(kind token.Kind, issued time.Time) token.Claims {
		return token.Claims{Kind: kind, ID: "j", IssuedAt: issued, ExpiresAt: now.Add(5 * time.Minute)}
	}
	nobody := func(c token.Claims) token.Claims {
		c.UserID = "0"
		return c
	}
	header := func(old, new string) string { return es.sign(edit(es.header(), old, new), payload) }
	body := func(old, new string) string { return claim(es, old, new) }
	but := func(change func(*token.Claims)) token.Claims {
		c := said()
		change(&c)
		return c
	}
	until := func(s int64) token.Claims {
		return but(func(c *token.Claims) { c.ExpiresAt = time.Unix(s, 0).UTC() })
	}
	for _, tt := range []struct {
		name string
		by   issuer
		o    token.Options
		raw  string
		want token.Claims
	}{
		{"simplejwt's access token, its user a number", hs, token.Options{}, simplejwt("access", `1`), foreign},
		{"simplejwt's access token, its user a string", hs, token.Options{}, simplejwt("access", `"1"`), foreign},
		{"simplejwt's refresh token", hs, token.Options{}, simplejwt("refresh", `1`), refresh},
		{"a foreign token without a user", hs, token.Options{}, hs.sign(hsHeader, `{"token_type":"access","exp":1700000300,"iat":1700000000,"jti":"j"}`), bare(token.Access, now)},
		{"a foreign token whose user is null", hs, token.Options{}, hs.sign(hsHeader, `{"token_type":"refresh","exp":1700000300,"iat":1700000000,"jti":"j","user_id":null}`), nobody(bare(token.Refresh, now))},
		{"a foreign token whose user is zero", hs, token.Options{}, hs.sign(hsHeader, `{"token_type":"refresh","exp":1700000300,"iat":1700000000,"jti":"j","user_id":0}`), nobody(bare(token.Refresh, now))},
		{"a foreign token without iat", hs, token.Options{}, hs.sign(hsHeader, `{"token_type":"refresh","exp":1700000300,"jti":"j"}`), bare(token.Refresh, time.Time{})},
		{"a foreign token with roles and an epoch of its own", hs, token.Options{}, hs.sign(hsHeader, `{"token_type":"access","exp":1700000300,"iat":1700000000,"jti":"j","roles":"admin","epoch":"x"}`), bare(token.Access, now)},
		{"claims that are carried", es, token.Options{Carried: []string{"plan", "x", "none"}}, body(`"epoch"`, `"plan":"gold","x": {"a" : [1]},"epoch"`), but(func(c *token.Claims) { c.Carried = map[string]string{"plan": `"gold"`, "x": `{"a" : [1]}`} })},
		{"no typ", es, token.Options{}, header(`,"typ":"JWT"`, ``), said()},
		{"typ in lower case", es, token.Options{}, header(`"JWT"`, `"jwt"`), said()},
		{"typ of an access token", es, token.Options{}, header(`"JWT"`, `"at+jwt"`), said()},
		{"unknown members in the header", es, token.Options{}, header(`"JWT"`, `"JWT","cty":"JWT","ALG":"none","x":{"y":[1,"z"]}`), said()},
		{"places of keys in the header", es, token.Options{}, header(`"JWT"`, `"JWT","jku":"https://forger.example/jwks.json","x5t":"x"`), said()},
		{"a header's name and value by escapes", es, token.Options{}, header(`"alg":"ES256"`, `"\u0061lg":"\u0045S256"`), said()},
		{"a header with white space", es, token.Options{}, header(`,"typ":"JWT"}`, " ,\r\n\t\"typ\" : \"JWT\" } \n"), said()},
		{"a payload with white space", es, token.Options{}, body(`"epoch":3`, "\n\t\"epoch\" :\r\n 3 "), said()},
		{"claims' names by escapes", es, token.Options{}, es.sign(es.header(), edit(edit(payload, `"exp"`, `"e\u0078p"`), `token_type`, `token_\u0074ype`)), said()},
		{"claims' values by escapes", es, token.Options{}, es.sign(es.header(), edit(edit(payload, `"access"`, `"acc\u0065ss"`), `"editor"`, `"edit\u006fr"`)), said()},
		{"unknown claims", es, token.Options{}, body(`"epoch"`, `"email":"a@b.example","x":[{"exp":1},null,"]}\"\\"],"":{},"epoch"`), said()},
		{"names that only look like ours", es, token.Options{}, body(`"epoch"`, "\"EXP\":1,\"u\u017fer_id\":\"2\",\"to\u212aen_type\":\"refresh\",\"epoch\""), said()},
		{"arrays a hundred deep", es, token.Options{}, body(`"epoch"`, `"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`,"epoch"`), said()},
		{"exp with a fraction", es, token.Options{}, body(`1700000300`, `1700000300.75`), said()},
		{"exp with an exponent", es, token.Options{}, body(`1700000300`, `17000003e2`), said()},
		{"exp a second away", es, token.Options{}, body(`1700000300`, `1700000001`), until(1700000001)},
		{"exp at the end of the year 9999", es, token.Options{}, body(`1700000300`, `253402300799`), until(253402300799)},
		{"iat now and a fraction", es, token.Options{}, body(`"iat":1700000000`, `"iat":1700000000.9`), said()},
		{"nbf now", es, token.Options{}, body(`"epoch"`, `"nbf":1700000000,"epoch"`), said()},
		{"an issuer and an audience nobody asks for", es, token.Options{}, body(`"epoch"`, `"iss":["x"],"aud":7,"epoch"`), said()},
		{"our issuer by escapes", es, token.Options{Issuer: "https://id.example"}, body(`"epoch"`, `"iss":"https:\/\/id.example","epoch"`), said()},
		{"our audience", es, token.Options{Audience: "shop"}, body(`"epoch"`, `"aud":"shop","epoch"`), said()},
		{"our audience among others", es, token.Options{Audience: "shop"}, body(`"epoch"`, `"aud":["bank", "shop"],"epoch"`), said()},
		{"another claim for the user", es, token.Options{UserIDClaim: "uid"}, body(`"user_id":"1"`, `"user_id":"2","uid":"1"`), said()},
		{"sub for the user", es, token.Options{UserIDClaim: "sub"}, body(`"user_id":"1",`, ``), said()},
		{"a user that is no number", es, token.Options{}, body(`"user_id":"1"`, `"user_id":"Zoë-😀"`), but(func(c *token.Claims) { c.UserID = "Zoë-😀" })},
		{"a user beyond 32 bits", es, token.Options{}, body(`"user_id":"1"`, `"user_id":9223372036854775807`), but(func(c *token.Claims) { c.UserID = "9223372036854775807" })},
		{"a jti of a surrogate pair", es, token.Options{}, body(`"0123456789abcdef0123456789abcdef"`, `"\ud83d\ude00"`), but(func(c *token.Claims) { c.ID = "😀" })},
		{"a sid at the length", es, token.Options{}, body(`"fedcba9876543210fedcba9876543210"`, `"`+strings.Repeat("s", 255)+`"`), but(func(c *token.Claims) { c.SessionID = strings.Repeat("s", 255) })},
		{"no roles", es, token.Options{}, body(`["editor"]`, `[ ]`), but(func(c *token.Claims) { c.Roles = nil })},
		{"several roles", es, token.Options{}, body(`["editor"]`, `["a,b" ,"c]", "\"d"]`), but(func(c *token.Claims) { c.Roles = []string{"a,b", "c]", `"d`} })},
		// Whoever has one ECDSA signature can write the other; a token is therefore known by its jti, not by its text.
		{"the other ECDSA signature of the same token", es, token.Options{}, mirrored(es.token()), said()},
		{"a signature of PKCS #1 made by hand", rs, token.Options{}, byHand(rs), said()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := codec(tt.o).Parse(t.Context(), tt.raw, tt.by.lookup)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error("claims (-want +got):\n", diff)
			}
		})
	}
}

// mirrored replaces s of an ES256 signature with n-s.
func mirrored(raw string) string {
	signed, encoded := cutSignature(raw)
	signature := must(base64.RawURLEncoding.DecodeString(encoded))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	return signed + "." + b64(string(rs(r, s.Sub(order(), s))))
}

// byHand signs as the forgeries of RS256 are made, but well.
func byHand(rs issuer) string {
	signed, _ := cutSignature(rs.token())
	info := unhex("3031300d060960864801650304020105000420")
	filling := bytes.Repeat([]byte{0xff}, 256-3-len(info)-32)
	block := bytes.Join([][]byte{{0, 1}, filling, {0}, info, digestOf(signed)}, nil)
	return resigned(rs, power(rs.Private.(*rsa.PrivateKey), block))
}
