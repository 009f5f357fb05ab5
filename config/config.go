// Package config holds every setting of the server: one struct, from which the flags, the environment variables, the
// help and docs/settings.md are all made.
//
// It reads and judges settings and acts on none. Faults are gathered and told all at once.
package config

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Settings is every setting. The tags are read by kong: the flag's name comes from the field's, `env` names the
// environment variable, `help` is the reference.
type Settings struct {
	Addr           string   `env:"LATCHKEY_ADDR" default:"127.0.0.1:8000" placeholder:"HOST:PORT" group:"Server" help:"Listen address. On an address that is not loopback, GraphiQL and introspection are off unless they are switched on."`
	TrustedProxies []string `env:"LATCHKEY_TRUSTED_PROXIES" placeholder:"CIDR,…" group:"Server" help:"Networks whose X-Forwarded-For is believed, as in 10.0.0.0/8. Without them the address of the connection counts."`
	LogFormat      string   `env:"LATCHKEY_LOG_FORMAT" placeholder:"FORMAT" group:"Server" help:"text or json. Without it: text on a terminal, else json."`
	LogLevel       string   `env:"LATCHKEY_LOG_LEVEL" default:"info" placeholder:"LEVEL" group:"Server" help:"debug, info, warn or error."`

	DatabaseURL string `env:"LATCHKEY_DATABASE_URL,DATABASE_URL" default:"sqlite:data/latchkey.db" placeholder:"URL" group:"Database and keys" help:"sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME."`
	SecretKey   string `env:"LATCHKEY_SECRET_KEY" placeholder:"TEXT" group:"Database and keys" help:"Protects the private keys in the database; 32 characters at least. With SQLite it is made on first start and kept beside the database file; with PostgreSQL it is required."`

	Algorithm      string `env:"LATCHKEY_ALGORITHM" default:"ES256" placeholder:"NAME" group:"Database and keys" help:"What signs new tokens: ES256, EdDSA, RS256, HS256, HS384 or HS512."`
	SigningKey     string `env:"LATCHKEY_SIGNING_KEY" placeholder:"TEXT" group:"Database and keys" help:"The signing key itself, instead of one that is made and kept in the database: for HS256, HS384 and HS512 the shared secret (32 bytes at least), else a PEM private key."`
	SigningKeyFile string `env:"LATCHKEY_SIGNING_KEY_FILE" placeholder:"PATH" group:"Database and keys" help:"A file that holds the signing key."`

	AccessTokenLifetime  time.Duration `env:"LATCHKEY_ACCESS_TOKEN_LIFETIME" default:"5m" placeholder:"DURATION" group:"Tokens and sessions" help:"How long an access token is accepted."`
	RefreshTokenLifetime time.Duration `env:"LATCHKEY_REFRESH_TOKEN_LIFETIME" default:"24h" placeholder:"DURATION" group:"Tokens and sessions" help:"How long a refresh token is accepted: a session that is not refreshed for so long is over."`
	SessionLifetime      time.Duration `env:"LATCHKEY_SESSION_LIFETIME" default:"720h" placeholder:"DURATION" group:"Tokens and sessions" help:"How long a session can last, however often it is refreshed. 0: without limit."`
	RotateRefreshTokens  bool          `env:"LATCHKEY_ROTATE_REFRESH_TOKENS" default:"true" negatable:"" group:"Tokens and sessions" help:"Give a new refresh token with each refresh and accept the old one no more. Off: the refresh token stays the same until it expires."`
	Leeway               time.Duration `env:"LATCHKEY_LEEWAY" default:"0s" placeholder:"DURATION" group:"Tokens and sessions" help:"Clock skew allowed on the times in a token (exp, iat, nbf)."`
	Issuer               string        `env:"LATCHKEY_ISSUER" placeholder:"TEXT" group:"Tokens and sessions" help:"The iss claim: put into tokens and required of them."`
	Audience             string        `env:"LATCHKEY_AUDIENCE" placeholder:"TEXT" group:"Tokens and sessions" help:"The aud claim: put into tokens and required of them."`
	UserIDClaim          string        `env:"LATCHKEY_USER_ID_CLAIM" default:"user_id" placeholder:"NAME" group:"Tokens and sessions" help:"The name of the claim that holds the user's id."`
	AuthHeaderTypes      []string      `env:"LATCHKEY_AUTH_HEADER_TYPES" default:"Bearer" placeholder:"NAME,…" group:"Tokens and sessions" help:"The schemes accepted in the Authorization header; case counts."`
	UpdateLastLogin      bool          `env:"LATCHKEY_UPDATE_LAST_LOGIN" default:"true" negatable:"" group:"Tokens and sessions" help:"Write the time of each sign-in to the user."`

	GraphiQL      *bool `name:"graphiql" env:"LATCHKEY_GRAPHIQL" negatable:"" group:"GraphQL" help:"Serve GraphiQL at / and /graphiql. Without it: on a loopback address only."`
	Introspection *bool `env:"LATCHKEY_INTROSPECTION" negatable:"" group:"GraphQL" help:"Answer introspection queries and serve /schema.graphql. Without it: on a loopback address only."`
}

// Loopback reports whether the listen address is reachable from this machine alone.
func (s *Settings) Loopback() bool {
	host, _, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// GraphiQLOn reports whether the page is served.
func (s *Settings) GraphiQLOn() bool { return orLoopback(s.GraphiQL, s) }

// IntrospectionOn reports whether the schema may be asked for.
func (s *Settings) IntrospectionOn() bool { return orLoopback(s.Introspection, s) }

func orLoopback(set *bool, s *Settings) bool {
	if set != nil {
		return *set
	}
	return s.Loopback()
}

// Proxies returns the trusted networks. Only for settings that passed Validate.
func (s *Settings) Proxies() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range s.TrustedProxies {
		if p, err := parsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// parsePrefix reads a network, or one address as the network of itself alone.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

// Faults is what is wrong with the settings, each a sentence that names the variable.
type Faults []string

// Error returns the faults, a line each.
func (f Faults) Error() string { return strings.Join(f, "\n") }

func (f *Faults) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }
