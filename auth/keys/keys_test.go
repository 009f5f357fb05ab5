package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"latchkey/auth/keys"
	"latchkey/auth/token"
)

var now = time.Unix(1_700_000_000, 0).UTC()

// secret is what the tests share with nobody.
var secret = []byte("a made-up secret of thirty-two bytes or more")

// rsaKey is made once, since that takes long.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

// generate makes a key; RSA keys are shorter than keys.Generate's, and shared by all tests.
func generate(t testing.TB, algorithm string) token.Key {
	t.Helper()
	k, err := keys.Generate(algorithm, rand.Reader)
	if algorithm == "RS256" {
		k, err = keys.FromPEM(algorithm, encodePEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey())))
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestGenerateMakesKeysThatSign(t *testing.T) {
	for _, algorithm := range keys.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			k, err := keys.Generate(algorithm, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			other, err := keys.Generate(algorithm, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if k.ID == "" || k.ID == other.ID {
				t.Errorf("got kids %q and %q, want two", k.ID, other.ID)
			}
			if k.Algorithm != algorithm {
				t.Errorf("got algorithm %q", k.Algorithm)
			}
			if err := signs(t, k, k); err != nil {
				t.Error(err)
			}
			other.ID = k.ID
			if err := signs(t, k, other); err == nil {
				t.Error("another key verifies what this one signed")
			}
			switch private := k.Private.(type) {
			case *rsa.PrivateKey:
				if got := private.N.BitLen(); got != 3072 {
					t.Errorf("got %d bits", got)
				}
			case []byte:
				if len(private) != 64 || bytes.Equal(private, other.Private.([]byte)) {
					t.Errorf("got a secret of %d bytes, or the same twice", len(private))
				}
			}
		})
	}
}

func TestGenerateRefusesWhatIsNotConfigurable(t *testing.T) {
	for _, algorithm := range []string{"", "none", "es256", "ES384", "PS256", "HS1", "Ed25519"} {
		if k, err := keys.Generate(algorithm, rand.Reader); err == nil {
			t.Errorf("%q: got a key %q", algorithm, k.ID)
		}
		if keys.Symmetric(algorithm) {
			t.Errorf("%q counts as one with a shared secret", algorithm)
		}
	}
}

func TestGenerateFailsWithItsSourceOfRandomness(t *testing.T) {
	broken := errors.New("no entropy")
	for _, algorithm := range []string{"EdDSA", "HS256"} { // the others do not ask it
		if _, err := keys.Generate(algorithm, iotest.ErrReader(broken)); !errors.Is(err, broken) {
			t.Errorf("%s: got error %v", algorithm, err)
		}
	}
}

// signs reports whether what k signs is verified with the other key.
func signs(t *testing.T, k, other token.Key) error {
	t.Helper()
	ring, err := keys.NewRing(other)
	if err != nil {
		t.Fatal(err)
	}
	c := token.New(token.Options{Now: func() time.Time { return now }})
	raw, err := c.Sign(token.Claims{Kind: token.Access, ID: "1", UserID: "1", IssuedAt: now, ExpiresAt: now.Add(time.Minute)}, k)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Parse(t.Context(), raw, ring.Lookup)
	return err
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func pkcs8(private crypto.Signer) []byte { return must(x509.MarshalPKCS8PrivateKey(private)) }

func pkix(public crypto.PublicKey) []byte { return must(x509.MarshalPKIXPublicKey(public)) }

func newECDSA(curve elliptic.Curve) *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(curve, rand.Reader))
}

func newEd25519() ed25519.PrivateKey {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return must(private, err)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// checkRefused fails the test unless err says want and shows no part of text.
func checkRefused(t *testing.T, err error, want string, text []byte) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got error %q, want one with %q", err, want)
	}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) >= 8 && !bytes.HasPrefix(line, []byte("-----")) && strings.Contains(err.Error(), string(line)) {
			t.Errorf("error %q shows %q", err, line)
		}
	}
}

// A command line takes what begins with "-" for a flag.
func TestNoKeyIsNamedLikeAFlag(t *testing.T) {
	for range 300 { // one in 64 thumbprints would be
		if k := generate(t, "EdDSA"); k.ID[0] == '-' {
			t.Fatal("the kid is", k.ID)
		}
	}
}
