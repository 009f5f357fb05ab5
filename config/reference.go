package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Prefix begins the name of every environment variable of the server.
const Prefix = "LATCHKEY_"

// Setting is what the reference says of one setting.
type Setting struct {
	Variable    string // the environment variable
	Else        string // the variable that counts where the first is not set; empty: none
	Placeholder string // what stands for the value in the help; empty: the value is true or false
	Default     string // empty: none
	Help        string // sentences

	set func(text string) error // writes the value; the error says what it should have been
}

// Flag returns the name of the setting's flag on the command line, without dashes.
func (s Setting) Flag() string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(s.Variable, Prefix), "_", "-"))
}

// Group is a part of the reference.
type Group struct {
	Title    string
	Settings []Setting
}

// Reference returns every setting, in the order in which a reader wants them.
func Reference() []Group { return new(Settings).table() }

// Variables returns the names of the environment variables that begin with Prefix, in the order of the reference.
func Variables() []string {
	var names []string
	for _, g := range Reference() {
		for _, s := range g.Settings {
			names = append(names, s.Variable)
		}
	}
	return names
}

// table is every setting, each with where its value goes in s.
func (s *Settings) table() []Group {
	return []Group{
		{"Server", s.serverTable()},
		{"Connections", s.connectionTable()},
		{"Database and keys", s.databaseTable()},
		{"Tokens and sessions", s.tokenTable()},
		{"Throttling", s.throttleTable()},
		{"Browsers", s.browserTable()},
		{"GraphQL", s.graphqlTable()},
		{"Limits of a GraphQL request", s.limitTable()},
		{"Log and audit", s.logTable()},
	}
}

func (s *Settings) serverTable() []Setting {
	return []Setting{{
		Variable: "LATCHKEY_ADDR", Placeholder: "HOST:PORT", Default: "127.0.0.1:8000", set: text(&s.Addr),
		Help: "Listen address; without a HOST, as in :8000, every address of the machine. On an address that is not " +
			"loopback, GraphiQL and introspection are off unless they are switched on.",
	}, {
		Variable: "LATCHKEY_TLS_CERT_FILE", Placeholder: "PATH", set: text(&s.TLSCertFile),
		Help: "The certificate to serve TLS with, in PEM, and below it those that it is signed with. Files that change are " +
			"read again within seconds; a pair that is not whole yet, or does not match, is left alone.",
	}, {
		Variable: "LATCHKEY_TLS_KEY_FILE", Placeholder: "PATH", set: text(&s.TLSKeyFile),
		Help: "The private key of LATCHKEY_TLS_CERT_FILE, in PEM and not encrypted. Both are set, or none.",
	}, {
		Variable: "LATCHKEY_METRICS_ADDR", Placeholder: "HOST:PORT", set: text(&s.MetricsAddr),
		Help: "Listen address of a second listener that serves /metrics for Prometheus, and nothing else. It asks nobody who " +
			"they are: keep it where only the collector reaches it. Not set: there is none. Traces are set up by the OTEL_* " +
			"variables of OpenTelemetry.",
	}, {
		Variable: "LATCHKEY_TRUSTED_PROXIES", Placeholder: "CIDR,...", set: list(&s.TrustedProxies),
		Help: "Networks or addresses whose X-Forwarded-For and X-Forwarded-Proto are believed, as in 10.0.0.0/8. " +
			"Without them the connection's own address counts, and whether it is TLS. X-Forwarded-Host and Forwarded are never " +
			"looked at: a proxy hands on Host.",
	}}
}

func (s *Settings) connectionTable() []Setting {
	return []Setting{{
		Variable: "LATCHKEY_READ_HEADER_TIMEOUT", Placeholder: "DURATION", Default: "5s", set: duration(&s.ReadHeaderTimeout),
		Help: "How long a client may take to send the header of a request, and for the TLS handshake.",
	}, {
		Variable: "LATCHKEY_READ_TIMEOUT", Placeholder: "DURATION", Default: "9s", set: duration(&s.ReadTimeout),
		Help: "How long a client may take to send a whole request, its header and its body.",
	}, {
		Variable: "LATCHKEY_WRITE_TIMEOUT", Placeholder: "DURATION", Default: "20s", set: duration(&s.WriteTimeout),
		Help: "How long an answer may take, from the header of the request until the client has read all of it. Longer than " +
			"LATCHKEY_OPERATION_TIMEOUT.",
	}, {
		Variable: "LATCHKEY_IDLE_TIMEOUT", Placeholder: "DURATION", Default: "2m", set: duration(&s.IdleTimeout),
		Help: "How long a connection without a request is kept. Behind a proxy, longer than the proxy keeps it.",
	}, {
		Variable: "LATCHKEY_SHUTDOWN_TIMEOUT", Placeholder: "DURATION", Default: "10s", set: duration(&s.ShutdownTimeout),
		Help: "How long requests that are under way may go on after SIGTERM. Longer than LATCHKEY_READ_TIMEOUT, or one that is " +
			"half sent is cut off.",
	}, {
		Variable: "LATCHKEY_MAX_HEADER_BYTES", Placeholder: "BYTES", Default: "65536", set: number(&s.MaxHeaderBytes),
		Help: "How long the header of a request may be, its first line included.",
	}, {
		Variable: "LATCHKEY_MAX_CONNECTIONS", Placeholder: "NUMBER", Default: "4096", set: number(&s.MaxConnections),
		Help: "How many connections are served at once; more of them wait. 0: without limit.",
	}}
}

func (s *Settings) databaseTable() []Setting {
	return []Setting{{
		Variable: "LATCHKEY_DATABASE_URL", Else: "DATABASE_URL", Placeholder: "URL",
		Default: "sqlite:data/latchkey.db", set: text(&s.DatabaseURL),
		Help: "sqlite:PATH, or postgres://USER:PASSWORD@HOST:PORT/NAME. A PATH without a slash in front is relative " +
			"to the working directory. The SQLite file and its folder are made, for their owner alone, where they " +
			"do not exist.",
	}, {
		Variable: "LATCHKEY_SECRET_KEY", Placeholder: "TEXT", set: text(&s.SecretKey),
		Help: "Protects the private keys in the database; 32 characters at least. With SQLite it is made on the " +
			"first start and kept beside the database file, in PATH.secret, unless it is given; with PostgreSQL it " +
			"is required. `openssl rand -base64 48` makes one.",
	}, {
		Variable: "LATCHKEY_SECRET_KEY_FALLBACKS", Placeholder: "TEXT", set: secrets(&s.SecretsBefore),
		Help: "The secret from before, while LATCHKEY_SECRET_KEY is being changed: keys that were sealed under it still " +
			"open. `latchkey keys reseal` seals them under the new one; then this is left out again. Several have a line each.",
	}, {
		Variable: "LATCHKEY_ALGORITHM", Placeholder: "NAME", Default: "ES256", set: text(&s.Algorithm),
		Help: "What signs new tokens: " + alternatives(algorithms()) + ".",
	}, {
		Variable: "LATCHKEY_SIGNING_KEY", Placeholder: "TEXT", set: text(&s.SigningKey),
		Help: "The signing key itself, instead of one that is made and kept in the database: for HS256, HS384 and " +
			"HS512 the shared secret, 32 bytes at least, else a PEM private key.",
	}, {
		Variable: "LATCHKEY_SIGNING_KEY_FILE", Placeholder: "PATH", set: text(&s.SigningKeyFile),
		Help: "The file that holds the signing key, instead of LATCHKEY_SIGNING_KEY.",
	}, {
		Variable: "LATCHKEY_KEY_ROTATION", Placeholder: "DURATION", Default: "2160h", set: duration(&s.KeyRotation),
		Help: "How often the next key in the database takes over. Tokens of the one before go on until they expire. " +
			"0: never by itself.",
	}}
}

func (s *Settings) tokenTable() []Setting {
	return []Setting{{
		Variable: "LATCHKEY_ACCESS_TOKEN_LIFETIME", Placeholder: "DURATION", Default: "5m",
		set:  duration(&s.AccessTokenLifetime),
		Help: "How long an access token is accepted.",
	}, {
		Variable: "LATCHKEY_REFRESH_TOKEN_LIFETIME", Placeholder: "DURATION", Default: "24h",
		set:  duration(&s.RefreshTokenLifetime),
		Help: "How long a refresh token is accepted: a session that is not refreshed for so long is over.",
	}, {
		Variable: "LATCHKEY_SESSION_LIFETIME", Placeholder: "DURATION", Default: "720h",
		set:  duration(&s.SessionLifetime),
		Help: "How long a session can last, however often it is refreshed. 0: without limit.",
	}, {
		Variable: "LATCHKEY_ROTATE_REFRESH_TOKENS", Default: "true", set: truth(&s.RotateRefreshTokens),
		Help: "Give a new refresh token with each refresh and accept the old one no more. false: the refresh token " +
			"stays the same until it expires.",
	}, {
		Variable: "LATCHKEY_REFRESH_REUSE_LEEWAY", Placeholder: "DURATION", Default: "10s",
		set: duration(&s.RefreshReuseLeeway),
		Help: "How long a refresh token that was just used up may be sent again, by a client that lost the reply or a " +
			"second tab: it gets the very same successor. Sent later, it ends the session: a client " +
			"that lost the reply to an outage of more than this is signed out. 0: never; two tabs that refresh at once are " +
			"then signed out.",
	}, {
		Variable: "LATCHKEY_LEEWAY", Placeholder: "DURATION", Default: "0s", set: duration(&s.Leeway),
		Help: "Clock skew allowed on the times in a token: exp, iat and nbf. With several servers, more than their clocks " +
			"ever differ, as in 2s: what one makes is else from the future to another.",
	}, {
		Variable: "LATCHKEY_ISSUER", Placeholder: "TEXT", set: text(&s.Issuer),
		Help: "The iss claim: put into tokens and required of them.",
	}, {
		Variable: "LATCHKEY_AUDIENCE", Placeholder: "TEXT", set: text(&s.Audience),
		Help: "The aud claim: put into tokens and required of them.",
	}, {
		Variable: "LATCHKEY_USER_ID_CLAIM", Placeholder: "NAME", Default: "user_id", set: text(&s.UserIDClaim),
		Help: "The name of the claim that holds the user's id, for clients that come from elsewhere.",
	}, {
		Variable: "LATCHKEY_AUTH_HEADER_TYPES", Placeholder: "NAME,...", Default: "Bearer", set: list(&s.AuthHeaderTypes),
		Help: "The schemes accepted in the Authorization header. Case counts.",
	}, {
		Variable: "LATCHKEY_USERNAME_FIELD", Placeholder: "NAME", Default: "username", set: text(&s.UsernameField),
		Help: "The field in which /api/token/ takes the username, for clients of a Django project whose users sign in with " +
			"something else, as in email.",
	}, {
		Variable: "LATCHKEY_CARRIED_CLAIMS", Placeholder: "NAME,...", set: list(&s.CarriedClaims),
		Help: "Claims of a refresh token made elsewhere, by djangorestframework-simplejwt for example, that go into every " +
			"token made from it.",
	}, {
		Variable: "LATCHKEY_UPDATE_LAST_LOGIN", Default: "true", set: truth(&s.UpdateLastLogin),
		Help: "Write the time of each sign-in to the user.",
	}}
}

func (s *Settings) throttleTable() []Setting {
	return []Setting{{
		Variable: "LATCHKEY_THROTTLE", Default: "true", set: truth(&s.Throttle),
		Help: "Limit tries at passwords, by account and by network, and what each network asks for without saying who it is. " +
			"false: only where something in front of the server does.",
	}, {
		Variable: "LATCHKEY_THROTTLE_REDIS_URL", Placeholder: "URL", set: text(&s.ThrottleRedisURL),
		Help: "Where all servers count tries at passwords together: redis://USER:PASSWORD@HOST:PORT/0, or rediss:// for TLS. " +
			"Not set: in the database.",
	}, {
		Variable: "LATCHKEY_ANONYMOUS_RATE", Placeholder: "NUMBER", Default: "100", set: number(&s.AnonymousRate),
		Help: "How many requests a second a network may send to one server without showing a credential that is accepted, on " +
			"average; ten times as many at once. A network is an IPv4 address or the /64 of an IPv6 address. 0: any number.",
	}}
}

func (s *Settings) browserTable() []Setting {
	return []Setting{{
		Variable: "LATCHKEY_COOKIE_SAMESITE", Placeholder: "NAME", Default: "Strict", set: text(&s.CookieSameSite),
		Help: "From which pages browsers send the refresh cookie: Strict and Lax, from those of the server's own site; None, from " +
			"any, which an allowed origin of another site needs.",
	}, {
		Variable: "LATCHKEY_ALLOWED_ORIGINS", Placeholder: "ORIGIN,...", set: list(&s.AllowedOrigins),
		Help: "Origins of the web pages that may read answers (CORS) and use the refresh cookie, as in https://app.example.org. " +
			"The server's own origin always may.",
	}}
}

func (s *Settings) graphqlTable() []Setting {
	return []Setting{{
		Variable: "LATCHKEY_GRAPHIQL", set: orUnset(&s.GraphiQL),
		Help: "Serve GraphiQL at / and /graphiql. Not set: on a loopback address only.",
	}, {
		Variable: "LATCHKEY_INTROSPECTION", set: orUnset(&s.Introspection),
		Help: "Answer introspection queries and serve /schema.graphql. Not set: on a loopback address only.",
	}, {
		Variable: "LATCHKEY_TRUSTED_DOCUMENTS", Placeholder: "PATH", set: text(&s.TrustedDocuments),
		Help: "A file or a folder of allowed operations; nothing else runs: a manifest of graphql-codegen, relay-compiler or " +
			"Apollo (.json), and .graphql and .gql files. It is read at the start. docs/limits.md says more.",
	}}
}

func (s *Settings) limitTable() []Setting {
	var table []Setting
	for _, l := range s.limits() {
		table = append(table, Setting{
			Variable: l.variable, Placeholder: "NUMBER", Default: strconv.Itoa(l.normal), set: number(l.value),
			Help: fmt.Sprintf("%s, from 1 to %d.", l.help, l.most),
		})
	}
	return append(table, Setting{
		Variable: "LATCHKEY_OPERATION_TIMEOUT", Placeholder: "DURATION", Default: "10s", set: duration(&s.OperationTimeout),
		Help: "How long an operation may take, or a request to /api/token/, from 1s to 60s. A password that is checked may wait " +
			"5s for its turn. A server that is stopped waits 10s for what is under way.",
	})
}

// limit is a setting that is a number within bounds. The upper one keeps a mistake from switching a protection off:
// at the largest values of all a hostile request costs some 20 ms.
type limit struct {
	variable     string
	value        *int
	normal, most int
	help         string
}

func (s *Settings) limits() []limit {
	return []limit{
		{"LATCHKEY_MAX_BODY_BYTES", &s.MaxBodyBytes, 1 << 20, 16 << 20, "How long the body of a request may be, in bytes"},
		{"LATCHKEY_MAX_DOCUMENT_BYTES", &s.MaxDocumentBytes, 20_000, 100_000, "How long a document may be, in bytes"},
		{"LATCHKEY_MAX_TOKENS", &s.MaxTokens, 1_000, 5_000, "How many tokens a document may have, comments included"},
		{"LATCHKEY_MAX_DEPTH", &s.MaxDepth, 15, 50, "How deep fields may nest within fields; introspection has a limit of its own"},
		{"LATCHKEY_MAX_ALIASES", &s.MaxAliases, 30, 500, "How many aliases an operation may have, fragments followed"},
		{"LATCHKEY_MAX_ROOT_FIELDS", &s.MaxRootFields, 20, 200, "How many fields an operation may have at its root, fragments followed"},
		{"LATCHKEY_MAX_DIRECTIVES", &s.MaxDirectives, 20, 500, "How many directives a document may have"},
		{"LATCHKEY_MAX_FRAGMENTS", &s.MaxFragments, 50, 500, "How many fragments a document may define"},
		{"LATCHKEY_MAX_SELECTIONS", &s.MaxSelections, 1_000, 5_000, "How many fields and fragments all operations of a document may select, fragments followed"},
		{"LATCHKEY_MAX_COST", &s.MaxCost, 2_000, 1_000_000, "How many objects and lists an operation may ask for, page sizes multiplied"},
		{"LATCHKEY_DOCUMENT_CACHE_BYTES", &s.DocumentCacheBytes, 8 << 20, 1 << 30, "How much memory is for documents that are ready to run, in bytes"},
	}
}

func (s *Settings) logTable() []Setting {
	return []Setting{{
		Variable: "LATCHKEY_LOG_FORMAT", Placeholder: "NAME", set: text(&s.LogFormat),
		Help: alternatives(logFormats()) + ". Not set: text where standard error is a terminal, else json.",
	}, {
		Variable: "LATCHKEY_LOG_LEVEL", Placeholder: "NAME", Default: "info", set: text(&s.LogLevel),
		Help: "The least level that is logged: " + alternatives(logLevels()) + ".",
	}, {
		Variable: "LATCHKEY_AUDIT_RETENTION", Placeholder: "DURATION", Default: "2160h", set: duration(&s.AuditRetention),
		Help: "How long it is kept what happened: sign-ins, refusals, changes. 0: for ever.",
	}}
}

func algorithms() []string { return []string{"ES256", "EdDSA", "RS256", "HS256", "HS384", "HS512"} }
func sameSites() []string  { return []string{"Strict", "Lax", "None"} }
func logFormats() []string { return []string{"text", "json"} }
func logLevels() []string  { return []string{"debug", "info", "warn", "error"} }

// alternatives writes a list as it is read out: "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(slices.Concat(words[:last-1], []string{words[last-1] + " or " + words[last]}), ", ")
}
