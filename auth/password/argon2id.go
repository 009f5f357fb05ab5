package password

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
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
	fields := strings.Split(rest, "$")
	if !ok || len(fields) != 4 {
		return argon2idHash{}, fmt.Errorf("%w: %d fields, want 4", ErrMalformed, len(fields))
	}
	if fields[0] != fmt.Sprintf("v=%d", argon2.Version) {
		return argon2idHash{}, fmt.Errorf("%w: version is not %d", ErrMalformed, argon2.Version)
	}
	params, err := parseParams(fields[1])
	if err != nil {
		return argon2idHash{}, err
	}
	salt, err := parseBytes("salt", fields[2], minSalt, maxSalt)
	if err != nil {
		return argon2idHash{}, err
	}
	tag, err := parseBytes("tag", fields[3], minTag, maxTag)
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
	n, err := strconv.ParseUint(digits, 10, bits)
	if err != nil || strconv.FormatUint(n, 10) != digits {
		return 0, fmt.Errorf("%w: parameter %s is not a plain number in range", ErrMalformed, name)
	}
	return n, nil
}

// parseBytes reads unpadded base64 of so many bytes.
func parseBytes(name, text string, least, most int) ([]byte, error) {
	// The decoder skips line breaks, even a strict one.
	if strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("%w: line break in the %s", ErrMalformed, name)
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not base64", ErrMalformed, name)
	}
	if len(b) < least || len(b) > most {
		return nil, fmt.Errorf("%w: %s has %d bytes, want %d to %d", ErrMalformed, name, len(b), least, most)
	}
	return b, nil
}
