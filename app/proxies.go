package app

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientAddress returns the address of whoever sent the request: that of the connection, or where it is a trusted
// proxy, the last address in X-Forwarded-For that is not one. What cannot be read ends the walk at the last good one:
// whoever is left of it may have written it. Forwarded (RFC 7239) is not looked at: a proxy that writes the one hands on
// what the client has written into the other.
func clientAddress(r *http.Request, proxies []netip.Prefix) string {
	address, ok := peerAddress(r)
	if !ok {
		return ""
	}
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			if !trusted(address, proxies) {
				return address.String()
			}
			var hop string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, hop = rest[:comma], rest[comma+1:]
			} else {
				hop, more = rest, false
			}
			next, ok := parseHop(strings.TrimSpace(hop))
			if !ok {
				return address.String()
			}
			address = next
		}
	}
	return address.String()
}

// peerAddress returns the address at the other end of the connection.
func peerAddress(r *http.Request) (netip.Addr, bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return plain(peer.Addr()), err == nil
}

// parseHop reads an address as proxies write it: with a port or without, one of IPv6 in brackets or not.
func parseHop(text string) (netip.Addr, bool) {
	if address, err := netip.ParseAddr(text); err == nil {
		return plain(address), true
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			address, err := netip.ParseAddr(inner)
			return plain(address), err == nil && address.Is6()
		}
	}
	withPort, err := netip.ParseAddrPort(text)
	return plain(withPort.Addr()), err == nil
}

// plain returns the address in the form in which networks hold it: without a zone, and IPv4 as such.
func plain(address netip.Addr) netip.Addr { return address.Unmap().WithZone("") }

func trusted(address netip.Addr, proxies []netip.Prefix) bool {
	for _, p := range proxies {
		if p.Contains(address) {
			return true
		}
	}
	return false
}

// overTLS returns what reports whether the client's request came over TLS: on the connection itself, or where that is
// a trusted proxy's, by its word. Of several words the last is that proxy's own.
func overTLS(proxies []netip.Prefix) func(*http.Request) bool {
	return func(r *http.Request) bool {
		if r.TLS != nil {
			return true
		}
		words := r.Header["X-Forwarded-Proto"]
		if len(words) == 0 {
			return false
		}
		peer, ok := peerAddress(r)
		if !ok || !trusted(peer, proxies) {
			return false
		}
		last := words[len(words)-1]
		return strings.EqualFold(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]), "https")
	}
}
