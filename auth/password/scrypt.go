package password

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/scrypt"
)

const (
	scryptTag = 64

	// Bounds of scrypt. A block of it takes several times the work of one of
	// argon2, so that fewer are let through. OWASP's costliest are N=2^17, r=8,
	// p=1; Django writes N=2^14, r=8, p=5.
	maxScryptR    = 32
	maxScryptWork = 1 << 18 // KiB of memory times p
)

// scryptHash is scrypt (RFC 7914) as Django writes it:
//
//	scrypt$N$SALT$r$p$TAG
//
// with the salt as text and 64 bytes of tag in base64.
type scryptHash struct {
	foreign
	n, r, p int
	salt    []byte
	tag     []byte
}

func (h scryptHash) matches(password string, _ deriveFunc) bool {
	tag, err := scrypt.Key([]byte(password), h.salt, h.n, h.r, h.p, len(h.tag))
	return err == nil && subtle.ConstantTimeCompare(tag, h.tag) == 1 // validate found no reason for an error
}

// memoryKiB is 128·N·r bytes.
func (h scryptHash) memoryKiB() int { return h.n * h.r / 8 }

// validate tells what is wrong with the parameters, or nil.
func (h scryptHash) validate() error {
	switch {
	case h.n < 2 || h.n > maxMemoryKiB*8 || h.n&(h.n-1) != 0:
		return fmt.Errorf("%w: N is %d, want a power of two up to %d", ErrMalformed, h.n, maxMemoryKiB*8)
	case h.r < 1 || h.r > maxScryptR:
		return fmt.Errorf("%w: r is %d, want 1 to %d", ErrMalformed, h.r, maxScryptR)
	case h.memoryKiB() > maxMemoryKiB:
		return fmt.Errorf("%w: memory is %d KiB, want no more than %d", ErrMalformed, h.memoryKiB(), maxMemoryKiB)
	case h.p < 1 || h.p > maxParallelism || h.memoryKiB()*h.p > maxScryptWork:
		return fmt.Errorf("%w: p is %d, too much with %d KiB", ErrMalformed, h.p, h.memoryKiB())
	}
	return nil
}

// parseScrypt reads what follows scrypt$.
func parseScrypt(rest string) (storedHash, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 5 {
		return nil, fmt.Errorf("%w: %d fields, want 5", ErrMalformed, len(fields))
	}
	var h scryptHash
	for _, number := range []struct {
		name, digits string
		to           *int
	}{{"N", fields[0], &h.n}, {"r", fields[2], &h.r}, {"p", fields[3], &h.p}} {
		n, err := parseNumber(number.name, number.digits, 31)
		if err != nil {
			return nil, err
		}
		*number.to = int(n) //nolint:gosec // parseNumber bounds it
	}
	err := h.validate()
	if err != nil {
		return nil, err
	}
	if h.salt, err = parseTextSalt(fields[1]); err != nil {
		return nil, err
	}
	h.tag, err = parseBytes("tag", fields[4], base64.StdEncoding, scryptTag, scryptTag)
	return h, err
}
