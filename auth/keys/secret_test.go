package keys_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"latchkey/auth/keys"
)

func TestFromSecretTakesSecrets(t *testing.T) {
	for _, tt := range []struct{ name, algorithm, secret string }{
		{"32 bytes for HS256", "HS256", "0123456789abcdefghijklmnopqrstuv"},
		{"32 bytes for HS384", "HS384", "0123456789abcdefghijklmnopqrstuv"},
		{"32 bytes for HS512", "HS512", "0123456789abcdefghijklmnopqrstuv"},
		{"a Django project's", "HS256", "django-insecure-made-up-for-a-test-(+%&=^$!_)-{[*"},
		{"base64 of random bytes", "HS512", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJCrze8SNFZ4kA=="},
		{"hexadecimal", "HS256", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"},
		{"JSON that is no key", "HS256", `{"pass":"phrase of more than 32 bytes"}`},
		{"bytes that are no text", "HS256", "\x00\xff\xfe\x80 bytes that are no text at all"},
		{"a sentence about keys", "HS256", "the ssh-rsa key that begins with BEGIN is elsewhere"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			given := []byte(tt.secret)
			k, err := keys.FromSecret(tt.algorithm, given)
			if err != nil {
				t.Fatal(err)
			}
			if k.ID != "" || k.Algorithm != tt.algorithm {
				t.Errorf("got kid %q, algorithm %q; want no kid and %q", k.ID, k.Algorithm, tt.algorithm)
			}
			clear(given)
			if !bytes.Equal(k.Private.([]byte), []byte(tt.secret)) {
				t.Error("the key changes with the bytes it was made of")
			}
			if err := signs(t, k, k); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFromSecretRefusesWhatOthersCouldKnow(t *testing.T) {
	private := newECDSA(elliptic.P256())
	public := pkix(private.Public())
	jwk := must(jose.JSONWebKey{Key: private.Public(), KeyID: "1"}.MarshalJSON())
	cert, _ := pem.Decode(certificate(private))
	std := base64.StdEncoding.EncodeToString
	const another, length = "a key of another kind", "must be 32 at least"
	for _, tt := range []struct {
		name, algorithm string
		secret          []byte
		want            string
	}{
		{"nothing", "HS256", nil, length},
		{"31 bytes", "HS256", []byte("0123456789abcdefghijklmnopqrstu"), length},
		{"31 bytes for HS512", "HS512", []byte("0123456789abcdefghijklmnopqrstu"), length},
		{"an algorithm without a secret", "ES256", secret, "does not fit"},
		{"none", "none", secret, "does not fit"},
		{"an algorithm that only begins alike", "HS1", secret, "does not fit"},
		{"a public key in PEM", "HS256", encodePEM("PUBLIC KEY", public), another},
		{"a public key in PEM, indented", "HS256", append([]byte("\n   "), encodePEM("PUBLIC KEY", public)...), another},
		{"a public key in PEM, its lines joined", "HS256", bytes.ReplaceAll(encodePEM("PUBLIC KEY", public), []byte("\n"), []byte(`\n`)), another},
		{"a private key in PEM", "HS256", encodePEM("PRIVATE KEY", pkcs8(private)), another},
		{"a certificate in PEM", "HS256", certificate(private), another},
		{"the first half of a PEM text", "HS256", encodePEM("PUBLIC KEY", public)[:80], another},
		{"a public key in DER", "HS256", public, another},
		{"an RSA public key in DER", "HS384", x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey), another},
		{"a private key in DER", "HS256", pkcs8(private), another},
		{"a certificate in DER", "HS256", cert.Bytes, another},
		{"a public key in base64", "HS256", []byte(std(public)), another},
		{"a public key in base64 with line breaks", "HS256", []byte(std(public)[:64] + "\r\n" + std(public)[64:] + "\n"), another},
		{"a public key in base64url", "HS512", []byte(base64.RawURLEncoding.EncodeToString(public)), another},
		{"a public key's point", "HS256", must(private.PublicKey.Bytes()), another},
		{"a JWK", "HS256", jwk, another},
		{"a JWK with white space and a byte order mark", "HS256", append([]byte("\ufeff \n"), jwk...), another},
		{"a JWK of a secret", "HS256", []byte(`{"kty":"oct","k":"bWFkZSB1cCBmb3IgYSB0ZXN0"}`), another},
		{"a JWK of a kind nobody knows", "HS256", []byte(`{"kty":"XYZ","value":"made up for a test"}`), another},
		{"a JWK set", "HS256", []byte(`{"keys":[` + string(jwk) + `]}`), another},
		{"an OpenSSH RSA key", "HS256", []byte("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7made-up somebody@example"), another},
		{"an OpenSSH ECDSA key", "HS256", []byte("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY made-up"), another},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := keys.FromSecret(tt.algorithm, tt.secret)
			checkRefused(t, err, tt.want, tt.secret)
		})
	}
}
