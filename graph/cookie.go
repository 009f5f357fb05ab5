package graph

import (
	"context"
	"net/http"
	"time"

	"latchkey/auth"
	"latchkey/fault"
)

// The refresh cookie's names. With the prefix, browsers take and keep it only as it is meant: set over HTTPS by this
// very host, for the whole of it (RFC 6265bis section 4.1.3.2), so that no neighbour can plant one. They do not take
// it over plain http, where a developer's own machine is served; there it has the other name, and nowhere else.
const (
	hostCookie     = "__Host-latchkey-refresh"
	loopbackCookie = "latchkey-refresh"
)

// The device cookie's names, likewise.
const (
	hostDevice     = "__Host-latchkey-device"
	loopbackDevice = "latchkey-device"
)

// maxCookie bounds the cookie's value, in bytes: what browsers keep of a cookie altogether.
const maxCookie = 4096

// The texts of refusals.
const (
	textNoCookieHere = "The refresh token can be put into a cookie over HTTPS only, or over plain http on the client's own " +
		"machine. Behind a proxy that ends TLS, the server must be told to trust it."
	textAnotherSite = "The browser would not keep the cookie: the page is of another site than the server. Name both with the " +
		"same host, be it localhost or 127.0.0.1, or put them under one domain, or have the server say SameSite=None, over HTTPS."
	textAmbiguous = "The refresh cookie was sent more than once."
)

// jar is the refresh cookie of a request and of its answer. The fields of a mutation, which run one after the other,
// see what those before them have put into it.
type jar struct {
	browsers *Browsers
	request  *http.Request
	changed  *http.Cookie // for the answer; nil: it says nothing of the cookie
	device   *http.Cookie // likewise, of the device cookie
}

// jarOf returns the jar of the request under way. Outside of one it is empty and takes nothing.
func jarOf(ctx context.Context) *jar {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return &x.jar
	}
	return &jar{}
}

// name returns the cookie's name on this way to the server; empty where it has no business: on plain http between two
// machines anybody reads along.
func (j *jar) name() string {
	switch {
	case j.request == nil:
		return ""
	case j.browsers.https(j.request):
		return hostCookie
	case isLoopback(j.request.Host):
		return loopbackCookie
	default:
		return ""
	}
}

// trusted returns nil where the request is its user's will, else CSRF_REJECTED.
func (j *jar) trusted() error {
	if j.request == nil || !j.browsers.trusts(j.request) {
		return fault.New(fault.KindCSRFRejected)
	}
	return nil
}

// read returns the token in the cookie; empty where there is none. CSRF_REJECTED where a foreign page may have sent it.
// Of two cookies of the name one is planted, so neither is taken, and neither is cleared: it would be the good one that
// goes.
func (j *jar) read() (string, error) {
	if j.changed != nil {
		return j.changed.Value, nil
	}
	name := j.name()
	if name == "" {
		return "", nil
	}
	cookies := j.request.CookiesNamed(name)
	if len(cookies) == 0 {
		return "", nil
	}
	if err := j.trusted(); err != nil {
		return "", err
	}
	if len(cookies) > 1 {
		return "", fault.TokenNotValid(fault.TokenMalformed, textAmbiguous)
	}
	if len(cookies[0].Value) > maxCookie {
		j.clear()
		return "", fault.TokenNotValid(fault.TokenMalformed, "")
	}
	return cookies[0].Value, nil
}

// writable returns nil where a token may be put into the cookie. A foreign page must not get one there, either: it
// would sign its visitors in as somebody else.
func (j *jar) writable() error {
	if err := j.trusted(); err != nil {
		return err
	}
	switch name := j.name(); {
	case name == "":
		return fault.BadUserInput(textNoCookieHere, "delivery")
	case j.isCrossSite() && j.cookie(name, "", 0, name == hostCookie).SameSite != http.SameSiteNoneMode:
		return fault.BadUserInput(textAnotherSite, "delivery")
	}
	return nil
}

// isCrossSite reports whether the browser says that the request comes from a page of another site. There it neither
// keeps nor sends a cookie that is not SameSite=None (RFC 6265bis section 5.7).
func (j *jar) isCrossSite() bool {
	sites := j.request.Header["Sec-Fetch-Site"]
	return len(sites) == 1 && sites[0] == "cross-site"
}

// put makes the answer set the cookie, for as long as the token is good.
func (j *jar) put(token string, lifetime time.Duration) {
	j.change(token, max(1, int(lifetime/time.Second)))
}

// clear makes the answer remove the cookie.
func (j *jar) clear() { j.change("", -1) }

// change makes the answer set the cookie. It names no Domain: the cookie is for this host alone.
func (j *jar) change(value string, maxAge int) {
	name := j.name()
	if name == "" {
		return
	}
	j.changed = j.cookie(name, value, maxAge, name == hostCookie)
}

// cookie returns a cookie of this host alone, that no script can read.
func (j *jar) cookie(name, value string, maxAge int, secure bool) *http.Cookie {
	cookie := &http.Cookie{ //nolint:gosec // secure follows from the name, which follows from the way to the server
		Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: secure, SameSite: j.browsers.SameSite,
	}
	switch {
	case cookie.SameSite == 0:
		cookie.SameSite = http.SameSiteStrictMode
	case cookie.SameSite == http.SameSiteNoneMode && !cookie.Secure:
		cookie.SameSite = http.SameSiteLaxMode // browsers drop None without Secure
	}
	return cookie
}

// deviceName returns the device cookie's name on this way to the server; empty as of name.
func (j *jar) deviceName() string {
	switch j.name() {
	case hostCookie:
		return hostDevice
	case loopbackCookie:
		return loopbackDevice
	default:
		return ""
	}
}

// readDevice returns the value of the device cookie; empty where there is none, or where a foreign page may have sent it.
func (j *jar) readDevice() string {
	name := j.deviceName()
	if name == "" || j.trusted() != nil {
		return ""
	}
	cookies := j.request.CookiesNamed(name)
	if len(cookies) != 1 || len(cookies[0].Value) > maxCookie {
		return ""
	}
	return cookies[0].Value
}

// putDevice makes the answer set the device cookie, unless a foreign page has made the request: its visitors' devices
// would be known as somebody else's.
func (j *jar) putDevice(value string) {
	if name := j.deviceName(); name != "" && value != "" && j.trusted() == nil {
		j.device = j.cookie(name, value, int(auth.DeviceLifetime/time.Second), name == hostDevice)
	}
}

// ReadDevice returns the value of the request's device cookie, for those who sign in elsewhere than over GraphQL; empty
// where there is none that counts.
func (b *Browsers) ReadDevice(r *http.Request) string {
	return (&jar{browsers: b, request: r}).readDevice()
}

// WriteDevice adds the device cookie to the answer to a request, where it may be set.
func (b *Browsers) WriteDevice(w http.ResponseWriter, r *http.Request, value string) {
	j := jar{browsers: b, request: r}
	if j.putDevice(value); j.device != nil {
		http.SetCookie(w, j.device)
	}
}
