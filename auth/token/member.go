package token

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxIDLength bounds the identifiers in a token, in bytes.
const maxIDLength = 255

// identifier returns a member that is a short text, fit for a database and a log; empty where it is absent.
func (o object) identifier(name string) (string, error) {
	raw, ok := o[name]
	if !ok {
		return "", nil
	}
	s, ok := unquote(raw)
	if !ok {
		return "", malformed(name + " is not a string")
	}
	if len(s) > maxIDLength || strings.ContainsFunc(s, unicode.IsControl) {
		return "", malformed(name + " is not an identifier")
	}
	return s, nil
}

// maxSeconds is the end of the year 9999, in Unix seconds. Beyond it no calendar and no database follows.
const maxSeconds = 253402300799

// seconds returns a member that is a NumericDate (RFC 7519 section 2), its fraction cut off; ok is false where it is
// absent.
func (o object) seconds(name string) (t time.Time, ok bool, err error) {
	raw, ok := o[name]
	if !ok {
		return time.Time{}, false, nil
	}
	f, err := strconv.ParseFloat(raw, 64) // of all JSON values only numbers parse
	if err != nil || math.Abs(f) > maxSeconds {
		return time.Time{}, false, malformed(name + " is not a date")
	}
	return time.Unix(int64(f), 0).UTC(), true, nil
}

// texts returns a member that is an array of strings; none where it is absent.
func (o object) texts(name string) ([]string, error) {
	raw, ok := o[name]
	if !ok {
		return nil, nil
	}
	if raw[0] != '[' {
		return nil, malformed(name + " is not an array")
	}
	var list []string
	for piece := range pieces(raw) {
		s, ok := unquote(piece)
		if !ok {
			return nil, malformed(name + " holds what is not a string")
		}
		list = append(list, s)
	}
	return list, nil
}
