package rest

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// decode turns a body into UTF-8, by the charset that its Content-Type names. ISO 8859-1 is known; anything else is read
// as UTF-8. The error is what Python says.
func decode(b []byte, charset string) ([]byte, error) {
	switch strings.ReplaceAll(strings.ToLower(charset), "_", "-") {
	case "iso-8859-1", "iso8859-1", "latin-1", "latin1", "l1":
		return fromLatin1(b), nil
	}
	if utf8.Valid(b) {
		return b, nil
	}
	return nil, notUTF8(b)
}

func fromLatin1(b []byte) []byte {
	out := make([]byte, 0, len(b)+len(b)/8)
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}

// notUTF8 says of text that is not valid UTF-8 what Python's decoder says.
func notUTF8(b []byte) error {
	at := 0
	for {
		if r, size := utf8.DecodeRune(b[at:]); r != utf8.RuneError || size > 1 {
			at += size
			continue
		}
		break
	}
	good := begun(b[at:])
	problem := "invalid start byte"
	switch {
	case good == 0:
		good = 1
	case at+good == len(b):
		problem = "unexpected end of data"
	default:
		problem = "invalid continuation byte"
	}
	if good == 1 {
		return fmt.Errorf("'utf-8' codec can't decode byte 0x%02x in position %d: %s", b[at], at, problem)
	}
	return fmt.Errorf("'utf-8' codec can't decode bytes in position %d-%d: %s", at, at+good-1, problem)
}

// begun returns how many bytes of b, from the first on, could begin a character; 0 where the first cannot.
func begun(b []byte) int {
	low, high, need := byte(0x80), byte(0xbf), 0
	switch c := b[0]; {
	case c < 0xc2 || c > 0xf4:
		return 0
	case c < 0xe0:
		need = 2
	case c < 0xf0:
		need = 3
	default:
		need = 4
	}
	switch b[0] { // the second byte is bounded where the character would be too short, a surrogate or too large
	case 0xe0:
		low = 0xa0
	case 0xed:
		high = 0x9f
	case 0xf0:
		low = 0x90
	case 0xf4:
		high = 0x8f
	}
	n := 1
	for n < need && n < len(b) && low <= b[n] && b[n] <= high {
		low, high = 0x80, 0xbf
		n++
	}
	return n
}

// strip removes white space from both ends, as Python's str.strip does.
func strip(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f })
}
