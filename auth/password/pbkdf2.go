package password

import (
	"crypto/pbkdf2"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
)

// maxIterations bounds the work of a PBKDF2 hash. Django writes 1,200,000 as of
// 6.0, and a fifth more with each release.
const maxIterations = 5_000_000

// pbkdf2Hash is PBKDF2 (RFC 8018, section 5.2) as Django writes it:
//
//	pbkdf2_sha256$1200000$SALT$TAG
//	pbkdf2_sha1$1200000$SALT$TAG
//
// with the salt as text and the tag, as long as the digest, in base64.
type pbkdf2Hash struct {
	foreign
	digest     func() hash.Hash
	iterations int
	salt       []byte
	tag        []byte
}

func (h pbkdf2Hash) matches(password string, _ deriveFunc) bool {
	tag, err := pbkdf2.Key(h.digest, password, h.salt, h.iterations, len(h.tag))
	// It fails only where the Go runtime is told to refuse what FIPS 140 does not approve.
	return err == nil && subtle.ConstantTimeCompare(tag, h.tag) == 1
}

// parsePBKDF2 reads what follows the name, with a digest of so many bytes.
func parsePBKDF2(rest string, digest func() hash.Hash, size int) (storedHash, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 3 {
		return nil, fmt.Errorf("%w: %d fields, want 3", ErrMalformed, len(fields))
	}
	iterations, err := parseNumber("iterations", fields[0], 32)
	if err != nil {
		return nil, err
	}
	if iterations < 1 || iterations > maxIterations {
		return nil, fmt.Errorf("%w: iterations are %d, want 1 to %d", ErrMalformed, iterations, maxIterations)
	}
	salt, err := parseTextSalt(fields[1])
	if err != nil {
		return nil, err
	}
	tag, err := parseBytes("tag", fields[2], base64.StdEncoding, size, size)
	if err != nil {
		return nil, err
	}
	return pbkdf2Hash{digest: digest, iterations: int(iterations), salt: salt, tag: tag}, nil
}
