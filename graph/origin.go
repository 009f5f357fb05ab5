package graph

import (
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/rs/cors"
)

// Browsers is what the endpoint is told of web pages: whose requests count as their user's will, and how the refresh
// cookie is written for them. The zero value serves the pages of the server itself.
type Browsers struct {
	// AllowedOrigins are the origins of other pages that may read answers and use the refresh cookie, written as
	// browsers write them in the header Origin: https://app.example.org.
	AllowedOrigins []string
	// SameSite is the attribute of the refresh cookie. Zero: Strict.
	SameSite http.SameSite
	// HTTPS reports whether the client's request came over TLS, be it to a proxy. nil: to this server.
	HTTPS func(*http.Request) bool
}

// preflightAge is how long a browser may remember the answer to a preflight, in seconds; browsers cut it further.
const preflightAge = 2 * 60 * 60

// Share lets the pages of the allowed origins read answers (CORS, in the Fetch standard). Where none is allowed, no
// answer has a word of it.
func (b *Browsers) Share(next http.Handler) http.Handler {
	if len(b.AllowedOrigins) == 0 {
		return next
	}
	return cors.New(cors.Options{
		// Asked instead of the library's own list, which folds case, knows wildcards and looks at the first Origin alone.
		AllowOriginVaryRequestFunc: func(r *http.Request, _ string) (bool, []string) {
			origin, ok := originOf(r)
			return ok && b.allows(origin), nil
		},
		AllowCredentials: true,
		AllowedMethods:   []string{http.MethodGet, http.MethodHead, http.MethodPost},
		// Clients add fields of their own, for tracing or to name themselves. None means anything here that is not
		// refused or ignored.
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{"Retry-After", "X-Request-Id"},
		MaxAge:         preflightAge,
	}).Handler(next)
}

// trusts reports whether the request is its user's will: made by a page of the server's own origin or of an allowed
// one, or by no browser at all. A browser names the page in Origin with every POST, or where it does not, says in
// Sec-Fetch-Site how far away the page is; no page can write either. A program that sends neither has put the cookie
// there itself.
func (b *Browsers) trusts(r *http.Request) bool {
	sites := r.Header["Sec-Fetch-Site"]
	own := len(sites) == 0 || len(sites) == 1 && sites[0] == "same-origin"
	if len(r.Header["Origin"]) == 0 {
		return own
	}
	origin, ok := originOf(r)
	switch {
	case !ok:
		return false
	case origin == b.ownOrigin(r):
		return own
	default:
		return b.allows(origin)
	}
}

// asked reports whether the request is one that no page but those that may can make a browser send: a GET is else the
// work of whoever places an image. It needs a field that browsers ask the server about before they send it (CORS, in
// the Fetch standard), among them those of Apollo's clients; or to come from a page that may; or to say what no tag, form
// or link of a page does: Node's fetch writes Sec-Fetch-Mode, and clients of GraphQL name the media types of its answers.
func (b *Browsers) asked(r *http.Request) bool {
	if contentType := r.Header["Content-Type"]; len(contentType) == 1 && !isSimple(contentType[0]) {
		return true
	}
	for _, name := range [...]string{"Authorization", "Apollo-Require-Preflight", "X-Apollo-Operation-Name"} {
		if values := r.Header[name]; len(values) > 0 && values[0] != "" {
			return true
		}
	}
	if !b.trusts(r) {
		return false
	}
	if len(r.Header["Origin"]) > 0 || len(r.Header["Sec-Fetch-Site"]) > 0 {
		return true // of a page that may
	}
	mode := r.Header["Sec-Fetch-Mode"]
	return len(mode) == 1 && mode[0] == "cors" || namesAnswer(r.Header["Accept"])
}

// isSimple reports whether a page can send the content type without a question (the Fetch standard, "CORS-safelisted
// request-header"). What cannot be read may be.
func isSimple(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	switch media {
	case "application/x-www-form-urlencoded", "multipart/form-data", "text/plain":
		return true
	}
	return err != nil
}

// allows reports whether the origin is an allowed one, letter for letter. "null", which every sandboxed page sends,
// never is.
func (b *Browsers) allows(origin string) bool {
	return origin != "null" && slices.Contains(b.AllowedOrigins, origin)
}

// originOf returns the request's origin. It reports false where there is none, or several.
func originOf(r *http.Request) (string, bool) {
	values := r.Header["Origin"]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// ownOrigin returns the origin of the server's own pages, as the browser that sent the request writes it. The scheme is
// part of it: a page that came over plain http may be anybody's.
func (b *Browsers) ownOrigin(r *http.Request) string {
	host := strings.ToLower(r.Host)
	if b.https(r) {
		return "https://" + strings.TrimSuffix(host, ":443")
	}
	return "http://" + strings.TrimSuffix(host, ":80")
}

func (b *Browsers) https(r *http.Request) bool {
	if b.HTTPS == nil {
		return r.TLS != nil
	}
	return b.HTTPS(r)
}

// isLoopback reports whether a Host header names the machine that the client runs on.
func isLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	name = strings.ToLower(name)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761 section 6.3
		return true
	}
	address, err := netip.ParseAddr(name)
	return err == nil && address.IsLoopback()
}
