package graph_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"latchkey/fault"
	"latchkey/graph"
)

// checkAnswer holds any answer to what all of them have in common.
func checkAnswer(t *testing.T, got reply) {
	t.Helper()
	if got.status >= 500 || got.status < 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if got.header.Get("Cache-Control") != "no-store" || !strings.HasSuffix(got.header.Get("Content-Type"), "json; charset=utf-8") {
		t.Fatalf("header: got %v", got.header)
	}
	if !got.hasData() && len(got.Errors) == 0 {
		t.Fatalf("neither data nor errors: %s", got.body)
	}
	for _, err := range got.Errors {
		code, _ := err.Extensions["code"].(string)
		if !slices.Contains(fault.Kinds(), fault.Kind(code)) || fault.Kind(code) == fault.KindInternal || err.Message == "" {
			t.Fatalf("got %s", got.body)
		}
	}
}

// FuzzTransport sends anything at all. The answer is JSON, never a 5xx, and has a code for each error.
func FuzzTransport(f *testing.F) {
	f.Add("POST", "", "application/json", "application/json", "", `{"query":"{ ping }"}`)
	f.Add("POST", "", "application/json", "", "gzip", `{"query":"query($v: Boolean = true) { ping @skip(if: $v) }","variables":{"v":null}}`)
	f.Add("POST", "", "application/json;charset=utf-8", "application/graphql-response+json;q=0.5,*/*;q=0", "", `{"query":"mutation { save(input: {name: \"a\"}) }"}`)
	f.Add("POST", "", "text/plain", "text/html", "identity", `[]`)
	f.Add("GET", "query=%7Bping%7D&variables=%7B%7D&extensions=%7B%7D", "", "*/*", "", ``)
	f.Add("HEAD", "query=mutation%7Bping%7D", "", "", "", ``)
	f.Add("OPTIONS", "%zz;", "x", "x;q=y", "x", "\xff")
	f.Add("POST", "", "application/json", "", "", `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"`+hashOf("{ ping }")+`"}}}`)
	f.Add("POST", "", "application/json", "", "", `{"query":"query($f: Filter!, $p: Pick, $c: Color) { echo(filter: $f, pick: $p, color: $c) }","variables":{"f":{"name":"\u0000"},"p":{"a":null}}}`)
	s := newToy(f)
	h := graph.NewHandler(graph.Options{Schema: s, Introspection: true})
	f.Fuzz(func(t *testing.T, method, query, contentType, accept, encoding, body string) {
		s.ran = nil
		r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
		r.Method = method
		r.URL.RawQuery = query
		r.Header = http.Header{"Content-Type": {contentType}, "Accept": {accept}, "Content-Encoding": {encoding}}
		checkAnswer(t, do(t, h, r))
	})
}

// FuzzDocument sends documents and variables to the real schema, which runs those that are let through.
func FuzzDocument(f *testing.F) {
	for _, document := range []string{
		"{ protected }", "{ ...A } fragment A on Query { ...B ...B } fragment B on Query { protected __typename }", "{ a: protected @skip(if: $x) }",
		"query($x: Boolean! = true, $y: [Int!] = [1]) { protected @include(if: $x) }", "mutation($t: String!) { tokenVerify(token: $t) { expiresAt user { id } } }",
		`mutation { tokenObtain(username: "a\u0000", password: """b""") { access user { roles { name } } } }`, "{ __schema { types { name fields { name } } } }",
		"{ ... on Query { protected } ... @include(if: true) { me { id } } }", "fragment A on Query { ...A }", "{ protected(a: {b: [$c, 1.5e3, ENUM, null]}) }",
		"query A { protected } query B { me { id } }", "{", "#", "subscription { a }", "{ __type(name: \"User\") { fields { type { ofType { name } } } } }",
	} {
		f.Add(document, "", `{"x":null,"t":"a"}`)
	}
	h := graph.NewHandler(graph.Options{Schema: newSchema(stubs{auth: nil, me: noUser, tokenObtain: noPair, tokenVerify: noToken}), Introspection: true})
	f.Fuzz(func(t *testing.T, document, name, variables string) {
		if !json.Valid([]byte(variables)) {
			variables = "null"
		}
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err) // text always encodes
		}
		operation, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err) // text always encodes
		}
		checkAnswer(t, post(t, h, `{"query":`+string(text)+`,"operationName":`+string(operation)+`,"variables":`+variables+`}`))
	})
}
