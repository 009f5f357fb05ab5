package password

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	argon2idPrefix = "$argon2id$"

	// Bounds, in bytes, on what is read. Shorter tags than 128 bits would
	// match by chance too often, longer ones have no use.
	minSalt, maxSalt = 8, 64
	minTag, maxTag   = 16, 64
)

// argon2idHash is a hash in the PHC string format, as the argon2 reference
// implementation writes it:
//
//	$argon2id$v=19$m=19456,t=2,p=1$SALT$TAG
//
// with salt and tag in unpadded standard base64.
type argon2idHash struct {
	params Params
	salt   []byte
	tag    []byte
}

// String returns the PHC string.
func (h argon2idHash) String() string {
	return fmt.Sprintf("%sv=%d$m=%d,t=%d,p=%d$%s$%s", argon2idPrefix, argon2.Version,
		h.params.MemoryKiB, h.params.Iterations, h.params.Parallelism,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.tag))
}

// compute returns the tag, length bytes long, of password under h's parameters
// and salt.
func (h argon2idHash) compute(password string, length int, derive deriveFunc) []byte {
	return derive([]byte(password), h.salt, h.params.Iterations, h.params.MemoryKiB, h.params.Parallelism, uint32(length)) //nolint:gosec // the lengths are 4 to 64
}

func (h argon2idHash) matches(password string, derive deriveFunc) bool {
	return subtle.ConstantTimeCompare(h.compute(password, len(h.tag), derive), h.tag) == 1
}

func (h argon2idHash) stale(present Params) bool {
	return h.params.below(present) || len(h.salt) < saltLength || len(h.tag) < tagLength
}

// parseArgon2id reads a PHC string that begins with argon2idPrefix. There is
// one way only to write a hash: parameters in the order m, t, p, without
// leading zeros, base64 without padding, line breaks or stray bits.
func parseArgon2id(encoded string) (argon2idHash, error) {
	rest, ok := strings.CutPrefix(encoded, argon2idPrefix)
	if !ok {
		return argon2idHash{}, fmt.Errorf("%w: not argon2id", ErrMalformed)
	}
	return parseArgon2(rest)
}

// parseArgon2 reads what follows the name of the variant in a PHC string.
func parseArgon2(rest string) (argon2idHash, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 4 {
		return argon2idHash{}, fmt.Errorf("%w: %d fields, want 4", ErrMalformed, len(fields))
	}
	if fields[0] != fmt.Sprintf("v=%d", argon2.Version) {
		return argon2idHash{}, fmt.Errorf("%w: version is not %d", ErrMalformed, argon2.Version)
	}
	params, err := parseParams(fields[1])
	if err != nil {
		return argon2idHash{}, err
	}
	salt, err := parseBytes("salt", fields[2], base64.RawStdEncoding, minSalt, maxSalt)
	if err != nil {
		return argon2idHash{}, err
	}
	tag, err := parseBytes("tag", fields[3], base64.RawStdEncoding, minTag, maxTag)
	if err != nil {
		return argon2idHash{}, err
	}
	return argon2idHash{params: params, salt: salt, tag: tag}, nil
}

func parseParams(text string) (Params, error) {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return Params{}, fmt.Errorf("%w: %d parameters, want m, t and p", ErrMalformed, len(fields))
	}
	memory, err := parseParam("m", fields[0], 32)
	if err != nil {
		return Params{}, err
	}
	iterations, err := parseParam("t", fields[1], 32)
	if err != nil {
		return Params{}, err
	}
	parallelism, err := parseParam("p", fields[2], 8)
	if err != nil {
		return Params{}, err
	}
	params := Params{MemoryKiB: uint32(memory), Iterations: uint32(iterations), Parallelism: uint8(parallelism)} //nolint:gosec // parseParam bounds them
	if err := params.validate(); err != nil {
		return Params{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return params, nil
}

// parseParam reads "name=number", a number of so many bits.
func parseParam(name, text string, bits int) (uint64, error) {
	digits, ok := strings.CutPrefix(text, name+"=")
	if !ok {
		return 0, fmt.Errorf("%w: no parameter %s", ErrMalformed, name)
	}
	return parseNumber(name, digits, bits)
}
