// Package fault holds the only errors a client ever sees.
//
// It owns the vocabulary (Kind, TokenProblem), the public text of each, and the split between what is said to a
// client and what is kept for the log. It knows no transport: graph and rest translate an Error to the wire.
package fault

import (
	"errors"
	"slices"
	"time"
)

// Error is a failure that may be shown to a client. Everything in it but its cause is public.
// An Error is a value built where the failure is understood; nobody writes into one afterwards.
type Error struct {
	Kind       Kind
	Message    string        // for people; the table's text where it is empty
	Reason     TokenProblem  // why a token was not accepted; with Unauthenticated and TokenNotValid only
	Requires   string        // the permission that is missing; with Forbidden only
	Fields     []string      // the arguments at fault; with BadUserInput and Conflict only
	RetryAfter time.Duration // when to try again; with RateLimited only

	cause error
}

// New returns an Error of the given kind with the table's text.
func New(kind Kind) *Error { return &Error{Kind: kind} }

// Unauthenticated is the answer to a guarded field without a usable access token.
// The reason and the message say what was wrong with the token that was sent; both are empty where none was.
func Unauthenticated(reason TokenProblem, message string) *Error {
	return &Error{Kind: KindUnauthenticated, Reason: reason, Message: message}
}

// TokenNotValid is the answer to a token, given as an argument or in the cookie, that is not accepted.
func TokenNotValid(reason TokenProblem, message string) *Error {
	return &Error{Kind: KindTokenNotValid, Reason: reason, Message: message}
}

// Forbidden is the answer to a caller who is known but lacks the permission named.
func Forbidden(requires string) *Error {
	return &Error{Kind: KindForbidden, Requires: requires}
}

// BadUserInput is the answer to arguments that are not acceptable.
func BadUserInput(message string, fields ...string) *Error {
	return &Error{Kind: KindBadUserInput, Message: message, Fields: fields}
}

// RateLimited is the answer to too many tries; after says when the next one has a chance.
func RateLimited(after time.Duration) *Error {
	return &Error{Kind: KindRateLimited, RetryAfter: after}
}

// Because returns a copy of e that keeps cause for the log. The cause is never part of an answer.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Fields = slices.Clone(e.Fields)
	c.cause = cause
	return &c
}

// Error returns the public text.
func (e *Error) Error() string { return e.PublicMessage() }

// PublicMessage returns the text for the client: the Error's own, else the table's.
func (e *Error) PublicMessage() string {
	if e.Message != "" {
		return e.Message
	}
	return Lookup(e.Kind).Message
}

// Unwrap returns the cause, for errors.Is and for the log.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is an Error of the same Kind, so that errors.Is(err, fault.New(k)) asks for a kind.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind
}

// From returns err as an Error. What is not one already becomes an internal error that keeps err as its cause:
// unclassified text cannot reach a client. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return New(KindInternal).Because(err)
}
