package app

import (
	"net/http"
	"net/netip"
	"strings"
)

// sameSite returns what LATCHKEY_COOKIE_SAMESITE names.
func sameSite(name string) http.SameSite {
	switch name {
	case "Lax":
		return http.SameSiteLaxMode
	case "None":
		return http.SameSiteNoneMode
	default:
		return http.SameSiteStrictMode
	}
}

// overTLS returns what reports whether the client's request came over TLS: on the connection itself, or where that is
// a trusted proxy's, by its word. Of several words the last is that proxy's own.
func overTLS(proxies []netip.Prefix) func(*http.Request) bool {
	return func(r *http.Request) bool {
		if r.TLS != nil {
			return true
		}
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !trusted(peer.Addr().Unmap().WithZone(""), proxies) {
			return false
		}
		words := strings.Split(strings.Join(r.Header.Values("X-Forwarded-Proto"), ","), ",")
		return strings.EqualFold(strings.TrimSpace(words[len(words)-1]), "https")
	}
}
