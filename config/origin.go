package config

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// isOrigin reports whether the text is the origin of a web page, exactly as browsers write it into the header Origin
// (RFC 6454 section 6.2). Any other text would be compared in vain, and a wildcard is no origin.
func isOrigin(text string) bool {
	scheme, host, _ := strings.Cut(text, "://")
	usual, ok := map[string]string{"http": "80", "https": "443"}[scheme]
	if !ok {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || u.Host != host { // a path, a user's name, …
		return false
	}
	return isHost(u.Hostname()) && isPort(u.Port(), usual) && host == joined(u)
}

// isHost reports whether a name is an address or a host name in small letters; those of other alphabets begin with xn--.
func isHost(name string) bool {
	if address, err := netip.ParseAddr(name); err == nil {
		return address.String() == name && address.Zone() == ""
	}
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		alphanumeric := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		return !alphanumeric && r != '-' && r != '_' && r != '.'
	})
}

// isPort reports whether the text is empty or a port that has to be written.
func isPort(text, usual string) bool {
	if text == "" {
		return true
	}
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0 && text != usual && strconv.FormatUint(port, 10) == text
}

// joined puts host and port together again, to see that nothing was lost on the way, such as a colon without a port.
func joined(u *url.URL) string {
	host := u.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if u.Port() != "" {
		host += ":" + u.Port()
	}
	return host
}
