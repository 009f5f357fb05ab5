package config_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/config"
)

func TestLoopback(t *testing.T) {
	for _, test := range []struct {
		addr string
		want bool
	}{
		{"127.0.0.1:8000", true},
		{"127.9.9.9:0", true},
		{"[::1]:8000", true},
		{"[::ffff:127.0.0.1]:8000", true},
		{"localhost:8000", true},
		{"LocalHost:8000", true},
		{":8000", false},
		{"0.0.0.0:8000", false},
		{"[::]:8000", false},
		{"10.0.0.1:8000", false},
		{"localhost.example.org:8000", false},
		{"127.0.0.1", false},
		{"", false},
	} {
		s := config.Settings{Addr: test.addr}
		if got := s.Loopback(); got != test.want {
			t.Errorf("%q: got %t", test.addr, got)
		}
	}
}

func TestGraphiQLAndIntrospectionFollowTheAddressUnlessTheyAreSet(t *testing.T) {
	yes, no := true, false
	for _, test := range []struct {
		name string
		addr string
		set  *bool
		want bool
	}{
		{"on a loopback address", "127.0.0.1:8000", nil, true},
		{"on a loopback address, switched off", "127.0.0.1:8000", &no, false},
		{"on any address", ":8000", nil, false},
		{"on any address, switched on", ":8000", &yes, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := config.Settings{Addr: test.addr, GraphiQL: test.set}
			if got := s.GraphiQLOn(); got != test.want {
				t.Errorf("GraphiQLOn is %t", got)
			}
			s = config.Settings{Addr: test.addr, Introspection: test.set}
			if got := s.IntrospectionOn(); got != test.want {
				t.Errorf("IntrospectionOn is %t", got)
			}
		})
	}
}

func TestProxies(t *testing.T) {
	s := config.Settings{TrustedProxies: []string{
		"10.1.2.3/8", "192.168.1.7", "fd00::1/8", "::1", "fe80::1%eth0", "::ffff:172.16.0.1", "::ffff:172.16.0.0/108", "proxy", "",
	}}
	var got []string
	for _, p := range s.Proxies() {
		got = append(got, p.String())
	}
	want := []string{
		"10.0.0.0/8", "192.168.1.7/32", "fd00::/8", "::1/128", "fe80::1/128", "172.16.0.1/32", "172.16.0.0/12",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !s.Proxies()[6].Contains(netip.MustParseAddr("172.20.1.1")) {
		t.Error("an IPv4 network that is written as IPv6 does not hold IPv4 addresses")
	}
}
