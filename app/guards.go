package app

import (
	"net"
	"net/http"
	"strings"
)

// guards are the fields of the header that tell browsers to be careful with an answer. Every answer has them, whichever
// handler or fault it comes from; a handler that needs other values sets them itself, as that of GraphiQL does.
type guards struct {
	fixed   []guard
	hsts    []string
	overTLS func(*http.Request) bool
}

// guard is one field, with its name in canonical form and its value made once: it is the same for all answers.
type guard struct {
	name  string
	value []string
}

func newGuards(overTLS func(*http.Request) bool) *guards {
	g := &guards{overTLS: overTLS, hsts: []string{"max-age=31536000"}} // a year
	for _, field := range [][2]string{
		// Answers hold tokens and personal data. What everybody may see says so itself.
		{"Cache-Control", "no-store"},
		// No answer is a page: one that is shown as one can load, run, send and be framed by nothing.
		{"Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
		{"X-Frame-Options", "DENY"}, // the same for browsers that do not know frame-ancestors
		{"Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"},
		{"Referrer-Policy", "no-referrer"},
		{"X-Content-Type-Options", "nosniff"},
		// Other sites cannot embed an answer as an image or a script. CORS does not ask it.
		{"Cross-Origin-Resource-Policy", "same-origin"},
	} {
		g.fixed = append(g.fixed, guard{field[0], []string{field[1]}})
	}
	return g
}

// set writes the fields into the header of the answer to a request.
func (g *guards) set(h http.Header, r *http.Request) {
	for i := range g.fixed {
		h[g.fixed[i].name] = g.fixed[i].value
	}
	if g.overTLS(r) && !isLocalName(r.Host) {
		h["Strict-Transport-Security"] = g.hsts
	}
}

// isLocalName reports whether a Host header names the machine that the browser runs on. HSTS holds for all ports of a
// name, so there it would lock out whatever else the developer serves over plain http. For addresses it never holds
// (RFC 6797 section 8.1.1).
func isLocalName(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
