// Package config holds every setting of the server: one table, from which the environment variables, the flags, the
// help and docs/settings.md are all made.
//
// It reads and judges settings and acts on none. Faults are gathered and told all at once, and none of them repeats a
// value: secrets end up in the wrong variable, too.
package config

import (
	"net"
	"net/netip"
	"strings"
	"time"
)

// Settings is every setting. What each of them means is in the table of reference.go. Use Load to make one.
type Settings struct {
	Addr           string
	TLSCertFile    string // empty: without TLS
	TLSKeyFile     string
	MetricsAddr    string // empty: none
	TrustedProxies []string

	ReadHeaderTimeout time.Duration
	ReadTimeout       time.Duration
	WriteTimeout      time.Duration
	IdleTimeout       time.Duration
	ShutdownTimeout   time.Duration
	MaxHeaderBytes    int
	MaxConnections    int // 0: without limit

	DatabaseURL    string   // sqlite:PATH, or a URL of PostgreSQL
	SecretKey      string   // empty: made and kept beside the SQLite file
	SecretsBefore  []string // open what they sealed, while SecretKey is being changed
	Algorithm      string
	SigningKey     string // empty: in SigningKeyFile, or made and kept in the database
	SigningKeyFile string
	KeyRotation    time.Duration // of keys in the database; 0: never by itself

	AccessTokenLifetime  time.Duration
	RefreshTokenLifetime time.Duration
	SessionLifetime      time.Duration // 0: without limit
	RotateRefreshTokens  bool
	RefreshReuseLeeway   time.Duration // 0: never
	Leeway               time.Duration
	Issuer               string // empty: none
	Audience             string // empty: none
	UserIDClaim          string
	AuthHeaderTypes      []string
	CarriedClaims        []string
	UsernameField        string
	UpdateLastLogin      bool

	CookieSameSite string   // Strict, Lax or None
	AllowedOrigins []string // as browsers write them

	Throttle         bool
	ThrottleRedisURL string // empty: in the database
	AnonymousRate    int    // requests a second; 0: without limit

	GraphiQL      *bool // nil: where Loopback
	Introspection *bool // nil: where Loopback

	TrustedDocuments string // a file or a folder; empty: any document may be sent

	MaxBodyBytes     int
	MaxDocumentBytes int
	MaxTokens        int
	MaxDepth         int
	MaxAliases       int
	MaxRootFields    int
	MaxDirectives    int
	MaxFragments     int
	MaxSelections    int
	MaxCost          int
	OperationTimeout time.Duration

	DocumentCacheBytes int

	AuditRetention time.Duration // 0: for ever

	LogFormat string // empty: text on a terminal, else json
	LogLevel  string
}

// Loopback reports whether the listen address is reachable from this machine alone.
func (s *Settings) Loopback() bool {
	host, _, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}

// TLS reports whether the server itself speaks TLS.
func (s *Settings) TLS() bool { return s.TLSCertFile != "" && s.TLSKeyFile != "" }

// GraphiQLOn reports whether the page is served.
func (s *Settings) GraphiQLOn() bool { return s.orLoopback(s.GraphiQL) }

// IntrospectionOn reports whether the schema may be asked for.
func (s *Settings) IntrospectionOn() bool { return s.orLoopback(s.Introspection) }

func (s *Settings) orLoopback(set *bool) bool {
	if set != nil {
		return *set
	}
	return s.Loopback()
}

// Proxies returns the trusted networks. What Validate would refuse is left out.
func (s *Settings) Proxies() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range s.TrustedProxies {
		if p, err := parsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// parsePrefix reads a network, or one address as the network of itself alone. The bits past a network's length are
// cleared, and an IPv4 address that is written as IPv6 is the IPv4 address.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if addr := p.Addr(); addr.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(addr.Unmap(), p.Bits()-96)
	}
	return p.Masked(), err
}
