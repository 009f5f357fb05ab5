package auth

import (
	"context"
	"slices"
	"time"

	"latchkey/fault"
	"latchkey/models"
)

// Caller is who made a request, as a verified access token says.
type Caller struct {
	UserID    string
	SessionID string // empty with a token that another issuer with the same key has made
	TokenID   string // jti
	Epoch     int64  // the user's authorisation version when the token was made
	Roles     []string
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// HasRole reports whether the token names the role.
func (c *Caller) HasRole(name string) bool { return slices.Contains(c.Roles, name) }

// stale reports whether the user was changed since the token was made, in a way that makes it untrue.
func (c *Caller) stale(user models.User) bool {
	if c.SessionID == "" {
		return !models.Outlived(user.EpochRaisedAt, c.IssuedAt)
	}
	return c.Epoch < user.Epoch
}

// identity is what the middleware leaves in the context: the caller, or why there is none.
type identity struct {
	caller  *Caller
	refusal error // nil where no token was sent
}

type identityKey struct{}

func withIdentity(ctx context.Context, id identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// WithCaller returns a context in which c is the caller; for tests of resolvers and handlers.
func WithCaller(ctx context.Context, c *Caller) context.Context {
	return withIdentity(ctx, identity{caller: c})
}

// CallerFrom returns the caller that Middleware put into the context. The error is the answer to give where there is
// none: a *fault.Error of kind UNAUTHENTICATED that says what was wrong with the token, or the fault that kept it from
// being checked.
func CallerFrom(ctx context.Context) (*Caller, error) {
	id, _ := ctx.Value(identityKey{}).(identity)
	if id.caller != nil {
		return id.caller, nil
	}
	if id.refusal != nil {
		return nil, id.refusal
	}
	return nil, fault.Unauthenticated("", "")
}

// Client is where a request comes from, as far as sessions show it to their owner.
type Client struct {
	UserAgent string
	IPAddress string
}

type clientKey struct{}

// WithClient returns a context that carries where the request comes from.
func WithClient(ctx context.Context, c Client) context.Context {
	return context.WithValue(ctx, clientKey{}, &requester{Client: c})
}

// ClientFrom returns what WithClient put into the context; empty where nothing did.
func ClientFrom(ctx context.Context) Client {
	r, _ := ctx.Value(clientKey{}).(*requester)
	if r == nil {
		return Client{}
	}
	return r.Client
}
