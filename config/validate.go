package config

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// minSecretKey is the least length of LATCHKEY_SECRET_KEY, in bytes.
const minSecretKey = 32

// Validate returns everything that is wrong with the settings; none where they can be used. It shows no secret.
func (s *Settings) Validate() Faults {
	var f Faults
	s.validateServer(&f)
	s.validateDatabase(&f)
	s.validateTokens(&f)
	return f
}

func (s *Settings) validateServer(f *Faults) {
	if _, port, err := net.SplitHostPort(s.Addr); err != nil {
		f.add("LATCHKEY_ADDR: %q is not HOST:PORT, as in 127.0.0.1:8000", s.Addr)
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		f.add("LATCHKEY_ADDR: %q is not a port number", port)
	}
	for _, text := range s.TrustedProxies {
		if _, err := parsePrefix(text); err != nil {
			f.add("LATCHKEY_TRUSTED_PROXIES: %q is not a network, as in 10.0.0.0/8", text)
		}
	}
	oneOf(f, "LATCHKEY_LOG_FORMAT", s.LogFormat, "", "text", "json")
	oneOf(f, "LATCHKEY_LOG_LEVEL", s.LogLevel, "debug", "info", "warn", "error")
}

func (s *Settings) validateDatabase(f *Faults) {
	path, sqlite := strings.CutPrefix(s.DatabaseURL, "sqlite:")
	switch {
	case sqlite && path == "":
		f.add("LATCHKEY_DATABASE_URL: sqlite: needs a path, as in sqlite:data/latchkey.db")
	case sqlite && strings.Contains(path, ":memory:"):
		f.add("LATCHKEY_DATABASE_URL: a database in memory would forget every user; give a path, as in sqlite:data/latchkey.db")
	case sqlite:
	case isPostgres(s.DatabaseURL):
		if s.SecretKey == "" {
			f.add("LATCHKEY_SECRET_KEY: required with PostgreSQL; `openssl rand -base64 48` makes one")
		}
	default: // the text is not shown: it may hold a password
		f.add("LATCHKEY_DATABASE_URL: neither sqlite:PATH nor postgres://USER:PASSWORD@HOST:PORT/NAME")
	}
	if s.SecretKey != "" && len(s.SecretKey) < minSecretKey {
		f.add("LATCHKEY_SECRET_KEY: %d characters are too few; it needs %d at least", len(s.SecretKey), minSecretKey)
	}
	oneOf(f, "LATCHKEY_ALGORITHM", s.Algorithm, "ES256", "EdDSA", "RS256", "HS256", "HS384", "HS512")
	if s.SigningKey != "" && s.SigningKeyFile != "" {
		f.add("LATCHKEY_SIGNING_KEY and LATCHKEY_SIGNING_KEY_FILE: both are set; use one")
	}
}

func isPostgres(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql")
}

func (s *Settings) validateTokens(f *Faults) {
	for _, d := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{
		{"LATCHKEY_ACCESS_TOKEN_LIFETIME", s.AccessTokenLifetime, time.Second},
		{"LATCHKEY_REFRESH_TOKEN_LIFETIME", s.RefreshTokenLifetime, time.Second},
		{"LATCHKEY_SESSION_LIFETIME", s.SessionLifetime, 0},
		{"LATCHKEY_LEEWAY", s.Leeway, 0},
	} {
		// Times in a token are whole seconds.
		if d.value < d.least || d.value%time.Second != 0 {
			f.add("%s: %s is not a whole number of seconds from %s up", d.name, d.value, d.least)
		}
	}
	if strings.TrimSpace(s.UserIDClaim) == "" || slices.Contains(reservedClaims(), s.UserIDClaim) {
		f.add("LATCHKEY_USER_ID_CLAIM: %q cannot be the name of the user's id", s.UserIDClaim)
	}
	if len(s.AuthHeaderTypes) == 0 {
		f.add("LATCHKEY_AUTH_HEADER_TYPES: at least one scheme is needed, as in Bearer")
	}
	for _, t := range s.AuthHeaderTypes {
		if t == "" || strings.ContainsAny(t, " \t,;\"") {
			f.add("LATCHKEY_AUTH_HEADER_TYPES: %q is not the name of a scheme", t)
		}
	}
}

// reservedClaims are the names that a token uses for something else.
func reservedClaims() []string {
	return []string{"token_type", "exp", "iat", "nbf", "jti", "sid", "epoch", "roles", "iss", "aud"}
}

func oneOf(f *Faults, name, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	words := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
	f.add("%s: %q is none of %s", name, value, strings.Join(words, ", "))
}
