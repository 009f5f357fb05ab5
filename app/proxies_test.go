package app_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"latchkey/app"
)

// proxies are what LATCHKEY_TRUSTED_PROXIES names in these tests.
var proxies = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::/10"),
}

// from returns a request that came over a connection from there.
func from(remote string, header http.Header) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://auth.example.org/", nil)
	r.RemoteAddr, r.Header = remote, header
	return r
}

func TestTheAddressOfAClientIsWhatTrustedProxiesSay(t *testing.T) {
	const proxy, stranger = "10.0.0.1:1234", "203.0.113.5:1234"
	for name, row := range map[string]struct {
		remote  string
		forward []string // lines of X-Forwarded-For
		want    string
	}{
		"a connection of its own":                        {stranger, nil, "203.0.113.5"},
		"a stranger that claims another":                 {stranger, []string{"198.51.100.7"}, "203.0.113.5"},
		"a stranger that claims a proxy":                 {stranger, []string{"198.51.100.7, 10.0.0.1"}, "203.0.113.5"},
		"a proxy that says nothing":                      {proxy, nil, "10.0.0.1"},
		"a proxy that says an empty text":                {proxy, []string{""}, "10.0.0.1"},
		"a proxy":                                        {proxy, []string{"198.51.100.7"}, "198.51.100.7"},
		"a proxy behind a proxy":                         {proxy, []string{"198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		"what the client claimed before":                 {proxy, []string{"1.1.1.1, 198.51.100.7"}, "198.51.100.7"},
		"what it claimed in a line of its own":           {proxy, []string{"1.1.1.1", "198.51.100.7"}, "198.51.100.7"},
		"what it claimed before two proxies":             {proxy, []string{"1.1.1.1, 2.2.2.2", "198.51.100.7, 10.0.0.9", "10.0.0.8"}, "198.51.100.7"},
		"a proxy that claims one that is not trusted":    {proxy, []string{"198.51.100.7, 203.0.113.9"}, "203.0.113.9"},
		"proxies only":                                   {proxy, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"spaces and tabs":                                {proxy, []string{" \t198.51.100.7 ,\t10.0.0.2 "}, "198.51.100.7"},
		"no spaces":                                      {proxy, []string{"1.1.1.1,198.51.100.7,10.0.0.2"}, "198.51.100.7"},
		"an IPv4 address with a port":                    {proxy, []string{"198.51.100.7:4711"}, "198.51.100.7"},
		"IPv6":                                           {proxy, []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 in brackets":                               {proxy, []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv6 with a port":                               {proxy, []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"IPv6, written long":                             {proxy, []string{"2001:0DB8:0:0:0:0:0:7"}, "2001:db8::7"},
		"IPv6 with a zone":                               {proxy, []string{"2001:db8::7%eth0"}, "2001:db8::7"},
		"IPv4, written as IPv6":                          {proxy, []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		"a proxy, written as IPv6":                       {"[::ffff:10.0.0.1]:1234", []string{"198.51.100.7, ::ffff:10.0.0.2"}, "198.51.100.7"},
		"a stranger, written as IPv6":                    {"[::ffff:203.0.113.5]:1234", []string{"198.51.100.7"}, "203.0.113.5"},
		"a proxy of IPv6":                                {"[fd00::1]:1234", []string{"198.51.100.7"}, "198.51.100.7"},
		"a proxy of IPv6 with a zone":                    {"[fe80::1%eth0]:1234", []string{"198.51.100.7, fe80::2%eth1"}, "198.51.100.7"},
		"garbage":                                        {proxy, []string{"garbage"}, "10.0.0.1"},
		"unknown, as RFC 7239 has it":                    {proxy, []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		"garbage on the left of the client":              {proxy, []string{"garbage, 198.51.100.7"}, "198.51.100.7"},
		"garbage between proxies":                        {proxy, []string{"198.51.100.7, garbage, 10.0.0.2"}, "10.0.0.2"},
		"an empty hop":                                   {proxy, []string{"198.51.100.7,, 10.0.0.2"}, "10.0.0.2"},
		"a comma at the end":                             {proxy, []string{"198.51.100.7,"}, "10.0.0.1"},
		"a port that is none":                            {proxy, []string{"198.51.100.7:99999"}, "10.0.0.1"},
		"IPv4 in brackets":                               {proxy, []string{"[198.51.100.7]"}, "10.0.0.1"},
		"IPv4 with leading zeros, which some read octal": {proxy, []string{"198.051.100.7"}, "10.0.0.1"},
		"IPv4 as a number":                               {proxy, []string{"3325256711"}, "10.0.0.1"},
		"a network":                                      {proxy, []string{"198.51.100.0/24"}, "10.0.0.1"},
		"a name":                                         {proxy, []string{"localhost"}, "10.0.0.1"},
		"quotes":                                         {proxy, []string{`"198.51.100.7"`}, "10.0.0.1"},
		"a connection without an address":                {"@", []string{"198.51.100.7"}, ""},
	} {
		r := from(row.remote, http.Header{
			"Forwarded": {"for=192.0.2.1;proto=https;host=evil.example"}, "X-Real-Ip": {"192.0.2.2"}, "True-Client-Ip": {"192.0.2.3"},
		})
		if row.forward != nil {
			r.Header["X-Forwarded-For"] = row.forward
		}
		if got := app.ClientAddress(r, proxies); got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
		if got := app.ClientAddress(r, nil); row.remote == proxy && got != "10.0.0.1" {
			t.Errorf("%s, where no proxy is trusted: got %q", name, got)
		}
	}
}

func TestTLSIsWhatTrustedProxiesSay(t *testing.T) {
	const proxy, stranger = "10.0.0.1:1234", "203.0.113.5:1234"
	for name, row := range map[string]struct {
		remote string
		proto  []string
		want   bool
	}{
		"nobody says anything":                {proxy, nil, false},
		"a proxy":                             {proxy, []string{"https"}, true},
		"a proxy in capitals":                 {proxy, []string{"HTTPS"}, true},
		"a proxy says http":                   {proxy, []string{"http"}, false},
		"a stranger":                          {stranger, []string{"https"}, false},
		"a proxy, and before it the client":   {proxy, []string{"https, http"}, false},
		"a proxy, and the client in a line":   {proxy, []string{"https", "http"}, false},
		"the client said http, the proxy not": {proxy, []string{"http,https"}, true},
		"with a space":                        {proxy, []string{"http, https "}, true},
		"an empty word at the end":            {proxy, []string{"https,"}, false},
		"another word":                        {proxy, []string{"wss"}, false},
		"a connection without an address":     {"@", []string{"https"}, false},
	} {
		r := from(row.remote, http.Header{"Forwarded": {"proto=https"}, "X-Forwarded-Ssl": {"on"}, "Front-End-Https": {"on"}})
		if row.proto != nil {
			r.Header["X-Forwarded-Proto"] = row.proto
		}
		if got := app.OverTLS(proxies)(r); got != row.want {
			t.Errorf("%s: got %t", name, got)
		}
		if app.OverTLS(nil)(r) {
			t.Errorf("%s: it counts where no proxy is trusted", name)
		}
	}
}

// FuzzForwardedFor sends anything in X-Forwarded-For. What counts is an address in its usual form, a stranger's word
// changes nothing, and of the client's own words none counts.
func FuzzForwardedFor(f *testing.F) {
	for _, line := range []string{
		"", "198.51.100.7", "1.1.1.1, 198.51.100.7:80, 10.0.0.2", "[2001:db8::7]:4711", "fe80::1%eth0", "::ffff:10.0.0.1", ",,,", "unknown", "[", "[]", "%", ":",
		"\n", "10.0.0.1\n10.0.0.2", strings.Repeat("10.0.0.1,", 100),
	} {
		f.Add("10.0.0.1:1", line)
		f.Add("203.0.113.5:1", line)
		f.Add("[fe80::1%eth0]:1", line)
	}
	f.Fuzz(func(t *testing.T, remote, text string) {
		r := from(remote, http.Header{"X-Forwarded-For": strings.Split(text, "\n")})
		peer, err := netip.ParseAddrPort(remote)
		got := app.ClientAddress(r, proxies)
		if err != nil {
			if got != "" {
				t.Fatalf("got %q for no address", got)
			}
			return
		}
		address, err := netip.ParseAddr(got)
		if err != nil || address.Zone() != "" || address.Is4In6() || address.String() != got {
			t.Fatalf("got %q, %v", got, err)
		}
		if alone := app.ClientAddress(from(remote, nil), proxies); app.ClientAddress(r, nil) != alone {
			t.Fatalf("somebody who is not trusted is believed: %q", got)
		}
		// What a client puts before the word of the proxy is not its address.
		r.Header["X-Forwarded-For"] = append(r.Header["X-Forwarded-For"], "198.51.100.7")
		if last := app.ClientAddress(r, proxies); last != "198.51.100.7" && last != app.ClientAddress(from(remote, nil), proxies) {
			t.Fatalf("%s: got %q", peer, last)
		}
	})
}
