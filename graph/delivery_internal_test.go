package graph

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/fault"
)

func TestOnlyARefusalOfTheTokenClearsItsCookie(t *testing.T) {
	gone := fault.TokenNotValid(fault.TokenRevoked, "")
	for name, row := range map[string]struct {
		err  error
		kept bool
		want bool
	}{
		"the token is refused":                  {gone, true, true},
		"the token is refused, with a cause":    {gone.Because(errors.New("signature")), true, true},
		"the refused token is not the cookie's": {gone, false, false},
		"another tab has overtaken it":          {gone.Because(auth.ErrOvertaken), true, false},
		"too many tries":                        {fault.RateLimited(time.Second), true, false},
		"a fault of the server":                 {errors.New("the database is gone"), true, false},
		"a foreign page":                        {fault.New(fault.KindCSRFRejected), true, false},
		"no token in the header":                {fault.Unauthenticated("", ""), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "https://auth.example.org/graphql", nil)
			j := &jar{browsers: &Browsers{}, request: r}
			if got := (credential{jar: j, token: "x", kept: row.kept}).refused(row.err); !errors.Is(got, row.err) {
				t.Errorf("the error is %v, want %v", got, row.err)
			}
			if got := j.changed != nil && j.changed.MaxAge < 0; got != row.want {
				t.Errorf("cleared: %t, want %t", got, row.want)
			}
		})
	}
}

// Without a proxy's word, what the connection is decides.
func TestTheCookieOverTLSIsSecure(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "http://auth.example.org/graphql", nil)
	j := &jar{browsers: &Browsers{}, request: r}
	if j.put("x", time.Hour); j.changed != nil || j.writable() == nil {
		t.Errorf("over plain http: %v", j.changed)
	}
	r.TLS = &tls.ConnectionState{}
	j.put("x", 90*time.Minute)
	want := hostCookie + "=x; Path=/; Max-Age=5400; HttpOnly; Secure; SameSite=Strict"
	if got := j.changed.String(); got != want || j.writable() != nil {
		t.Errorf("over TLS: got %s, want %s", got, want)
	}
	if token, err := j.read(); token != "x" || err != nil {
		t.Errorf("what was put reads as %q, %v", token, err)
	}
}

func TestOutsideOfARequestThereIsNoCookie(t *testing.T) {
	j := jarOf(t.Context())
	if token, err := j.read(); token != "" || err != nil {
		t.Errorf("got %q, %v", token, err)
	}
	if err := j.writable(); !errors.Is(err, fault.New(fault.KindCSRFRejected)) {
		t.Errorf("got %v", err)
	}
	j.put("x", time.Hour)
	if j.clear(); j.changed != nil {
		t.Errorf("got %v", j.changed)
	}
}

func TestOwnOrigin(t *testing.T) {
	for _, row := range []struct {
		host  string
		https bool
		want  string
	}{
		{"auth.example.org", true, "https://auth.example.org"},
		{"auth.example.org:443", true, "https://auth.example.org"},
		{"auth.example.org:8443", true, "https://auth.example.org:8443"},
		{"AUTH.example.org", true, "https://auth.example.org"},
		{"auth.example.org:80", true, "https://auth.example.org:80"},
		{"localhost:80", false, "http://localhost"},
		{"localhost:8000", false, "http://localhost:8000"},
		{"localhost:443", false, "http://localhost:443"},
		{"[::1]:8000", false, "http://[::1]:8000"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/graphql", nil)
		r.Host = row.host
		b := Browsers{HTTPS: func(*http.Request) bool { return row.https }}
		if got := b.ownOrigin(r); got != row.want {
			t.Errorf("%s: got %s, want %s", row.host, got, row.want)
		}
		r.Header.Set("Origin", row.want)
		if !b.trusts(r) {
			t.Errorf("%s: its own page is not trusted", row.host)
		}
	}
}

// The settings refuse it as well; a program that makes a handler has no settings.
func TestAPageWithoutAnOriginIsNeverAllowed(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/graphql", nil)
	r.Header.Set("Origin", "null")
	if b := (Browsers{AllowedOrigins: []string{"null"}}); b.trusts(r) {
		t.Error("null is an allowed origin")
	}
}

func TestACookieBeyondAnyBrowsersIsNotReadOn(t *testing.T) {
	for size, want := range map[int]error{maxCookie: nil, maxCookie + 1: fault.New(fault.KindTokenNotValid)} {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/graphql", nil)
		r.Header.Set("Cookie", loopbackCookie+"="+strings.Repeat("x", size))
		if _, err := (&jar{browsers: &Browsers{}, request: r}).read(); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", size, err, want)
		}
	}
}
