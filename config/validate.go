package config

import (
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of settings.
const (
	minSecret   = 32                 // bytes, of LATCHKEY_SECRET_KEY and of a shared secret that signs
	maxLifetime = 438000 * time.Hour // fifty years: its seconds are still an Int of GraphQL

	minTimeout                 = 10 * time.Millisecond // of a client: nobody is faster
	maxTimeout                 = time.Hour
	minHeaderBytes             = 4 << 10 // a browser with a few cookies and an access token
	maxHeaderBytes             = 1 << 20
	minOperation, maxOperation = time.Second, time.Minute // of LATCHKEY_OPERATION_TIMEOUT
)

// Validate returns everything that is wrong with the settings; none where they can be used.
func (s *Settings) Validate() Faults {
	var f Faults
	s.validateServer(&f)
	s.validateConnections(&f)
	s.validateDatabase(&f)
	s.validateKeys(&f)
	s.validateTokens(&f)
	s.validateLimits(&f)
	s.validateThrottle(&f)
	return f
}

func (s *Settings) validateServer(f *Faults) {
	f.listenAddress("LATCHKEY_ADDR", s.Addr, "127.0.0.1:8000")
	if s.MetricsAddr != "" {
		f.listenAddress("LATCHKEY_METRICS_ADDR", s.MetricsAddr, "127.0.0.1:9464")
		if sameAddress(s.Addr, s.MetricsAddr) {
			f.add("LATCHKEY_METRICS_ADDR", "it is the address of LATCHKEY_ADDR, too; use another port")
		}
	}
	for i, network := range s.TrustedProxies {
		if _, err := parsePrefix(network); err != nil {
			f.add("LATCHKEY_TRUSTED_PROXIES", "number %d is not a network, as in 10.0.0.0/8", i+1)
		}
	}
	f.oneOf("LATCHKEY_COOKIE_SAMESITE", s.CookieSameSite, sameSites())
	for i, origin := range s.AllowedOrigins {
		if !isOrigin(origin) {
			f.add("LATCHKEY_ALLOWED_ORIGINS", "number %d is not an origin as browsers write it, as in https://app.example.org: "+
				"http or https and a host in small letters, a port where it is not the usual one, and no more", i+1)
		}
	}
	if s.LogFormat != "" {
		f.oneOf("LATCHKEY_LOG_FORMAT", s.LogFormat, logFormats())
	}
	f.oneOf("LATCHKEY_LOG_LEVEL", s.LogLevel, logLevels())
}

func (s *Settings) validateConnections(f *Faults) {
	switch {
	case s.TLSCertFile != "" && s.TLSKeyFile == "":
		f.add("LATCHKEY_TLS_CERT_FILE", "LATCHKEY_TLS_KEY_FILE is not set; TLS needs both")
	case s.TLSCertFile == "" && s.TLSKeyFile != "":
		f.add("LATCHKEY_TLS_KEY_FILE", "LATCHKEY_TLS_CERT_FILE is not set; TLS needs both")
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"LATCHKEY_READ_HEADER_TIMEOUT", s.ReadHeaderTimeout},
		{"LATCHKEY_READ_TIMEOUT", s.ReadTimeout},
		{"LATCHKEY_WRITE_TIMEOUT", s.WriteTimeout},
		{"LATCHKEY_IDLE_TIMEOUT", s.IdleTimeout},
		{"LATCHKEY_SHUTDOWN_TIMEOUT", s.ShutdownTimeout},
	} {
		if d.value < minTimeout || d.value > maxTimeout {
			f.add(d.name, "not from %s to %s: a client that takes for ever would keep its connection for ever", minTimeout, maxTimeout)
		}
	}
	if s.MaxHeaderBytes < minHeaderBytes || s.MaxHeaderBytes > maxHeaderBytes {
		f.add("LATCHKEY_MAX_HEADER_BYTES", "not from %d to %d", minHeaderBytes, maxHeaderBytes)
	}
	if s.WriteTimeout >= minTimeout && s.WriteTimeout <= s.OperationTimeout && s.OperationTimeout <= maxOperation {
		f.add("LATCHKEY_WRITE_TIMEOUT", "not longer than LATCHKEY_OPERATION_TIMEOUT: the answer to a slow operation would be cut off")
	}
}

func (f *Faults) listenAddress(variable, address, example string) {
	if _, port, err := net.SplitHostPort(address); err != nil {
		f.add(variable, "not HOST:PORT, as in %s", example)
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		f.add(variable, "its port is not a number from 0 to 65535")
	}
}

// sameAddress reports whether two listen addresses are in each other's way: the same port, on the same host or on every
// one. Port 0 is a free one each time.
func sameAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil {
		return false
	}
	numberA, errA := strconv.ParseUint(portA, 10, 16)
	numberB, errB := strconv.ParseUint(portB, 10, 16)
	if errA != nil || errB != nil || numberA != numberB || numberA == 0 {
		return false
	}
	return strings.EqualFold(hostA, hostB) || everyHost(hostA) || everyHost(hostB)
}

func everyHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

func (s *Settings) validateThrottle(f *Faults) {
	const name = "LATCHKEY_THROTTLE_REDIS_URL"
	if s.ThrottleRedisURL == "" {
		return
	}
	u, err := url.Parse(s.ThrottleRedisURL)
	if err != nil || u.Host == "" || !slices.Contains([]string{"redis", "rediss"}, u.Scheme) || ambiguous(s.ThrottleRedisURL) {
		f.add(name, "not redis://USER:PASSWORD@HOST:PORT/0 or rediss://…; in a password, write / as %%2F, ? as %%3F, # as %%23, @ as %%40 and %% as %%25")
	}
	if !s.Throttle {
		f.add(name, "it has no use while LATCHKEY_THROTTLE is false; leave one of them out")
	}
}

func (s *Settings) validateDatabase(f *Faults) {
	const name = "LATCHKEY_DATABASE_URL"
	if path, ok := strings.CutPrefix(s.DatabaseURL, "sqlite:"); ok {
		if fault := sqlitePathFault(path); fault != "" {
			f.add(name, "%s", fault)
		}
		return
	}
	if !strings.HasPrefix(s.DatabaseURL, "postgres://") && !strings.HasPrefix(s.DatabaseURL, "postgresql://") {
		f.add(name, "neither sqlite:PATH nor postgres://USER:PASSWORD@HOST:PORT/NAME")
		return
	}
	if _, err := url.Parse(s.DatabaseURL); err != nil || ambiguous(s.DatabaseURL) {
		f.add(name, "not a URL: in a name or a password, write / as %%2F, ? as %%3F, # as %%23, @ as %%40 and %% as %%25")
	}
	if s.SecretKey == "" {
		f.add("LATCHKEY_SECRET_KEY", "it is required with PostgreSQL; `openssl rand -base64 48` makes one")
	}
}

// ambiguous reports whether it is unclear where the password of a URL ends. The driver could take the rest of it for a
// host, a port or a name, which its errors show.
func ambiguous(raw string) bool {
	_, rest, _ := strings.Cut(raw, "://")
	authority, beyond := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, beyond = rest[:i], rest[i:]
	}
	signs := strings.Count(authority, "@")
	return signs > 1 || signs == 0 && strings.Contains(beyond, "@")
}

// sqlitePathFault returns what is wrong with what follows "sqlite:"; empty where it is a path.
func sqlitePathFault(path string) string {
	switch {
	case path == "":
		return "sqlite: needs a path, as in sqlite:data/latchkey.db"
	case strings.Contains(path, ":memory:"):
		return "a database in memory would forget every user; give a path, as in sqlite:data/latchkey.db"
	case strings.HasPrefix(path, "//"):
		return "sqlite: is followed by the path alone, as in sqlite:data/latchkey.db or sqlite:/var/lib/latchkey.db"
	case strings.HasPrefix(path, "~"):
		return "~ means nothing here; write the whole path, as in sqlite:/var/lib/latchkey.db"
	case strings.Contains(path, "?"):
		return "sqlite:PATH takes no options; leave out the ? and what follows it"
	}
	return ""
}

func (s *Settings) validateKeys(f *Faults) {
	if n := len(s.SecretKey); n > 0 && n < minSecret {
		f.add("LATCHKEY_SECRET_KEY", "%d characters are too few; it needs %d at least", n, minSecret)
	}
	for _, secret := range s.SecretsBefore {
		if n := len(secret); n < minSecret {
			f.add("LATCHKEY_SECRET_KEY_FALLBACKS", "%d characters are too few to have been a secret, which has %d at least; several have a line each", n, minSecret)
		}
	}
	f.oneOf("LATCHKEY_ALGORITHM", s.Algorithm, algorithms())
	if s.SigningKey != "" && s.SigningKeyFile != "" {
		f.add("LATCHKEY_SIGNING_KEY", "LATCHKEY_SIGNING_KEY_FILE is set, too; use one of them")
		return
	}
	if s.SigningKeyFile != "" {
		if fault := signingKeyFileFault(s.SigningKeyFile); fault != "" {
			f.add("LATCHKEY_SIGNING_KEY_FILE", "%s", fault)
		}
	}
	shared := strings.HasPrefix(s.Algorithm, "HS")
	switch {
	case s.SigningKey == "":
	case shared && len(s.SigningKey) < minSecret:
		f.add("LATCHKEY_SIGNING_KEY", "%d bytes are too few for %s; it needs %d at least", len(s.SigningKey), s.Algorithm, minSecret)
	case !shared && !strings.Contains(s.SigningKey, "-----BEGIN "):
		f.add("LATCHKEY_SIGNING_KEY", "not a PEM private key, which LATCHKEY_ALGORITHM %s needs; for a shared secret, set that to HS256", s.Algorithm)
	}
}

// signingKeyFileFault returns why the file cannot be read. It is looked at here because the text may be the key itself,
// which an error of the one who reads it would show.
func signingKeyFileFault(path string) string {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return "this is a folder, not the file that holds the key"
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrPermission):
		return "this process may not read the file; let it"
	default:
		return "there is no such file; the key itself belongs into LATCHKEY_SIGNING_KEY"
	}
}

func (s *Settings) validateTokens(f *Faults) {
	for _, d := range []struct {
		name         string
		value, least time.Duration
	}{
		{"LATCHKEY_ACCESS_TOKEN_LIFETIME", s.AccessTokenLifetime, time.Second},
		{"LATCHKEY_REFRESH_TOKEN_LIFETIME", s.RefreshTokenLifetime, time.Second},
		{"LATCHKEY_SESSION_LIFETIME", s.SessionLifetime, 0},
		{"LATCHKEY_REFRESH_REUSE_LEEWAY", s.RefreshReuseLeeway, 0},
		{"LATCHKEY_KEY_ROTATION", s.KeyRotation, 0},
		{"LATCHKEY_LEEWAY", s.Leeway, 0},
		{"LATCHKEY_AUDIT_RETENTION", s.AuditRetention, 0},
	} {
		// Times in a token are whole seconds.
		if d.value < d.least || d.value > maxLifetime || d.value%time.Second != 0 {
			f.add(d.name, "not a whole number of seconds, from %s to %.0fh", d.least, maxLifetime.Hours())
		}
	}
	if strings.TrimSpace(s.UserIDClaim) == "" {
		f.add("LATCHKEY_USER_ID_CLAIM", "not a name")
	}
	if slices.Contains(reservedClaims(), s.UserIDClaim) {
		f.add("LATCHKEY_USER_ID_CLAIM", "a token uses the claim %s for something else", s.UserIDClaim)
	}
	if s.UsernameField == "password" || !isToken(s.UsernameField) {
		f.add("LATCHKEY_USERNAME_FIELD", "not the name of a field, as in username or email")
	}
	for _, name := range s.CarriedClaims {
		if name == s.UserIDClaim || name == "sub" || slices.Contains(reservedClaims(), name) {
			f.add("LATCHKEY_CARRIED_CLAIMS", "a token uses the claim %s for something else", name)
		}
	}
	if len(s.AuthHeaderTypes) == 0 {
		f.add("LATCHKEY_AUTH_HEADER_TYPES", "one scheme is needed at least, as in Bearer")
	}
	for i, scheme := range s.AuthHeaderTypes {
		if !isToken(scheme) {
			f.add("LATCHKEY_AUTH_HEADER_TYPES", "number %d is not the name of a scheme, as in Bearer", i+1)
		}
	}
}

func (s *Settings) validateLimits(f *Faults) {
	for _, l := range s.limits() {
		if *l.value < 1 || *l.value > l.most {
			f.add(l.variable, "not a whole number from 1 to %d", l.most)
		}
	}
	if s.OperationTimeout < minOperation || s.OperationTimeout > maxOperation {
		f.add("LATCHKEY_OPERATION_TIMEOUT", "not a duration from %s to %s", minOperation, maxOperation)
	}
	// A default that another limit covers is no mistake; a value that somebody chose is.
	normal := map[string]int{}
	for _, l := range s.limits() {
		normal[l.variable] = l.normal
	}
	for _, pair := range []struct {
		part  string
		value int
		whole string
		bound int
	}{
		{"LATCHKEY_MAX_DOCUMENT_BYTES", s.MaxDocumentBytes, "LATCHKEY_MAX_BODY_BYTES", s.MaxBodyBytes},
		{"LATCHKEY_MAX_TOKENS", s.MaxTokens, "LATCHKEY_MAX_DOCUMENT_BYTES", s.MaxDocumentBytes},
		{"LATCHKEY_MAX_ALIASES", s.MaxAliases, "LATCHKEY_MAX_SELECTIONS", s.MaxSelections},
		{"LATCHKEY_MAX_ROOT_FIELDS", s.MaxRootFields, "LATCHKEY_MAX_SELECTIONS", s.MaxSelections},
	} {
		if pair.value > pair.bound && pair.value != normal[pair.part] {
			f.add(pair.part, "%d can never be reached, since %s is %d; lower this or raise that", pair.value, pair.whole, pair.bound)
		}
	}
	if s.TrustedDocuments != "" {
		if _, err := os.Stat(s.TrustedDocuments); errors.Is(err, fs.ErrPermission) {
			f.add("LATCHKEY_TRUSTED_DOCUMENTS", "this process may not read it; let it")
		} else if err != nil {
			f.add("LATCHKEY_TRUSTED_DOCUMENTS", "there is no such file or folder")
		}
	}
}

// reservedClaims are the names that a token uses for something else.
func reservedClaims() []string {
	return []string{"token_type", "exp", "iat", "nbf", "jti", "sid", "epoch", "roles", "iss", "aud"}
}

// isToken reports whether the text is a token of RFC 9110 section 5.6.2, as the names of schemes are.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		alphanumeric := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		return !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func (f *Faults) oneOf(variable, value string, allowed []string) {
	if !slices.Contains(allowed, value) {
		f.add(variable, "not one of %s", strings.Join(allowed, ", "))
	}
}
