package graph_test

import (
	"strings"
	"testing"
	"time"
)

// hostileDocuments are documents that keep other servers busy for seconds, for years, or end them, by what is hostile in
// them.
func hostileDocuments() map[string]string {
	return map[string]string{
		"introspection doubled 60 times":  doubling(60, "__Schema", "{ __schema { ...F0 } }", "description"),
		"types doubled 60 times":          doubling(60, "__Type", `{ __type(name: "User") { ...F0 } }`, "name"),
		"a query doubled 60 times":        doubling(60, "Query", "{ ...F0 }", "ping"),
		"doubled 60 times, not asked for": doubling(60, "Query", "{ ping }", "ping"),
		"doubled 60 times, unknown type":  doubling(60, "Nobody", "{ ping }", "ping"),
		"doubled 60 times, in a circle":   doubling(60, "Query", "{ ...F0 }", "...F0"),
		"doubled by name":                 "{user{...F0}}" + each(60, "fragment F# on User{a:best{...G#} b:best{...G#}} fragment G# on User{...H#}"),
		"objects within objects":          strings.Repeat("{user", 5_000),
		"2 MB of opening brackets":        strings.Repeat("{a", 1_000_000),
		"600 kB of opening brackets":      strings.Repeat("{a", 300_000),
		"20,000 bytes of brackets":        strings.Repeat("{a", 10_000),
		"lists within lists":              "{echo(tags:" + strings.Repeat("[", 19_000),
		"a list of lists":                 "{echo(tags:" + strings.Repeat("[", 90) + strings.Repeat("]", 90) + ")}",
		"inline fragments":                "{" + strings.Repeat("...on Query{", 1_500) + "ping" + strings.Repeat("}", 1_500) + "}",
		"the same field":                  "{user{" + strings.Repeat("id ", 5_000) + "}}",
		"the same field, within limits":   "{user{" + strings.Repeat("id ", 990) + "}}",
		"pairs of fragments":              "{user{" + each(60, "...F# ") + "}}" + each(60, "fragment F# on User{id id id id id id}"),
		"selections to compare":           "{" + strings.Repeat("user{best{id}}", 18) + "}",
		"many operations":                 each(45, "query Q#{...F0}") + each(60, "fragment F# on Query{...G#} fragment G# on Query{ping}")[:2000],
		"one huge name":                   "{" + strings.Repeat("a", 900_000) + "}",
		"one huge string":                 `{echo(text:"` + strings.Repeat("a", 900_000) + `")}`,
		"one huge comment":                "#" + strings.Repeat("a", 900_000),
		"one huge number":                 "{echo(number:" + strings.Repeat("1", 900_000) + ")}",
		"variables":                       "query(" + each(190, "$v#:Int ") + "){ping}",
		"arguments":                       "{echo(" + strings.Repeat("a:1 ", 320) + ")}",
		"directives":                      "{ping" + strings.Repeat("@a", 10_000) + "}",
		"unknown fields":                  "{" + each(480, "f# ") + "}",
		"unknown fields of an object":     "{user{" + each(480, "frends# ") + "}}",
		"unknown arguments":               "{echo(" + each(240, "txt#:1 ") + ")}",
		"fields under one name":           "{user{" + each(240, "x:name(short:true) ")[:3600] + "}}",
		"operations that share fragments": each(100, "query Q#{...F}") + " fragment F on Query{" + strings.Repeat("ping ", 200) + "}",
		"fragments that spread all":       "{...F0}" + each(49, "fragment F# on Query{"+each(6, "...F4#")+"}"),
		"500 sign-ins":                    "mutation{" + each(500, `a#:tokenObtain(username:"a",password:"p#")`) + "}",
		"introspection under aliases":     "{" + each(60, "a#:__schema{types{name}}") + "}",
		"circular introspection":          `{__schema{types{fields{type{fields{type{fields{type{fields{type{name}}}}}}}}}}}`,
		"pages of pages":                  "{users(first:100){edges{node{friends(first:100){friends(first:100){id}}}}}}",
	}
}

// hostileBodies are requests that are hostile in another way than by their document.
func hostileBodies() map[string]string {
	return map[string]string{
		"JSON nested 100,000 deep": `{"query":"{ ping }","variables":{"v":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}}`,
		"a batch of 1,000":         "[" + strings.Repeat(`{"query":"{ ping }"},`, 999) + `{"query":"{ ping }"}]`,
		"80,000 variables":         `{"query":"query($v:Int){ echo(number:$v) }","variables":{` + each(80_000, `"v#":1,`) + `"v":"x"}}`,
		"a megabyte of escapes":    `{"query":"` + strings.Repeat(`\u0061`, 170_000) + `"}`,
		"a body that is too long":  `{"query":"` + strings.Repeat(" ", 2<<20) + `"}`,
	}
}

// TestHostileDocumentsCostNothing sends what keeps other servers busy for seconds, for years, or ends them. The time is
// generous: what fails here takes minutes at least.
func TestHostileDocumentsCostNothing(t *testing.T) {
	for name, document := range hostileDocuments() {
		t.Run(name, func(t *testing.T) {
			h, _ := toyHandler(t)
			body := encode(t, map[string]string{"query": document})
			done := make(chan reply, 1)
			go func() { done <- post(t, h, body) }()
			select {
			case got := <-done:
				if got.status >= 500 {
					t.Errorf("got %d %s", got.status, got.body)
				}
				if len(got.body) > 5_000 {
					t.Errorf("the answer has %d bytes", len(got.body))
				}
			case <-time.After(30 * time.Second):
				t.Fatal("still busy")
			}
		})
	}
}
