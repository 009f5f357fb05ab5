package graph_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"latchkey/graph"
)

// undescribed returns every element of a schema that says nothing of itself: types, fields, arguments, input fields,
// enum values, directives and their arguments. What the specification brings along is not looked at.
func undescribed(schema *ast.Schema) []string {
	var found []string
	look := func(description, format string, names ...any) {
		if description == "" {
			found = append(found, fmt.Sprintf(format, names...))
		}
	}
	for _, t := range schema.Types {
		if t.BuiltIn {
			continue
		}
		look(t.Description, "%s", t.Name)
		for _, value := range t.EnumValues {
			look(value.Description, "%s.%s", t.Name, value.Name)
		}
		for _, field := range t.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			look(field.Description, "%s.%s", t.Name, field.Name)
			for _, argument := range field.Arguments {
				look(argument.Description, "%s.%s(%s:)", t.Name, field.Name, argument.Name)
			}
		}
	}
	for _, directive := range schema.Directives {
		if directive.Position.Src.BuiltIn {
			continue
		}
		look(directive.Description, "@%s", directive.Name)
		for _, argument := range directive.Arguments {
			look(argument.Description, "@%s(%s:)", directive.Name, argument.Name)
		}
	}
	slices.Sort(found)
	return found
}

func TestEveryElementOfTheSchemaIsDescribed(t *testing.T) {
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphql", Input: graph.SDL()})
	if err != nil {
		t.Fatal(err)
	}
	for _, element := range undescribed(schema) {
		t.Errorf("%s has no description", element)
	}
}

func TestWhatHasNoDescriptionIsNamed(t *testing.T) {
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: `
		directive @mark(why: String) on FIELD_DEFINITION
		scalar When
		type Query { now(zone: String): When "Said." said("Said." aloud: Boolean): Mood }
		"Said." enum Mood { GOOD "Said." BAD }
		input Form { text: String }
		union Either = Query
		interface Named { name: String }`})
	want := []string{
		"@mark", "@mark(why:)", "Either", "Form", "Form.text", "Mood.GOOD", "Named", "Named.name",
		"Query", "Query.now", "Query.now(zone:)", "When",
	}
	if got := undescribed(schema); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}
