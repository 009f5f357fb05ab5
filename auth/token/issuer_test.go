package token_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // for HS384 and HS512
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"latchkey/auth/keys"
	"latchkey/auth/token"
)

// now is the present of every test here.
var now = time.Unix(1_700_000_000, 0).UTC()

// payload is what a good access token says. It holds for five minutes.
const payload = `{"token_type":"access","exp":1700000300,"iat":1700000000,"jti":"0123456789abcdef0123456789abcdef",` +
	`"user_id":"1","sub":"1","sid":"fedcba9876543210fedcba9876543210","epoch":3,"roles":["editor"]}`

// issuer signs texts as they are, good or bad, with nothing but the standard library.
type issuer struct{ token.Key }

// newIssuer makes a key. RSA keys are shorter than those the server makes, to be had sooner.
func newIssuer(t testing.TB, algorithm string) issuer {
	t.Helper()
	if algorithm == "RS256" {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		return issuer{token.Key{ID: "rsa", Algorithm: algorithm, Private: private, Public: private.Public()}}
	}
	k, err := keys.Generate(algorithm, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{k}
}

// secretIssuer is one whose key is a secret that others share, so that its tokens have no kid.
func secretIssuer(algorithm string, secret []byte) issuer {
	return issuer{token.Key{Algorithm: algorithm, Private: secret, Public: secret}}
}

// lookup knows the issuer's key alone.
func (i issuer) lookup(_ context.Context, kid string) (token.Key, error) {
	if kid != i.ID {
		return token.Key{}, token.ErrUnknownKey
	}
	return i.Key, nil
}

// header returns a good header.
func (i issuer) header() string {
	if i.ID == "" {
		return fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, i.Algorithm)
	}
	return fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"JWT"}`, i.Algorithm, i.ID)
}

// token returns a good token.
func (i issuer) token() string { return i.sign(i.header(), payload) }

// sign returns the token of a header and a payload, each as it is.
func (i issuer) sign(header, payload string) string {
	return i.seal(b64(header) + "." + b64(payload))
}

// seal appends the signature to the first two segments of a token.
func (i issuer) seal(signed string) string {
	return signed + "." + b64(string(i.signature(signed)))
}

// signature signs as the key's algorithm says.
func (i issuer) signature(signed string) []byte {
	digest := sha256.Sum256([]byte(signed))
	switch private := i.Private.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		if err != nil {
			panic(err)
		}
		return rs(r, s)
	case ed25519.PrivateKey:
		return ed25519.Sign(private, []byte(signed))
	case *rsa.PrivateKey:
		signature, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
		if err != nil {
			panic(err)
		}
		return signature
	case []byte:
		hash := map[string]crypto.Hash{"HS256": crypto.SHA256, "HS384": crypto.SHA384, "HS512": crypto.SHA512}[i.Algorithm]
		mac := hmac.New(hash.New, private)
		mac.Write([]byte(signed))
		return mac.Sum(nil)
	}
	panic("no private key")
}

// rs is an ECDSA signature on P-256 as a token has it (RFC 7518 section 3.4).
func rs(r, s *big.Int) []byte {
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signature
}

// order is that of the group of P-256.
func order() *big.Int { return elliptic.P256().Params().N }

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// edit replaces the one place in text where old stands.
func edit(text, old, new string) string {
	if strings.Count(text, old) != 1 {
		panic(fmt.Sprintf("%q is not once in %q", old, text))
	}
	return strings.Replace(text, old, new, 1)
}

// codec returns a codec whose clock stands at now.
func codec(o token.Options) *token.Codec {
	if o.Now == nil {
		o.Now = func() time.Time { return now }
	}
	return token.New(o)
}
