package graph

import (
	"fmt"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// TestMeteringIsLinear counts the selections that are looked at: each that stands in the text once, however often the
// fragments double.
func TestMeteringIsLinear(t *testing.T) {
	c := testCompiler(t)
	for _, levels := range []int{1, 10, 60, 95} {
		text := "{ ...F0 }"
		for i := range levels {
			text += fmt.Sprintf(" fragment F%d on Query { ...F%d ...F%d }", i, i+1, i+1)
		}
		text += fmt.Sprintf(" fragment F%d on Query { b }", levels)
		query, err := parser.ParseQuery(&ast.Source{Input: text})
		if err != nil {
			t.Fatal(err)
		}
		m := meter{
			schema: c.schema, limits: c.limits, query: query,
			sizes: map[*ast.FragmentDefinition]size{}, inside: map[*ast.FragmentDefinition]bool{},
		}
		s := m.set(c.schema.Query, query.Operations[0].SelectionSet)
		if wantWidth := min(1<<levels, huge); s.width != wantWidth && levels < 64 || s.depth != 1 {
			t.Errorf("%d levels: got %+v, want a width of %d", levels, s, wantWidth)
		}
		if want := 1 + 2*levels + 1; m.visited != want {
			t.Errorf("%d levels: looked at %d selections, want %d", levels, m.visited, want)
		}
	}
}
