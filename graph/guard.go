package graph

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"latchkey/fault"
)

// meter measures one parsed document before the rules of validation see it. Several of those rules follow a fragment
// once for each spread, so that sixty fragments which each spread the next one twice would keep them busy for years;
// meter remembers what it found in each fragment, and its work grows with the length of the text alone. What it lets
// pass has few selections however it is read.
type meter struct {
	schema        *ast.Schema
	limits        *Limits
	introspection bool // whether the schema may be asked for
	query         *ast.QueryDocument

	sizes   map[*ast.FragmentDefinition]size
	inside  map[*ast.FragmentDefinition]bool // fragments that are being measured
	cycle   *ast.FragmentSpread              // the first spread that leads back to where it stands
	visited int                              // selections looked at, for the proof that it is linear
}

// size is what meter knows of a selection set, every spread followed.
type size struct {
	selections  int // fields, spreads and inline fragments
	width       int // fields that are not within another field
	depth       int // of fields within fields, but for those of the introspection
	hiddenDepth int // of fields of the introspection within one another
	aliases     int
	lists       int // of introspection, nested
	hidden      int // aliases within one introspection, where there are most
}

// check measures all of the document's fragments and operations. An error names the first limit that is passed.
func (m *meter) check() *gqlerror.Error {
	m.sizes = make(map[*ast.FragmentDefinition]size, len(m.query.Fragments))
	m.inside = map[*ast.FragmentDefinition]bool{}
	if err := check("The document has %s fragments", len(m.query.Fragments), m.limits.Fragments, nil); err != nil {
		return err
	}
	for _, f := range m.query.Fragments {
		if len(f.VariableDefinition) > 0 {
			return problem(fault.KindParseFailed, "A fragment cannot define variables.", f.Position)
		}
		s := m.fragment(f)
		if m.cycle != nil {
			return problem(fault.KindValidationFailed,
				fmt.Sprintf("Cannot spread fragment %q within itself.", m.cycle.Name), m.cycle.Position)
		}
		if err := m.limit("The fragment", s, f.Position); err != nil {
			return err
		}
	}
	// Validation walks through every operation, with all that it spreads, whichever is to be run.
	selections := 0
	for _, op := range m.query.Operations {
		s, err := m.operation(op)
		if err != nil {
			return err
		}
		selections = plus(selections, s.selections)
	}
	return check("The operations have %s selections together", selections, m.limits.Fields, nil)
}

// limit compares a size with the limits.
func (m *meter) limit(what string, s size, at *ast.Position) *gqlerror.Error {
	for _, one := range []struct {
		phrase     string
		got, limit int
	}{
		{" nests fields %s deep", s.depth, m.limits.Depth},
		{" has %s aliases", s.aliases, m.limits.Aliases},
		{" has %s selections", s.selections, m.limits.Fields},
		{" nests fields of the introspection %s deep", s.hiddenDepth, introspectionDepth},
		{" nests lists of the introspection %s deep", s.lists, introspectionLists},
		{" has %s aliases in one introspection", s.hidden, introspectionAliases},
	} {
		if err := check(what+one.phrase, one.got, one.limit, at); err != nil {
			return err
		}
	}
	return nil
}

func (m *meter) operation(op *ast.OperationDefinition) (size, *gqlerror.Error) {
	s := m.set(rootOf(m.schema, op), op.SelectionSet)
	if err := m.limit("The operation", s, op.Position); err != nil {
		return s, err
	}
	if err := check("The operation has %s root fields", s.width, m.limits.RootFields, op.Position); err != nil {
		return s, err
	}
	// There are few of them now, so that following the spreads once more is cheap.
	asked := map[string]int{}
	for field := range m.rootFields(op.SelectionSet) {
		asked[field.Name]++
		if !m.introspection && (field.Name == "__schema" || field.Name == "__type") {
			return s, problem(fault.KindValidationFailed,
				"Introspection is switched off: "+field.Name+" cannot be asked for.", field.Position)
		}
		if slices.Contains(m.limits.Once, field.Name) {
			what := "The operation asks for " + field.Name + " %s times"
			if err := check(what, asked[field.Name], 1, field.Position); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// rootFields yields the fields of a set that are not within another field, every spread followed.
func (m *meter) rootFields(set ast.SelectionSet) iter.Seq[*ast.Field] {
	return func(yield func(*ast.Field) bool) { m.eachRootField(set, yield) }
}

func (m *meter) eachRootField(set ast.SelectionSet, yield func(*ast.Field) bool) bool {
	for _, selection := range set {
		more := true
		switch selection := selection.(type) {
		case *ast.Field:
			more = yield(selection)
		case *ast.InlineFragment:
			more = m.eachRootField(selection.SelectionSet, yield)
		case *ast.FragmentSpread:
			if f := m.query.Fragments.ForName(selection.Name); f != nil {
				more = m.eachRootField(f.SelectionSet, yield)
			}
		}
		if !more {
			return false
		}
	}
	return true
}

// fragment measures a fragment, once.
func (m *meter) fragment(f *ast.FragmentDefinition) size {
	s, ok := m.sizes[f]
	if ok {
		return s
	}
	m.inside[f] = true
	s = m.set(m.schema.Types[f.TypeCondition], f.SelectionSet)
	delete(m.inside, f)
	m.sizes[f] = s
	return s
}

// set measures a selection set on a type, which is nil where the document names one that does not exist.
func (m *meter) set(parent *ast.Definition, set ast.SelectionSet) size {
	var sum size
	for _, selection := range set {
		m.visited++
		var s size
		switch selection := selection.(type) {
		case *ast.Field:
			s = m.field(parent, selection)
		case *ast.InlineFragment:
			on := parent
			if selection.TypeCondition != "" {
				on = m.schema.Types[selection.TypeCondition]
			}
			s = m.set(on, selection.SelectionSet)
		case *ast.FragmentSpread:
			s = m.spread(selection)
		}
		sum.selections = plus(sum.selections, plus(s.selections, 1))
		sum.width = plus(sum.width, s.width)
		sum.depth = max(sum.depth, s.depth)
		sum.hiddenDepth = max(sum.hiddenDepth, s.hiddenDepth)
		sum.aliases = plus(sum.aliases, s.aliases)
		sum.lists = max(sum.lists, s.lists)
		sum.hidden = max(sum.hidden, s.hidden)
	}
	return sum
}

func (m *meter) spread(spread *ast.FragmentSpread) size {
	f := m.query.Fragments.ForName(spread.Name)
	if f == nil {
		return size{} // validation says so
	}
	if m.inside[f] {
		if m.cycle == nil {
			m.cycle = spread
		}
		return size{}
	}
	return m.fragment(f)
}

func (m *meter) field(parent *ast.Definition, field *ast.Field) size {
	s := m.set(typeOf(m.schema, parent, field), field.SelectionSet)
	s.width = 1
	isHidden := field.Name == "__schema" || field.Name == "__type"
	if isHidden || parent != nil && isIntrospection(parent.Name) {
		s.hiddenDepth++
	} else {
		s.depth++
	}
	if isHidden {
		s.hidden = s.aliases
	}
	if field.Alias != field.Name {
		s.aliases = plus(s.aliases, 1)
	}
	if parent != nil && parent.Name == "__Type" && isTypeList(field.Name) {
		s.lists++
	}
	return s
}

// isTypeList reports whether a field of __Type leads to a list from which one can come back to a __Type.
func isTypeList(name string) bool {
	return name == "fields" || name == "inputFields" || name == "interfaces" || name == "possibleTypes"
}

// rootOf returns the type that an operation starts from, or nil.
func rootOf(schema *ast.Schema, op *ast.OperationDefinition) *ast.Definition {
	switch op.Operation {
	case ast.Mutation:
		return schema.Mutation
	case ast.Subscription:
		return schema.Subscription
	default:
		return schema.Query
	}
}

// typeOf returns the type of what a field gives, or nil where there is no such field.
func typeOf(schema *ast.Schema, parent *ast.Definition, field *ast.Field) *ast.Definition {
	if parent == nil {
		return nil
	}
	def := parent.Fields.ForName(field.Name)
	if def == nil {
		return nil
	}
	return schema.Types[def.Type.Name()]
}

// conditionVariables returns the names of the variables that decide about @skip and @include in an operation.
func conditionVariables(query *ast.QueryDocument, op *ast.OperationDefinition) []string {
	var names []string
	seen := map[string]bool{}
	var walk func(ast.SelectionSet)
	directives := func(list ast.DirectiveList) {
		for _, d := range list {
			if d.Name != "skip" && d.Name != "include" {
				continue
			}
			for _, argument := range d.Arguments {
				if argument.Value.Kind == ast.Variable && !slices.Contains(names, argument.Value.Raw) {
					names = append(names, argument.Value.Raw)
				}
			}
		}
	}
	walk = func(set ast.SelectionSet) {
		for _, selection := range set {
			switch selection := selection.(type) {
			case *ast.Field:
				directives(selection.Directives)
				walk(selection.SelectionSet)
			case *ast.InlineFragment:
				directives(selection.Directives)
				walk(selection.SelectionSet)
			case *ast.FragmentSpread:
				directives(selection.Directives)
				if f := query.Fragments.ForName(selection.Name); f != nil && !seen[f.Name] {
					seen[f.Name] = true
					walk(f.SelectionSet)
				}
			}
		}
	}
	walk(op.SelectionSet)
	return names
}

// WithoutDefer returns the schema without the directive @defer. It is in every schema that gqlparser loads, and gqlgen
// obeys it, but an answer in one piece then lacks what was put off. NewHandler refuses the directive in any case; an
// executable schema made with the result does not tell clients of it either. The types are shared with the one given.
func WithoutDefer(schema *ast.Schema) *ast.Schema {
	copied := *schema
	copied.Directives = make(map[string]*ast.DirectiveDefinition, len(schema.Directives))
	for name, d := range schema.Directives {
		if name != "defer" {
			copied.Directives[name] = d
		}
	}
	return &copied
}

// isIntrospection reports whether a name is one of the schema's own.
func isIntrospection(name string) bool { return strings.HasPrefix(name, "__") }
