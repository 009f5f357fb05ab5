// Package graph is the GraphQL face of the server: the schema, thin resolvers, and how a request is read, limited,
// guarded and answered. Decisions are made in package auth; this package translates.
package graph

import (
	"errors"
	"slices"
	"strings"

	"latchkey/auth"
	"latchkey/graph/model"
)

//go:generate go run github.com/99designs/gqlgen generate

// Resolver holds what the resolvers call.
type Resolver struct {
	Auth *auth.Service
}

func toTokenPair(p auth.Pair) *model.TokenPair {
	return &model.TokenPair{
		Access: p.Access, AccessExpiresAt: p.AccessExpiresAt, AccessExpiresIn: int(p.AccessExpiresIn.Seconds()),
		Refresh: &p.Refresh, RefreshExpiresAt: p.RefreshExpiresAt, User: &p.User,
	}
}

func toVerifiedToken(i auth.Inspected) *model.VerifiedToken {
	v := &model.VerifiedToken{
		TokenType: model.TokenTypeAccess, ExpiresAt: i.Claims.ExpiresAt, IssuedAt: i.Claims.IssuedAt, User: &i.User,
	}
	if i.Claims.Kind == "refresh" {
		v.TokenType = model.TokenTypeRefresh
	}
	if i.Claims.SessionID != "" {
		v.SessionID = &i.Claims.SessionID
	}
	return v
}

// toUserErrors returns what is wrong with a form as typed data. Any other error stays what it is.
// The fields are within the arguments given.
func toUserErrors(err error, within ...string) ([]model.UserError, error) {
	form, ok := errors.AsType[auth.FormError](err)
	if !ok {
		return nil, err
	}
	list := make([]model.UserError, len(form))
	for i, p := range form {
		list[i] = model.UserError{Code: p.Code, Field: append(slices.Clone(within), strings.Split(p.Field, ".")...), Message: p.Message}
	}
	return list, nil
}
