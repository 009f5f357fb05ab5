// Package token writes and reads the tokens: JSON Web Tokens (RFC 7519) in compact form, signed (RFC 7515).
//
// It is the only package that knows golang-jwt, which does the signatures. What surrounds them is read here, more
// strictly than golang-jwt reads it, after RFC 8725: one text per token, exact and unique member names, the algorithm
// pinned to the key, no key from the token itself, every claim required and typed. It knows no database and no session.
package token

import (
	"time"

	"latchkey/fault"
)

// Kind tells the two kinds of token apart: the claim "token_type".
type Kind string

// The kinds of token.
const (
	Access  Kind = "access"
	Refresh Kind = "refresh"
)

// Claims is what a token says.
type Claims struct {
	Kind      Kind
	ID        string // jti
	UserID    string // user_id, and sub; in a foreign token it may be empty, where there is no such claim, or 0, nobody's
	SessionID string // sid; empty in a foreign token
	Epoch     int64  // the user's authorisation version when the token was made
	Roles     []string
	IssuedAt  time.Time         // to the second; zero only in a foreign token
	ExpiresAt time.Time         // to the second; the token is not good at this moment any more
	Carried   map[string]string // the claims that Options.Carried names, each as JSON; nil where there are none
}

// Foreign reports whether another issuer with the same key has made the token: djangorestframework-simplejwt knows no
// sessions, and of the claims it asks for exp, jti and token_type alone.
func (c Claims) Foreign() bool { return c.SessionID == "" }

// NamesNobody reports whether a foreign token has no user.
func (c Claims) NamesNobody() bool { return c.Foreign() && (c.UserID == "" || c.UserID == "0") }

// Error says why a token is not accepted.
type Error struct {
	Problem fault.TokenProblem
	Message string // djangorestframework-simplejwt's text
	cause   string // more, for a log; never the token
}

// Error returns the text and, where there is one, the detail for a log.
func (e *Error) Error() string {
	if e.cause == "" {
		return e.Message
	}
	return e.Message + ": " + e.cause
}

func malformed(cause string) *Error {
	return &Error{Problem: fault.TokenMalformed, Message: "Token is invalid", cause: cause}
}

// The refusals that have a text of their own.
var (
	errExpired   = &Error{Problem: fault.TokenExpired, Message: "Token is expired"}
	errNoExpiry  = &Error{Problem: fault.TokenMalformed, Message: "Token has no 'exp' claim"}
	errNoID      = &Error{Problem: fault.TokenMalformed, Message: "Token has no id"}
	errNoType    = &Error{Problem: fault.TokenMalformed, Message: "Token has no type"}
	errWrongType = &Error{Problem: fault.TokenWrongType, Message: "Token has wrong type"}
)
