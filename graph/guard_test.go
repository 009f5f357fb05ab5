package graph_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"latchkey/graph"
)

// each writes text n times, with # replaced by the number.
func each(n int, text string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(text, "#", fmt.Sprint(i)))
	}
	return b.String()
}

// doubling returns a document whose fragments each spread the next one twice: it stands for 2^levels leaves.
func doubling(levels int, on, start, leaf string) string {
	var b strings.Builder
	b.WriteString(start)
	for i := range levels {
		fmt.Fprintf(&b, " fragment F%d on %s { ...F%d ...F%d }", i, on, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on %s { %s }", levels, on, leaf)
	return b.String()
}

func TestADocumentOverALimitIsToldTheLimitAndItsOwnNumber(t *testing.T) {
	limits := graph.Limits{
		Document: 400, Name: 20, Tokens: 60, Nesting: 8, Directives: 2, Fragments: 3, Depth: 3, Aliases: 2, RootFields: 3, Fields: 9, Cost: 10,
	}
	tests := map[string]struct {
		document string
		want     string // empty: it is run
	}{
		"length, at the limit":         {"{ping}" + strings.Repeat(" ", 394), ""},
		"length":                       {"{ping}" + strings.Repeat(" ", 395), "The document is 401 bytes long; the limit is 400."},
		"length in bytes":              {`{ping #` + strings.Repeat("ä", 197) + "\n}", "The document is 403 bytes long; the limit is 400."},
		"a name, at the limit":         {"query " + strings.Repeat("n", 20) + " {ping}", ""},
		"a name":                       {"query " + strings.Repeat("n", 21) + " {ping}", "A name in the document is 21 bytes long; the limit is 20."},
		"tokens, at the limit":         {"{ echo(tags: [" + strings.Repeat(`"" `, 51) + "])}", ""},
		"tokens":                       {"{ echo(tags: [" + strings.Repeat(`"" `, 52) + "])}", "The document has 61 tokens; the limit is 60."},
		"comments are tokens":          {strings.Repeat("#\n", 61) + "{ping}", "The document has 64 tokens; the limit is 60."},
		"nesting, at the limit":        {"{ echo(tags: [[[[[[]]]]]]) }", "String! cannot"},
		"nesting":                      {"{ echo(tags: [[[[[[[]]]]]]]) }", "The document nests brackets 9 deep; the limit is 8."},
		"nesting, not closed":          {strings.Repeat("{a", 9), "The document nests brackets 9 deep; the limit is 8."},
		"directives, at the limit":     {"{ a:ping @skip(if:true) b:ping @skip(if:true) }", ""},
		"directives":                   {"{ a:ping @skip(if:true) b:ping @skip(if:true) ping @skip(if:true) }", "The document has 3 directives; the limit is 2."},
		"unknown directives":           {"{ ping @a @b @c }", "The document has 3 directives; the limit is 2."},
		"depth, at the limit":          {"{ user { best { id } } }", ""},
		"depth":                        {"{ user { best { best { id } } } }", "The operation nests fields 4 deep; the limit is 3."},
		"depth through fragments":      {"{ user { ...A } } fragment A on User { ...B } fragment B on User { best { best { id } } }", "The operation nests fields 4 deep; the limit is 3."},
		"depth of inline fragments":    {"{ user { ... { ... { best { id } } } } }", ""},
		"aliases, at the limit":        {"{ a:ping b:ping ping }", ""},
		"aliases":                      {"{ a:ping b:ping c:ping }", "The operation has 3 aliases; the limit is 2."},
		"aliases of __typename":        {"{ a:__typename b:__typename c:__typename }", "The operation has 3 aliases; the limit is 2."},
		"aliases through fragments":    {"{ user { ...A ...A best { ...A } } } fragment A on User { a:id }", "The operation has 3 aliases; the limit is 2."},
		"a field under its own name":   {"{ user { id:id name:name roles:roles { id:id } } }", ""},
		"root fields, at the limit":    {"{ ping ping ping }", ""},
		"root fields":                  {"{ ping ping ping ping }", "The operation has 4 root fields; the limit is 3."},
		"root fields from fragments":   {"{ ...A ... { ping ping } } fragment A on Query { ping ...B } fragment B on Query { ping }", "The operation has 4 root fields; the limit is 3."},
		"selections, at the limit":     {"{ user { ... { id name } ...A } } fragment A on User { id name id id }", ""},
		"selections":                   {"{ user { ... { id name } ...A } } fragment A on User { id name id id id }", "The operation has 10 selections; the limit is 9."},
		"selections nobody asks for":   {"{ ping } fragment A on User { id id id id id id id id id id }", "The fragment has 10 selections; the limit is 9."},
		"one operation of two":         {"query A { ping } query B { ping ping ping ping }", "The operation has 4 root fields; the limit is 3."},
		"selections of all operations": {"query A { user { id id id id } } query B { user { id id id id } }", "The operations have 10 selections together; the limit is 9."},
		"all operations, at the limit": {"query A { user { id id id id } } query B { user { id id id } }", "several operations"},
		"fragments, at the limit":      {"{ ...A } fragment A on Query { ...B } fragment B on Query { ...C } fragment C on Query { ping }", ""},
		"fragments":                    {"{ ...A } fragment A on Query { ...B } fragment B on Query { ...C } fragment C on Query { ...D } fragment D on Query { ping }", "The document has 4 fragments; the limit is 3."},
		"depth of the introspection":   {`{ __type(name: "User") { fields { type { ofType { ofType { name } } } } } }`, ""},
		"data around introspection":    {`{ __type(name: "User") { name } user { best { best { __typename } } } }`, "The operation nests fields 4 deep; the limit is 3."},
		"a circle":                     {"{ user { ...A } } fragment A on User { best { ...A } }", `Cannot spread fragment "A" within itself.`},
		"a circle of three":            {"{ user { ...A } } fragment A on User { ...B } fragment B on User { id ...C } fragment C on User { ...A }", `Cannot spread fragment "A" within itself.`},
		"a circle nobody asks for":     {"{ ping } fragment A on User { ...A ...A }", `Cannot spread fragment "A" within itself.`},
		"a fragment that is not there": {"{ ...A }", `Unknown fragment "A".`},
		"a type that is not there":     {"{ ... on Nobody { x { y } } ...A } fragment A on Nobody { x }", `Unknown type "Nobody".`},
		"cost, at the limit":           {"{ users(first: 9) { edges { cursor } } }", ""},
		"cost":                         {"{ users(first: 10) { edges { cursor } } }", "The operation costs 11; the limit is 10."},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newToy(t)
			got := ask(t, graph.NewHandler(graph.Options{Schema: s, Introspection: true, Limits: limits}), test.document, nil)
			if (test.want == "") != (len(s.ran) == 1) {
				t.Fatalf("run: %d times; got %s", len(s.ran), got.body)
			}
			wantCode := tooComplex
			if !strings.Contains(test.want, "the limit is") {
				wantCode = validationFailed
			}
			if test.want == "several operations" {
				test.want = "The document has several operations: name the one to run in operationName."
			}
			if test.want == "String! cannot" {
				test.want = `Expected value of type "String!", found a list.`
			}
			if test.want != "" && (got.message() != test.want || got.code() != wantCode) {
				t.Errorf("got %s\nwant %s %s", got.body, wantCode, test.want)
			}
		})
	}
}

func TestTheDefaultLimits(t *testing.T) {
	h, _ := toyHandler(t)
	tests := map[string]struct{ fits, passes string }{
		"20,000 bytes":     {"{ping}" + strings.Repeat(" ", 20_000-6), "{ping}" + strings.Repeat(" ", 20_000-5)},
		"names of 200":     {"query " + strings.Repeat("n", 200) + "{ping}", "query " + strings.Repeat("n", 201) + "{ping}"},
		"1,000 tokens":     {"{echo(tags:[" + strings.Repeat(`"" `, 1000-9) + "])}", "{echo(tags:[" + strings.Repeat(`"" `, 1000-8) + "])}"},
		"depth 15":         {"{user" + strings.Repeat("{best", 13) + "{id" + strings.Repeat("}", 15), "{user" + strings.Repeat("{best", 14) + "{id" + strings.Repeat("}", 16)},
		"30 aliases":       {"{user{" + each(30, "a#:id ") + "}}", "{user{" + each(31, "a#:id ") + "}}"},
		"20 root fields":   {"{" + strings.Repeat("ping ", 20) + "}", "{" + strings.Repeat("ping ", 21) + "}"},
		"20 directives":    {"{user{" + strings.Repeat("id@skip(if:true) ", 20) + "}}", "{user{" + strings.Repeat("id@skip(if:true) ", 21) + "}}"},
		"50 fragments":     {"{user{" + each(50, "...F# ") + "}}" + each(50, "fragment F# on User{id}"), "{user{" + each(51, "...F# ") + "}}" + each(51, "fragment F# on User{id}")},
		"1,000 selections": {"{user{" + strings.Repeat("...F ", 9) + "}}fragment F on User{" + strings.Repeat("id ", 110) + "}", "{user{" + strings.Repeat("...F ", 9) + "}}fragment F on User{" + strings.Repeat("id ", 111) + "}"},
		"cost 2,000":       {"{users(first:999){edges{node{id}}}}", "{users(first:1000){edges{node{id}}}}"},
		"pages of 20":      {"{users{edges{node{friends(first:96){best{id}}}}}}", "{users{edges{node{friends(first:97){best{id}}}}}}"},
	}
	for name, test := range tests {
		if got := ask(t, h, test.fits, nil); got.code() != "" {
			t.Errorf("%s, what fits: got %s", name, got.body)
		}
		if got := ask(t, h, test.passes, nil); got.code() != tooComplex {
			t.Errorf("%s, one more: got %s", name, got.body)
		}
	}
}

func TestAnAnswerListsFewErrors(t *testing.T) {
	h, _ := toyHandler(t)
	got := ask(t, h, "{user{"+each(300, "f# ")+"}}", nil)
	if len(got.Errors) != 5 {
		t.Fatalf("got %d errors", len(got.Errors))
	}
	if got, want := got.Errors[0].Message, `Cannot query field "f0" on type "User".`; got != want {
		t.Errorf("the first: got %q, want %q", got, want)
	}
	last := got.Errors[4]
	if last.Message != "296 more errors are left out." || last.Extensions["code"] != validationFailed {
		t.Errorf("the last: got %+v", last)
	}

	if got := ask(t, h, "{user{"+each(5, "f# ")+"}}", nil); len(got.Errors) != 5 || got.Errors[4].Message != `Cannot query field "f4" on type "User".` {
		t.Errorf("five errors: got %s", got.body)
	}
}

func TestALongMessageIsCut(t *testing.T) {
	h := graph.NewHandler(graph.Options{Schema: newToy(t), Limits: graph.Limits{Name: 2000}})
	got := ask(t, h, "{ "+strings.Repeat("a", 2000)+" }", nil)
	if want := `Cannot query field "` + strings.Repeat("a", 480) + "…"; got.message() != want {
		t.Errorf("got %q, want %q", got.message(), want)
	}
}

func TestSomeRootFieldsCanBeAskedForOnce(t *testing.T) {
	tests := map[string]struct {
		document string
		want     string
	}{
		"one guess":             {`mutation { tokenObtain(username: "a", password: "b") }`, ""},
		"one guess and a ping":  {`mutation { tokenObtain(username: "a", password: "b") ping tokenRefresh }`, ""},
		"two guesses":           {`mutation { a: tokenObtain(username: "a", password: "b") b: tokenObtain(username: "a", password: "c") }`, "tokenObtain 2 times"},
		"two by fragments":      {`mutation { ...A ... { ...B } } fragment A on Mutation { tokenObtain(username: "a", password: "b") } fragment B on Mutation { x: tokenObtain(username: "a", password: "c") }`, "tokenObtain 2 times"},
		"two changes":           {`mutation { a: passwordChange(current: "a", new: "b") b: passwordChange(current: "b", new: "c") }`, "passwordChange 2 times"},
		"two refreshes":         {`mutation { a: tokenRefresh b: tokenRefresh }`, "tokenRefresh 2 times"},
		"each in its operation": {`mutation A { tokenRefresh } mutation B { tokenRefresh }`, "several operations"},
		"one schema":            {`{ __schema { description } }`, ""},
		"two schemas":           {`{ __schema { description } b: __schema { description } }`, "__schema 2 times"},
		"two pings":             {`mutation { a: ping b: ping }`, ""},
	}
	h, _ := toyHandler(t)
	for name, test := range tests {
		got := ask(t, h, test.document, nil)
		if !strings.Contains(got.message(), test.want) || (test.want == "") != (len(got.Errors) == 0) {
			t.Errorf("%s: got %s", name, got.body)
		}
	}

	own := graph.NewHandler(graph.Options{Schema: newToy(t), Limits: graph.Limits{Once: []string{"ping"}}})
	if got := ask(t, own, `mutation { a: ping b: ping }`, nil); got.code() != tooComplex {
		t.Errorf("a list of one's own: got %s", got.body)
	}
	if got := ask(t, own, `mutation { a: tokenRefresh b: tokenRefresh }`, nil); got.code() != "" {
		t.Errorf("what is not in it: got %s", got.body)
	}
}

// introspectionQuery asks for as much, and as deep, as the tools do: graphql-js 16 with every option, whose query
// GraphiQL and the code generators send, follows `ofType` nine times.
func introspectionQuery() string {
	typeRef := strings.Repeat("kind name ofType { ", 9) + "kind name" + strings.Repeat(" }", 9)
	return `
query IntrospectionQuery {
  __schema {
    description
    queryType { name kind } mutationType { name kind } subscriptionType { name kind }
    types { ...FullType }
    directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } }
  }
}
fragment FullType on __Type {
  kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) {
    name description isDeprecated deprecationReason
    args(includeDeprecated: true) { ...InputValue }
    type { ...TypeRef }
  }
  inputFields(includeDeprecated: true) { ...InputValue }
  interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue {
  name description defaultValue isDeprecated deprecationReason
  type { ...TypeRef }
}
fragment TypeRef on __Type { ` + typeRef + ` }`
}

func TestToolsCanIntrospectTheRealSchema(t *testing.T) {
	h := graph.NewHandler(graph.Options{Schema: newSchema(stubs{}), Introspection: true})
	got := ask(t, h, introspectionQuery(), nil)
	if got.code() != "" || !strings.Contains(got.body, `"queryType":{"name":"Query"`) {
		t.Fatalf("got %.500s", got.body)
	}
	if strings.Contains(got.body, `"defer"`) {
		t.Error("it tells of @defer, which does not work in an answer of one piece")
	}
}

func TestIntrospectionIsBounded(t *testing.T) {
	tests := map[string]struct {
		document string
		want     string
	}{
		"two lists":            {`{ __type(name: "User") { fields { type { fields { name } } } } }`, ""},
		"as deep as the tools": {`{ __type(name: "User") { ` + strings.Repeat("ofType { ", 13) + "name" + strings.Repeat(" }", 14) + " }", ""},
		"deeper":               {`{ __type(name: "User") { ` + strings.Repeat("ofType { ", 14) + "name" + strings.Repeat(" }", 15) + " }", tooComplex},
		"three lists":          {`{ __type(name: "User") { fields { type { fields { type { fields { name } } } } } } }`, tooComplex},
		"three, by fragments":  {`{ __schema { types { ...A } } } fragment A on __Type { fields { type { ...B } } } fragment B on __Type { interfaces { possibleTypes { name } } }`, tooComplex},
		"five aliases":         {`{ __schema { types { ` + each(5, "a#:name ") + `} } }`, ""},
		"six aliases":          {`{ __schema { types { ` + each(6, "a#:name ") + `} } }`, tooComplex},
		"several types":        {`{ ` + each(4, `t#: __type(name: "User") { a: name b: name }`) + `}`, ""},
	}
	h, _ := toyHandler(t)
	for name, test := range tests {
		if got := ask(t, h, test.document, nil); got.code() != test.want {
			t.Errorf("%s: got %s", name, got.body)
		}
	}
}

func TestIntrospectionCanBeSwitchedOff(t *testing.T) {
	h := graph.NewHandler(graph.Options{Schema: newSchema(stubs{})})
	for name, document := range map[string]string{
		"the schema":           introspectionQuery(),
		"a type":               `{ __type(name: "User") { name } }`,
		"under another name":   `{ protected x: __schema { queryType { name } } }`,
		"in a fragment":        `{ ...A } fragment A on Query { ... { __schema { queryType { name } } } }`,
		"in another operation": `query A { protected } query B { __type(name: "User") { name } }`,
	} {
		got := ask(t, h, document, nil)
		if got.code() != validationFailed || !strings.HasPrefix(got.message(), "Introspection is switched off") || got.hasData() {
			t.Errorf("%s: got %.300s", name, got.body)
		}
	}
	if got := ask(t, h, `{ __typename }`, nil); got.body != `{"data":{"__typename":"Query"}}` {
		t.Errorf("__typename: got %s", got.body)
	}
}

func TestSuggestionsGoWithIntrospection(t *testing.T) {
	documents := map[string]string{
		"a field":             `{ pingg }`,
		"a selection":         `{ user }`,
		"an argument":         `{ echo(txt: "a") }`,
		"a directive's":       `{ ping @skip(iff: true) }`,
		"a type":              `{ user { ...A } } fragment A on Usr { id }`,
		"an enum value":       `{ echo(color: REDD) }`,
		"an enum as text":     `{ echo(color: "RED") }`,
		"an input field":      `{ echo(filter: { name: "a", sise: 1 }) }`,
		"an operation's type": `query($c: Colour) { ping }`,
	}
	// gqlparser itself has nothing to suggest for these.
	never := map[string]bool{"an operation's type": true, "a directive's": false}
	with, _ := toyHandler(t)
	without := graph.NewHandler(graph.Options{Schema: newToy(t)})
	for name, document := range documents {
		if got := ask(t, with, document, nil); !never[name] && !strings.Contains(got.body, "Did you mean") {
			t.Errorf("with introspection, %s: got %s", name, got.body)
		}
		got := ask(t, without, document, nil)
		if got.code() != validationFailed || strings.Contains(got.body, "Did you mean") {
			t.Errorf("without, %s: got %s", name, got.body)
		}
	}
}

func TestDeferIsNoDirectiveHere(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"toy":  graph.NewHandler(graph.Options{Schema: newToy(t)}),
		"real": graph.NewHandler(graph.Options{Schema: newSchema(stubs{})}),
	} {
		if got := ask(t, h, `{ ... @defer { __typename } }`, nil); got.message() != `Unknown directive "@defer".` {
			t.Errorf("%s: got %s", name, got.body)
		}
	}
}

func TestWithoutDeferLeavesTheSchemaAlone(t *testing.T) {
	schema := newToy(t).schema
	copied := graph.WithoutDefer(schema)
	if schema.Directives["defer"] == nil {
		t.Error("the schema given lost its directive")
	}
	if copied.Directives["defer"] != nil || copied.Directives["skip"] != schema.Directives["skip"] || copied.Query != schema.Query {
		t.Error("the copy is not the same but for the directive")
	}
}

func TestASubscriptionIsRefused(t *testing.T) {
	h, _ := toyHandler(t)
	if got := ask(t, h, `subscription { ping }`, nil); got.code() != validationFailed {
		t.Errorf("got %s", got.body)
	}
}

func TestCostFollowsThePages(t *testing.T) {
	tests := map[string]struct {
		document  string
		variables map[string]any
		want      string // the cost, where it is over 10
	}{
		"a leaf costs nothing":       {`{ ping }`, nil, ""},
		"the default page":           {`{ users { edges { node { id } } } }`, nil, "41"},
		"first":                      {`{ users(first: 5) { edges { node { id } } } }`, nil, "11"},
		"last":                       {`{ users(last: 5) { edges { node { id } } } }`, nil, "11"},
		"the larger of both":         {`{ users(first: 2, last: 5) { edges { node { id } } } }`, nil, "11"},
		"the default of the schema":  {`{ twenty { edges { node { id } } } }`, nil, "41"},
		"pages in pages":             {`{ users(first: 2) { edges { node { friends(first: 3) { roles { id } } } } } }`, nil, "13"},
		"no elements are one page":   {`{ users(first: 0) { edges { node { id } } } }`, nil, "41"},
		"fewer than none":            {`{ users(first: -1) { edges { node { id } } } }`, nil, "41"},
		"by variable":                {`query($n: Int) { users(first: $n) { edges { node { id } } } }`, map[string]any{"n": 5}, "11"},
		"by a smaller variable":      {`query($n: Int) { users(first: $n) { edges { node { id } } } }`, map[string]any{"n": 4}, ""},
		"by a variable that is null": {`query($n: Int) { users(first: $n) { edges { node { id } } } }`, map[string]any{"n": nil}, "41"},
		"by a variable not given":    {`query($n: Int) { users(first: $n) { edges { node { id } } } }`, nil, "41"},
		"by a variable's default":    {`query($n: Int = 5) { users(first: $n) { edges { node { id } } } }`, nil, "11"},
		"by one in a fragment":       {`query($n: Int) { ...A } fragment A on Query { ... on Query { users(first: $n) { edges { node { id } } } } }`, map[string]any{"n": 6}, "13"},
		"more than can be counted":   {`{ users(first: 2000000000) { edges { node { friends(first: 2000000000) { friends(first: 2000000000) { id } } } } } }`, nil, "more than 536870911"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := graph.NewHandler(graph.Options{Schema: newToy(t), Limits: graph.Limits{Cost: 10}})
			for range 2 { // the second time it may come from the store
				got := ask(t, h, test.document, test.variables)
				want := "The operation costs " + test.want + "; the limit is 10."
				if test.want == "" {
					want = ""
				}
				if got.message() != want {
					t.Errorf("got %s, want %q", got.body, want)
				}
			}
		})
	}
}

func TestFieldsThatRunAsOneMustAskForTheSame(t *testing.T) {
	const args, fields, types = "differing arguments", "different fields", "conflicting types"
	tests := map[string]struct {
		document string
		want     string
	}{
		"the same twice":             {`{ ping ping }`, ""},
		"the same arguments":         {`{ echo(text: "a", number: 1) echo(number: 1, text: "a") }`, ""},
		"other text":                 {`{ echo(text: "a") echo(text: "b") }`, args},
		"an argument more":           {`{ echo(text: "a") echo(text: "a", number: 1) }`, args},
		"an argument against none":   {`{ echo echo(number: 1) }`, args},
		"other objects":              {`mutation { save(input: { name: "a" }) save(input: { name: "b" }) }`, args},
		"the same objects":           {`mutation { save(input: { name: "a", size: 1 }) save(input: { size: 1, name: "a" }) }`, ""},
		"other objects within":       {`mutation { save(input: { name: "a", inner: { name: "b" } }) save(input: { name: "a", inner: { name: "c" } }) }`, args},
		"an object more":             {`mutation { save(input: { name: "a", inner: { name: "b" } }) save(input: { name: "a" }) }`, args},
		"other lists":                {`{ echo(tags: ["a"]) echo(tags: ["b"]) }`, args},
		"lists in another order":     {`{ echo(tags: ["a", "b"]) echo(tags: ["b", "a"]) }`, args},
		"the same lists":             {`{ echo(tags: ["a", "b"]) echo(tags: ["a" "b"]) }`, ""},
		"a text that looks the same": {`{ echo(tags: ["a,b"]) echo(tags: ["a", "b"]) }`, args},
		"a text that looks quoted":   {`{ echo(tags: ["a\",\"b"]) echo(tags: ["a", "b"]) }`, args},
		"two variables":              {`query($a: Filter, $b: Filter) { echo(filter: $a) echo(filter: $b) }`, args},
		"one variable":               {`query($a: Filter) { echo(filter: $a) echo(filter: $a) }`, ""},
		"a variable within":          {`query($a: String!, $b: String!) { echo(filter: { name: $a }) echo(filter: { name: $b }) }`, args},
		"a variable and its name":    {`query($a: String) { echo(text: $a) echo(text: "$a") }`, args},
		"under other names":          {`mutation { a: save(input: { name: "a" }) b: save(input: { name: "b" }) }`, ""},
		"other fields":               {`{ x: ping x: __typename }`, fields},
		"in an inline fragment":      {`{ echo(tags: ["a"]) ... { echo(tags: ["b"]) } }`, args},
		"in a fragment":              {`{ echo(tags: ["a"]) ...A } fragment A on Query { echo(tags: ["b"]) }`, args},
		"in fragments of fragments":  {`{ ...A ...B } fragment A on Query { ...C } fragment B on Query { echo(tags: ["b"]) } fragment C on Query { echo(tags: ["a"]) }`, args},
		"below":                      {`{ user { name(short: true) } user { name(short: false) } }`, args},
		"below, in fragments":        {`{ user { ...A } user { best { ...B } ...B } } fragment A on User { name(short: true) } fragment B on User { name }`, args},
		"below, in another place":    {`{ user { name(short: true) best { name(short: false) } } }`, ""},
		"a fragment used at depths":  {`{ user { ...A best { ...A best { name } } } } fragment A on User { name(short: true) best { id } }`, ""},
		"at depths, in conflict":     {`{ user { ...A best { ...A name } } } fragment A on User { name(short: true) best { id } }`, args},
		"found only below two":       {`{ a: user { ...A ...B } } fragment A on User { best { ...C } } fragment B on User { best { name } } fragment C on User { name(short: true) }`, args},
		"types that exclude another": {`{ node { ... on User { name(short: true) } ... on Role { name(short: false) } } }`, ""},
		"fields of such types":       {`{ node { ... on User { x: id } ... on Role { x: id } } }`, ""},
		"of another shape":           {`{ node { ... on User { x: name } ... on Role { x: size } } }`, types},
		"required and not":           {`{ node { ... on User { x: id } ... on Role { x: name } } }`, types},
		"a list and not":             {`{ node { ... on User { x: roles { id } } ... on Role { x: best { id } } } }`, types},
		"a leaf and an object":       {`{ node { ... on User { x: name } ... on Role { x: best { id } } } }`, types},
		"below such types":           {`{ node { ... on User { best { name(short: true) } } ... on Role { best { name(short: false) } } } }`, ""},
		"of another shape, below":    {`{ node { ... on User { best { x: id } } ... on Role { best { x: name } } } }`, types},
		"an interface and its type":  {`{ node { x: id ... on User { x: name } } }`, types},
		"an interface, other name":   {`{ node { x: name ... on User { x: name } ... on Role { x: __typename } } }`, fields},
		"the second of two types":    {`{ node { ... on User { name } ... on Role { name } ... on Role { name(short: true) } } }`, args},
		"what nobody asks for":       {`query A { ping } query B { echo(text: "a") echo(text: "b") }`, args},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, _ := toyHandler(t)
			got := post(t, h, encode(t, map[string]any{
				"query": test.document, "operationName": map[bool]any{true: "A", false: nil}[strings.HasPrefix(test.document, "query A")],
				"variables": map[string]any{"a": map[string]any{"name": "x"}},
			}))
			if test.want == "" && (got.code() == "" || strings.HasPrefix(got.message(), `Variable "$a" got`)) {
				return
			}
			if test.want == "" || got.code() != validationFailed || !strings.Contains(got.message(), test.want) {
				t.Fatalf("got %s, want %q", got.body, test.want)
			}
			if len(got.Errors[0].Locations) != 2 {
				t.Errorf("got locations %v, want those of both fields", got.Errors[0].Locations)
			}
		})
	}
}
