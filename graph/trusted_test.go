package graph_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/graph"
)

// folder writes files, given as name, content, name, content, and returns the folder.
func folder(tb testing.TB, files ...string) string {
	tb.Helper()
	dir := tb.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// trustingHandler returns a handler for the toy that runs only what is in these files.
func trustingHandler(t *testing.T, files ...string) (http.Handler, *toy) {
	t.Helper()
	s := newToy(t)
	o := graph.Options{Schema: s}
	trusted, err := graph.ReadTrusted(folder(t, files...), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Trusted = trusted
	return graph.NewHandler(o), s
}

const (
	userQuery = "query User {\n  user {\n    id\n    ...Named\n  }\n}\n\nfragment Named on User {\n  name\n}"
	save      = "mutation Save($n: String!) {\n  save(input: {name: $n, tags: [\"a\"]})\n}"
)

// manifest writes documents by their ids.
func manifest(t *testing.T, idsAndTexts ...string) string {
	t.Helper()
	m := map[string]string{}
	for i := 0; i < len(idsAndTexts); i += 2 {
		m[idsAndTexts[i]] = idsAndTexts[i+1]
	}
	return encode(t, m)
}

func apollo(t *testing.T, idsAndTexts ...string) string {
	t.Helper()
	var operations []map[string]string
	for i := 0; i < len(idsAndTexts); i += 2 {
		operations = append(operations, map[string]string{"id": idsAndTexts[i], "body": idsAndTexts[i+1], "name": "N", "type": "query"})
	}
	return encode(t, map[string]any{"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations})
}

func TestATrustedDocumentIsAskedForInEveryWayThatClientsKnow(t *testing.T) {
	h, s := trustingHandler(t,
		"codegen.json", manifest(t, "0123456789abcdef0123456789abcdef01234567", userQuery), // SHA-1
		"relay/persisted.json", manifest(t, "0123456789abcdef0123456789abcdef", save), // MD5
		"apollo.json", apollo(t, hashOf("{ ping }"), "{ ping }"),
		"hand.graphql", "# made by hand\nquery ByHand { need(text: \"a\") }\n",
	)
	const sha1, md5 = "0123456789abcdef0123456789abcdef01234567", "0123456789abcdef0123456789abcdef"
	apq := func(id string) string {
		return fmt.Sprintf(`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":%q}}}`, id)
	}
	for name, test := range map[string]struct{ body, runs string }{
		"documentId":                 {`{"documentId":"` + sha1 + `"}`, userQuery},
		"documentId of a SHA-256":    {`{"documentId":"sha256:` + hashOf(userQuery) + `","variables":{}}`, userQuery},
		"documentId and a null":      {`{"query":null,"documentId":"` + sha1 + `","operationName":"User"}`, userQuery},
		"Relay's":                    {`{"doc_id":"` + md5 + `","variables":{"n":"a"}}`, save},
		"Apollo's":                   {apq(hashOf("{ ping }")), "{ ping }"},
		"in Apollo's way, any id":    {apq(sha1), userQuery},
		"with a prefix in it":        {apq("sha256:" + hashOf("{ ping }")), "{ ping }"},
		"by the SHA-256 of its text": {apq(hashOf(userQuery)), userQuery},
		"by that of its file":        {apq(hashOf("# made by hand\nquery ByHand { need(text: \"a\") }\n")), `query ByHand { need ( text : "a" ) }`},
		"whole":                      {encode(t, map[string]any{"query": userQuery}), userQuery},
		"whole, with an id of it":    {encode(t, map[string]any{"query": userQuery, "documentId": sha1}), userQuery},
	} {
		s.ran = nil
		got := post(t, h, test.body)
		if got.code() != "" || len(s.ran) != 1 || s.ran[0].RawQuery != test.runs {
			t.Errorf("%s: got %s, which ran %d", name, got.body, len(s.ran))
		}
	}
	if got := do(t, h, newGet(url.Values{"documentId": {"sha256:" + hashOf(userQuery)}})); got.code() != "" {
		t.Errorf("by GET: got %s", got.body)
	}
	if got := do(t, h, newGet(url.Values{"documentId": {md5}, "variables": {`{"n":"a"}`}})); got.status != http.StatusMethodNotAllowed {
		t.Errorf("a mutation by GET: got %d %s", got.status, got.body)
	}
}

func TestNothingButTrustedDocumentsRuns(t *testing.T) {
	h, s := trustingHandler(t, "a.json", manifest(t, "user", userQuery, "save", save))
	const refused = "The operation is not one of the trusted documents, and this server runs no other."
	for name, test := range map[string]struct{ body, code, message string }{
		"another document":         {`{"query":"{ ping }"}`, validationFailed, refused},
		"an additional field":      {encode(t, map[string]string{"query": strings.Replace(userQuery, "    id\n", "    id\n name\n", 1)}), validationFailed, refused},
		"a field less":             {encode(t, map[string]string{"query": strings.Replace(userQuery, "    id\n", "", 1)}), validationFailed, refused},
		"another fragment":         {encode(t, map[string]string{"query": strings.Replace(userQuery, "{\n  name", "{\n  best { name }", 1)}), validationFailed, refused},
		"another value":            {encode(t, map[string]string{"query": strings.Replace(save, `"a"`, `"b"`, 1)}), validationFailed, refused},
		"another alias":            {encode(t, map[string]string{"query": strings.Replace(userQuery, "id", "x: id", 1)}), validationFailed, refused},
		"a directive":              {encode(t, map[string]string{"query": strings.Replace(userQuery, "id", "id @skip(if: true)", 1)}), validationFailed, refused},
		"one more operation":       {encode(t, map[string]string{"query": userQuery + " query B { ping }", "operationName": "User"}), validationFailed, refused},
		"one more, an anonymous":   {encode(t, map[string]string{"query": userQuery + " { ping }", "operationName": "User"}), validationFailed, refused},
		"two fragments of a name":  {encode(t, map[string]string{"query": userQuery + " fragment Named on User { id }"}), validationFailed, refused},
		"a fragment nobody uses":   {encode(t, map[string]string{"query": userQuery + " fragment Other on User { id }"}), validationFailed, `Fragment "Other" is never used.`},
		"fragments alone":          {`{"query":"fragment Named on User { name }"}`, validationFailed, refused},
		"introspection":            {`{"query":"{ __schema { types { name } } }"}`, validationFailed, refused},
		"no GraphQL":               {`{"query":"} { ) fragment"}`, parseFailed, "Syntax error: a definition is not closed."},
		"nothing in it":            {`{"query":" # "}`, validationFailed, refused},
		"over a limit":             {encode(t, map[string]string{"query": strings.Repeat("{a", 300_000)}), tooComplex, "The document is 600000 bytes long; the limit is 20000."},
		"an unknown id":            {`{"documentId":"nobody"}`, notFound, "No trusted document has this id."},
		"an unknown id of Relay's": {`{"doc_id":"nobody"}`, notFound, "No trusted document has this id."},
		"an unknown hash":          {persisted("", hashOf("{ ping }")), notFound, "PersistedQueryNotFound"},
		"with its hash":            {persisted("{ ping }", hashOf("{ ping }")), validationFailed, refused},
		"with an id of another":    {persisted("{ ping }", "user"), validationFailed, refused},
		"no document":              {`{"variables":{}}`, validationFailed, "The request has no document: put one into query."},
	} {
		got := post(t, h, test.body)
		if got.code() != test.code || got.message() != test.message || got.hasData() || len(s.ran) > 0 {
			t.Errorf("%s: got %s", name, got.body)
		}
	}
}

func TestATrustedDocumentMayBeWrittenInAnotherWay(t *testing.T) {
	h, s := trustingHandler(t, "a.json", manifest(t, "user", userQuery, "save", save, "ping", "query { ping }",
		"find", "query Find($text: String!, $number: Int = 1) { echo(text: $text, number: $number) }"), "two.graphql", "query One { user { ...Named } } query Two { ping }", "named.gql", "fragment Named on User { name } fragment Unused on User { id }")
	for name, document := range map[string]string{
		"white space":          strings.Join(strings.Fields(userQuery), " "),
		"commas":               strings.ReplaceAll(userQuery, "\n", ",\n"),
		"comments":             "# from the client\n" + userQuery,
		"as Apollo has it":     "query User { user { id ...Named __typename } } fragment Named on User { name __typename }",
		"as urql has it":       "query User { user { __typename id ...Named } } fragment Named on User { __typename name }",
		"at the root, too":     "query User { __typename user { id ...Named } } fragment Named on User { name }",
		"variables in order":   "query Find($number: Int = 1, $text: String!) { echo(text: $text, number: $number) }",
		"the fragment first":   "fragment Named on User { name } query User { user { id ...Named } }",
		"a block string":       strings.ReplaceAll(save, `"a"`, `"""a"""`),
		"without its keyword":  "{ ping }",
		"operations of a file": "query One { user { ...Named } } query Two { ping } fragment Named on User { name }",
	} {
		s.ran = nil
		for range 2 { // the second time it may come from the store
			body := map[string]any{"query": document, "variables": map[string]string{"n": "a", "text": "a"}}
			if strings.Contains(document, "Two") {
				body["operationName"] = "Two"
			}
			if got := post(t, h, encode(t, body)); got.code() != "" {
				t.Errorf("%s: got %s", name, got.body)
			}
		}
		// What it selects for its client must be in the answer.
		if len(s.ran) != 2 || s.ran[0].RawQuery != document {
			t.Errorf("%s: it was not run as it is", name)
		}
	}
	document := "query User { user { id ...Named __typename } } fragment Named on User { name __typename }"
	if got := post(t, h, persisted(document, hashOf(document))); got.code() != "" {
		t.Errorf("with its hash: got %s", got.body)
	}
	if got := post(t, h, persisted("", hashOf(document))); got.code() != "" {
		t.Errorf("then by its hash alone: got %s", got.body)
	}
}

func TestTypenameIsPassedOverWhereItIsAPlainFieldAlone(t *testing.T) {
	h, s := trustingHandler(t, "a.json", manifest(t, "a", "{ user { id } ping }"))
	for name, document := range map[string]string{
		"an alias":             "{ user { id x: __typename } ping }",
		"as an alias":          "{ user { id __typename: name } ping }",
		"a directive":          "{ user { id __typename @skip(if: false) } ping }",
		"an argument":          "{ user { id __typename(a: 1) } ping }",
		"a selection":          "{ user { id __typename { id } } ping }",
		"a fragment":           "{ user { id ...__typename } ping } fragment __typename on User { name }",
		"a type":               "{ user { id ... on __typename { name } } ping }",
		"a directive's name":   "{ user { id @__typename } ping }",
		"a value":              "{ user { id } ping(a: __typename) }",
		"a value in a list":    "{ user { id } ping(a: [__typename]) }",
		"a field of an object": "{ user { id } ping(a: { __typename: 1 }) }",
		"a variable":           "query($__typename: Int) { user { id } ping }",
		"a name":               "query __typename { user { id } ping }",
	} {
		if got := ask(t, h, document, nil); got.code() != validationFailed || len(s.ran) > 0 || !strings.Contains(got.message(), "trusted documents") {
			t.Errorf("%s: got %s", name, got.body)
		}
	}
	if got := ask(t, h, "{ user { id __typename } ping __typename }", nil); got.code() != "" {
		t.Errorf("plain: got %s", got.body)
	}
}

func TestGuardsAndLimitsHoldForTrustedDocuments(t *testing.T) {
	s := newToy(t)
	o := graph.Options{Schema: s, Limits: graph.Limits{Cost: 10}}
	var err error
	o.Trusted, err = graph.ReadTrusted(folder(t, "a.graphql", "query Page($n: Int) { users(first: $n) { edges { cursor } } }"), o)
	if err != nil {
		t.Fatal(err)
	}
	h := graph.NewHandler(o)
	const document = "query Page($n: Int) { users(first: $n) { edges { cursor } } }"
	if got := ask(t, h, document, map[string]any{"n": 9}); got.code() != "" {
		t.Errorf("at the limit: got %s", got.body)
	}
	if got := ask(t, h, document, map[string]any{"n": 10}); got.message() != "The operation costs 11; the limit is 10." {
		t.Errorf("over it: got %s", got.body)
	}
	if got := ask(t, h, document, map[string]any{"n": "x"}); got.code() != "BAD_USER_INPUT" && got.code() != validationFailed {
		t.Errorf("a bad variable: got %s", got.body)
	}
}

func TestWhatCannotBeTrustedStopsTheStartWithOneLine(t *testing.T) {
	for name, test := range map[string]struct {
		files []string
		want  string // DIR stands for the folder
	}{
		"an unknown field":           {[]string{"a.json", manifest(t, "x", "query Bad { pong }")}, `DIR/a.json: operation Bad: Cannot query field "pong" on type "Query".`},
		"in Apollo's manifest":       {[]string{"a.json", apollo(t, "x", "query Bad { pong }")}, `DIR/a.json: operation Bad: Cannot query field "pong" on type "Query".`},
		"in a file":                  {[]string{"in/a.gql", "query Good { ping }\nquery Bad { pong }"}, `DIR/in/a.gql: operation Bad: Cannot query field "pong" on type "Query".`},
		"without a name":             {[]string{"a.json", manifest(t, "x", "{ pong }")}, `DIR/a.json: document x: Cannot query field "pong" on type "Query".`},
		"a syntax error":             {[]string{"a.json", manifest(t, "x", "query Bad { ping( }")}, `DIR/a.json: document x: Syntax error: expected Name, found }.`},
		"one that is not closed":     {[]string{"a.graphql", "query Bad { ping"}, `DIR/a.graphql: Syntax error: a definition is not closed.`},
		"a fragment that is missing": {[]string{"a.graphql", "query Bad { user { ...Named } }"}, `DIR/a.graphql: operation Bad: Unknown fragment "Named".`},
		"a limit":                    {[]string{"a.graphql", "query Bad {" + each(31, "a#: ping ") + "}"}, `DIR/a.graphql: operation Bad: The operation has 31 aliases; the limit is 30.`},
		"introspection":              {[]string{"a.graphql", "query Bad { __schema { description } }"}, `DIR/a.graphql: operation Bad: Introspection is switched off: __schema cannot be asked for.`},
		"no JSON":                    {[]string{"a.json", "{"}, `DIR/a.json: The JSON text ends too early (at byte 1)`},
		"an id twice":                {[]string{"a.json", `{"x":"{ ping }","x":"{ ping }"}`}, `DIR/a.json: An object has the same name twice (at byte 20)`},
		"an id of two":               {[]string{"a.json", manifest(t, "x", "{ ping }"), "b.json", manifest(t, "x", "query Other { ping }")}, `DIR/b.json: operation Other: its id x stands for another document in DIR/a.json: document x`},
		"two fragments of a name":    {[]string{"a.gql", "fragment F on User { id }", "b.gql", "{ user { ...F } } fragment F on User { name }"}, `DIR/b.gql: fragment F is another one in DIR/a.gql`},
		"another JSON":               {[]string{"package.json", `{"name":"x","dependencies":{}}`}, `DIR/package.json: what it has under "dependencies" is not the text of a document, so it is not a manifest`},
		"a list":                     {[]string{"a.json", `[]`}, `DIR/a.json: it is neither an object of documents by their ids nor a manifest of Apollo`},
		"another version":            {[]string{"a.json", `{"format":"apollo-persisted-query-manifest","version":2}`}, `DIR/a.json: only version 1 of Apollo's manifest is known`},
		"no operations":              {[]string{"a.json", `{"format":"apollo-persisted-query-manifest","version":1}`}, `DIR/a.json: the manifest has no list of operations`},
		"an operation without body":  {[]string{"a.json", `{"format":"apollo-persisted-query-manifest","version":1,"operations":[{"id":"x"}]}`}, `DIR/a.json: operation 1 has no id or no body`},
		"no file":                    {[]string{"README.md", "x"}, `DIR: no file in it ends in .json, .graphql or .gql`},
		"fragments alone":            {[]string{"a.gql", "fragment F on User { id }"}, `DIR: there is no operation in it`},
		"an empty manifest":          {[]string{"a.json", "{}"}, `DIR: there is no operation in it`},
		"an empty file":              {[]string{"a.gql", "# nothing\n"}, `DIR/a.gql: there is no operation in it`},
		"another encoding":           {[]string{"a.gql", "{ ping } # \xff"}, `DIR/a.gql: it is not UTF-8`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, test.files...)
			trusted, err := graph.ReadTrusted(dir, graph.Options{Schema: newToy(t)})
			if err == nil {
				t.Fatalf("got %d operations", trusted.Len())
			}
			if got := strings.ReplaceAll(err.Error(), dir, "DIR"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	for _, path := range []string{"trusted_test.go", "no/such/folder"} {
		if _, err := graph.ReadTrusted(path, graph.Options{Schema: newToy(t)}); err == nil {
			t.Errorf("%s was read", path)
		}
	}
}

func TestAFolderIsReadAsKubernetesMountsIt(t *testing.T) {
	dir := folder(t, "..2026_01_31/a.json", manifest(t, "x", "query A { ping }"), "..2026_01_31/b.graphql", "\ufeffquery B { user { ...F } }",
		".hidden.json", "{", "notes.txt", "x", "deeper/f.graphql", "fragment F on User { id }")
	for _, link := range [][2]string{{"..2026_01_31", "..data"}, {"..data/a.json", "a.json"}, {"..data/b.graphql", "b.graphql"}} {
		if err := os.Symlink(link[0], filepath.Join(dir, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	o := graph.Options{Schema: newToy(t)}
	trusted, err := graph.ReadTrusted(dir, o)
	if err != nil || trusted.Len() != 2 {
		t.Fatalf("got %v, %v", trusted, err)
	}
	if trusted, err = graph.ReadTrusted(filepath.Join(dir, "a.json"), o); err != nil || trusted.Len() != 1 {
		t.Fatalf("one file: got %v, %v", trusted, err)
	}
}

func TestADocumentIDNeedsTrustedDocuments(t *testing.T) {
	h, s := toyHandler(t)
	got := post(t, h, `{"documentId":"sha256:`+hashOf("{ ping }")+`"}`)
	if got.code() != notFound || len(s.ran) > 0 || !strings.Contains(got.message(), "no trusted documents") {
		t.Errorf("got %s", got.body)
	}
	if got := post(t, h, `{"documentId":"x","query":"{ ping }"}`); got.code() != "" {
		t.Errorf("with a document: got %s", got.body)
	}
	if got := post(t, h, `{"documentId":"x","doc_id":"x"}`); got.code() != parseFailed {
		t.Errorf("twice: got %s", got.body)
	}
}

// FuzzTrusted sends documents where few are trusted. Whatever runs must be one of them but for `__typename`.
func FuzzTrusted(f *testing.F) {
	for _, document := range []string{
		"{ ping }", "query{ping __typename}", "query A { user { id ...F } } fragment F on User { name }", "{ping}{ping}",
		"{ping", "}", "{ user { ... on User { id } } }", `{ echo(tags: ["a"]) }`, "fragment F on User { name } query A { user { id ...F } }",
		"query A { user { id ...F ...G } } fragment F on User { name } fragment G on User { __typename }", "{\"\"\"}\"\"\"}",
	} {
		f.Add(document)
	}
	s := newToy(f)
	o := graph.Options{Schema: s}
	path := filepath.Join(f.TempDir(), "a.json")
	content, err := json.Marshal(map[string]string{"a": "{ ping }", "b": "query A { user { id ...F } } fragment F on User { name }"})
	if err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		f.Fatal(err)
	}
	if o.Trusted, err = graph.ReadTrusted(path, o); err != nil {
		f.Fatal(err)
	}
	h := graph.NewHandler(o)
	f.Fuzz(func(t *testing.T, document string) {
		s.ran = nil
		got := ask(t, h, strings.ToValidUTF8(document, ""), nil)
		checkAnswer(t, got)
		for _, ran := range s.ran {
			var fields []string
			for _, field := range leaves(ran.Operation.SelectionSet, ran.Doc) {
				if field != "__typename" {
					fields = append(fields, field)
				}
			}
			if asked := strings.Join(fields, " "); asked != "ping" && asked != "user id name" {
				t.Fatalf("%q ran and asked for %q", document, asked)
			}
		}
	})
}
