package graph_test

import (
	"sync"
	"testing"

	"latchkey/graph"
)

// What is kept of an operation must serve requests that run side by side, and must not outlive the variables that
// decide which fields there are.
func TestADocumentServesManyRequestsAtOnce(t *testing.T) {
	h := graph.NewHandler(graph.Options{Schema: newSchema(stubs{})})
	const some = `query($q: Boolean!) { protected ... on Query @include(if: $q) { q: protected } }`
	for _, row := range []struct {
		name, document, want string
		variables            map[string]any
	}{
		{
			"fragments, no variable", `{ ...P } fragment P on Query { protected ... on Query { q: protected } }`,
			`{"data":{"protected":"This view is protected","q":"This view is protected"}}`, nil,
		},
		{"a variable that takes a field in", some, `{"data":{"protected":"This view is protected","q":"This view is protected"}}`, map[string]any{"q": true}},
		{"a variable that leaves it out", some, `{"data":{"protected":"This view is protected"}}`, map[string]any{"q": false}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					for range 10 {
						if got := ask(t, h, row.document, row.variables).body; got != row.want {
							t.Errorf("got %s, want %s", got, row.want)
						}
					}
				})
			}
			group.Wait()
		})
	}
}
