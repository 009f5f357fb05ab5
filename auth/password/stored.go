package password

import (
	"errors"
	"fmt"
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
// has a file of its own, and a case in parse.
type storedHash interface {
	// matches tells whether password is the one that was hashed. It does the
	// whole work of the hash and compares in constant time.
	matches(password string, derive deriveFunc) bool

	// stale tells whether a new hash with the present parameters is better.
	stale(present Params) bool
}

// parse reads a stored hash. What it returns costs a bounded amount of work and
// memory, whoever wrote the text.
func parse(encoded string, present Params) (storedHash, error) {
	switch {
	case encoded == "" || strings.HasPrefix(encoded, unusablePrefix):
		return unusable{params: present}, nil
	case len(encoded) > maxEncoded:
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, maxEncoded)
	case strings.HasPrefix(encoded, argon2idPrefix):
		return parseArgon2id(encoded)
	}
	return nil, fmt.Errorf("%w: unknown format", ErrMalformed)
}

// unusable is the hash of nothing: no password matches, at the usual cost.
type unusable struct{ params Params }

func (u unusable) matches(password string, derive deriveFunc) bool {
	dummy := argon2idHash{params: u.params, salt: make([]byte, saltLength), tag: make([]byte, tagLength)}
	dummy.matches(password, derive)
	return false
}

func (unusable) stale(Params) bool { return false }
