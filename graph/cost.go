package graph

import (
	"encoding/json"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// pricer says how many objects and lists an operation may make the server fetch. Every field that gives an object or
// a list costs 1, and a field that takes `first` or `last` multiplies the cost of what is asked of its elements.
// A fragment's cost is worked out once. Fields of the introspection cost nothing here; meter bounds them.
type pricer struct {
	schema    *ast.Schema
	limits    *Limits
	query     *ast.QueryDocument
	variables map[string]any

	costs   map[*ast.FragmentDefinition]int
	depends bool // whether a page size is a variable
}

// check returns an error when the operation costs more than the limit.
func (p *pricer) check(op *ast.OperationDefinition) *gqlerror.Error {
	p.costs = map[*ast.FragmentDefinition]int{}
	cost := p.set(rootOf(p.schema, op), op.SelectionSet)
	return check("The operation costs %s", cost, p.limits.Cost, op.Position)
}

func (p *pricer) set(parent *ast.Definition, set ast.SelectionSet) int {
	cost := 0
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			cost = plus(cost, p.field(parent, selection))
		case *ast.InlineFragment:
			on := parent
			if selection.TypeCondition != "" {
				on = p.schema.Types[selection.TypeCondition]
			}
			cost = plus(cost, p.set(on, selection.SelectionSet))
		case *ast.FragmentSpread:
			if f := p.query.Fragments.ForName(selection.Name); f != nil {
				cost = plus(cost, p.fragment(f))
			}
		}
	}
	return cost
}

func (p *pricer) fragment(f *ast.FragmentDefinition) int {
	cost, ok := p.costs[f]
	if !ok {
		cost = p.set(p.schema.Types[f.TypeCondition], f.SelectionSet)
		p.costs[f] = cost
	}
	return cost
}

func (p *pricer) field(parent *ast.Definition, field *ast.Field) int {
	if parent == nil || isIntrospection(field.Name) {
		return 0
	}
	def := parent.Fields.ForName(field.Name)
	if def == nil {
		return 0
	}
	own := 0
	if def.Type.Elem != nil || len(field.SelectionSet) > 0 {
		own = 1
	}
	below := p.set(p.schema.Types[def.Type.Name()], field.SelectionSet)
	return plus(own, times(p.pageSize(def, field), below))
}

// pageSize returns how many elements a field gives that can be told how many, and 1 for any other.
func (p *pricer) pageSize(def *ast.FieldDefinition, field *ast.Field) int {
	size, isPaged := 0, false
	for _, name := range []string{"first", "last"} {
		argument := def.Arguments.ForName(name)
		if argument == nil {
			continue
		}
		isPaged = true
		value := argument.DefaultValue
		if given := field.Arguments.ForName(name); given != nil {
			value = given.Value
		}
		size = max(size, p.number(value))
	}
	switch {
	case !isPaged:
		return 1
	case size == 0:
		return p.limits.PageSize
	default:
		return size
	}
}

// number returns the value of an Int, and 0 where there is none.
func (p *pricer) number(value *ast.Value) int {
	if value == nil {
		return 0
	}
	if value.Kind == ast.Variable {
		p.depends = true
	}
	v, err := value.Value(p.variables)
	if err != nil {
		return 0
	}
	switch v := v.(type) {
	case int64:
		return clamp(v)
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return 0
		}
		return clamp(f)
	}
	return 0
}

func clamp[N int64 | float64](n N) int { return int(min(max(n, 0), huge)) }
