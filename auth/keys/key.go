// Package keys makes, reads, seals and publishes the keys that sign tokens.
//
// It owns the ring of keys a node works with, how a private key rests in the database (encrypted), and how one key
// follows another; it does not know who keeps the table. For services that only verify, it reads the keys that another
// server publishes.
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"latchkey/auth/token"
)

// The sizes of RSA keys, in bits.
const (
	rsaBits    = 3072 // of those made here
	minRSABits = 2048 // RFC 7518 section 3.3
	maxRSABits = 8192 // beyond it a signature costs too much to check
)

// Algorithms returns the algorithms that can be configured.
func Algorithms() []string {
	return []string{"ES256", "EdDSA", "RS256", "HS256", "HS384", "HS512"}
}

// Symmetric reports whether the algorithm signs with a shared secret.
func Symmetric(algorithm string) bool {
	return algorithm == "HS256" || algorithm == "HS384" || algorithm == "HS512"
}

// Generate makes a new key for the algorithm. A key with a public half is named by its thumbprint (RFC 7638), a secret
// by a random name; the name does not begin with "-", so that a command line does not take it for a flag. The standard
// library draws ECDSA and RSA keys from the system, whatever random is.
func Generate(algorithm string, random io.Reader) (token.Key, error) {
	for {
		key, err := generate(algorithm, random)
		if err != nil || !strings.HasPrefix(key.ID, "-") {
			return key, err
		}
	}
}

func generate(algorithm string, random io.Reader) (token.Key, error) {
	var signer crypto.Signer
	var err error
	switch algorithm {
	case "ES256":
		signer, err = ecdsa.GenerateKey(elliptic.P256(), random)
	case "EdDSA":
		_, signer, err = ed25519.GenerateKey(random)
	case "RS256":
		signer, err = rsa.GenerateKey(random, rsaBits)
	case "HS256", "HS384", "HS512":
		return generateSecret(algorithm, random)
	default:
		return token.Key{}, fmt.Errorf("make key: unknown algorithm %q", algorithm)
	}
	if err != nil {
		return token.Key{}, fmt.Errorf("make %s key: %w", algorithm, err)
	}
	return fromSigner(algorithm, signer)
}

func generateSecret(algorithm string, random io.Reader) (token.Key, error) {
	secret, id := make([]byte, 64), make([]byte, 16)
	for _, b := range [][]byte{secret, id} {
		if _, err := io.ReadFull(random, b); err != nil {
			return token.Key{}, fmt.Errorf("make %s key: %w", algorithm, err)
		}
	}
	return token.Key{ID: hex.EncodeToString(id), Algorithm: algorithm, Private: secret, Public: secret}, nil
}

// fromSigner checks that the key fits the algorithm and names it.
func fromSigner(algorithm string, signer crypto.Signer) (token.Key, error) {
	if err := fits(algorithm, signer.Public()); err != nil {
		return token.Key{}, err
	}
	id, err := thumbprint(signer.Public())
	if err != nil {
		return token.Key{}, err
	}
	return token.Key{ID: id, Algorithm: algorithm, Private: signer, Public: signer.Public()}, nil
}

// fits reports, as an error, that what verifies tokens, a public key or a secret, cannot be used with the algorithm.
func fits(algorithm string, public any) error {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		if algorithm == "ES256" && public.Curve == elliptic.P256() {
			return nil
		}
	case ed25519.PublicKey:
		if algorithm == "EdDSA" && len(public) == ed25519.PublicKeySize {
			return nil
		}
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); algorithm == "RS256" && (bits < minRSABits || bits > maxRSABits) {
			return fmt.Errorf("the RSA key has %d bits; RS256 needs %d to %d", bits, minRSABits, maxRSABits)
		}
		if algorithm == "RS256" {
			return nil
		}
	case []byte:
		if Symmetric(algorithm) {
			return fitsLength(algorithm, public)
		}
	}
	return fmt.Errorf("the key does not fit the algorithm %q", algorithm)
}

// thumbprint names a public key (RFC 7638).
func thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("name key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
