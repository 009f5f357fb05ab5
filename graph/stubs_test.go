package graph_test

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"latchkey/fault"
	"latchkey/graph"
	"latchkey/graph/generated"
	"latchkey/graph/model"
	"latchkey/models"
)

// stubs are resolvers that a test writes as it needs them. What is nil is not called, or panics.
type stubs struct {
	generated.ResolverRoot
	auth        func(ctx context.Context, next graphql.Resolver) (any, error)
	protected   func(ctx context.Context) (*string, error)
	me          func(ctx context.Context) (*models.User, error)
	tokenObtain func(ctx context.Context, username, password string) (*model.TokenPair, error)
	tokenVerify func(ctx context.Context, token string) (*model.VerifiedToken, error)
}

// newSchema returns the real schema with these resolvers.
func newSchema(s stubs) graphql.ExecutableSchema {
	base := generated.NewExecutableSchema(generated.Config{}).Schema()
	return generated.NewExecutableSchema(generated.Config{
		Schema:    graph.WithoutDefer(base),
		Resolvers: s,
		Directives: generated.DirectiveRoot{
			Auth: func(ctx context.Context, _ any, next graphql.Resolver, _ *string) (any, error) {
				if s.auth == nil {
					return next(ctx)
				}
				return s.auth(ctx, next)
			},
		},
	})
}

type queryStubs struct {
	generated.QueryResolver
	stubs
}

type mutationStubs struct {
	generated.MutationResolver
	stubs
}

func (s stubs) Query() generated.QueryResolver       { return queryStubs{stubs: s} }
func (s stubs) Mutation() generated.MutationResolver { return mutationStubs{stubs: s} }

func (s queryStubs) Protected(ctx context.Context) (*string, error) {
	if s.protected == nil {
		text := "This view is protected"
		return &text, nil
	}
	return s.protected(ctx)
}

func (s queryStubs) Me(ctx context.Context) (*models.User, error) { return s.me(ctx) }

func (s mutationStubs) TokenObtain(ctx context.Context, username, password string, _ model.TokenDelivery) (*model.TokenPair, error) {
	return s.tokenObtain(ctx, username, password)
}

func (s mutationStubs) TokenVerify(ctx context.Context, token string) (*model.VerifiedToken, error) {
	return s.tokenVerify(ctx, token)
}

// What resolvers without a server behind them answer.

func noUser(context.Context) (*models.User, error) { return nil, fault.Unauthenticated("", "") }

func noPair(context.Context, string, string) (*model.TokenPair, error) {
	return nil, fault.New(fault.KindInvalidCredentials)
}

func noToken(context.Context, string) (*model.VerifiedToken, error) {
	return nil, fault.TokenNotValid(fault.TokenMalformed, "")
}
