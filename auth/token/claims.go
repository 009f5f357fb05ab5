package token

import (
	"slices"
	"strconv"
)

// readClaims reads a payload whose signature holds and which must be of one of the kinds, of any where there is none. It checks in the order in
// which djangorestframework-simplejwt does, so that a token with several faults is refused for the same one.
func (c *Codec) readClaims(b []byte, kinds []Kind) (Claims, error) {
	o, err := readObject(b)
	if err != nil {
		return Claims{}, err
	}
	claims, err := c.readTimes(o)
	if err != nil {
		return Claims{}, err
	}
	if err := c.checkParties(o); err != nil {
		return Claims{}, err
	}
	if _, err := o.identifier("sub"); err != nil {
		return Claims{}, err
	}
	if claims.ID, err = o.identifier("jti"); err != nil {
		return Claims{}, err
	}
	if claims.ExpiresAt.IsZero() {
		return Claims{}, errNoExpiry
	}
	if claims.ID == "" {
		return Claims{}, errNoID
	}
	if claims.Kind, err = readKind(o, kinds); err != nil {
		return Claims{}, err
	}
	if claims.SessionID, err = o.identifier("sid"); err != nil {
		return Claims{}, err
	}
	if claims.Carried, err = c.readCarried(o); err != nil {
		return Claims{}, err
	}
	if claims.Foreign() {
		claims.UserID, err = c.readForeignUserID(o)
		return claims, err
	}
	return c.readOwn(o, claims)
}

// readOwn adds what every token of ours has.
func (c *Codec) readOwn(o object, claims Claims) (_ Claims, err error) {
	if claims.Kind != Access && claims.Kind != Refresh {
		return Claims{}, errWrongType
	}
	if claims.IssuedAt.IsZero() {
		return Claims{}, malformed("it has no iat")
	}
	if claims.UserID, err = c.readUserID(o); err != nil {
		return Claims{}, err
	}
	if raw, ok := o["epoch"]; ok {
		if claims.Epoch, err = strconv.ParseInt(raw, 10, 64); err != nil {
			return Claims{}, malformed("epoch is not a whole number")
		}
	}
	if claims.Roles, err = o.texts("roles"); err != nil {
		return Claims{}, err
	}
	return claims, nil
}

// maxCarried bounds the carried claims of a token, in bytes, so that those made from it stay within their own bound.
const maxCarried = 4096

// readCarried returns the claims that Options.Carried names, as they stand.
func (c *Codec) readCarried(o object) (map[string]string, error) {
	var carried map[string]string
	size := 0
	for _, name := range c.o.Carried {
		raw, ok := o[name]
		if !ok {
			continue
		}
		if size += len(name) + len(raw); size > maxCarried {
			return nil, malformed("its carried claims are too long")
		}
		if carried == nil {
			carried = map[string]string{}
		}
		carried[name] = raw
	}
	return carried, nil
}

// readForeignUserID returns the user's id of a foreign token: empty where it has no such claim, 0 where the claim is
// what Python takes for false.
func (c *Codec) readForeignUserID(o object) (string, error) {
	switch o[c.o.UserIDClaim] {
	case "":
		return "", nil
	case "null", "false", "0", `""`, "[]", "{}":
		return "0", nil
	}
	return c.readUserID(o)
}

// readTimes returns claims with iat and exp, each zero where it is absent, and checks them and nbf.
func (c *Codec) readTimes(o object) (Claims, error) {
	latest := c.o.Now().Add(c.o.Leeway)
	issued, _, err := o.seconds("iat")
	if err != nil {
		return Claims{}, err
	}
	if issued.After(latest) {
		return Claims{}, malformed("iat is in the future")
	}
	before, _, err := o.seconds("nbf")
	if err != nil {
		return Claims{}, err
	}
	if before.After(latest) {
		return Claims{}, malformed("nbf is in the future")
	}
	expires, ok, err := o.seconds("exp")
	if err != nil {
		return Claims{}, err
	}
	claims := Claims{IssuedAt: issued, ExpiresAt: expires}
	if ok && c.Expired(claims) {
		return Claims{}, errExpired
	}
	return claims, nil
}

// checkParties compares iss and aud, where they are set, whole (RFC 8725 sections 3.8 and 3.9).
func (c *Codec) checkParties(o object) error {
	if c.o.Issuer != "" && !says(o["iss"], c.o.Issuer) {
		return malformed("iss is not ours")
	}
	if c.o.Audience == "" || says(o["aud"], c.o.Audience) {
		return nil
	}
	if list, err := o.texts("aud"); err == nil && slices.Contains(list, c.o.Audience) {
		return nil
	}
	return malformed("aud is not ours")
}

// says reports whether a member, empty where it is absent, is the string want.
func says(raw, want string) bool {
	if raw == "" {
		return false
	}
	s, ok := unquote(raw)
	return ok && s == want
}

func readKind(o object, kinds []Kind) (Kind, error) {
	raw, ok := o["token_type"]
	if !ok && len(kinds) == 0 {
		return "", nil
	}
	if !ok {
		return "", errNoType
	}
	text, _ := unquote(raw)
	kind := Kind(text)
	if len(kinds) > 0 && !slices.Contains(kinds, kind) {
		return "", errWrongType
	}
	return kind, nil
}

// readUserID returns the user's id: a string, or a whole number as djangorestframework-simplejwt wrote it before 5.5.1.
func (c *Codec) readUserID(o object) (string, error) {
	if raw := o[c.o.UserIDClaim]; raw != "" && raw[0] != '"' {
		if _, err := strconv.ParseUint(raw, 10, 63); err == nil {
			return raw, nil
		}
	}
	id, err := o.identifier(c.o.UserIDClaim)
	if err != nil {
		return "", err
	}
	if id == "" {
		return "", malformed("it names no user")
	}
	return id, nil
}
