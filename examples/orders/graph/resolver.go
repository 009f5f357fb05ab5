// Package graph is the GraphQL face of a service that is not Latchkey and takes its tokens.
package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/transport"

	"latchkey/auth"
	"latchkey/fault"
)

//go:generate sh -c "cd .. && go tool gqlgen generate"

// Resolver answers from a list of orders: the buyer's user id and the thing.
type Resolver struct{ Orders [][2]string }

// NewServer returns the GraphQL endpoint. It must stand inside auth.Middleware.
func NewServer(r *Resolver) *handler.Server {
	s := handler.New(NewExecutableSchema(Config{Resolvers: r, Directives: DirectiveRoot{Auth: Guard}}))
	s.AddTransport(transport.POST{})
	return s
}

// Guard is the directive @auth: it lets callers pass who have a valid access token and the role, where one is named.
func Guard(ctx context.Context, _ any, next graphql.Resolver, role *string) (any, error) {
	caller, err := auth.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	if role != nil && !caller.HasRole(*role) {
		return nil, fault.Forbidden(*role)
	}
	return next(ctx)
}
