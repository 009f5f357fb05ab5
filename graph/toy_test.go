package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"latchkey/graph"
)

// toySDL has what the real schema may get one day: lists with pages, input objects, enums, abstract types.
const toySDL = `
type Query {
  ping: String
  echo(text: String, number: Int, id: ID, flag: Boolean, color: Color, when: DateTime, filter: Filter, tags: [String!], pick: Pick): String
  need(text: String!): String
  user: User
  users(first: Int, last: Int, after: String): UserConnection
  twenty(first: Int = 20): UserConnection
  node: Node
}
type Mutation {
  ping: String
  tokenObtain(username: String!, password: String!): String
  tokenRefresh(refresh: String): String
  passwordChange(current: String!, new: String!): String
  save(input: Filter!): String
}
scalar DateTime
enum Color { RED GREEN }
input Filter { name: String!, size: Int = 3, color: Color, tags: [String!], inner: Filter }
input Pick @oneOf { a: String, b: Int }
interface Node { id: ID! name(short: Boolean): String }
type User implements Node { id: ID! name(short: Boolean): String friends(first: Int): [User!] roles: [Role!] best: User }
type Role implements Node { id: ID! name(short: Boolean): String size: Int best: User }
type UserConnection { edges: [UserEdge!] total: Int }
type UserEdge { node: User cursor: String }
`

// toy is an executable schema that notes what it is asked to run and answers {"ran":true}.
type toy struct {
	schema *ast.Schema
	ran    []*graphql.OperationContext
	run    func(ctx context.Context) *graphql.Response // instead of that answer
}

func newToy(tb testing.TB) *toy {
	tb.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "toy.graphqls", Input: toySDL})
	if err != nil {
		tb.Fatal(err)
	}
	return &toy{schema: schema}
}

func (s *toy) Schema() *ast.Schema { return s.schema }

func (s *toy) Complexity(context.Context, string, string, int, map[string]any) (int, bool) {
	return 0, false
}

func (s *toy) Exec(ctx context.Context) graphql.ResponseHandler {
	s.ran = append(s.ran, graphql.GetOperationContext(ctx))
	if s.run != nil {
		return s.run
	}
	return graphql.OneShot(&graphql.Response{Data: json.RawMessage(`{"ran":true}`)})
}

// toyHandler returns a handler for the toy with introspection on.
func toyHandler(tb testing.TB) (http.Handler, *toy) {
	tb.Helper()
	s := newToy(tb)
	return graph.NewHandler(graph.Options{Schema: s, Introspection: true}), s
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string
	Data   json.RawMessage `json:"data"`
	Errors []struct {
		Message   string `json:"message"`
		Path      []any  `json:"path"`
		Locations []struct {
			Line   int `json:"line"`
			Column int `json:"column"`
		} `json:"locations"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
}

// code returns the code of the first error, or nothing.
func (r reply) code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	code, _ := r.Errors[0].Extensions["code"].(string)
	return code
}

// message returns the text of the first error, or nothing.
func (r reply) message() string {
	if len(r.Errors) == 0 {
		return ""
	}
	return r.Errors[0].Message
}

// hasData reports whether the answer has an entry `data` at all.
func (r reply) hasData() bool { return r.Data != nil }

// do sends a request and reads the answer, which must be JSON, whatever was sent.
func do(tb testing.TB, h http.Handler, r *http.Request) reply {
	tb.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	got := reply{status: w.Code, header: w.Header(), body: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		tb.Fatalf("the answer is not JSON: %v\n%s", err, got.body)
	}
	return got
}

// newPost returns a POST of a JSON body with the headers given as name, value, name, value.
func newPost(body string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// post sends a body.
func post(tb testing.TB, h http.Handler, body string, header ...string) reply {
	tb.Helper()
	return do(tb, h, newPost(body, header...))
}

// ask sends a document with variables, which may be nil.
func ask(tb testing.TB, h http.Handler, document string, variables map[string]any) reply {
	tb.Helper()
	return post(tb, h, encode(tb, map[string]any{"query": document, "variables": variables}))
}

// encode writes JSON.
func encode(tb testing.TB, v any) string {
	tb.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// leaves returns the names of the fields of a selection set, every spread followed.
func leaves(set ast.SelectionSet, doc *ast.QueryDocument) []string {
	var names []string
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			names = append(append(names, selection.Name), leaves(selection.SelectionSet, doc)...)
		case *ast.InlineFragment:
			names = append(names, leaves(selection.SelectionSet, doc)...)
		case *ast.FragmentSpread:
			if f := doc.Fragments.ForName(selection.Name); f != nil {
				names = append(names, leaves(f.SelectionSet, doc)...)
			}
		}
	}
	return names
}
