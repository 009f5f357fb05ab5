package token

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Options is what New is handed. Only Now is required.
type Options struct {
	Issuer      string           // put into tokens as iss, and required of them; empty: neither
	Audience    string           // put into tokens as aud, and required of them; empty: neither
	Leeway      time.Duration    // clock skew allowed on exp, iat and nbf
	Carried     []string         // claims that are kept in Claims and written again; those of the token itself excepted
	UserIDClaim string           // the claim of the user's id; empty: "user_id"; "sub" or a name no other claim has
	Now         func() time.Time // the clock that exp, iat and nbf are held against
}

// Codec signs claims and reads them back. It is safe for use by many goroutines.
type Codec struct{ o Options }

// New returns a Codec.
func New(o Options) *Codec {
	o.UserIDClaim = cmp.Or(o.UserIDClaim, "user_id")
	return &Codec{o: o}
}

// Sign returns the token that says claims, signed with k. The times are written to the second, rounded down. It is an
// error if k cannot sign, or if the token would be too long for Parse.
func (c *Codec) Sign(claims Claims, k Key) (string, error) {
	method, err := k.method()
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	if k.Private == nil {
		return "", fmt.Errorf("sign token: the %s key has no private half", k.Algorithm)
	}
	t := jwt.NewWithClaims(method, c.payload(claims))
	if k.ID != "" {
		t.Header["kid"] = k.ID
	}
	raw, err := t.SignedString(k.Private)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	if len(raw) > maxLength {
		return "", fmt.Errorf("sign token: %d bytes are too long, with %d roles", len(raw), len(claims.Roles))
	}
	return raw, nil
}

func (c *Codec) payload(claims Claims) jwt.MapClaims {
	p := jwt.MapClaims{
		"token_type": string(claims.Kind),
		"exp":        claims.ExpiresAt.Unix(),
		"iat":        claims.IssuedAt.Unix(),
		"jti":        claims.ID,
	}
	if claims.UserID != "" {
		p[c.o.UserIDClaim], p["sub"] = claims.UserID, claims.UserID
	}
	if !claims.Foreign() {
		p["sid"], p["epoch"] = claims.SessionID, claims.Epoch
		if claims.Kind == Access {
			p["roles"] = append([]string{}, claims.Roles...) // an array even where there are none
		}
	}
	for name, value := range claims.Carried {
		p[name] = json.RawMessage(value)
	}
	if c.o.Issuer != "" {
		p["iss"] = c.o.Issuer
	}
	if c.o.Audience != "" {
		p["aud"] = c.o.Audience
	}
	return p
}

// Parse verifies a token of either kind and returns its claims: signature, then times, issuer, audience, then the
// claims every token must have; of a foreign one fewer, see Claims. An *Error says why the token is refused; any other error is a fault of the lookup or
// of the key it returned, and says nothing about the token.
func (c *Codec) Parse(ctx context.Context, raw string, lookup Lookup) (Claims, error) {
	return c.parse(ctx, raw, lookup, Access, Refresh)
}

// ParseKind is Parse for callers who want one kind and refuse the other.
func (c *Codec) ParseKind(ctx context.Context, raw string, lookup Lookup, want Kind) (Claims, error) {
	return c.parse(ctx, raw, lookup, want)
}

// ParseAny is Parse for callers who do not care of which kind a token is: a foreign one may be of another kind, or none.
func (c *Codec) ParseAny(ctx context.Context, raw string, lookup Lookup) (Claims, error) {
	return c.parse(ctx, raw, lookup)
}

func (c *Codec) parse(ctx context.Context, raw string, lookup Lookup, kinds ...Kind) (Claims, error) {
	parts, err := split(raw)
	if err != nil {
		return Claims{}, err
	}
	if err := verify(ctx, parts, lookup); err != nil {
		return Claims{}, err
	}
	payload, err := decode(parts.payload)
	if err != nil {
		return Claims{}, err
	}
	return c.readClaims(payload, kinds)
}

// verify checks the header and the signature. Nothing of the payload is read before.
func verify(ctx context.Context, parts compact, lookup Lookup) error {
	h, err := readHeader(parts.header)
	if err != nil {
		return err
	}
	signature, err := decode(parts.signature)
	if err != nil {
		return err
	}
	key, err := lookup(ctx, h.kid)
	if errors.Is(err, ErrUnknownKey) {
		return malformed("no key for its kid")
	}
	if err != nil {
		return fmt.Errorf("look up key: %w", err)
	}
	method, err := key.method()
	if err != nil {
		return fmt.Errorf("verify token: %w", err)
	}
	if h.alg != key.Algorithm {
		return malformed("its algorithm is not the key's")
	}
	err = method.Verify(parts.signed, signature, key.Public)
	if errors.Is(err, jwt.ErrInvalidKeyType) || errors.Is(err, jwt.ErrInvalidKey) {
		return fmt.Errorf("verify token: %w", err)
	}
	if err != nil {
		return malformed("signature: " + err.Error())
	}
	return nil
}

// Expired reports whether claims that were valid once are over.
func (c *Codec) Expired(claims Claims) bool {
	return !c.o.Now().Before(claims.ExpiresAt.Add(c.o.Leeway))
}
