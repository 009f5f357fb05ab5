package keys

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"latchkey/auth/token"
)

// sealVersion is the first byte of what Seal returns, and part of what it authenticates.
const sealVersion = 1

// ErrWrongSecret says that a sealed key does not open: it was sealed under another secret, or damaged.
var ErrWrongSecret = errors.New("the secret does not open the sealed key")

// Sealer encrypts private keys for the database with AES-256-GCM. Its key is derived from the server's secret with
// HKDF-SHA-256 (RFC 5869) under a label of its own; kid and algorithm are authenticated, so that rows cannot be swapped.
// It is safe for use by many goroutines.
type Sealer struct {
	aead   cipher.AEAD
	before []cipher.AEAD // of secrets from before, while the secret is being changed
}

// NewSealer returns the Sealer of a secret. What was sealed under one of the secrets from before still opens; nothing
// is sealed under them. Each has MinSecretLength bytes at least: HKDF does not stretch a password.
func NewSealer(secret []byte, before ...[]byte) (*Sealer, error) {
	aead, err := newAEAD(secret)
	if err != nil {
		return nil, err
	}
	s := &Sealer{aead: aead}
	for _, secret := range before {
		aead, err := newAEAD(secret)
		if err != nil {
			return nil, err
		}
		s.before = append(s.before, aead)
	}
	return s, nil
}

func newAEAD(secret []byte) (cipher.AEAD, error) {
	if len(secret) < MinSecretLength {
		return nil, fmt.Errorf("the secret that seals the keys is %d bytes long; it must be %d at least", len(secret), MinSecretLength)
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "latchkey/signing-key/v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return aead, nil
}

// Seal returns the private half of k, encrypted: another text each time.
func (s *Sealer) Seal(k token.Key) ([]byte, error) {
	plain, err := encodePrivate(k)
	if err != nil {
		return nil, err
	}
	return s.seal(k.ID, k.Algorithm, plain), nil
}

// Open returns the key that Seal encrypted. ErrWrongSecret where it was another secret, kid or algorithm.
func (s *Sealer) Open(kid, algorithm string, sealed []byte) (token.Key, error) {
	plain, _, ok := s.open(kid, algorithm, sealed)
	if !ok {
		return token.Key{}, ErrWrongSecret
	}
	if Symmetric(algorithm) {
		return token.Key{ID: kid, Algorithm: algorithm, Private: plain, Public: plain}, nil
	}
	signer, err := parsePrivate(plain)
	if err != nil {
		return token.Key{}, fmt.Errorf("open key %s: %w", kid, err)
	}
	k, err := fromSigner(algorithm, signer)
	if err != nil {
		return token.Key{}, fmt.Errorf("open key %s: %w", kid, err)
	}
	k.ID = kid
	return k, nil
}

// Reseal returns the key that Seal encrypted under a secret from before, encrypted under the present one; as it is where
// it is that already. ErrWrongSecret as of Open.
func (s *Sealer) Reseal(kid, algorithm string, sealed []byte) ([]byte, error) {
	plain, by, ok := s.open(kid, algorithm, sealed)
	switch {
	case !ok:
		return nil, ErrWrongSecret
	case by == s.aead:
		return sealed, nil
	}
	return s.seal(kid, algorithm, plain), nil
}

// The key of the chain of events is sealed as a key of its own kind, which no signing key is of.
const (
	chainKeyID     = "audit"
	chainKeyKind   = "chain"
	chainKeyLength = 32
)

// SealChainKey returns the key of the chain of events, encrypted: another text each time.
func (s *Sealer) SealChainKey(key []byte) []byte { return s.seal(chainKeyID, chainKeyKind, key) }

// OpenChainKey returns the key that SealChainKey encrypted. ErrWrongSecret where it was another secret.
func (s *Sealer) OpenChainKey(sealed []byte) ([]byte, error) {
	key, _, ok := s.open(chainKeyID, chainKeyKind, sealed)
	if !ok {
		return nil, ErrWrongSecret
	}
	return key, nil
}

// ResealChainKey is Reseal for the key that SealChainKey encrypted.
func (s *Sealer) ResealChainKey(sealed []byte) ([]byte, error) {
	return s.Reseal(chainKeyID, chainKeyKind, sealed)
}

func (s *Sealer) seal(kid, algorithm string, plain []byte) []byte {
	return s.aead.Seal([]byte{sealVersion}, nil, plain, label(kid, algorithm))
}

// open returns what was sealed, and by which secret.
func (s *Sealer) open(kid, algorithm string, sealed []byte) (plain []byte, by cipher.AEAD, ok bool) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, nil, false
	}
	for _, by := range append([]cipher.AEAD{s.aead}, s.before...) {
		if plain, err := by.Open(nil, nil, sealed[1:], label(kid, algorithm)); err == nil {
			return plain, by, true
		}
	}
	return nil, nil, false
}

func encodePrivate(k token.Key) ([]byte, error) {
	switch private := k.Private.(type) {
	case []byte:
		return private, nil
	case crypto.Signer:
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			return nil, fmt.Errorf("seal key %s: %w", k.ID, err)
		}
		return der, nil
	}
	return nil, fmt.Errorf("seal key %s: it has no private half", k.ID)
}

// label is what a sealed key is bound to; the quotes keep its parts apart.
func label(kid, algorithm string) []byte {
	return fmt.Appendf(nil, "%q %q v%d", kid, algorithm, sealVersion)
}
