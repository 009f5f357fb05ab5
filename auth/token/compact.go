package token

import (
	"encoding/base64"
	"strings"
)

// What a token may cost before its signature is known to hold is bounded by its length, in bytes.
const (
	maxLength = 16 << 10 // of the whole text
	maxHeader = 1 << 10  // of the header's JSON, which is read before the signature is checked
)

// compact is a token taken apart; its segments are still encoded.
type compact struct {
	header, payload, signature string
	signed                     string // what the signature is over
}

// split takes the compact form apart (RFC 7515 section 7.1). Any further dot is in the signature, where it does not
// decode.
func split(raw string) (compact, error) {
	if len(raw) > maxLength {
		return compact{}, malformed("too long")
	}
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok {
		return compact{}, malformed("not three segments")
	}
	signed := raw[:len(header)+1+len(payload)]
	return compact{header, payload, signature, signed}, nil
}

// base64url refuses padding and unused bits that are set, so that one token has one text.
var base64url = base64.RawURLEncoding.Strict()

// decode decodes a segment, none of which may be empty.
func decode(segment string) ([]byte, error) {
	if strings.IndexByte(segment, '\r') >= 0 || strings.IndexByte(segment, '\n') >= 0 { // the decoder skips these
		return nil, malformed("line break")
	}
	b, err := base64url.DecodeString(segment)
	if err != nil || len(b) == 0 {
		return nil, malformed("not base64url")
	}
	return b, nil
}
