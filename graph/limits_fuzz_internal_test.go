package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
)

// FuzzAccept reads any Accept headers.
func FuzzAccept(f *testing.F) {
	for _, seed := range []string{
		"", "*/*", mediaJSON, mediaResponse, "application/json;q=0, */*", "application/graphql-response+json, application/json;q=0.9",
		"text/html, application/xhtml+xml, */*;q=0.8", "application/*;q=0.1", "*/*;q=0", `application/json;a="b,c";q=1`, `application/json;a="\",`,
		"application/json;charset=latin1", ";q=", "q=1", ",,,", "application/json;q=1e-9", "application/json;q=NaN", "\x00\xff", strings.Repeat("a/b,", 5_000),
	} {
		f.Add(seed, "")
		f.Add("text/html", seed)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		header := []string{first, second}
		media, ok := negotiate(header)
		if media != mediaJSON && media != mediaResponse || !ok && media != mediaJSON {
			t.Fatalf("%q: got %s, %t", header, media, ok)
		}
		joined := first + "," + second
		if again, okAgain := negotiate([]string{joined}); again != media || okAgain != ok {
			t.Fatalf("%q in one line: got %s, %t, and in two %s, %t", header, again, okAgain, media, ok)
		}
		if strings.TrimSpace(joined) == "," {
			return
		}
		legacy, response := preferenceFor(joined, mediaJSON), preferenceFor(joined, mediaResponse)
		chosen, other := legacy, response
		if media == mediaResponse {
			chosen, other = response, legacy
		}
		if ok != (legacy.weight+response.weight > 0) || ok && (chosen.weight == 0 || chosen.weight < other.weight) {
			t.Fatalf("%q: %s of %+v and %+v", header, media, legacy, response)
		}
		// What nobody lists changes nothing, wherever the list is whole.
		if !strings.ContainsAny(joined, `"\`) {
			if again, okAgain := negotiate([]string{joined, "image/png"}); again != media || okAgain != ok {
				t.Fatalf("%q and a picture: got %s, %t", header, again, okAgain)
			}
		}
	})
}

// FuzzLimits compiles any document under small limits. What is let through is counted once more, in the plainest way: it must
// not be over any of them.
func FuzzLimits(f *testing.F) {
	for _, seed := range []string{
		"{ a { b } }", "{ a { a { a { a { b } } } } }", "{ x: b y: b z: b }", "{ ...A ...A } fragment A on Query { ...B ...B } fragment B on Query { b }",
		"query A { b } query B { ...F } fragment F on Query { b b b }", "{ b @skip(if: true) @include(if: true) }", "{ ... { ... on Query { b } } }",
		"{ a { list(first: 3) { list(first: 3) { b } } } }", "query($n: Int) { a { list(first: $n) { b } } }", "{ __schema { types { name } } }",
		"{ __type(name: \"A\") { fields { type { ofType { name } } } } }", "{ a { ...F } } fragment F on A { a { ...F } }", "mutation { b }", "{ # a\n b }",
	} {
		f.Add(seed)
	}
	limits := Limits{Document: 300, Name: 10, Tokens: 60, Nesting: 8, Directives: 2, Fragments: 3, Depth: 4, Aliases: 2, RootFields: 4, Fields: 10, Cost: 12}.withDefaults()
	c := *testCompiler(f)
	c.limits = &limits
	f.Fuzz(func(t *testing.T, text string) {
		d, errs := c.compile(strings.ToValidUTF8(text, ""))
		if (d == nil) == (len(errs) == 0) {
			t.Fatalf("got %v and %v", d, errs)
		}
		if d == nil {
			return
		}
		all := 0
		for _, op := range d.query.Operations {
			n := counted{doc: d.query}
			n.count(op.SelectionSet, 0, false)
			if n.root > limits.RootFields || n.aliases > limits.Aliases || n.deepest > limits.Depth {
				t.Fatalf("%q: %+v", text, n)
			}
			all += n.selections
		}
		if all > limits.Fields || len(d.query.Fragments) > limits.Fragments || len(text) > limits.Document && len(strings.ToValidUTF8(text, "")) > limits.Document {
			t.Fatalf("%q: %d selections, %d fragments", text, all, len(d.query.Fragments))
		}
	})
}

// counted counts an operation by following every spread anew.
type counted struct {
	doc                                *ast.QueryDocument
	selections, root, aliases, deepest int
}

func (n *counted) count(set ast.SelectionSet, depth int, hidden bool) {
	for _, selection := range set {
		n.selections++
		switch selection := selection.(type) {
		case *ast.Field:
			if depth == 0 {
				n.root++
			}
			if selection.Alias != selection.Name {
				n.aliases++
			}
			below := hidden || slices.Contains([]string{"__schema", "__type"}, selection.Name)
			if !below {
				n.deepest = max(n.deepest, depth+1)
			}
			n.count(selection.SelectionSet, depth+1, below)
		case *ast.InlineFragment:
			n.count(selection.SelectionSet, depth, hidden)
		case *ast.FragmentSpread:
			n.count(n.doc.Fragments.ForName(selection.Name).SelectionSet, depth, hidden)
		}
	}
}
