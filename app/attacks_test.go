package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"latchkey/auth"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

const (
	tooComplex       = "COMPLEXITY_LIMIT_EXCEEDED"
	validationFailed = "GRAPHQL_VALIDATION_FAILED"
)

// attack is a request that must come to nothing.
type attack struct {
	name     string
	document string
	as       string // who signs in for it; empty: nobody
	code     string // of the first error
	message  string // what its text begins with; empty: whatever it is
}

// TestGraphQLArmor has an attack for every plugin of GraphQL Armor, and for what it recommends beside them. The number in a
// message is the default.
func TestGraphQLArmor(t *testing.T) {
	s := startHidden(t)
	for _, a := range []attack{
		{"block field suggestions: a field", "{ protectd }", "", validationFailed, `Cannot query field "protectd" on type "Query".`},
		{"block field suggestions: a field below", "{ me { usrname } }", "", validationFailed, `Cannot query field "usrname" on type "User".`},
		{"block field suggestions: an argument", "{ users(frist: 1) { totalCount } }", "", validationFailed, `Unknown argument "frist" on field "Query.users".`},
		{"block field suggestions: an argument of a directive", "{ protected @skip(iff: true) }", "", validationFailed, `Unknown argument "iff" on directive "@skip".`},
		{"block field suggestions: a directive", "{ protected @skp(if: true) }", "", validationFailed, `Unknown directive "@skp".`},
		{"block field suggestions: a type", "{ me { ... on Usr { id } } }", "", validationFailed, `Unknown type "Usr".`},
		{"block field suggestions: a variable's type", "query($o: UserOrdr) { users(orderBy: $o) { totalCount } }", "", validationFailed, `Unknown type "UserOrdr".`},
		{"block field suggestions: an enum", `mutation { tokenObtain(username: "a", password: "b", delivery: COOKI) { access } }`, "", validationFailed, `Enum "TokenDelivery" cannot represent a value that is not one of its names.`},
		{"block field suggestions: an input field", `mutation { roleSave(input: { nam: "x", name: "x", permissions: [] }) { role { name } } }`, "", validationFailed, `Field "nam" is not defined by type "RoleInput".`},
		{"block field suggestions: an object without a selection", "{ me }", "", validationFailed, `Field "me" of type "User" must have a selection of subfields.`},
		{"character limit", "{ protected } #" + strings.Repeat("x", 20_000), "", tooComplex, "The document is 20015 bytes long; the limit is 20000."},
		{"cost limit", "{ users(first: 100) { edges { node { roles { permissions } sessions { id } " + each(18, "r#: roles { name } ") + " } } } }", "root", tooComplex, "The operation costs 2"},
		{"max aliases", "{ me { " + each(31, "a#: username ") + "} }", "root", tooComplex, "The operation has 31 aliases; the limit is 30."},
		{"max aliases: of __typename", "{ " + each(101, "a#: __typename ") + "}", "", tooComplex, "The operation has 101 aliases; the limit is 30."},
		{"max depth", "{" + strings.Repeat("a{", 15) + "a" + strings.Repeat("}", 16), "", tooComplex, "The operation nests fields 16 deep; the limit is 15."},
		{"max directives", "{ protected " + strings.Repeat("@skip(if: false) ", 51) + "}", "", tooComplex, "The document has 51 directives; the limit is 20."},
		{"max directives: unknown ones", "{ __typename " + strings.Repeat("@aa ", 500) + "}", "", tooComplex, "The document has 1003 tokens; the limit is 1000."},
		{"max tokens", "{ " + strings.Repeat("protected ", 999) + "}", "", tooComplex, "The document has 1001 tokens; the limit is 1000."},
		{"disable introspection: the schema", "{ __schema { types { name } } }", "", validationFailed, "Introspection is switched off"},
		{"disable introspection: a type", `{ __type(name: "User") { fields { name } } }`, "root", validationFailed, "Introspection is switched off"},
	} {
		t.Run(a.name, func(t *testing.T) { s.refuses(t, a) })
	}
	t.Run("csrf prevention: a form", func(t *testing.T) {
		for _, contentType := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""} {
			got := s.send(t, http.MethodPost, "/graphql", `{"query":"{ __typename }"}`, "Content-Type", contentType)
			if got.Status != http.StatusUnsupportedMediaType {
				t.Errorf("%q: got %d %s", contentType, got.Status, got.Body)
			}
		}
	})
	t.Run("batching disabled", func(t *testing.T) {
		got := s.send(t, http.MethodPost, "/graphql", "["+strings.Repeat(`{"query":"{ __typename }"},`, 99)+`{"query":"{ __typename }"}]`)
		if got.Status != http.StatusBadRequest || got.Errors[0].Message != "Batches are not supported: send one operation a request." {
			t.Errorf("got %d %s", got.Status, got.Body)
		}
	})
	t.Run("no stack traces", func(t *testing.T) {
		got := s.Query("{ protected }", nil)
		if strings.Contains(got.Body, "stack") || strings.Contains(got.Body, ".go") {
			t.Errorf("got %s", got.Body)
		}
	})
}

// TestOWASPGraphQLCheatSheet has an attack for every item of the cheat sheet, in its order, but for timeouts (package graph,
// TestAnOperationHasALimitedTime), rate limits (the tests of throttling) and the limits of the system, which are the operator's.
func TestOWASPGraphQLCheatSheet(t *testing.T) {
	s := startHidden(t)
	for _, a := range []attack{
		{"input validation: a scalar of another type", `mutation { tokenObtain(username: 1, password: "b") { access } }`, "", validationFailed, ""},
		{"input validation: no enum", `{ users(orderBy: { field: PASSWORD, direction: ASC }) { totalCount } }`, "reader", validationFailed, ""},
		{"input validation: an unknown input field", `mutation { userCreate(input: { username: "x", password: "y", isAdmin: true }) { user { id } } }`, "root", validationFailed, ""},
		{"input validation: null where there must be a value", `mutation { userDelete(id: null) }`, "root", validationFailed, ""},
		{"input validation: a NUL", "mutation { tokenVerify(token: \"a\\u0000\") { sessionId } }", "", "BAD_USER_INPUT", ""},
		{"injection: SQL in an id", `{ user(id: "1 OR 1=1") { username } }`, "reader", "NOT_FOUND", ""},
		{"injection: SQL in a cursor", `{ users(after: "' OR 1=1 --") { totalCount } }`, "reader", "BAD_USER_INPUT", ""},
		{"injection: SQL in a username", `mutation { tokenObtain(username: "' OR '1'='1", password: "' OR '1'='1") { access } }`, "", "INVALID_CREDENTIALS", ""},
		{"depth", "{" + strings.Repeat("a{", 15) + "a" + strings.Repeat("}", 16), "", tooComplex, "The operation nests fields 16 deep"},
		{"depth: by fragments", "{ me { ...F } } fragment F on User { roles { ...G } } fragment G on Role { ...F }", "", validationFailed, "Cannot spread fragment"},
		{"amount: 99999999 of an object", "{ users(first: 99999999) { totalCount } }", "reader", "BAD_USER_INPUT", ""},
		{"amount: from the end", "{ users(last: 99999999) { totalCount } }", "reader", "BAD_USER_INPUT", ""},
		{"amount: multiplied", "{ users(first: 99999999) { nodes { roles { name } } } }", "reader", tooComplex, "The operation costs"},
		{"query cost", "{ " + each(10, "a#: users(first: 100) { nodes { roles { name } sessions { id } } } ") + "}", "reader", tooComplex, "The operation costs"},
		{"access: a guarded field", "{ me { id } }", "", "UNAUTHENTICATED", ""},
		{"access: to another's object by its id (IDOR)", `{ user(id: "1") { username } }`, "ada", forbidden, ""},
		{"access: to another's session by its id", `mutation { sessionRevoke(id: "SESSION") }`, "ada", "NOT_FOUND", ""},
		{"access: mutation", `mutation { userUpdate(id: "1", input: { isSuperuser: true }) { user { id } } }`, "reader", forbidden, ""},
		{"access: one's own rank", `mutation { userUpdate(id: "ADA", input: { isSuperuser: true }) { user { id } } }`, "ada", forbidden, ""},
		{"access: introspection", "{ __schema { types { name } } }", "root", validationFailed, "Introspection is switched off"},
		{"batching: many of a sensitive object", "mutation { " + each(500, `a#: tokenObtain(username: "ada", password: "guess #") { access } `)[:19_000] + "}", "", tooComplex, "The document"},
		{"batching: two guesses", `mutation { a: tokenObtain(username: "ada", password: "a") { access } b: tokenObtain(username: "ada", password: "b") { access } }`, "", tooComplex, "The operation asks for tokenObtain 2 times; the limit is 1."},
		{"batching: two guesses, by fragments", `mutation { ...A ...B } fragment A on Mutation { tokenObtain(username: "ada", password: "a") { access } } fragment B on Mutation { b: tokenObtain(username: "ada", password: "b") { access } }`, "", tooComplex, "The operation asks for tokenObtain 2 times; the limit is 1."},
		{"batching: enumeration under aliases", "{ " + each(21, `a#: user(id: "#") { username } `) + "}", "reader", tooComplex, "The operation has 21 root fields; the limit is 20."},
		{"secure configuration: suggestions", "{ usr { id } }", "", validationFailed, `Cannot query field "usr" on type "Query".`},
	} {
		a.document = strings.NewReplacer("SESSION", s.session, "ADA", fmt.Sprint(s.ids["ada"])).Replace(a.document)
		t.Run(a.name, func(t *testing.T) { s.refuses(t, a) })
	}
	t.Run("injection: CRLF in a header that comes back", func(t *testing.T) {
		got := s.send(t, http.MethodPost, "/graphql?a=%0d%0aSet-Cookie:+a=b", `{"query":"{ __typename }"}`)
		if got.Header.Get("Set-Cookie") != "" || got.Status != http.StatusOK {
			t.Errorf("got %d %v", got.Status, got.Header)
		}
	})
	t.Run("pagination: no list is whole unless it is asked for in parts", func(t *testing.T) {
		got := s.as("reader", "{ users { nodes { id } pageInfo { hasNextPage } } }", nil)
		if n := strings.Count(got.Body, `"id"`); n != 20 || !strings.Contains(got.Body, `"hasNextPage":true`) {
			t.Errorf("%d of %d users: %s", n, len(s.ids), got.Body)
		}
	})
	t.Run("batching: an array", func(t *testing.T) {
		before := s.App.Recorder.Counts()[auth.EventSignInFailed]
		for range 200 {
			got := s.send(t, http.MethodPost, "/graphql",
				"["+strings.TrimSuffix(each(100, `{"query":"mutation { tokenObtain(username: \"ada\", password: \"guess #\") { access } }"},`), ",")+"]")
			if got.Status != http.StatusBadRequest {
				t.Fatalf("got %d %s", got.Status, got.Body)
			}
		}
		if after := s.App.Recorder.Counts()[auth.EventSignInFailed]; after != before {
			t.Errorf("%d passwords were checked", after-before)
		}
	})
	t.Run("secure configuration: GraphiQL and the schema", func(t *testing.T) {
		for _, path := range []string{"/", "/graphiql", "/schema.graphql"} {
			if got := s.Get(path).StatusCode; got != http.StatusNotFound {
				t.Errorf("%s: got %d", path, got)
			}
		}
	})
	t.Run("secure configuration: excessive errors", func(t *testing.T) {
		if got := s.Query("{ me { "+each(200, "f# ")+"} }", nil); len(got.Errors) != 5 {
			t.Errorf("%d errors: %s", len(got.Errors), got.Body)
		}
		for _, body := range []string{`{"query":"{ __typename }","variables":{"password":"hunter2"`, `hunter2`, `{"query":"{ hunter2("}`} {
			if got := s.send(t, http.MethodPost, "/graphql", body); strings.Contains(got.Body, "hunter2") || len(got.Errors) != 1 {
				t.Errorf("%s: got %s", body, got.Body)
			}
		}
	})
}

// TestEveryLimitIsASetting sets each of them, and sees it in the error.
func TestEveryLimitIsASetting(t *testing.T) {
	s := &hidden{staff: &staff{Server: testkit.Start(t, testdb.SQLite(t), func(c *config.Settings) {
		c.MaxBodyBytes, c.MaxDocumentBytes, c.MaxTokens, c.MaxDepth, c.MaxAliases, c.MaxRootFields = 2_000, 400, 60, 3, 2, 3
		c.MaxDirectives, c.MaxFragments, c.MaxSelections, c.MaxCost = 2, 2, 9, 10
	}), t: t}}
	for _, a := range []attack{
		{"document", "{ __typename } #" + strings.Repeat("x", 400), "", tooComplex, "The document is 416 bytes long; the limit is 400."},
		{"tokens", "{ " + strings.Repeat("me ", 60) + "}", "", tooComplex, "The document has 62 tokens; the limit is 60."},
		{"depth", "{ me { roles { name { a } } } }", "", tooComplex, "The operation nests fields 4 deep; the limit is 3."},
		{"aliases", "{ a: __typename b: __typename c: __typename }", "", tooComplex, "The operation has 3 aliases; the limit is 2."},
		{"root fields", "{ protected protected protected protected }", "", tooComplex, "The operation has 4 root fields; the limit is 3."},
		{"directives", "{ protected @a @b @c }", "", tooComplex, "The document has 3 directives; the limit is 2."},
		{"fragments", "{ ...A } " + each(3, "fragment F# on Query { protected } "), "", tooComplex, "The document has 3 fragments; the limit is 2."},
		{"selections", "{ me { id id id id id id id id id } }", "", tooComplex, "The operation has 10 selections; the limit is 9."},
		{"cost", "{ users(first: 10) { nodes { id } } }", "", tooComplex, "The operation costs 11; the limit is 10."},
	} {
		t.Run(a.name, func(t *testing.T) { s.refuses(t, a) })
	}
	got := s.send(t, http.MethodPost, "/graphql", `{"query":"{ __typename }","x":"`+strings.Repeat("x", 2_000)+`"}`)
	if got.Status != http.StatusRequestEntityTooLarge || got.Errors[0].Extensions["code"] != tooComplex ||
		got.Errors[0].Message != "The body is 2033 bytes long; the limit is 2000." {
		t.Errorf("body: got %d %s", got.Status, got.Body)
	}
}

// hidden is a server as it is on any address but a loopback one, with 30 users.
type hidden struct {
	*staff
	session string // of root
}

func startHidden(t *testing.T) *hidden {
	t.Helper()
	off := false
	server := testkit.Start(t, testdb.SQLite(t), func(c *config.Settings) { c.Introspection, c.GraphiQL = &off, &off })
	s := &hidden{staff: startStaff(t, server)}
	for i := range 22 {
		server.AddUser(fmt.Sprint("user", i))
	}
	got := s.as("root", "{ me { sessions { id isCurrent } } }", nil)
	var data struct {
		Me struct{ Sessions []struct{ ID string } }
	}
	if err := json.Unmarshal(got.Data, &data); err != nil || len(data.Me.Sessions) == 0 {
		t.Fatalf("%v: %s", err, got.Body)
	}
	s.session = data.Me.Sessions[0].ID
	return s
}

// refuses sends the attack. It must end in its error, with no data but null, and in no fault.
func (s *hidden) refuses(t *testing.T, a attack) {
	t.Helper()
	var header []string
	if a.as != "" {
		header = bearer(s.SignIn(a.as).Access)
	}
	got := s.Query(a.document, nil, header...)
	if len(got.Errors) == 0 || got.Errors[0].Extensions["code"] != a.code || !strings.HasPrefix(got.Errors[0].Message, a.message) {
		t.Fatalf("got %.500s\nwant %s %s", got.Body, a.code, a.message)
	}
	if got.Status != http.StatusOK || strings.Contains(got.Body, "Did you mean") {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
	var data map[string]any
	if got.Data != nil {
		if err := json.Unmarshal(got.Data, &data); err != nil {
			t.Fatal(err)
		}
	}
	for field, value := range data {
		if value != nil {
			t.Errorf("%s is %v", field, value)
		}
	}
}

// send sends any request. header is a list of names and values.
func (s *hidden) send(t *testing.T, method, path, body string, header ...string) testkit.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for pair := range slices.Chunk(header, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := testkit.Answer{Status: response.StatusCode, Header: response.Header, Body: string(content)}
	if err := json.NewDecoder(bytes.NewReader(content)).Decode(&got); err != nil {
		t.Fatalf("%v: %s", err, content)
	}
	return got
}

// each writes text n times, with # replaced by the number.
func each(n int, text string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(text, "#", fmt.Sprint(i)))
	}
	return b.String()
}
