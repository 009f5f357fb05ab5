package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/web"
)

// answer is what the handler sent.
type answer struct {
	status int
	header http.Header
	body   string
}

// send makes one request to the handler. The header fields are given as pairs
// of name and value.
func send(t *testing.T, method, path string, header ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://example.test/", nil)
	r.URL.Path = path
	for field := range slices.Chunk(header, 2) {
		r.Header.Add(field[0], field[1])
	}
	w := httptest.NewRecorder()
	web.GraphiQL("Bearer").ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// references returns the names of the files that a file of the build names. The
// two expressions begin with plain text, which makes them ten times as fast.
func references(text string) []string {
	absolute := regexp.MustCompile(`assets/[\w.-]+\.(?:js|css|ttf|svg|txt)\b`)
	relative := regexp.MustCompile(`\./[\w.-]+\.(?:js|css)\b`)
	return append(absolute.FindAllString(text, -1), relative.FindAllString(text, -1)...)
}

// assets returns all that the page is made of, by path: what the page refers
// to, what that refers to, and so on.
func assets(t *testing.T) map[string]answer {
	t.Helper()
	found := map[string]answer{}
	texts := []string{page(t)}
	for len(texts) > 0 {
		names := references(texts[0])
		texts = texts[1:]
		for _, name := range names {
			path := "/graphiql/assets/" + name[strings.LastIndex(name, "/")+1:]
			if _, seen := found[path]; seen {
				continue
			}
			response := send(t, http.MethodGet, path)
			if got, want := response.status, http.StatusOK; got != want {
				t.Fatalf("GET %s, to which the page refers: status %d, want %d", path, got, want)
			}
			found[path] = response
			texts = append(texts, response.body)
		}
	}
	return found
}

// page returns the HTML of the page.
func page(t *testing.T) string {
	t.Helper()
	return send(t, http.MethodGet, "/").body
}

// stylesheet returns the path of the style sheet that the page loads first, an
// asset like any other.
func stylesheet(t *testing.T) string {
	t.Helper()
	match := regexp.MustCompile(`<link rel="stylesheet" [^>]*href="([^"]+)"`).FindStringSubmatch(page(t))
	if match == nil {
		t.Fatal("the page has no style sheet")
	}
	return match[1]
}

func TestPageIsServedAtBothAddresses(t *testing.T) {
	for _, path := range []string{"/", "/graphiql"} {
		response := send(t, http.MethodGet, path)
		if got, want := response.status, http.StatusOK; got != want {
			t.Errorf("GET %s: status %d, want %d", path, got, want)
		}
		if got, want := response.header.Get("Content-Type"), "text/html; charset=utf-8"; got != want {
			t.Errorf("GET %s: Content-Type %q, want %q", path, got, want)
		}
		if got, want := response.body, "<title>Latchkey · GraphiQL</title>"; !strings.Contains(got, want) {
			t.Errorf("GET %s: body %q, want it to contain %q", path, got, want)
		}
	}
}

func TestPageNamesTheSchemeOfTheAuthorizationHeader(t *testing.T) {
	for scheme, want := range map[string]string{"Bearer": "Bearer", "JWT": "JWT", `"><script>`: "&#34;&gt;&lt;script&gt;"} {
		w := httptest.NewRecorder()
		web.GraphiQL(scheme).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		if element := `<meta name="authorization-scheme" content="` + want + `">`; !strings.Contains(w.Body.String(), element) {
			t.Errorf("for %q: body %q, want it to contain %s", scheme, w.Body, element)
		}
	}
}

func TestPageRefersToItsOwnOriginOnly(t *testing.T) {
	addresses := regexp.MustCompile(`(?:src|href|action|content)="([^"]*[/:][^"]*)"`).FindAllStringSubmatch(page(t), -1)
	if got, want := len(addresses), 4; got < want {
		t.Fatalf("the page has %d addresses, want %d at least", got, want)
	}
	for _, address := range addresses {
		if got, want := address[1], "/graphiql/assets/"; !strings.HasPrefix(got, want) {
			t.Errorf("the page refers to %q, want %s…", got, want)
		}
	}
	if html := page(t); strings.Contains(html, "<style") || strings.Contains(html, "style=") {
		t.Error("the page has inline style, which its Content-Security-Policy blocks")
	}
}

func TestEverythingThatThePageIsMadeOfIsServed(t *testing.T) {
	types := map[string]string{
		".css": "text/css; charset=utf-8",
		".js":  "text/javascript; charset=utf-8",
		".svg": "image/svg+xml",
		".ttf": "font/ttf",
	}
	hosts := []string{"cdn.jsdelivr.net", "unpkg.com", "esm.sh", "cdnjs.cloudflare.com", "fonts.googleapis.com", "fonts.gstatic.com"}
	missing := []string{"index-", "monaco-editor-", "editor.worker-", "graphql.worker-", "json.worker-", "codicon-", "favicon-"}

	for address, asset := range assets(t) {
		missing = slices.DeleteFunc(missing, func(name string) bool { return strings.Contains(address, "/"+name) })
		if address == "/graphiql/assets/LICENSES.txt" {
			continue
		}
		if got, want := asset.header.Get("Cache-Control"), "public, max-age=31536000, immutable"; got != want {
			t.Errorf("%s: Cache-Control %q, want %q", address, got, want)
		}
		if got, want := asset.header.Get("Content-Type"), types[address[strings.LastIndex(address, "."):]]; got != want {
			t.Errorf("%s: Content-Type %q, want %q", address, got, want)
		}
		for _, host := range hosts {
			if strings.Contains(asset.body, host) {
				t.Errorf("%s mentions %s", address, host)
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("no assets of these names: %q", missing)
	}
}

func TestEveryAnswerBearsTheSecurityHeaders(t *testing.T) {
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
			"worker-src 'self'; font-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
	}
	answers := map[string]answer{
		"the page":         send(t, http.MethodGet, "/"),
		"an asset":         send(t, http.MethodGet, stylesheet(t)),
		"an unknown path":  send(t, http.MethodGet, "/nothing"),
		"a wrong method":   send(t, http.MethodPost, "/"),
		"an unaltered one": send(t, http.MethodGet, "/", "If-None-Match", send(t, http.MethodGet, "/").header.Get("ETag")),
	}
	for name, response := range answers {
		got := map[string]string{}
		for field := range want {
			got[field] = response.header.Get(field)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPermissionsPolicyGrantsNothingButTheClipboard(t *testing.T) {
	policy := send(t, http.MethodGet, "/").header.Get("Permissions-Policy")
	var got []string
	for feature := range strings.SplitSeq(policy, ", ") {
		if !strings.HasSuffix(feature, "=()") {
			got = append(got, feature)
		}
	}
	if diff := cmp.Diff([]string{"clipboard-read=(self)", "clipboard-write=(self)"}, got); diff != "" {
		t.Errorf("granted (-want +got):\n%s", diff)
	}
	for _, feature := range []string{"camera=()", "geolocation=()", "microphone=()", "payment=()", "usb=()"} {
		if !strings.Contains(policy, feature) {
			t.Errorf("Permissions-Policy %q, want it to contain %s", policy, feature)
		}
	}
}

func TestPageIsAskedForAnew(t *testing.T) {
	response := send(t, http.MethodGet, "/graphiql")
	if got, want := response.header.Get("Cache-Control"), "no-cache"; got != want {
		t.Errorf("Cache-Control %q, want %q", got, want)
	}
	tag := response.header.Get("ETag")
	if !regexp.MustCompile(`^"[0-9a-f]{32}"$`).MatchString(tag) {
		t.Fatalf("ETag %q, want a quoted hash", tag)
	}

	again := send(t, http.MethodGet, "/graphiql", "If-None-Match", tag)
	if got, want := again.status, http.StatusNotModified; got != want {
		t.Errorf("with its own ETag: status %d, want %d", got, want)
	}
	if got := again.body; got != "" {
		t.Errorf("with its own ETag: body %q, want none", got)
	}
	if got, want := send(t, http.MethodGet, "/graphiql", "If-None-Match", `"other"`).status, http.StatusOK; got != want {
		t.Errorf("with another ETag: status %d, want %d", got, want)
	}
}

func TestLicenceNoticesAreServed(t *testing.T) {
	response := send(t, http.MethodGet, "/graphiql/assets/LICENSES.txt")
	if got, want := response.header.Get("Content-Type"), "text/plain; charset=utf-8"; got != want {
		t.Errorf("Content-Type %q, want %q", got, want)
	}
	if got, want := response.header.Get("Cache-Control"), "no-cache"; got != want {
		t.Errorf("Cache-Control %q, want %q", got, want)
	}
	notices := response.body
	for _, want := range []string{"graphiql ", "graphql ", "monaco-editor ", "monaco-graphql ", "react-dom ", "Microsoft Corporation", "Apache License"} {
		if !strings.Contains(notices, want) {
			t.Errorf("the notices do not mention %q", want)
		}
	}
}

func TestHeadAnswersLikeGetWithoutABody(t *testing.T) {
	for _, path := range []string{"/", "/graphiql", stylesheet(t), "/nothing"} {
		for _, encoding := range []string{"identity", "gzip"} {
			get := send(t, http.MethodGet, path, "Accept-Encoding", encoding)
			head := send(t, http.MethodHead, path, "Accept-Encoding", encoding)
			if got, want := head.status, get.status; got != want {
				t.Errorf("HEAD %s (%s): status %d, want %d", path, encoding, got, want)
			}
			if diff := cmp.Diff(get.header, head.header); diff != "" {
				t.Errorf("HEAD %s (%s): header (-GET +HEAD):\n%s", path, encoding, diff)
			}
			if got := head.body; got != "" && head.status == http.StatusOK {
				t.Errorf("HEAD %s (%s): %d bytes of body, want none", path, encoding, len(got))
			}
		}
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	for _, path := range []string{"/", "/graphiql", stylesheet(t)} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, "QUERY"} {
			response := send(t, method, path)
			if got, want := response.status, http.StatusMethodNotAllowed; got != want {
				t.Errorf("%s %s: status %d, want %d", method, path, got, want)
			}
			if got, want := response.header.Get("Allow"), "GET, HEAD"; got != want {
				t.Errorf("%s %s: Allow %q, want %q", method, path, got, want)
			}
		}
	}
}

func TestUnknownPathsAreNotFound(t *testing.T) {
	paths := []string{
		"",
		"//",
		"/graphiql/",
		"/graphiql/assets",
		"/graphiql/assets/",
		"/graphiql/assets/index.html",
		"/graphiql/index.html",
		"/index.html",
		"/LICENSES.txt",
		"/dist/index.html",
		"/favicon.ico",
		"/graphql",
		stylesheet(t) + ".gz",
		stylesheet(t) + "/",
		strings.ToUpper(stylesheet(t)),
		"/graphiql/assets/../../graphiql.go",
		"/graphiql/assets/../index.html",
		"/graphiql/assets/..",
		"/graphiql/../graphiql",
		"/graphiql/assets/%2e%2e/index.html",
		`/graphiql/assets/..\index.html`,
		"/../../etc/passwd",
		"/graphiql\x00",
	}
	for _, path := range paths {
		if got, want := send(t, http.MethodGet, path).status, http.StatusNotFound; got != want {
			t.Errorf("GET %q: status %d, want %d", path, got, want)
		}
	}
}

func TestAssetsAreCompressedForWhoTakesGzip(t *testing.T) {
	path := stylesheet(t)
	plain := send(t, http.MethodGet, path).body

	tests := []struct {
		name   string
		accept []string
		want   string
	}{
		{"no field", nil, ""},
		{"an empty field", []string{""}, ""},
		{"gzip", []string{"gzip"}, "gzip"},
		{"gzip by its old name", []string{"x-gzip"}, "gzip"},
		{"gzip in capitals", []string{"GZIP"}, "gzip"},
		{"what browsers send", []string{"gzip, deflate, br, zstd"}, "gzip"},
		{"gzip in the second field", []string{"br", "deflate, gzip"}, "gzip"},
		{"gzip with a weight", []string{"br;q=1.0, gzip;q=0.001"}, "gzip"},
		{"gzip with a weight and spaces", []string{"br , gzip ; q = 0.5"}, "gzip"},
		{"gzip refused", []string{"gzip;q=0"}, ""},
		{"gzip refused with decimals", []string{"gzip;q=0.000, br"}, ""},
		{"gzip refused, all else taken", []string{"*, gzip;q=0"}, ""},
		{"gzip taken, all else refused", []string{"gzip, *;q=0"}, "gzip"},
		{"everything", []string{"*"}, "gzip"},
		{"nothing", []string{"*;q=0"}, ""},
		{"identity", []string{"identity"}, ""},
		{"another coding", []string{"br"}, ""},
		{"a name that gzip is part of", []string{"gzipped"}, ""},
		{"a weight that is no number", []string{"gzip;q=much"}, ""},
		{"a parameter that is no weight", []string{"gzip;level=9"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var header []string
			for _, value := range test.accept {
				header = append(header, "Accept-Encoding", value)
			}
			response := send(t, http.MethodGet, path, header...)
			if got := response.header.Get("Content-Encoding"); got != test.want {
				t.Fatalf("Content-Encoding %q, want %q", got, test.want)
			}
			if got, want := response.header.Get("Vary"), "Accept-Encoding"; got != want {
				t.Errorf("Vary %q, want %q", got, want)
			}
			got := response.body
			if test.want == "gzip" {
				got = gunzip(t, got)
			}
			if got != plain {
				t.Errorf("the decoded body has %d bytes and differs from the plain one of %d", len(got), len(plain))
			}
		})
	}
}

func TestEncodingsOfAnAssetHaveTagsOfTheirOwn(t *testing.T) {
	plain := send(t, http.MethodGet, stylesheet(t)).header.Get("ETag")
	compressed := send(t, http.MethodGet, stylesheet(t), "Accept-Encoding", "gzip").header.Get("ETag")
	if plain == compressed {
		t.Errorf("ETag %s with gzip and without, want two", plain)
	}
	response := send(t, http.MethodGet, stylesheet(t), "Accept-Encoding", "gzip", "If-None-Match", compressed)
	if got, want := response.status, http.StatusNotModified; got != want {
		t.Errorf("with its own ETag: status %d, want %d", got, want)
	}
}

func TestPageTellsItsLength(t *testing.T) {
	response := send(t, http.MethodGet, "/")
	if got, want := response.header.Get("Content-Length"), strconv.Itoa(len(response.body)); got != want {
		t.Errorf("Content-Length %q, want %q", got, want)
	}
}

func gunzip(t *testing.T, compressed string) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader([]byte(compressed)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}
