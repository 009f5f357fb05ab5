package token_test

import (
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"latchkey/auth/keys"
	"latchkey/auth/token"
)

// go-jose is another implementation of the same standards, which shares no code with what signs and verifies here.

func TestOthersVerifyWhatIsSignedHere(t *testing.T) {
	for _, algorithm := range keys.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			by := newIssuer(t, algorithm)
			ring, err := keys.NewRing(by.Key, newIssuer(t, "EdDSA").Key)
			if err != nil {
				t.Fatal(err)
			}
			o := token.Options{Issuer: "https://id.example", Audience: "shop"}
			raw, err := codec(o).Sign(said(), ring.Signing())
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
			if err != nil {
				t.Fatal(err)
			}
			var key any = by.Public
			if !keys.Symmetric(algorithm) {
				key = published(t, ring)
			}
			var standard jwt.Claims
			var own map[string]any
			if err := parsed.Claims(key, &standard, &own); err != nil {
				t.Fatal(err)
			}
			expected := jwt.Expected{Issuer: "https://id.example", AnyAudience: jwt.Audience{"shop"}, Subject: "1", ID: said().ID, Time: now}
			if err := standard.ValidateWithLeeway(expected, 0); err != nil {
				t.Error(err)
			}
			want := map[string]any{"token_type": "access", "user_id": "1", "sid": said().SessionID, "epoch": 3.0, "roles": []any{"editor"}}
			for _, name := range []string{"exp", "iat", "jti", "sub", "iss", "aud"} {
				delete(own, name)
			}
			if diff := cmp.Diff(want, own); diff != "" {
				t.Error("claims (-want +got):\n", diff)
			}
		})
	}
}

func TestWhatOthersSignIsParsedHere(t *testing.T) {
	for _, algorithm := range keys.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			by := newIssuer(t, algorithm)
			ring, err := keys.NewRing(by.Key)
			if err != nil {
				t.Fatal(err)
			}
			signer, err := jose.NewSigner(
				jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: by.Private},
				(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", by.ID))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := jwt.Signed(signer).Claims(members(t, payload)).Serialize()
			if err != nil {
				t.Fatal(err)
			}
			got, err := codec(token.Options{}).Parse(t.Context(), raw, ring.Lookup)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(said(), got); diff != "" {
				t.Error("claims (-want +got):\n", diff)
			}
		})
	}
}

// published returns the key set as others read it.
func published(t *testing.T, ring *keys.Ring) jose.JSONWebKeySet {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(ring.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	return set
}
