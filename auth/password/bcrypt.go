package password

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"

	"golang.org/x/crypto/bcrypt"
)

// maxBcryptCost bounds the work of a bcrypt hash, 2^cost rounds. Django writes 12.
const maxBcryptCost = 14

// bcryptHash is bcrypt, in the modular crypt format, as Django writes it:
//
//	bcrypt_sha256$$2b$12$SALT-AND-TAG
//	bcrypt$$2b$12$SALT-AND-TAG
//
// The first is of the SHA-256 digest of the password, in hexadecimal. The second
// reads no more than 72 bytes of a password, as it did in Django: what follows
// them is not compared.
type bcryptHash struct {
	foreign
	crypt    string // from $2b$ on
	digested bool
}

func (h bcryptHash) matches(password string, _ deriveFunc) bool {
	key := []byte(password)
	if h.digested {
		digest := sha256.Sum256(key)
		key = hex.AppendEncode(nil, digest[:])
	}
	return bcrypt.CompareHashAndPassword([]byte(h.crypt), key) == nil
}

// cryptFormat has the cost in its group. The letters 2a, 2b and 2y stand for one
// and the same algorithm in all that Django ran with.
var cryptFormat = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$`)

// parseBcrypt reads what follows the name.
func parseBcrypt(crypt string, digested bool) (storedHash, error) {
	parts := cryptFormat.FindStringSubmatch(crypt)
	if parts == nil {
		return nil, fmt.Errorf("%w: not bcrypt's format", ErrMalformed)
	}
	cost, err := strconv.Atoi(parts[1])
	if err != nil || cost < bcrypt.MinCost || cost > maxBcryptCost {
		return nil, fmt.Errorf("%w: cost is %d, want %d to %d", ErrMalformed, cost, bcrypt.MinCost, maxBcryptCost)
	}
	return bcryptHash{crypt: crypt, digested: digested}, nil
}
