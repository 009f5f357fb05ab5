package token

import "strings"

// header is what matters of a JOSE header (RFC 7515 section 4.1).
type header struct{ alg, kid string }

// readHeader reads a token's first segment, the JOSE header. Members that would bring a key along (jku, x5u, jwk, x5c) are not looked at: keys
// come from our own store alone (RFC 8725 section 3.10).
func readHeader(segment string) (header, error) {
	if len(segment) > base64url.EncodedLen(maxHeader) {
		return header{}, malformed("header is too long")
	}
	b, err := decode(segment)
	if err != nil {
		return header{}, err
	}
	o, err := readObject(b)
	if err != nil {
		return header{}, err
	}
	// No extension is understood here, so none may be critical (RFC 7515 section 4.1.11), and b64 is one (RFC 7797).
	for _, name := range []string{"crit", "b64"} {
		if _, ok := o[name]; ok {
			return header{}, malformed(name + " is not understood")
		}
	}
	if raw, ok := o["typ"]; ok {
		typ, _ := unquote(raw)
		if !strings.EqualFold(typ, "JWT") && !strings.EqualFold(typ, "at+jwt") {
			return header{}, malformed("typ is another kind of token")
		}
	}
	var h header
	if h.alg, err = o.identifier("alg"); err != nil {
		return header{}, err
	}
	if h.kid, err = o.identifier("kid"); err != nil {
		return header{}, err
	}
	return h, nil
}
