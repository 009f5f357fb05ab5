package graph

import (
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"latchkey/fault"
)

// compiler turns a text into a document that is ready to run: limits first, rules after.
type compiler struct {
	schema        *ast.Schema
	limits        *Limits
	introspection bool
	rules         *rules.Rules
}

func newCompiler(o Options, limits *Limits) *compiler {
	return &compiler{
		schema:        WithoutDefer(o.Schema.Schema()),
		limits:        limits,
		introspection: o.Introspection,
		rules:         rulesFor(o.Introspection),
	}
}

// compile returns the document, or why it cannot be run.
func (c *compiler) compile(text string) (*document, gqlerror.List) {
	tokens, refused := scan(text, c.limits)
	if refused != nil {
		return nil, gqlerror.List{refused}
	}
	query, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, c.limits.Tokens+1)
	if err != nil {
		return nil, gqlerror.List{syntaxError(err)}
	}
	if len(query.Operations) == 0 {
		return nil, gqlerror.List{problem(fault.KindValidationFailed, "The document has no operation.")}
	}
	m := meter{schema: c.schema, limits: c.limits, introspection: c.introspection, query: query}
	if refused := m.check(); refused != nil {
		return nil, gqlerror.List{refused}
	}
	if list := validator.ValidateWithRules(c.schema, query, c.rules); len(list) > 0 {
		return nil, invalid(list)
	}
	if refused := checkMerging(c.schema, query); refused != nil {
		return nil, gqlerror.List{refused}
	}
	p := pricer{schema: c.schema, limits: c.limits, query: query}
	d := &document{
		text:       text,
		query:      query,
		conditions: map[*ast.OperationDefinition][]string{},
		ready:      map[*ast.OperationDefinition]*graphql.OperationContext{},
		weight:     weigh(text, tokens),
	}
	for _, op := range query.Operations {
		refused := p.check(op)
		if refused != nil && !p.depends {
			return nil, gqlerror.List{refused}
		}
		if names := conditionVariables(query, op); names != nil {
			d.conditions[op] = names
		}
		if len(op.VariableDefinitions) == 0 {
			d.ready[op] = c.operationContext(d, op, nil)
		}
	}
	d.priced = !p.depends
	return d, nil
}

// operationContext returns what the generated code is told of an operation. It remembers in it which fields each
// selection comes to, which depends on nothing but the variables: without any, one serves all requests.
func (c *compiler) operationContext(d *document, op *ast.OperationDefinition, variables map[string]any) *graphql.OperationContext {
	return &graphql.OperationContext{
		RawQuery:               d.text,
		Variables:              variables,
		OperationName:          op.Name,
		Doc:                    d.query,
		Operation:              op,
		DisableIntrospection:   !c.introspection,
		RecoverFunc:            recovered,
		ResolverMiddleware:     resolve,
		RootResolverMiddleware: resolveRoot,
	}
}

// weigh estimates the memory that a document takes when it is kept.
func weigh(text string, tokens int) int { return 2_000 + 2*len(text) + 350*tokens }

// invalid gives the errors of validation their code, the first of them first.
func invalid(list gqlerror.List) gqlerror.List {
	out := make(gqlerror.List, len(list))
	for i, err := range list {
		out[i] = relocated(problem(fault.KindValidationFailed, err.Message), err)
	}
	slices.SortStableFunc(out, func(a, b *gqlerror.Error) int { return compareLocations(a.Locations, b.Locations) })
	return out
}

func compareLocations(a, b []gqlerror.Location) int {
	return slices.CompareFunc(a, b, func(a, b gqlerror.Location) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

// operation returns the operation with this name, or the only one where name is empty.
func (d *document) operation(name []byte) (*ast.OperationDefinition, *gqlerror.Error) {
	if len(name) == 0 {
		if len(d.query.Operations) == 1 {
			return d.query.Operations[0], nil
		}
		return nil, problem(fault.KindValidationFailed,
			"The document has several operations: name the one to run in operationName.")
	}
	for _, op := range d.query.Operations {
		if op.Name == string(name) {
			return op, nil
		}
	}
	return nil, problem(fault.KindValidationFailed, "The document has no operation of the name in operationName.")
}
