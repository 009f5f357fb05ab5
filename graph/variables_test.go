package graph_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// marker stands for a secret in the wrong place. It must never come back.
const marker = "hunter2"

func TestVariablesAreCoercedToTheirTypes(t *testing.T) {
	tests := map[string]struct {
		definition, variables string
		want                  string // as JSON
	}{
		"text":                      {`$v: String`, `{"v":"a"}`, `{"v":"a"}`},
		"empty text":                {`$v: String!`, `{"v":""}`, `{"v":""}`},
		"null":                      {`$v: String`, `{"v":null}`, `{"v":null}`},
		"nothing":                   {`$v: String`, `{}`, `{}`},
		"a default":                 {`$v: String = "d"`, `{}`, `{"v":"d"}`},
		"null instead of a default": {`$v: String = "d"`, `{"v":null}`, `{"v":null}`},
		"a default of null":         {`$v: String = null`, `{}`, `{"v":null}`},
		"a number":                  {`$v: Int`, `{"v":-2147483648}`, `{"v":-2147483648}`},
		"a whole number":            {`$v: Int`, `{"v":1.0}`, `{"v":1.0}`},
		"a default number":          {`$v: Int! = 3`, `{}`, `{"v":3}`},
		"a flag":                    {`$v: Boolean`, `{"v":false}`, `{"v":false}`},
		"an id of text":             {`$v: ID`, `{"v":"7"}`, `{"v":"7"}`},
		"an id of digits":           {`$v: ID`, `{"v":9007199254740993}`, `{"v":9007199254740993}`},
		"a name of an enum":         {`$v: Color`, `{"v":"RED"}`, `{"v":"RED"}`},
		"a time":                    {`$v: DateTime`, `{"v":"2026-01-31T12:00:00.000Z"}`, `{"v":"2026-01-31T12:00:00.000Z"}`},
		"a list":                    {`$v: [String!]`, `{"v":["a","b"]}`, `{"v":["a","b"]}`},
		"an empty list":             {`$v: [String!]`, `{"v":[]}`, `{"v":[]}`},
		"a list of one":             {`$v: [String!]`, `{"v":"a"}`, `{"v":["a"]}`},
		"a list that is null":       {`$v: [String!]`, `{"v":null}`, `{"v":null}`},
		"an object":                 {`$v: Filter`, `{"v":{"name":"a","tags":"b","inner":{"name":"c","size":null}}}`, `{"v":{"inner":{"name":"c","size":null},"name":"a","tags":["b"]}}`},
		"a default object":          {`$v: Filter = {name: "a", size: 1}`, `{}`, `{"v":{"name":"a","size":1}}`},
		"one of":                    {`$v: Pick`, `{"v":{"a":"x"}}`, `{"v":{"a":"x"}}`},
	}
	uses := map[string]string{"String": "text", "Int": "number", "Boolean": "flag", "ID": "id", "Color": "color", "DateTime": "when", "[String": "tags", "Filter": "filter", "Pick": "pick"}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, s := toyHandler(t)
			typ := strings.TrimRight(strings.Fields(test.definition)[1], "!]")
			got := post(t, h, `{"query":`+encode(t, "query("+test.definition+") { echo("+uses[typ]+": $v) }")+`,"variables":`+test.variables+`}`)
			if len(s.ran) != 1 {
				t.Fatalf("got %s", got.body)
			}
			variables := encode(t, s.ran[0].Variables)
			if diff := cmp.Diff(test.want, variables); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAVariableThatDoesNotFitIsRefusedAndNotShown(t *testing.T) {
	const (
		notString = "String cannot represent a non string value"
		notInt    = "Int cannot represent a value that is not a whole number of 32 bits"
		notID     = "ID cannot represent a non-string and non-integer value"
		notFlag   = "Boolean cannot represent a non boolean value"
		notEnum   = `Enum "Color" cannot represent a value that is not one of its names`
	)
	tests := map[string]struct {
		definition, use, value string
		want                   string
	}{
		"a number for text":      {`$v: String`, "text", `12345`, `Variable "$v" got an invalid value: ` + notString},
		"a flag for text":        {`$v: String`, "text", `true`, notString},
		"a list for text":        {`$v: String`, "text", `["hunter2"]`, notString},
		"an object for text":     {`$v: String`, "text", `{"hunter2":"hunter2"}`, notString},
		"null for text":          {`$v: String!`, "text", `null`, `Expected type "String!" to not be null`},
		"text for a number":      {`$v: Int`, "number", `"12345"`, notInt},
		"a fraction":             {`$v: Int`, "number", `1.5`, notInt},
		"33 bits":                {`$v: Int`, "number", `2147483648`, notInt},
		"33 bits below":          {`$v: Int`, "number", `-2147483649`, notInt},
		"33 bits, with exponent": {`$v: Int`, "number", `1e10`, notInt},
		"more than a float":      {`$v: Int`, "number", `1e999`, notInt},
		"a flag for a number":    {`$v: Int`, "number", `true`, notInt},
		"a fraction for an id":   {`$v: ID`, "id", `1.5`, notID},
		"a flag for an id":       {`$v: ID`, "id", `true`, notID},
		"text for a flag":        {`$v: Boolean`, "flag", `"true"`, notFlag},
		"a number for a flag":    {`$v: Boolean`, "flag", `1`, notFlag},
		"another name":           {`$v: Color`, "color", `"hunter2"`, notEnum},
		"another case":           {`$v: Color`, "color", `"red"`, notEnum},
		"a number for a name":    {`$v: Color`, "color", `0`, notEnum},
		"no time":                {`$v: DateTime`, "when", `"hunter2"`, `DateTime must be written as RFC 3339 with an offset`},
		"a number for a time":    {`$v: DateTime`, "when", `1700000000`, `DateTime cannot represent a non string value`},
		"null in a list":         {`$v: [String!]`, "tags", `["a",null]`, `Variable "$v" got an invalid value at "[1]": Expected type "String!" to not be null.`},
		"a number in a list":     {`$v: [String!]`, "tags", `[12345]`, `at "[0]": ` + notString},
		"a list in a list":       {`$v: [String!]`, "tags", `[["hunter2"]]`, notString},
		"text for an object":     {`$v: Filter`, "filter", `"hunter2"`, `Expected type "Filter" to be an object`},
		"a list for an object":   {`$v: Filter`, "filter", `["hunter2"]`, `Expected type "Filter" to be an object`},
		"a field missing":        {`$v: Filter`, "filter", `{"size":1}`, `Field "name" of required type "String!" was not provided`},
		"a field that is null":   {`$v: Filter`, "filter", `{"name":null}`, `at "name": Expected type "String!" to not be null`},
		"a field of its own":     {`$v: Filter`, "filter", `{"name":"a","hunter2":1}`, `An object has a field that type "Filter" does not define`},
		"deep within":            {`$v: Filter`, "filter", `{"name":"a","inner":{"name":"b","tags":["c",12345]}}`, `at "inner.tags[1]": ` + notString},
		"none of":                {`$v: Pick`, "pick", `{}`, `Exactly one key must be specified for OneOf type "Pick", and not null`},
		"two of":                 {`$v: Pick`, "pick", `{"a":"hunter2","b":1}`, `Exactly one key must be specified`},
		"one of, null":           {`$v: Pick`, "pick", `{"a":null}`, `Exactly one key must be specified`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, s := toyHandler(t)
			got := post(t, h, `{"query":`+encode(t, "query("+test.definition+") { echo("+test.use+": $v) }")+`,"variables":{"v":`+test.value+`}}`)
			if len(s.ran) > 0 || got.hasData() {
				t.Error("it was run")
			}
			if got.code() != validationFailed || !strings.Contains(got.message(), test.want) {
				t.Errorf("got %s, want %s", got.body, test.want)
			}
			if strings.Contains(got.body, marker) || strings.Contains(got.body, "12345") {
				t.Errorf("the value comes back: %s", got.body)
			}
			if len(got.Errors) != 1 || len(got.Errors[0].Locations) != 1 || got.Errors[0].Locations[0].Column != 7 {
				t.Errorf("got %s, want one error at the variable's definition", got.body)
			}
		})
	}
}

func TestEachVariableThatDoesNotFitHasItsError(t *testing.T) {
	h, _ := toyHandler(t)
	got := ask(t, h, `query($a: String!, $b: Int, $c: [String!]) { need(text: $a) echo(number: $b, tags: $c) }`,
		map[string]any{"b": "x", "c": []any{nil}})
	var messages []string
	for _, err := range got.Errors {
		messages = append(messages, err.Message)
	}
	want := []string{
		`Variable "$a" of required type "String!" was not provided.`,
		`Variable "$b" got an invalid value: Int cannot represent a value that is not a whole number of 32 bits.`,
		`Variable "$c" got an invalid value at "[0]": Expected type "String!" to not be null.`,
	}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNullIsRefusedOnlyWhereItDecides(t *testing.T) {
	h, s := toyHandler(t)
	got := post(t, h, encode(t, map[string]any{
		"query":         `query A($v: Boolean) { echo(flag: $v) } query B($v: Boolean!) { ping @skip(if: $v) }`,
		"operationName": "A", "variables": map[string]any{"v": nil},
	}))
	if len(s.ran) != 1 {
		t.Errorf("got %s", got.body)
	}
}

// TestNullForADirectiveIsRefused is about a variable that may be null, which the rules allow where its default is not.
func TestNullForADirectiveIsRefused(t *testing.T) {
	for name, document := range map[string]string{
		"on a field":            `query($v: Boolean = true) { ping @skip(if: $v) }`,
		"on a spread":           `query($v: Boolean = true) { ...A @include(if: $v) } fragment A on Query { ping }`,
		"on an inline fragment": `query($v: Boolean = true) { ... @include(if: $v) { ping } }`,
		"in a fragment":         `query($v: Boolean = true) { ...A } fragment A on Query { user { id @skip(if: $v) } }`,
	} {
		h, s := toyHandler(t)
		got := ask(t, h, document, map[string]any{"v": nil})
		if got.code() != validationFailed || got.message() != `Variable "$v" decides about a directive and must not be null.` {
			t.Errorf("%s: got %s", name, got.body)
		}
		for _, variables := range []map[string]any{nil, {"v": false}} {
			s.ran = nil
			if ask(t, h, document, variables); len(s.ran) != 1 {
				t.Errorf("%s: %v was not run", name, variables)
			}
		}
	}
}

func TestALiteralThatDoesNotFitIsRefusedAndNotShown(t *testing.T) {
	const (
		notString = "String cannot represent a non string value."
		notInt    = "Int cannot represent a value that is not a whole number of 32 bits."
		notID     = "ID cannot represent a non-string and non-integer value."
		notFlag   = "Boolean cannot represent a non boolean value."
		notEnum   = `Enum "Color" cannot represent a value that is not one of its names.`
	)
	tests := map[string]string{ // of echo's arguments
		`text: 12345`:                      notString,
		`text: 1.5`:                        notString,
		`text: true`:                       notString,
		`text: hunter2`:                    notString,
		`text: ["hunter2"]`:                `Expected value of type "String", found a list.`,
		`text: {hunter2: 1}`:               notString,
		`number: "12345"`:                  notInt,
		`number: 1.0`:                      notInt,
		`number: 2147483648`:               notInt,
		`number: 99999999999999999999`:     notInt,
		`number: hunter2`:                  notInt,
		`id: 1.5`:                          notID,
		`id: 99999999999999999999`:         notID,
		`id: hunter2`:                      notID,
		`flag: "true"`:                     notFlag,
		`flag: 1`:                          notFlag,
		`color: hunter2`:                   notEnum,
		`color: "RED"`:                     notEnum,
		`color: 1`:                         notEnum,
		`when: "hunter2"`:                  `DateTime must be written as RFC 3339 with an offset.`,
		`when: 12345`:                      `DateTime cannot represent a non string value.`,
		`when: {a: 1e999999999}`:           `DateTime cannot represent a non string value.`,
		`tags: [12345]`:                    notString,
		`tags: ["a", null]`:                `Expected value of type "String!", found null.`,
		`tags: hunter2`:                    notString,
		`filter: "hunter2"`:                `Expected value of type "Filter", found another.`,
		`filter: hunter2`:                  `Expected value of type "Filter", found another.`,
		`filter: {}`:                       `Field "Filter.name" of required type "String!" was not provided.`,
		`filter: {name: null}`:             `Expected value of type "String!", found null.`,
		`filter: {name: 12345}`:            notString,
		`filter: {name: "a", pass: 12345}`: `Field "pass" is not defined by type "Filter".`,
		`filter: {name: "a", inner: {name: "b", size: "12345"}}`: notInt,
		`pick: {}`:             `OneOf Input Object "Pick" must specify exactly one key, and not null.`,
		`pick: {a: "x", b: 1}`: `OneOf Input Object "Pick" must specify exactly one key, and not null.`,
		`pick: {a: null}`:      `OneOf Input Object "Pick" must specify exactly one key, and not null.`,
	}
	h, s := toyHandler(t)
	for arguments, want := range tests {
		got := ask(t, h, "{ echo("+arguments+") }", nil)
		if got.code() != validationFailed || !strings.HasPrefix(got.message(), want) {
			t.Errorf("%s: got %s, want %s", arguments, got.body, want)
		}
		if strings.Contains(got.body, marker) || strings.Contains(got.body, "12345") || strings.Contains(got.body, "99999") {
			t.Errorf("%s: the value comes back: %s", arguments, got.body)
		}
	}
	if got := ask(t, h, "query($v: String = 12345) { echo(text: $v) }", nil); got.message() != notString {
		t.Errorf("a default: got %s", got.body)
	}
	if len(s.ran) > 0 {
		t.Errorf("%d were run", len(s.ran))
	}
}

func TestALiteralThatFitsIsRun(t *testing.T) {
	for _, arguments := range []string{
		`text: "a"`, `text: """a"""`, `text: null`, `text: "\u00e4"`, `number: -2147483648`, `number: 0`, `id: "a"`, `id: 7`, `flag: true`,
		`color: RED`, `when: "2026-01-31T12:00:00Z"`, `tags: ["a"]`, `tags: "a"`, `tags: []`, `tags: null`,
		`filter: {name: "a"}`, `filter: {name: "a", size: null, color: GREEN, tags: "x", inner: {name: "b"}}`, `pick: {b: 1}`,
	} {
		h, s := toyHandler(t)
		if got := ask(t, h, "{ echo("+arguments+") }", nil); len(s.ran) != 1 {
			t.Errorf("%s: got %s", arguments, got.body)
		}
	}
}

// TestASyntaxErrorSaysWhereAndShowsNothing puts a secret where the grammar has no place for it.
func TestASyntaxErrorSaysWhereAndShowsNothing(t *testing.T) {
	tests := map[string]string{
		`{ echo(text: hunter2 12345) }`:      `Syntax error: expected Name, found Int.`,
		`{ echo(text: "hunter2`:              `Syntax error: a string is not closed.`,
		`{ echo(text: """hunter2`:            `Syntax error: a string is not closed.`,
		`{ echo(text: "\hunter2") }`:         `Syntax error: the document has a character or a number that is not well-formed.`,
		`{ echo(text: "hunter2\u12345`:       `Syntax error: `,
		`{ echo(text: 'hunter2') }`:          `Syntax error: the document has a character or a number that is not well-formed.`,
		`{ echo(text: 0hunter2) }`:           ``,
		`{ echo(number: 012345) }`:           `Syntax error: the document has a character or a number that is not well-formed.`,
		`{ echo(text: hunter2@example) }`:    `Syntax error: expected Name, found @.`,
		`hunter2 { ping }`:                   `Syntax error: unexpected Name.`,
		`"hunter2" { ping }`:                 `Syntax error: unexpected String.`,
		`{ ping } }`:                         `Syntax error: unexpected }.`,
		`{ ping`:                             `Syntax error: expected Name, found <EOF>.`,
		`{ }`:                                `Syntax error: expected at least one definition, found }.`,
		`fragment on on Query { ping }`:      `Syntax error: unexpected Name.`,
		`fragment A hunter2 Query { ping }`:  `Syntax error: expected "on", found Name.`,
		`query($v: Int = $hunter2) { ping }`: `Syntax error: unexpected $.`,
		`type hunter2 { a: Int }`:            `Syntax error: unexpected Name.`,
		"{ ping \x00 }":                      `Syntax error: the document has a character or a number that is not well-formed.`,
		`{ ping ä }`:                         `Syntax error: the document has a character or a number that is not well-formed.`,
		``:                                   `The request has no document: put one into query.`,
		` `:                                  `The document has no operation.`,
		`{...A} fragment A($hunter2: Int) on Query {ping}`: `A fragment cannot define variables.`,
		`{ echo(text: "hunter2\ud83d") }`:                  `A string in the document escapes a surrogate.`,
	}
	h, s := toyHandler(t)
	for document, want := range tests {
		got := ask(t, h, document, nil)
		if got.code() == "" || !strings.HasPrefix(got.message(), want) {
			t.Errorf("%s: got %s, want %s", document, got.body, want)
		}
		if strings.Contains(got.body, marker) || strings.Contains(got.body, "12345") {
			t.Errorf("%s: a piece of it comes back: %s", document, got.body)
		}
		if strings.HasPrefix(want, "Syntax error") && (got.code() != parseFailed || len(got.Errors[0].Locations) != 1 || got.Errors[0].Locations[0].Line != 1) {
			t.Errorf("%s: got %s, want a place", document, got.body)
		}
	}
	if len(s.ran) > 0 {
		t.Errorf("%d were run", len(s.ran))
	}
}

func TestTextThatIsWrittenPlainIsNotRefusedForItsCharacters(t *testing.T) {
	for _, document := range []string{"{ echo(text: \"\ufffd\") }", `{ echo(text: "😀 \u00e4") }`, `{ echo(text: """\ud83d""") }`} {
		h, s := toyHandler(t)
		if got := ask(t, h, document, nil); len(s.ran) != 1 {
			t.Errorf("%s: got %s", document, got.body)
		}
	}
}
