package graph_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"latchkey/graph"
)

const csrfRejected = "CSRF_REJECTED"

// Whoever places an image in a page, a link or a form can make its readers' browsers send a GET. What such a GET cannot
// have is what lets one through.
func TestAGETThatAForeignPageCouldHaveMadeIsRefused(t *testing.T) {
	const allowed = "https://app.example.org"
	get := func(header http.Header) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "https://auth.example.org/graphql?query="+url.QueryEscape("{ ping }"), nil)
		r.Header = header
		return r
	}
	for name, row := range map[string]struct {
		header http.Header
		runs   bool
	}{
		"nothing at all":                {http.Header{}, false},
		"curl without anything":         {http.Header{"Accept": {"*/*"}}, false},
		"the address bar":               {http.Header{"Sec-Fetch-Site": {"none"}, "Accept": {"text/html,*/*;q=0.8"}}, false},
		"an image":                      {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}, "Accept": {"image/webp,*/*"}}, false},
		"an image, in an old browser":   {http.Header{"Accept": {"image/webp,*/*;q=0.8"}}, false},
		"a link, in an old browser":     {http.Header{"Accept": {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}}, false},
		"a form with a file":            {http.Header{"Content-Type": {"multipart/form-data; boundary=a"}}, false},
		"a form":                        {http.Header{"Content-Type": {"Application/X-WWW-Form-Urlencoded"}}, false},
		"a form of text":                {http.Header{"Content-Type": {"text/plain;a=application/json"}}, false},
		"a content type that is none":   {http.Header{"Content-Type": {"application/json;;;"}}, false},
		"two content types":             {http.Header{"Content-Type": {"text/plain", "application/json"}}, false},
		"an empty field":                {http.Header{"Apollo-Require-Preflight": {""}}, false},
		"a script of a foreign page":    {http.Header{"Origin": {"https://evil.example"}, "Accept": {"application/json"}}, false},
		"one without origin":            {http.Header{"Origin": {"null"}, "Accept": {"application/json"}}, false},
		"one that hides its origin":     {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}, "Accept": {"application/json"}}, false},
		"one of the same site":          {http.Header{"Sec-Fetch-Site": {"same-site"}, "Sec-Fetch-Mode": {"cors"}, "Accept": {"application/json"}}, false},
		"one of http":                   {http.Header{"Origin": {"http://auth.example.org"}, "Accept": {"application/json"}}, false},
		"one of an allowed page":        {http.Header{"Origin": {allowed}, "Sec-Fetch-Site": {"same-site"}}, true},
		"one of the server's own":       {http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}}, true},
		"a content type of JSON":        {http.Header{"Content-Type": {"application/json"}}, true},
		"the field of Apollo's clients": {http.Header{"Apollo-Require-Preflight": {"true"}}, true},
		"the name of an operation":      {http.Header{"X-Apollo-Operation-Name": {"Q"}}, true},
		"an access token":               {http.Header{"Authorization": {"Bearer a"}}, true},
		"Node's fetch":                  {http.Header{"Sec-Fetch-Mode": {"cors"}, "Accept": {"*/*"}}, true},
		"a client that wants JSON":      {http.Header{"Accept": {"application/json"}}, true},
		"a client of GraphQL":           {http.Header{"Accept": {"application/graphql-response+json, application/json;q=0.9"}}, true},
		"a navigation that takes JSON":  {http.Header{"Sec-Fetch-Site": {"none"}, "Accept": {"application/json"}}, false},
		"Sec-Fetch-Mode of a tag":       {http.Header{"Sec-Fetch-Mode": {"no-cors"}, "Accept": {"*/*"}}, false},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			s := newToy(t)
			h := graph.NewHandler(graph.Options{Schema: s, Browsers: graph.Browsers{AllowedOrigins: []string{allowed}}})
			r := get(row.header.Clone())
			r.Method = method
			got := do(t, h, r)
			status, code := http.StatusOK, ""
			if !row.runs {
				status, code = http.StatusBadRequest, csrfRejected
			}
			if got.status != status || got.code() != code || (len(s.ran) == 1) != row.runs {
				t.Errorf("%s by %s: got %d %s, and %d were run", name, method, got.status, got.body, len(s.ran))
			}
		}
	}
}
