package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"latchkey/fault"
)

// merger is the rule that fields which the executor runs as one ask for the same (section 5.3.2 of the specification),
// for documents that every other rule has passed. It reads a document as the executor does: the fields under one
// response name are one field, and their selections together are the next set. So its work grows with the number of
// selections, which is bounded.
//
// gqlparser's rule compares each field with each other one, takes any two objects or lists for the same value, so that
// of two mutations under one name the second is dropped without a word, and passes over some fragments that are used
// twice.
type merger struct {
	schema *ast.Schema
	query  *ast.QueryDocument
	texts  map[*ast.Field]string // the canonical arguments
}

// checkMerging returns an error for the first two fields that cannot be one.
func checkMerging(schema *ast.Schema, query *ast.QueryDocument) *gqlerror.Error {
	m := merger{schema: schema, query: query, texts: map[*ast.Field]string{}}
	for _, op := range query.Operations {
		if err := m.sets([]ast.SelectionSet{op.SelectionSet}, false); err != nil {
			return err
		}
	}
	return nil
}

// sets checks selection sets that the executor reads as one. With shapeOnly they are of objects of different types:
// then the fields may differ, but what they give must have the same shape.
func (m *merger) sets(sets []ast.SelectionSet, shapeOnly bool) *gqlerror.Error {
	var names []string
	groups := map[string][]*ast.Field{}
	spread := map[string]bool{}
	var collect func(ast.SelectionSet)
	collect = func(set ast.SelectionSet) {
		for _, selection := range set {
			switch selection := selection.(type) {
			case *ast.Field:
				if groups[selection.Alias] == nil {
					names = append(names, selection.Alias)
				}
				groups[selection.Alias] = append(groups[selection.Alias], selection)
			case *ast.InlineFragment:
				collect(selection.SelectionSet)
			case *ast.FragmentSpread:
				f := m.query.Fragments.ForName(selection.Name)
				if f != nil && !spread[selection.Name] {
					spread[selection.Name] = true
					collect(f.SelectionSet)
				}
			}
		}
	}
	for _, set := range sets {
		collect(set)
	}
	for _, name := range names {
		if err := m.group(groups[name], shapeOnly); err != nil {
			return err
		}
	}
	return nil
}

// group checks fields of one response name, and what they select.
func (m *merger) group(fields []*ast.Field, shapeOnly bool) *gqlerror.Error {
	for _, field := range fields[1:] {
		if !m.sameShape(fields[0].Definition.Type, field.Definition.Type) {
			return conflict(fields[0], field, fmt.Sprintf(`they return conflicting types "%s" and "%s"`,
				fields[0].Definition.Type, field.Definition.Type))
		}
	}
	if shapeOnly {
		return m.sets(below(fields), true)
	}
	parents := objectTypes(fields)
	if len(parents) <= 1 {
		return m.same(fields)
	}
	// No object is of two types: only fields that one object can have are run as one.
	for _, parent := range parents {
		together := slices.DeleteFunc(slices.Clone(fields), func(field *ast.Field) bool {
			return field.ObjectDefinition.Kind == ast.Object && field.ObjectDefinition != parent
		})
		if err := m.same(together); err != nil {
			return err
		}
	}
	return m.sets(below(fields), true)
}

// same checks fields that are run as one, and what they select.
func (m *merger) same(fields []*ast.Field) *gqlerror.Error {
	first := fields[0]
	for _, field := range fields[1:] {
		if field.Name != first.Name {
			return conflict(first, field, fmt.Sprintf("%q and %q are different fields", first.Name, field.Name))
		}
		if m.arguments(field) != m.arguments(first) {
			return conflict(first, field, "they have differing arguments")
		}
	}
	return m.sets(below(fields), false)
}

func conflict(a, b *ast.Field, because string) *gqlerror.Error {
	return problem(fault.KindValidationFailed, fmt.Sprintf(
		"Fields %q conflict because %s. Use different aliases on the fields to fetch both if this was intentional.",
		a.Alias, because), a.Position, b.Position)
}

// below returns what fields select.
func below(fields []*ast.Field) []ast.SelectionSet {
	var sets []ast.SelectionSet
	for _, field := range fields {
		if len(field.SelectionSet) > 0 {
			sets = append(sets, field.SelectionSet)
		}
	}
	return sets
}

// objectTypes returns the object types, not the abstract ones, that fields belong to, each once.
func objectTypes(fields []*ast.Field) []*ast.Definition {
	var types []*ast.Definition
	for _, field := range fields {
		if on := field.ObjectDefinition; on.Kind == ast.Object && !slices.Contains(types, on) {
			types = append(types, on)
		}
	}
	return types
}

// sameShape reports whether values of both types look the same in an answer, what is in their fields aside.
func (m *merger) sameShape(a, b *ast.Type) bool {
	if a.NonNull != b.NonNull || (a.Elem == nil) != (b.Elem == nil) {
		return false
	}
	if a.Elem != nil {
		return m.sameShape(a.Elem, b.Elem)
	}
	if m.schema.Types[a.NamedType].IsLeafType() || m.schema.Types[b.NamedType].IsLeafType() {
		return a.NamedType == b.NamedType
	}
	return true
}

func (m *merger) arguments(field *ast.Field) string {
	text, ok := m.texts[field]
	if !ok {
		parts := make([]string, len(field.Arguments))
		for i, argument := range field.Arguments {
			parts[i] = argument.Name + ":" + canonical(argument.Value)
		}
		slices.Sort(parts)
		text = strings.Join(parts, ",")
		m.texts[field] = text
	}
	return text
}

// canonical writes a value so that two texts are equal if the values are: the order of an object's fields is of no
// meaning.
func canonical(value *ast.Value) string {
	if value.Kind != ast.ListValue && value.Kind != ast.ObjectValue {
		return value.String()
	}
	parts := make([]string, len(value.Children))
	for i, child := range value.Children {
		parts[i] = child.Name + ":" + canonical(child.Value)
	}
	if value.Kind == ast.ObjectValue {
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	return "[" + strings.Join(parts, ",") + "]"
}
