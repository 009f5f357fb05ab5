package password

import (
	"crypto/sha1" //nolint:gosec // PBKDF2 with it is read, and not broken by what SHA-1's collisions break
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrMalformed is what errors.Is finds in Verify's error if the stored text is
// not a hash. The error's text never repeats what was stored.
var ErrMalformed = errors.New("password: malformed stored hash")

const (
	// unusablePrefix starts what Django stores for a user without a password.
	unusablePrefix = "!"

	// maxEncoded bounds, in bytes, what is looked at as a stored hash.
	maxEncoded = 512
)

// storedHash is a stored hash of any format that Verify can read. Each format
// has a file of its own, and a case in parse. But for argon2id they are those of
// Django, which writes NAME$ in front.
type storedHash interface {
	// matches tells whether password is the one that was hashed. It does the
	// whole work of the hash and compares in constant time.
	matches(password string, derive deriveFunc) bool

	// stale tells whether a new hash with the present parameters is better.
	stale(present Params) bool
}

// Readable tells whether a stored text is a hash that Verify can read, or that
// of a user without a password.
func Readable(encoded string) bool {
	_, err := parse(encoded, DefaultParams())
	return err == nil
}

// parse reads a stored hash. What it returns costs a bounded amount of work and
// memory, whoever wrote the text: some 35 times the work of the default
// parameters, and 128 MiB.
func parse(encoded string, present Params) (storedHash, error) {
	switch {
	case encoded == "" || strings.HasPrefix(encoded, unusablePrefix):
		return unusable{params: present}, nil
	case len(encoded) > maxEncoded:
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, maxEncoded)
	case strings.HasPrefix(encoded, argon2idPrefix):
		return parseArgon2id(encoded)
	}
	name, rest, _ := strings.Cut(encoded, "$")
	switch name {
	case "argon2":
		return parseDjangoArgon2(rest)
	case "bcrypt", "bcrypt_sha256":
		return parseBcrypt(rest, name == "bcrypt_sha256")
	case "pbkdf2_sha256":
		return parsePBKDF2(rest, sha256.New, sha256.Size)
	case "pbkdf2_sha1":
		return parsePBKDF2(rest, sha1.New, sha1.Size)
	case "scrypt":
		return parseScrypt(rest)
	}
	return nil, fmt.Errorf("%w: unknown format", ErrMalformed)
}

// foreign is part of every format that is read and never written.
type foreign struct{}

func (foreign) stale(Params) bool { return true }

// parseNumber reads a number of so many bits, without a sign or leading zeros.
func parseNumber(name, digits string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(digits, 10, bits)
	if err != nil || strconv.FormatUint(n, 10) != digits {
		return 0, fmt.Errorf("%w: %s is not a plain number in range", ErrMalformed, name)
	}
	return n, nil
}

// parseBytes reads base64 of so many bytes.
func parseBytes(name, text string, encoding *base64.Encoding, least, most int) ([]byte, error) {
	// The decoder skips line breaks, even a strict one.
	if strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("%w: line break in the %s", ErrMalformed, name)
	}
	b, err := encoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not base64", ErrMalformed, name)
	}
	if len(b) < least || len(b) > most {
		return nil, fmt.Errorf("%w: %s has %d bytes, want %d to %d", ErrMalformed, name, len(b), least, most)
	}
	return b, nil
}

// parseTextSalt reads a salt that Django stores, and hashes with, as text.
func parseTextSalt(salt string) ([]byte, error) {
	if salt == "" || len(salt) > maxSalt {
		return nil, fmt.Errorf("%w: salt has %d bytes, want 1 to %d", ErrMalformed, len(salt), maxSalt)
	}
	return []byte(salt), nil
}

// unusable is the hash of nothing: no password matches, at the usual cost.
type unusable struct{ params Params }

func (u unusable) matches(password string, derive deriveFunc) bool {
	dummy := argon2idHash{params: u.params, salt: make([]byte, saltLength), tag: make([]byte, tagLength)}
	dummy.matches(password, derive)
	return false
}

func (unusable) stale(Params) bool { return false }
