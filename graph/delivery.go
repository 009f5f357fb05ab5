package graph

import (
	"context"
	"errors"

	"latchkey/auth"
	"latchkey/fault"
	"latchkey/graph/model"
)

// credential is the refresh token that a request presents: the argument, or without one the cookie.
type credential struct {
	jar   *jar
	token string // empty: there is none
	// kept says that the cookie holds a token of the same session, so that what becomes of the session is the cookie's
	// business, too. Any other cookie is left alone.
	kept bool
}

// credential returns what the request presents.
func (r *Resolver) credential(ctx context.Context, argument *string) (credential, error) {
	j := jarOf(ctx)
	if argument == nil {
		token, err := j.read()
		return credential{j, token, token != ""}, err
	}
	kept := r.cookieOwner(ctx)
	return credential{j, *argument, kept.SessionID != "" && kept == r.ownerOf(ctx, *argument)}, nil
}

// cookieOwner returns whose token the cookie holds; zero where there is none that counts.
func (r *Resolver) cookieOwner(ctx context.Context) auth.Owner {
	token, err := jarOf(ctx).read()
	if err != nil || token == "" {
		return auth.Owner{}
	}
	return r.ownerOf(ctx, token)
}

// ownerOf returns whose the refresh token is; zero for one that is not accepted.
func (r *Resolver) ownerOf(ctx context.Context, token string) auth.Owner {
	owner, err := r.Auth.OwnerOf(ctx, token)
	if err != nil {
		return auth.Owner{}
	}
	return owner
}

// withDevice returns a context that carries what the request shows of having signed in before.
func (r *Resolver) withDevice(ctx context.Context) context.Context {
	return auth.WithDevice(ctx, auth.Device{Cookie: jarOf(ctx).readDevice(), Owner: r.cookieOwner(ctx)})
}

// ownCookie returns the session of the cookie where it is one of the caller's own; else nothing.
func (r *Resolver) ownCookie(ctx context.Context) string {
	caller, err := auth.CallerFrom(ctx)
	if err != nil {
		return ""
	}
	kept := r.cookieOwner(ctx)
	if kept.UserID != caller.UserID {
		return ""
	}
	return kept.SessionID
}

// currentSession returns the session of the request's access token; empty where there is none.
func currentSession(ctx context.Context) string {
	caller, err := auth.CallerFrom(ctx)
	if err != nil {
		return ""
	}
	return caller.SessionID
}

// sameWay returns how the session that follows the caller's is delivered: as the caller's was, which the cookie tells.
func sameWay(ctx context.Context, cookie string) model.TokenDelivery {
	if cookie != "" && cookie == currentSession(ctx) {
		return model.TokenDeliveryCookie
	}
	return model.TokenDeliveryBody
}

// missing is the refusal of a refresh without any token.
func (c credential) missing() error {
	if err := c.jar.trusted(); err != nil {
		return err
	}
	return fault.BadUserInput("This field is required.", "refresh")
}

// refused clears the cookie when its token was refused for good, and returns the refusal. A fault of the server and
// a try too many say nothing of the token; nor does a token that another tab's request has overtaken: the browser may
// hold its successor by now.
func (c credential) refused(err error) error {
	if c.kept && errors.Is(err, fault.New(fault.KindTokenNotValid)) && !errors.Is(err, auth.ErrOvertaken) {
		c.jar.clear()
	}
	return err
}

// ended clears the cookie of a session that was ended.
func (c credential) ended() {
	if c.kept {
		c.jar.clear()
	}
}

// deliverable returns nil where a refresh token can be delivered in this way. To be asked before anything is done for
// it.
func deliverable(ctx context.Context, delivery model.TokenDelivery) error {
	if delivery == model.TokenDeliveryCookie {
		return jarOf(ctx).writable()
	}
	return nil
}

// deliver returns the answer with a pair and puts its refresh token where it was asked for. kept says that the cookie
// holds its predecessor: with the successor in the body, that one goes.
func deliver(ctx context.Context, pair auth.Pair, delivery model.TokenDelivery, kept bool) *model.TokenPair {
	vouch(ctx)
	answer := toTokenPair(pair)
	jarOf(ctx).putDevice(pair.Device)
	switch {
	case delivery == model.TokenDeliveryCookie:
		jarOf(ctx).put(pair.Refresh, pair.RefreshExpiresIn)
		answer.Refresh = nil
	case kept:
		jarOf(ctx).clear()
	}
	return answer
}
