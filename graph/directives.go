package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"latchkey/auth"
	"latchkey/graph/generated"
	"latchkey/models"
)

// NewSchema returns the schema with its resolvers and guards. The error says where a guard is missing or asks for what
// does not exist: such a schema must not be served.
func NewSchema(r *Resolver) (graphql.ExecutableSchema, error) {
	parsed := generated.NewExecutableSchema(generated.Config{}).Schema()
	schema := generated.NewExecutableSchema(generated.Config{
		Schema:     WithoutDefer(parsed),
		Resolvers:  r,
		Directives: generated.DirectiveRoot{Auth: guard(r.Auth)},
	})
	return loading{schema, r}, CheckGuards(schema.Schema())
}

// guard is @auth.
func guard(service *auth.Service) func(context.Context, any, graphql.Resolver, *string) (any, error) {
	return func(ctx context.Context, _ any, next graphql.Resolver, requires *string) (any, error) {
		permission := ""
		if requires != nil {
			permission = *requires
		}
		if err := service.Authorize(ctx, permission); err != nil {
			return nil, err
		}
		return next(ctx)
	}
}

// CheckGuards returns every way in which the schema leaves open whom a field is for: a root field that bears neither
// @auth nor @public, or both, and an @auth that requires a permission which does not exist.
func CheckGuards(schema *ast.Schema) error {
	var faults []error
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		if root == nil {
			continue
		}
		for _, field := range root.Fields {
			if field.Name == "__schema" || field.Name == "__type" || field.Name == "__typename" {
				continue
			}
			guarded := field.Directives.ForName("auth") != nil
			if public := field.Directives.ForName("public") != nil; guarded == public {
				faults = append(faults, fmt.Errorf("%s.%s must bear one of @auth and @public", root.Name, field.Name))
			}
		}
	}
	for _, name := range sortedTypes(schema) {
		definition := schema.Types[name]
		faults = append(faults, checkPermission(name, definition.Directives))
		for _, field := range definition.Fields {
			faults = append(faults, checkPermission(name+"."+field.Name, field.Directives))
		}
	}
	return errors.Join(faults...)
}

func checkPermission(where string, directives ast.DirectiveList) error {
	for _, d := range directives.ForNames("auth") {
		argument := d.Arguments.ForName("requires")
		if argument == nil || argument.Value.Kind == ast.NullValue {
			continue
		}
		if !slices.Contains(models.Permissions(), argument.Value.Raw) {
			return fmt.Errorf("%s requires %q, which is no permission", where, argument.Value.Raw)
		}
	}
	return nil
}

func sortedTypes(schema *ast.Schema) []string {
	names := make([]string, 0, len(schema.Types))
	for name := range schema.Types {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
