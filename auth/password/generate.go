package password

import (
	"fmt"
	"io"
	"strings"
)

const (
	// generateAlphabet has no characters that are taken for one another in
	// common typefaces (0 o, 1 i l, 2 z, 5 s), and none that mean anything to
	// a shell, a URL or a quoted string.
	generateAlphabet = "abcdefghjkmnpqrtuvwxy346789"

	// Four groups of six: 24 times log2(27), 114 bits.
	generateGroups    = 4
	generateGroupSize = 6
)

// Generate returns a random password for a person to copy or to type, such as
// "kw7qha-3rnpud-x8cvbt-j49mey": 114 bits of random, and fit for Policy. It
// fails only if random does.
func Generate(random io.Reader) (string, error) {
	var b strings.Builder
	for i := range generateGroups * generateGroupSize {
		if i > 0 && i%generateGroupSize == 0 {
			b.WriteByte('-')
		}
		c, err := pick(random)
		if err != nil {
			return "", fmt.Errorf("password: reading randomness: %w", err)
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// pick returns a character of the alphabet, each as likely as the others: bytes
// from the end of the range, which would favour some, are thrown away.
func pick(random io.Reader) (byte, error) {
	const even = 256 / len(generateAlphabet) * len(generateAlphabet)
	var b [1]byte
	for {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return 0, err
		}
		if int(b[0]) < even {
			return generateAlphabet[int(b[0])%len(generateAlphabet)], nil
		}
	}
}
