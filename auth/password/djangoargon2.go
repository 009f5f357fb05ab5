package password

import (
	"strings"

	"golang.org/x/crypto/argon2"
)

// djangoArgon2id is Django's argon2$ before a PHC string. As Django 3.2 and later
// write it, it takes 100 MiB and eight lanes.
type djangoArgon2id struct{ argon2idHash }

func (djangoArgon2id) stale(Params) bool { return true }

// djangoArgon2i is what Django wrote before 3.2: the same with argon2i.
type djangoArgon2i struct{ argon2idHash }

func (h djangoArgon2i) matches(password string, _ deriveFunc) bool {
	return h.argon2idHash.matches(password, argon2.Key)
}

func (djangoArgon2i) stale(Params) bool { return true }

// parseDjangoArgon2 reads what follows argon2$, within the bounds of argon2id.
// Of the variants argon2d is refused, and so is version 16, which only argon2
// libraries from before 2016 wrote: x/crypto/argon2 computes neither.
func parseDjangoArgon2(rest string) (storedHash, error) {
	if rest, ok := strings.CutPrefix(rest, "argon2i$"); ok {
		hash, err := parseArgon2(rest)
		return djangoArgon2i{hash}, err
	}
	hash, err := parseArgon2id("$" + rest)
	return djangoArgon2id{hash}, err
}
