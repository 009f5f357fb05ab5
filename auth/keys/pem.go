package keys

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"latchkey/auth/token"
)

// FromPEM returns the key for a PEM private key (PKCS #8, PKCS #1 or SEC 1), which must fit the algorithm. Text around
// it and blocks that are no private key are passed over, for OpenSSL writes both. The error never shows the text.
func FromPEM(algorithm string, text []byte) (token.Key, error) {
	block, err := privateBlock(text)
	if err != nil {
		return token.Key{}, err
	}
	signer, err := parsePrivate(block.Bytes)
	if err != nil {
		return token.Key{}, errors.New("the signing key cannot be read from its PEM block; use a PKCS #8 key")
	}
	return fromSigner(algorithm, signer)
}

// privateBlock returns the one block that is a private key. Which of several is meant cannot be known.
func privateBlock(text []byte) (*pem.Block, error) {
	var found *pem.Block
	others := false
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		switch {
		case block == nil && found != nil:
			return found, nil
		case block == nil && others:
			return nil, errors.New("the signing key's PEM text holds no private key, only something else")
		case block == nil:
			return nil, errors.New("the signing key is not a PEM text (-----BEGIN PRIVATE KEY-----)")
		case !strings.HasSuffix(block.Type, "PRIVATE KEY"):
			others = true
		case strings.HasPrefix(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "":
			return nil, errors.New("the signing key is encrypted; `openssl pkey` writes it without a passphrase")
		case found != nil:
			return nil, errors.New("the signing key's PEM text holds several private keys")
		default:
			found = block
		}
	}
}

func parsePrivate(der []byte) (crypto.Signer, error) {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if s, ok := k.(crypto.Signer); ok {
			return s, nil
		}
		return nil, fmt.Errorf("a %T does not sign", k)
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	return x509.ParseECPrivateKey(der)
}
