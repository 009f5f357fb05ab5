package password

import (
	"encoding/base64"
	"fmt"
)

// SetDerive puts f in the place of argon2id, so that tests can count, hold and
// release hashes.
func (h *Hasher) SetDerive(f func(password, salt []byte, time, memoryKiB uint32, threads uint8, tagLength uint32) []byte) {
	h.derive = f
}

// Read is a stored hash as it was read.
type Read struct {
	Again string // the hash, written from what was read

	// What it costs; zero where the algorithm knows no such thing.
	Params           Params // argon2
	Iterations       int    // PBKDF2
	BcryptRoundsLog2 int
	N, R, P          int // scrypt
}

// Parse reads a stored hash that is not an unusable one.
func Parse(encoded string) (Read, error) {
	stored, err := parse(encoded, DefaultParams())
	if err != nil {
		return Read{}, err
	}
	encode := base64.StdEncoding.EncodeToString
	switch h := stored.(type) {
	case argon2idHash:
		return Read{Again: h.String(), Params: h.params}, nil
	case djangoArgon2id:
		return Read{Again: "argon2" + h.String(), Params: h.params}, nil
	case djangoArgon2i:
		return Read{Again: "argon2$argon2i$" + h.String()[len(argon2idPrefix):], Params: h.params}, nil
	case pbkdf2Hash:
		name := map[int]string{20: "pbkdf2_sha1", 32: "pbkdf2_sha256"}[h.digest().Size()]
		return Read{Again: fmt.Sprintf("%s$%d$%s$%s", name, h.iterations, h.salt, encode(h.tag)), Iterations: h.iterations}, nil
	case scryptHash:
		again := fmt.Sprintf("scrypt$%d$%s$%d$%d$%s", h.n, h.salt, h.r, h.p, encode(h.tag))
		return Read{Again: again, N: h.n, R: h.r, P: h.p}, nil
	case bcryptHash:
		name := map[bool]string{false: "bcrypt", true: "bcrypt_sha256"}[h.digested]
		r := Read{Again: name + "$" + h.crypt}
		_, err := fmt.Sscanf(h.crypt[4:], "%d", &r.BcryptRoundsLog2)
		return r, err
	}
	return Read{}, fmt.Errorf("%T is not known here", stored)
}

// CommonPasswords returns the embedded list.
func CommonPasswords() []string { return loadCommon() }
