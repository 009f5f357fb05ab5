package graph_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/go-cmp/cmp"

	"latchkey/graph"
)

const (
	parseFailed      = "GRAPHQL_PARSE_FAILED"
	validationFailed = "GRAPHQL_VALIDATION_FAILED"
	tooComplex       = "COMPLEXITY_LIMIT_EXCEEDED"
)

func TestAQueryIsRunAndItsDataAnswered(t *testing.T) {
	h, s := toyHandler(t)
	got := post(t, h, `{"query":"query Q($n: Int) { echo(number: $n) }","operationName":"Q","variables":{"n":12}}`)
	if got.status != http.StatusOK || got.body != `{"data":{"ran":true}}` {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	op := s.ran[0]
	if op.OperationName != "Q" || op.Operation.Name != "Q" {
		t.Errorf("operation: got %q", op.OperationName)
	}
	if diff := cmp.Diff(map[string]any{"n": json.Number("12")}, op.Variables); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func TestEveryAnswerIsJSONThatNobodyKeeps(t *testing.T) {
	h, _ := toyHandler(t)
	for name, r := range map[string]*http.Request{
		"data":    newPost(`{"query":"{ ping }"}`),
		"refused": newPost(`{"query":"{"}`),
		"not run": httptest.NewRequest(http.MethodDelete, "/graphql", nil),
	} {
		got := do(t, h, r).header
		want := map[string]string{"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "Vary": "Accept"}
		for header, value := range want {
			if got.Get(header) != value {
				t.Errorf("%s: %s: got %q, want %q", name, header, got.Get(header), value)
			}
		}
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	h, s := toyHandler(t)
	for _, method := range []string{"PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "get", ""} {
		r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(`{"query":"{ ping }"}`))
		r.Method = method
		r.Header.Set("Content-Type", "application/json")
		got := do(t, h, r)
		if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD, POST" || got.code() != validationFailed {
			t.Errorf("%q: got %d, Allow %q, %s", method, got.status, got.header.Get("Allow"), got.body)
		}
	}
	if len(s.ran) > 0 {
		t.Errorf("%d of them were run", len(s.ran))
	}
}

func TestAcceptDecidesTheMediaType(t *testing.T) {
	const legacy, response, none = "application/json", "application/graphql-response+json", ""
	tests := []struct {
		accept []string
		want   string
	}{
		{nil, legacy},
		{[]string{""}, legacy},
		{[]string{"*/*"}, legacy},
		{[]string{"application/*"}, legacy},
		{[]string{"application/json"}, legacy},
		{[]string{"APPLICATION/JSON"}, legacy},
		{[]string{"application/json; charset=utf-8"}, legacy},
		{[]string{"application/json; charset=UTF8"}, legacy},
		{[]string{"application/json; charset=latin1"}, none},
		{[]string{"application/graphql-response+json"}, response},
		{[]string{"application/graphql-response+json; charset=utf-8"}, response},
		{[]string{"application/graphql-response+json,application/json;q=0.9"}, response},
		{[]string{"application/graphql-response+json;q=0.8, application/json;q=0.9"}, legacy},
		{[]string{"application/graphql-response+json, application/json"}, response},
		{[]string{"application/json, application/graphql-response+json"}, legacy},
		{[]string{"application/json", "application/graphql-response+json"}, legacy},
		{[]string{"text/html", "application/graphql-response+json;q=0.1"}, response},
		{[]string{"application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"}, response},
		{[]string{"application/graphql-response+json, */*"}, response},
		{[]string{"*/*, application/graphql-response+json"}, response},
		{[]string{"application/json, */*"}, legacy},
		{[]string{"application/json;q=0, */*"}, response},
		{[]string{"application/json;q=0, application/*;q=0.2"}, response},
		{[]string{"application/graphql-response+json;q=0, */*"}, legacy},
		{[]string{"application/*;q=0, */*"}, none},
		{[]string{"*/*;q=0"}, none},
		{[]string{"application/json;q=0"}, none},
		{[]string{"text/html"}, none},
		{[]string{"text/html,application/xhtml+xml,*/*;q=0.8"}, legacy},
		{[]string{"application/jsonx"}, none},
		{[]string{"json"}, none},
		{[]string{"application/json;q=2"}, none},
		{[]string{"application/json;q=x, application/graphql-response+json;q=0.001"}, response},
		{[]string{`text/x;a="b, application/json", application/graphql-response+json`}, response},
		{[]string{`text/x;a="b\", application/json"`}, none},
		{[]string{",,,;;=,"}, none},
		{[]string{" , "}, none},
	}
	h, _ := toyHandler(t)
	for _, test := range tests {
		t.Run(strings.Join(test.accept, " & "), func(t *testing.T) {
			r := newPost(`{"query":"{ ping }"}`)
			r.Header["Accept"] = test.accept
			got := do(t, h, r)
			if test.want == none {
				if got.status != http.StatusNotAcceptable || got.code() != validationFailed {
					t.Errorf("got %d %s, want 406", got.status, got.body)
				}
				return
			}
			if got.status != http.StatusOK || got.header.Get("Content-Type") != test.want+"; charset=utf-8" {
				t.Errorf("got %d %q, want %q", got.status, got.header.Get("Content-Type"), test.want)
			}
		})
	}
}

// TestTheStatusOfWhatIsNotRunDependsOnTheMediaType holds the two forms of an answer to their audits.
func TestTheStatusOfWhatIsNotRunDependsOnTheMediaType(t *testing.T) {
	tests := map[string]struct {
		body             string
		legacy, response int
		code             string
	}{
		"a syntax error":              {`{"query":"{"}`, 200, 400, parseFailed},
		"an unknown field":            {`{"query":"{ pong }"}`, 200, 400, validationFailed},
		"a variable of another type":  {`{"query":"query($n: Int) { echo(number: $n) }","variables":{"n":"1"}}`, 200, 400, validationFailed},
		"a variable that is missing":  {`{"query":"query($t: String!) { need(text: $t) }"}`, 200, 400, validationFailed},
		"an operation that is not":    {`{"query":"{ ping }","operationName":"Other"}`, 200, 400, validationFailed},
		"which operation, of several": {`{"query":"query A { ping } query B { ping }"}`, 200, 400, validationFailed},
		"a document over a limit":     {`{"query":"{ ping` + strings.Repeat(" ping", 1000) + `}"}`, 200, 400, tooComplex},
		"only fragments":              {`{"query":"fragment F on Query { ping }"}`, 200, 400, validationFailed},
		"no document":                 {`{"operationName":"A"}`, 400, 400, validationFailed},
		"bad JSON":                    {`{"query":`, 400, 400, parseFailed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, s := toyHandler(t)
			for accept, want := range map[string]int{"application/json": test.legacy, "application/graphql-response+json": test.response} {
				got := post(t, h, test.body, "Accept", accept)
				if got.status != want || got.code() != test.code {
					t.Errorf("%s: got %d %s, want %d %s", accept, got.status, got.body, want, test.code)
				}
				if got.hasData() {
					t.Errorf("%s: nothing was run, and there is an entry data: %s", accept, got.body)
				}
			}
			if len(s.ran) > 0 {
				t.Error("it was run")
			}
		})
	}
}

func TestABodyMustSayThatItIsJSON(t *testing.T) {
	tests := map[string]bool{
		"application/json":                              true,
		"Application/JSON":                              true,
		"application/json;charset=utf-8":                true,
		"application/json; charset=UTF-8":               true,
		"application/json; charset=utf8":                true,
		`application/json; charset="utf-8"`:             true,
		"application/json; version=1":                   true,
		"application/json; charset=utf-16":              false,
		"application/json; charset=iso-8859-1":          false,
		"application/jsonx":                             false,
		"application/json+x":                            false,
		"application/graphql-response+json":             false,
		"application/graphql":                           false,
		"application/x-www-form-urlencoded":             false,
		"multipart/form-data; boundary=x":               false,
		"text/plain":                                    false,
		"text/plain; application/json":                  false,
		"application/json, text/plain":                  false,
		"application/json; charset=utf-8; charset=x":    false,
		"application/json\x00":                          false,
		"":                                              false,
		"*/*":                                           false,
		"application/csp-report; type=application/json": false,
	}
	h, s := toyHandler(t)
	for contentType, want := range tests {
		s.ran = nil
		got := post(t, h, `{"query":"{ ping }"}`, "Content-Type", contentType)
		if ran := len(s.ran) == 1; ran != want {
			t.Errorf("%q: run: got %v, want %v", contentType, ran, want)
		}
		if !want && (got.status != http.StatusUnsupportedMediaType || got.code() != validationFailed) {
			t.Errorf("%q: got %d %s, want 415", contentType, got.status, got.body)
		}
	}

	for name, values := range map[string][]string{"none": nil, "two": {"application/json", "application/json"}} {
		r := newPost(`{"query":"{ ping }"}`)
		r.Header["Content-Type"] = values
		if got := do(t, h, r); got.status != http.StatusUnsupportedMediaType {
			t.Errorf("%s: got %d, want 415", name, got.status)
		}
	}
}

func TestAnEncodedBodyIsRefused(t *testing.T) {
	h, _ := toyHandler(t)
	for encoding, want := range map[string]int{"": 200, "identity": 200, "Identity": 200, "gzip": 415, "br": 415, "identity, gzip": 415} {
		if got := post(t, h, `{"query":"{ ping }"}`, "Content-Encoding", encoding); got.status != want {
			t.Errorf("%q: got %d, want %d", encoding, got.status, want)
		}
	}
}

// TestABodyThatIsNoRequestIsRefused also looks that no piece of it comes back: it may hold a password.
func TestABodyThatIsNoRequestIsRefused(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	tests := map[string]struct {
		body string
		code string
	}{
		"empty":                          {``, validationFailed},
		"white space":                    {" \n", validationFailed},
		"null":                           {`null`, validationFailed},
		"text":                           {`"hunter2"`, validationFailed},
		"a number":                       {`7`, validationFailed},
		"a batch":                        {`[{"query":"{ ping }"}]`, validationFailed},
		"an empty batch":                 {`[]`, validationFailed},
		"no members":                     {`{}`, validationFailed},
		"another case of the name":       {`{"Query":"{ ping }"}`, validationFailed},
		"an empty document":              {`{"query":""}`, validationFailed},
		"a document that is null":        {`{"query":null}`, validationFailed},
		"a document that is a number":    {`{"query":7}`, validationFailed},
		"a document that is an object":   {`{"query":{"hunter2":1}}`, validationFailed},
		"a name that is a number":        {`{"query":"{ ping }","operationName":7}`, validationFailed},
		"variables that are text":        {`{"query":"{ ping }","variables":"hunter2"}`, validationFailed},
		"variables that are a list":      {`{"query":"{ ping }","variables":["hunter2"]}`, validationFailed},
		"extensions that are text":       {`{"query":"{ ping }","extensions":"hunter2"}`, validationFailed},
		"extensions that are a number":   {`{"query":"{ ping }","extensions":0}`, validationFailed},
		"no end":                         {`{"query":"{ ping }","variables":{"password":"hunter2"`, parseFailed},
		"an open string":                 {`{"query":"{ ping }","variables":{"password":"hunter2`, parseFailed},
		"a stray word":                   {`{"query":"{ ping }" hunter2}`, parseFailed},
		"single quotes":                  {`{'query':'hunter2'}`, parseFailed},
		"a comma too many":               {`{"query":"{ ping }",}`, parseFailed},
		"no comma":                       {`{"query":"{ ping }" "variables":{}}`, parseFailed},
		"no colon":                       {`{"query" "{ ping }"}`, parseFailed},
		"a second object":                {`{"query":"{ ping }"}{"query":"{ ping }"}`, parseFailed},
		"something after it":             {`{"query":"{ ping }"} hunter2`, parseFailed},
		"a document twice":               {`{"query":"{ ping }","query":"{ echo }"}`, parseFailed},
		"a document twice, escaped":      {`{"query":"{ ping }","\u0071uery":"{ echo }"}`, parseFailed},
		"a name twice":                   {`{"query":"{ ping }","operationName":null,"operationName":null}`, parseFailed},
		"variables twice":                {`{"query":"{ ping }","variables":{},"variables":{}}`, parseFailed},
		"extensions twice":               {`{"query":"{ ping }","extensions":{},"extensions":{}}`, parseFailed},
		"a variable twice":               {`{"query":"{ ping }","variables":{"hunter2":1,"hunter2":2}}`, parseFailed},
		"a control character":            {"{\"query\":\"{ \x01ping }\"}", parseFailed},
		"a line break in a string":       {"{\"query\":\"{\nping }\"}", parseFailed},
		"a bad escape":                   {`{"query":"\x"}`, parseFailed},
		"a short escape":                 {`{"query":"\u12"}`, parseFailed},
		"an escape of other digits":      {`{"query":"\u12g4"}`, parseFailed},
		"half a surrogate pair":          {`{"query":"{ ping }","variables":{"p":"hunter2\ud83d"}}`, parseFailed},
		"the other half":                 {`{"query":"{ ping }","variables":{"p":"\ude00hunter2"}}`, parseFailed},
		"two first halves":               {`{"query":"{ ping }","variables":{"p":"\ud83d\ud83d"}}`, parseFailed},
		"half a pair, then a letter":     {`{"query":"{ ping }","variables":{"p":"\ud83d\u0041"}}`, parseFailed},
		"invalid UTF-8":                  {"{\"query\":\"{ ping }\",\"variables\":{\"p\":\"hunter2\xff\"}}", parseFailed},
		"UTF-8 of a surrogate":           {"{\"query\":\"{ ping }\",\"variables\":{\"p\":\"\xed\xa0\x80\"}}", parseFailed},
		"a byte order mark":              {"\ufeff{\"query\":\"{ ping }\"}", validationFailed},
		"a leading zero":                 {`{"query":"{ ping }","variables":{"n":01}}`, parseFailed},
		"a plus sign":                    {`{"query":"{ ping }","variables":{"n":+1}}`, parseFailed},
		"a point without digits":         {`{"query":"{ ping }","variables":{"n":1.}}`, parseFailed},
		"an exponent without digits":     {`{"query":"{ ping }","variables":{"n":1e}}`, parseFailed},
		"NaN":                            {`{"query":"{ ping }","variables":{"n":NaN}}`, parseFailed},
		"a word cut short":               {`{"query":"{ ping }","variables":{"n":tru}}`, parseFailed},
		"a comment":                      {`{"query":"{ ping }"/* hunter2 */}`, parseFailed},
		"too many variables":             {`{"query":"{ ping }","variables":{` + each(10_000, `"v#":1,`) + `"v":1}}`, parseFailed},
		"too many of a list":             {`{"query":"{ ping }","variables":{"v":[` + strings.Repeat("1,", 10_000) + `1]}}`, parseFailed},
		"too many of what is skipped":    {`{"query":"{ ping }","other":[` + strings.Repeat("1,", 10_000) + `1]}`, parseFailed},
		"variables nested deep":          {`{"query":"{ ping }","variables":{"v":` + deep(70) + `}}`, parseFailed},
		"another member nested deep":     {`{"query":"{ ping }","other":` + deep(100_000) + `}`, parseFailed},
		"objects nested deep":            {`{"query":"{ ping }","v":` + strings.Repeat(`{"a":`, 70) + `1` + strings.Repeat(`}`, 70) + `}`, parseFailed},
		"nothing but brackets":           {strings.Repeat(`[`, 500_000), validationFailed},
		"a document within a document":   {`{"query":{"query":"{ ping }"}}`, validationFailed},
		"a persisted query that is text": {`{"extensions":{"persistedQuery":"hunter2"}}`, validationFailed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, s := toyHandler(t)
			got := post(t, h, test.body)
			if got.status != http.StatusBadRequest || got.code() != test.code {
				t.Errorf("got %d %s, want 400 %s", got.status, got.body, test.code)
			}
			if strings.Contains(got.body, "hunter2") {
				t.Errorf("a piece of the body comes back: %s", got.body)
			}
			if len(s.ran) > 0 || got.hasData() {
				t.Error("it was run")
			}
		})
	}
}

func TestABodyIsTakenInAnyFormThatJSONAllows(t *testing.T) {
	for name, body := range map[string]string{
		"white space":           " \r\n\t{ \"query\" : \"{ ping }\" , \"variables\" : { } } \n",
		"nulls":                 `{"query":"{ ping }","operationName":null,"variables":null,"extensions":null}`,
		"an empty name":         `{"query":"{ ping }","operationName":""}`,
		"other members":         `{"id":1,"query":"{ ping }","doc_id":[{"a":[true,false,null,-1.5e-3,"x"]}]}`,
		"other extensions":      `{"query":"{ ping }","extensions":{"clientLibrary":{"name":"x"}}}`,
		"no persisted query":    `{"query":"{ ping }","extensions":{"persistedQuery":null}}`,
		"escapes":               `{"\u0071uery":"\u007b\u0020ping\n\t}"}`,
		"many values":           `{"query":"{ ping }","variables":{"v":[` + strings.Repeat("1,", 9_900) + `1]}}`,
		"a variable too many":   `{"query":"{ ping }","variables":{"unused":1}}`,
		"extensions of a batch": `{"query":"{ ping }","extensions":{"a":[[[[1]]]]}}`,
	} {
		h, _ := toyHandler(t)
		if got := post(t, h, body); got.status != http.StatusOK || got.body != `{"data":{"ran":true}}` {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
	}
}

func TestVariablesKeepTheirDigitsAndCharacters(t *testing.T) {
	h, s := toyHandler(t)
	post(t, h, `{"query":"query($i: ID, $t: String) { echo(id: $i, text: $t) }",`+
		`"variables":{"i":9007199254740993,"t":"\ud83d\ude00 \"\\\/\b\f\n\r\t\u00e4ä"}}`)
	want := map[string]any{"i": json.Number("9007199254740993"), "t": "😀 \"\\/\b\f\n\r\tää"}
	if diff := cmp.Diff(want, s.ran[0].Variables); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// newGet returns a GET that no foreign page can have made.
func newGet(values url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/graphql?"+values.Encode(), nil)
	r.Header.Set("Apollo-Require-Preflight", "true")
	return r
}

func TestAQueryCanComeByGET(t *testing.T) {
	h, s := toyHandler(t)
	got := do(t, h, newGet(url.Values{
		"query":         {"query A { ping } query B($n: Int) { echo(number: $n) }"},
		"operationName": {"B"},
		"variables":     {`{"n":1}`},
		"extensions":    {`{"a":1}`},
		"other":         {"1", "2"},
	}))
	if got.status != http.StatusOK || len(s.ran) != 1 || s.ran[0].OperationName != "B" {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if diff := cmp.Diff(map[string]any{"n": json.Number("1")}, s.ran[0].Variables); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func TestAGETThatIsNoRequestIsRefused(t *testing.T) {
	tests := map[string]struct {
		query string
		code  string
	}{
		"nothing":                  {"", validationFailed},
		"an empty document":        {"query=", validationFailed},
		"a document twice":         {"query={ping}&query={ping}", validationFailed},
		"a bad escape":             {"query=%zz", validationFailed},
		"a semicolon":              {"query={ping};a=b", validationFailed},
		"invalid UTF-8":            {"query=%7Bping%7D%ff", validationFailed},
		"variables that are text":  {"query={ping}&variables=%22hunter2%22", validationFailed},
		"variables that are none":  {"query={ping}&variables=hunter2", parseFailed},
		"two values":               {"query={ping}&variables={}{}", parseFailed},
		"variables in bad UTF-8":   {"query={ping}&variables={%22a%22:%22%ff%22}", parseFailed},
		"extensions that are text": {"query={ping}&extensions=1", validationFailed},
		"extensions cut short":     {"query={ping}&extensions={%22hunter2", parseFailed},
	}
	h, s := toyHandler(t)
	for name, test := range tests {
		r := httptest.NewRequest(http.MethodGet, "/graphql", nil)
		r.URL.RawQuery = test.query
		got := do(t, h, r)
		if got.status != http.StatusBadRequest || got.code() != test.code || strings.Contains(got.body, "hunter2") {
			t.Errorf("%s: got %d %s, want 400 %s", name, got.status, got.body, test.code)
		}
	}
	if len(s.ran) > 0 {
		t.Errorf("%d were run", len(s.ran))
	}
}

func TestAMutationCannotComeByGET(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, accept := range []string{"application/json", "application/graphql-response+json"} {
			h, s := toyHandler(t)
			r := newGet(url.Values{"query": {"query Q { ping } mutation M { ping }"}, "operationName": {"M"}})
			r.Method = method
			r.Header.Set("Accept", accept)
			got := do(t, h, r)
			if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "POST" || got.code() != validationFailed {
				t.Errorf("%s, %s: got %d, Allow %q, %s", method, accept, got.status, got.header.Get("Allow"), got.body)
			}
			if len(s.ran) > 0 {
				t.Errorf("%s, %s: it was run", method, accept)
			}
		}
	}
}

func TestHEADAnswersAsGETWithoutTheBody(t *testing.T) {
	h, _ := toyHandler(t)
	server := httptest.NewServer(h)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+"?query=%7Bping%7D", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(response.Body)
	if err != nil || len(body) > 0 || response.StatusCode != http.StatusOK || response.ContentLength != int64(len(`{"data":{"ran":true}}`)) {
		t.Errorf("got %d, length %d, body %q, %v", response.StatusCode, response.ContentLength, body, err)
	}
}

func TestAnOfferToUpgradeIsIgnored(t *testing.T) {
	h, _ := toyHandler(t)
	for _, upgrade := range []string{"h2c", "websocket", "TLS/1.3"} {
		got := post(t, h, `{"query":"{ ping }"}`, "Upgrade", upgrade, "Connection", "Upgrade, HTTP2-Settings", "HTTP2-Settings", "AAMAAABkAAQAAP__")
		if got.status != http.StatusOK {
			t.Errorf("%s: got %d %s", upgrade, got.status, got.body)
		}
	}
}

func TestABodyHasALimit(t *testing.T) {
	h := graph.NewHandler(graph.Options{Schema: newToy(t), Limits: graph.Limits{Body: 1000}})
	pad := func(n int) string { return `{"query":"{ ping }"}` + strings.Repeat(" ", n-len(`{"query":"{ ping }"}`)) }

	if got := post(t, h, pad(1000)); got.status != http.StatusOK {
		t.Errorf("at the limit: got %d %s", got.status, got.body)
	}
	got := post(t, h, pad(1001))
	if got.status != http.StatusRequestEntityTooLarge || got.code() != tooComplex || got.message() != "The body is 1001 bytes long; the limit is 1000." {
		t.Errorf("above it: got %d %s", got.status, got.body)
	}
	r := newPost(pad(1001))
	r.ContentLength = -1
	if got := do(t, h, r); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("above it, in chunks: got %d %s", got.status, got.body)
	}
	r = newPost(pad(1000))
	r.Body = http.MaxBytesReader(nil, r.Body, 500)
	if got := do(t, h, r); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("above a limit around the handler: got %d %s", got.status, got.body)
	}
}

// TestTheAnswerToATooLargeBodyArrives sends all of the body before it looks for an answer, as most clients do. A server
// that closes the connection meanwhile is never heard.
func TestTheAnswerToATooLargeBodyArrives(t *testing.T) {
	h, _ := toyHandler(t)
	server := httptest.NewServer(h)
	defer server.Close()
	const size = 5 << 20
	for name, head := range map[string]string{
		"kept":    "Content-Length: %d\r\n",
		"closed":  "Content-Length: %d\r\nConnection: close\r\n",
		"as HTML": "Content-Length: %d\r\nContent-Type: text/html\r\nConnection: close\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close() //nolint:errcheck // it was only read
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			contentType := "Content-Type: application/json\r\n"
			want := http.StatusRequestEntityTooLarge
			if strings.Contains(head, "Content-Type") {
				contentType, want = "", http.StatusUnsupportedMediaType
			}
			fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: localhost\r\n"+contentType+head+"\r\n", size)
			if _, err := io.CopyN(conn, zeros{}, size); err != nil {
				t.Fatalf("sending: %v", err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("reading the answer: %v", err)
			}
			defer response.Body.Close() //nolint:errcheck // it was only read
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != want || !json.Valid(body) {
				t.Errorf("got %d %s %v", response.StatusCode, body, err)
			}
		})
	}
}

func TestAClientThatAsksBeforeSendingIsToldAtOnce(t *testing.T) {
	h, _ := toyHandler(t)
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it was only read
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", response.StatusCode)
	}
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestABodyThatDoesNotArriveIsRefused(t *testing.T) {
	tests := map[string]struct {
		err  error
		want int
	}{
		"too slow":  {os.ErrDeadlineExceeded, http.StatusRequestTimeout},
		"cut short": {io.ErrUnexpectedEOF, http.StatusBadRequest},
		"broken":    {errors.New("malformed chunked encoding: hunter2"), http.StatusBadRequest},
	}
	h, _ := toyHandler(t)
	for name, test := range tests {
		r := newPost("")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"query":`), iotest.ErrReader(test.err)))
		r.ContentLength = 100
		got := do(t, h, r)
		if got.status != test.want || got.code() != validationFailed || strings.Contains(got.body, "hunter2") {
			t.Errorf("%s: got %d %s, want %d", name, got.status, got.body, test.want)
		}
	}
}

func TestResolversCanAddToTheHeader(t *testing.T) {
	s := newToy(t)
	s.run = func(ctx context.Context) *graphql.Response {
		graph.AddResponseHeader(ctx, "Set-Cookie", "a=1")
		graph.AddResponseHeader(ctx, "Set-Cookie", "b=2")
		graph.AddResponseHeader(ctx, "Content-Type", "text/html")
		return &graphql.Response{Data: json.RawMessage(`{}`)}
	}
	got := post(t, graph.NewHandler(graph.Options{Schema: s}), `{"query":"{ ping }"}`)
	if diff := cmp.Diff([]string{"a=1", "b=2"}, got.header["Set-Cookie"]); diff != "" {
		t.Errorf("cookies (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"application/json; charset=utf-8"}, got.header["Content-Type"]); diff != "" {
		t.Errorf("content type (-want +got):\n%s", diff)
	}
	graph.AddResponseHeader(t.Context(), "Set-Cookie", "c=3") // not within a request: nothing happens
}

func TestTheRecordTellsTheAccessLogWhatWasAsked(t *testing.T) {
	tests := map[string]struct {
		body string
		want graph.Record
	}{
		"a query":            {`{"query":"query Who { ping }"}`, graph.Record{Answered: true, Name: "Who", Type: "query"}},
		"one without a name": {`{"query":"{ ping }"}`, graph.Record{Answered: true, Type: "query"}},
		"a mutation":         {`{"query":"mutation M { ping }"}`, graph.Record{Answered: true, Name: "M", Type: "mutation"}},
		"bad variables": {
			`{"query":"query Who($n: Int!) { echo(number: $n) }"}`,
			graph.Record{Answered: true, Name: "Who", Type: "query", Codes: []string{validationFailed}},
		},
		"several errors of a kind": {`{"query":"{ a b c }"}`, graph.Record{Answered: true, Codes: []string{validationFailed}}},
		"no request":               {`hunter2`, graph.Record{Answered: true, Codes: []string{validationFailed}}},
	}
	h, _ := toyHandler(t)
	for name, test := range tests {
		r := newPost(test.body)
		ctx, record := graph.WithRecord(r.Context())
		do(t, h, r.WithContext(ctx))
		if diff := cmp.Diff(test.want, *record); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestARecordBecomesAttributesOfALogLine(t *testing.T) {
	full := graph.Record{Name: "Who", Type: "query", Codes: []string{"A", "B"}}
	if got, want := fmt.Sprint(full.AppendAttrs(nil)), "[operation=Who operation_type=query codes=[A B]]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := new(graph.Record).AppendAttrs(nil); len(got) != 0 {
		t.Errorf("an empty record: got %v", got)
	}
}

func TestAFaultBeforeTheOperationIsRunIsAnInternalError(t *testing.T) {
	s := newToy(t)
	h := graph.NewHandler(graph.Options{Schema: s, RequestID: func(context.Context) string { return "R1" }})
	r := newPost("")
	r.Body = io.NopCloser(&panicking{})
	r.ContentLength = 10
	got := do(t, h, r)
	want := `{"errors":[{"message":"Internal server error.","extensions":{"code":"INTERNAL_SERVER_ERROR","requestId":"R1"}}]}`
	if got.status != http.StatusInternalServerError || got.body != want {
		t.Errorf("got %d %s, want 500 %s", got.status, got.body, want)
	}
}

// panicking is a body that breaks the reader once.
type panicking struct{ broken bool }

func (p *panicking) Read([]byte) (int, error) {
	if p.broken {
		return 0, io.EOF
	}
	p.broken = true
	panic("hunter2")
}
