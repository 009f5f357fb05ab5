package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"latchkey/auth/token"
)

// MinSecretLength is the least length of a shared secret, in bytes.
const MinSecretLength = token.MinSecretLength

// FromSecret returns the key for a secret that is shared with others, a Django project for example. It has no kid, as
// the tokens of those others have none. It is an error if algorithm is not one that uses a secret, if the secret is
// shorter than MinSecretLength, or if it is a key of another kind. The error never shows the secret.
func FromSecret(algorithm string, secret []byte) (token.Key, error) {
	if err := fits(algorithm, secret); err != nil {
		return token.Key{}, err
	}
	if keyInDisguise(secret) {
		return token.Key{}, fmt.Errorf("the secret for %s is a key of another kind, which others may know", algorithm)
	}
	secret = bytes.Clone(secret)
	return token.Key{Algorithm: algorithm, Private: secret, Public: secret}, nil
}

func fitsLength(algorithm string, secret []byte) error {
	if len(secret) < MinSecretLength {
		return fmt.Errorf("the secret for %s is %d bytes long; it must be %d at least", algorithm, len(secret), MinSecretLength)
	}
	return nil
}

// keyInDisguise reports whether a would-be secret is a key in PEM, OpenSSH, JWK, DER or base64 of DER, or a point of
// P-256: whoever knows the public key could then sign (RFC 8725 section 2.1).
func keyInDisguise(secret []byte) bool {
	text := bytes.TrimSpace(bytes.TrimPrefix(secret, []byte("\ufeff")))
	if bytes.Contains(text, []byte("-----BEGIN ")) {
		return true
	}
	for _, prefix := range []string{"ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"} {
		if bytes.HasPrefix(text, []byte(prefix)) {
			return true
		}
	}
	if _, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), secret); err == nil {
		return true
	}
	return isJWK(text) || isDER(secret) || isBase64(text, isDER)
}

// isJWK recognises a JSON Web Key and a set of them (RFC 7517 sections 4 and 5), in which no name but these is sure.
func isJWK(text []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return false
	}
	return members["kty"] != nil || members["keys"] != nil
}

func isDER(b []byte) bool {
	if _, err := x509.ParsePKIXPublicKey(b); err == nil {
		return true
	}
	if _, err := x509.ParsePKCS1PublicKey(b); err == nil {
		return true
	}
	if _, err := x509.ParseCertificate(b); err == nil {
		return true
	}
	_, err := parsePrivate(b)
	return err == nil
}

// isBase64 reports whether text is, in any alphabet, line breaks or none, the base64 of what is recognised by is.
func isBase64(text []byte, is func([]byte) bool) bool {
	text = bytes.Join(bytes.Fields(bytes.TrimRight(text, "=")), nil)
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if b, err := encoding.DecodeString(string(text)); err == nil && is(b) {
			return true
		}
	}
	return false
}
