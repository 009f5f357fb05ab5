package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/config"
)

// secretKey is fit for LATCHKEY_SECRET_KEY, and sharedSecret for LATCHKEY_SIGNING_KEY with HS256.
const (
	secretKey    = "made up for the tests of package config"
	sharedSecret = "shared with nobody, being made up."
)

func TestEveryFault(t *testing.T) {
	const (
		paths     = "sqlite: is followed by the path alone, as in sqlite:data/latchkey.db or sqlite:/var/lib/latchkey.db"
		neither   = "neither sqlite:PATH nor postgres://USER:PASSWORD@HOST:PORT/NAME"
		noURL     = "not a URL: in a name or a password, write / as %2F, ? as %3F, # as %23, @ as %40 and % as %25"
		duration  = "not a duration, as in 90s, 5m or 24h"
		fromZero  = "not a whole number of seconds, from 0s to 438000h"
		fromOne   = "not a whole number of seconds, from 1s to 438000h"
		network   = "not a network, as in 10.0.0.0/8"
		timeout   = "not from 10ms to 1h0m0s: a client that takes for ever would keep its connection for ever"
		scheme    = "not the name of a scheme, as in Bearer"
		noPEM     = "not a PEM private key, which LATCHKEY_ALGORITHM ES256 needs; for a shared secret, set that to HS256"
		noFile    = "there is no such file; the key itself belongs into LATCHKEY_SIGNING_KEY"
		memory    = "a database in memory would forget every user; give a path, as in sqlite:data/latchkey.db"
		origin    = "not an origin as browsers write it, as in https://app.example.org: http or https and a host in small letters, a port where it is not the usual one, and no more"
		algorithm = "not one of ES256, EdDSA, RS256, HS256, HS384, HS512"
	)
	for _, test := range []struct {
		variable, value string
		want            string // empty: none
	}{
		{"LATCHKEY_ADDR", "0.0.0.0:80", ""},
		{"LATCHKEY_ADDR", ":80", ""},
		{"LATCHKEY_ADDR", "[::1]:80", ""},
		{"LATCHKEY_ADDR", "example.org:0", ""},
		{"LATCHKEY_ADDR", "8000", "not HOST:PORT, as in 127.0.0.1:8000"},
		{"LATCHKEY_ADDR", "::1:80", "not HOST:PORT, as in 127.0.0.1:8000"},
		{"LATCHKEY_ADDR", "http://127.0.0.1:80", "not HOST:PORT, as in 127.0.0.1:8000"},
		{"LATCHKEY_ADDR", "127.0.0.1:", "its port is not a number from 0 to 65535"},
		{"LATCHKEY_ADDR", "127.0.0.1:http", "its port is not a number from 0 to 65535"},
		{"LATCHKEY_ADDR", "127.0.0.1:65536", "its port is not a number from 0 to 65535"},

		{"LATCHKEY_TRUSTED_PROXIES", "10.0.0.0/8, ::1 ,fd00::/8", ""},
		{"LATCHKEY_TRUSTED_PROXIES", "10.0.0.0/33", "number 1 is " + network},
		{"LATCHKEY_TRUSTED_PROXIES", "10.0.0.1,proxy", "number 2 is " + network},
		{"LATCHKEY_TRUSTED_PROXIES", "10.0.0.1,", "number 2 is " + network},

		{"LATCHKEY_TLS_CERT_FILE", "cert.pem", "LATCHKEY_TLS_KEY_FILE is not set; TLS needs both"},
		{"LATCHKEY_TLS_KEY_FILE", "key.pem", "LATCHKEY_TLS_CERT_FILE is not set; TLS needs both"},
		{"LATCHKEY_READ_HEADER_TIMEOUT", "9s", ""},
		{"LATCHKEY_READ_HEADER_TIMEOUT", "9ms", timeout},
		{"LATCHKEY_READ_TIMEOUT", "1h", ""},
		{"LATCHKEY_READ_TIMEOUT", "61m", timeout},
		{"LATCHKEY_WRITE_TIMEOUT", "0", timeout},
		{"LATCHKEY_WRITE_TIMEOUT", "20", duration},
		{"LATCHKEY_IDLE_TIMEOUT", "-1s", timeout},
		{"LATCHKEY_SHUTDOWN_TIMEOUT", "0s", timeout},
		{"LATCHKEY_SHUTDOWN_TIMEOUT", "10ms", ""},
		{"LATCHKEY_MAX_HEADER_BYTES", "4096", ""},
		{"LATCHKEY_MAX_HEADER_BYTES", "1048576", ""},
		{"LATCHKEY_MAX_HEADER_BYTES", "4095", "not from 4096 to 1048576"},
		{"LATCHKEY_MAX_HEADER_BYTES", "1048577", "not from 4096 to 1048576"},
		{"LATCHKEY_MAX_HEADER_BYTES", "64k", "not a whole number, as in 100"},
		{"LATCHKEY_WRITE_TIMEOUT", "10s", "not longer than LATCHKEY_OPERATION_TIMEOUT: the answer to a slow operation would be cut off"},
		{"LATCHKEY_MAX_CONNECTIONS", "0", ""},
		{"LATCHKEY_MAX_CONNECTIONS", "-1", "not a whole number, as in 100"},
		{"LATCHKEY_MAX_CONNECTIONS", "1e3", "not a whole number, as in 100"},

		{"LATCHKEY_COOKIE_SAMESITE", "None", ""},
		{"LATCHKEY_COOKIE_SAMESITE", "none", "not one of Strict, Lax, None"},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://app.example.org, http://localhost:3000,http://[::1]:3000,https://xn--bcher-kva.example", ""},
		{"LATCHKEY_ALLOWED_ORIGINS", "*", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "null", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://app.example.org,", "number 2 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://app.example.org,https://app.example.org/", "number 2 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://app.example.org/path", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://app.example.org?", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://app.example.org#", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://*.example.org", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://App.example.org", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "HTTPS://app.example.org", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://bücher.example", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://app.example.org:443", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "http://app.example.org:80", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://app.example.org:0443", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://app.example.org:", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://app.example.org:65536", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://user@app.example.org", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://[::0:1]:3000", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://::1", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "https://", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "app.example.org", "number 1 is " + origin},
		{"LATCHKEY_ALLOWED_ORIGINS", "ftp://app.example.org", "number 1 is " + origin},

		{"LATCHKEY_DATABASE_URL", "sqlite:a", ""},
		{"LATCHKEY_DATABASE_URL", "sqlite:./a b#c%20.db", ""},
		{"LATCHKEY_DATABASE_URL", "sqlite:/a", ""},
		{"LATCHKEY_DATABASE_URL", "sqlite:", "sqlite: needs a path, as in sqlite:data/latchkey.db"},
		{"LATCHKEY_DATABASE_URL", "sqlite://a", paths},
		{"LATCHKEY_DATABASE_URL", "sqlite:///a", paths},
		{"LATCHKEY_DATABASE_URL", "sqlite::memory:", memory},
		{"LATCHKEY_DATABASE_URL", "sqlite:file::memory:?cache=shared", memory},
		{"LATCHKEY_DATABASE_URL", "sqlite:~/a", "~ means nothing here; write the whole path, as in sqlite:/var/lib/latchkey.db"},
		{"LATCHKEY_DATABASE_URL", "sqlite:a?mode=ro", "sqlite:PATH takes no options; leave out the ? and what follows it"},
		{"LATCHKEY_DATABASE_URL", "data/latchkey.db", neither},
		{"LATCHKEY_DATABASE_URL", "mysql://u:p@h/d", neither},
		{"LATCHKEY_DATABASE_URL", "POSTGRES://u:p@h/d", neither},
		{"LATCHKEY_DATABASE_URL", "postgres:u:p@h/d", neither},
		{"LATCHKEY_DATABASE_URL", "host=h password=p", neither},
		{"LATCHKEY_DATABASE_URL", "postgres://h/d", ""},
		{"LATCHKEY_DATABASE_URL", "postgresql://u:p@h:5432/d?sslmode=require&application_name=a@b", ""},
		{"LATCHKEY_DATABASE_URL", "postgres:///d?host=/run/postgresql", ""},
		{"LATCHKEY_DATABASE_URL", "postgres://u:p@h:port/d", noURL},
		{"LATCHKEY_DATABASE_URL", "postgres://u:p%@h/d", noURL},
		{"LATCHKEY_DATABASE_URL", "postgres://u:a/b@h/d", noURL},
		{"LATCHKEY_DATABASE_URL", "postgres://u:1/b@h/d", noURL},
		{"LATCHKEY_DATABASE_URL", "postgres://u:1?b@h/d", noURL},
		{"LATCHKEY_DATABASE_URL", "postgres://u:1#b@h/d", noURL},
		{"LATCHKEY_DATABASE_URL", "postgres://u:a@b@h/d", noURL},

		{"LATCHKEY_SECRET_KEY", "too short", "9 characters are too few; it needs 32 at least"},
		{"LATCHKEY_SECRET_KEY_FALLBACKS", "short", "5 characters are too few to have been a secret, which has 32 at least; several have a line each"},
		{"LATCHKEY_SECRET_KEY_FALLBACKS", "a secret from before of more than 32\nshort", "5 characters are too few to have been a secret, which has 32 at least; several have a line each"},
		{"LATCHKEY_SECRET_KEY_FALLBACKS", "a secret from before, with a comma, short", ""},
		{"LATCHKEY_ALGORITHM", "none", algorithm},
		{"LATCHKEY_ALGORITHM", "es256", algorithm},
		{"LATCHKEY_SIGNING_KEY", sharedSecret, noPEM},
		{"LATCHKEY_SIGNING_KEY_FILE", "no/such/file", noFile},
		{"LATCHKEY_SIGNING_KEY_FILE", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", noFile},
		{"LATCHKEY_SIGNING_KEY_FILE", "testdata", "this is a folder, not the file that holds the key"},

		{"LATCHKEY_TRUSTED_DOCUMENTS", "testdata", ""},
		{"LATCHKEY_TRUSTED_DOCUMENTS", "validate_test.go", ""},
		{"LATCHKEY_TRUSTED_DOCUMENTS", "no/such/file", "there is no such file or folder"},
		{"LATCHKEY_MAX_TOKENS", "1", ""},
		{"LATCHKEY_MAX_TOKENS", "5000", ""},
		{"LATCHKEY_MAX_TOKENS", "0", "not a whole number from 1 to 5000"},
		{"LATCHKEY_MAX_TOKENS", "5001", "not a whole number from 1 to 5000"},
		{"LATCHKEY_MAX_TOKENS", "-1", "not a whole number, as in 100"},
		{"LATCHKEY_MAX_TOKENS", "1e3", "not a whole number, as in 100"},
		{"LATCHKEY_MAX_TOKENS", "99999999999999999999", "not a whole number, as in 100"},
		{"LATCHKEY_MAX_DEPTH", "51", "not a whole number from 1 to 50"},
		{"LATCHKEY_MAX_BODY_BYTES", "1000", ""},
		{"LATCHKEY_MAX_BODY_BYTES", "16777217", "not a whole number from 1 to 16777216"},
		{"LATCHKEY_MAX_BODY_BYTES", "1MB", "not a whole number, as in 100"},
		{"LATCHKEY_MAX_ALIASES", "0", "not a whole number from 1 to 500"},
		{"LATCHKEY_OPERATION_TIMEOUT", "1s", ""},
		{"LATCHKEY_OPERATION_TIMEOUT", "0", "not a duration from 1s to 1m0s"},
		{"LATCHKEY_OPERATION_TIMEOUT", "61s", "not a duration from 1s to 1m0s"},

		{"LATCHKEY_ACCESS_TOKEN_LIFETIME", "1s", ""},
		{"LATCHKEY_ACCESS_TOKEN_LIFETIME", "300", duration},
		{"LATCHKEY_ACCESS_TOKEN_LIFETIME", "1d", duration},
		{"LATCHKEY_ACCESS_TOKEN_LIFETIME", "0", fromOne},
		{"LATCHKEY_ACCESS_TOKEN_LIFETIME", "-5m", fromOne},
		{"LATCHKEY_ACCESS_TOKEN_LIFETIME", "1500ms", fromOne},
		{"LATCHKEY_ACCESS_TOKEN_LIFETIME", "438001h", fromOne},
		{"LATCHKEY_REFRESH_TOKEN_LIFETIME", "438000h", ""},
		{"LATCHKEY_REFRESH_TOKEN_LIFETIME", "0s", fromOne},
		{"LATCHKEY_SESSION_LIFETIME", "0", ""},
		{"LATCHKEY_SESSION_LIFETIME", "-1s", fromZero},
		{"LATCHKEY_LEEWAY", "0s", ""},
		{"LATCHKEY_LEEWAY", "1ms", fromZero},
		{"LATCHKEY_AUDIT_RETENTION", "0", ""},
		{"LATCHKEY_AUDIT_RETENTION", "-1h", fromZero},
		{"LATCHKEY_AUDIT_RETENTION", "90d", duration},

		{"LATCHKEY_ROTATE_REFRESH_TOKENS", "F", ""},
		{"LATCHKEY_ROTATE_REFRESH_TOKENS", "no", "neither true nor false"},
		{"LATCHKEY_UPDATE_LAST_LOGIN", "off", "neither true nor false"},
		{"LATCHKEY_GRAPHIQL", "2", "neither true nor false"},
		{"LATCHKEY_INTROSPECTION", "yes", "neither true nor false"},

		{"LATCHKEY_USER_ID_CLAIM", "sub", ""},
		{"LATCHKEY_USERNAME_FIELD", "password", "not the name of a field, as in username or email"},
		{"LATCHKEY_USERNAME_FIELD", "a name", "not the name of a field, as in username or email"},
		{"LATCHKEY_CARRIED_CLAIMS", "plan,user_id", "a token uses the claim user_id for something else"},
		{"LATCHKEY_CARRIED_CLAIMS", "roles", "a token uses the claim roles for something else"},
		{"LATCHKEY_USER_ID_CLAIM", " ", "not a name"},
		{"LATCHKEY_USER_ID_CLAIM", "jti", "a token uses the claim jti for something else"},
		{"LATCHKEY_AUTH_HEADER_TYPES", "JWT, Bearer", ""},
		{"LATCHKEY_AUTH_HEADER_TYPES", ",", "number 1 is " + scheme},
		{"LATCHKEY_AUTH_HEADER_TYPES", "Bearer token", "number 1 is " + scheme},

		{"LATCHKEY_METRICS_ADDR", "127.0.0.1:9464", ""},
		{"LATCHKEY_METRICS_ADDR", "9464", "not HOST:PORT, as in 127.0.0.1:9464"},
		{"LATCHKEY_METRICS_ADDR", "127.0.0.1:http", "its port is not a number from 0 to 65535"},

		{"LATCHKEY_LOG_FORMAT", "text", ""},
		{"LATCHKEY_LOG_FORMAT", "logfmt", "not one of text, json"},
		{"LATCHKEY_LOG_LEVEL", "INFO", "not one of debug, info, warn, error"},
	} {
		t.Run(test.variable+"="+test.value, func(t *testing.T) {
			environment := []string{test.variable + "=" + test.value}
			if test.variable != "LATCHKEY_SECRET_KEY" {
				environment = append(environment, "LATCHKEY_SECRET_KEY="+secretKey)
			}
			var want []string
			if test.want != "" {
				want = []string{test.variable + ": " + test.want}
			}
			_, err := config.Load(environment, nil)
			got := lines(t, err)
			if len(got) > len(want) && test.variable == "LATCHKEY_AUTH_HEADER_TYPES" {
				got = got[:len(want)] // two empty names are two faults
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestContradictions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(sharedSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name        string
		environment []string
		want        []string
	}{
		{
			"PostgreSQL needs a secret key",
			[]string{"LATCHKEY_DATABASE_URL=postgres://h/d"},
			[]string{"LATCHKEY_SECRET_KEY: it is required with PostgreSQL; `openssl rand -base64 48` makes one"},
		}, {
			"the metrics have an address of their own",
			[]string{"LATCHKEY_ADDR=127.0.0.1:8000", "LATCHKEY_METRICS_ADDR=127.0.0.1:8000"},
			[]string{"LATCHKEY_METRICS_ADDR: it is the address of LATCHKEY_ADDR, too; use another port"},
		}, {
			"an address of every host is the same one",
			[]string{"LATCHKEY_ADDR=:8000", "LATCHKEY_METRICS_ADDR=localhost:08000"},
			[]string{"LATCHKEY_METRICS_ADDR: it is the address of LATCHKEY_ADDR, too; use another port"},
		}, {
			"the metrics can have another host of the same port",
			[]string{"LATCHKEY_ADDR=127.0.0.1:8000", "LATCHKEY_METRICS_ADDR=127.0.0.2:8000"},
			nil,
		}, {
			"port 0 is a free one each time",
			[]string{"LATCHKEY_ADDR=127.0.0.1:0", "LATCHKEY_METRICS_ADDR=127.0.0.1:0"},
			nil,
		}, {
			"SQLite needs none",
			[]string{"LATCHKEY_DATABASE_URL=sqlite:a"},
			nil,
		}, {
			"a shared secret signs with an algorithm that takes one",
			[]string{"LATCHKEY_ALGORITHM=HS512", "LATCHKEY_SIGNING_KEY=" + sharedSecret},
			nil,
		}, {
			"a shared secret has 32 bytes",
			[]string{"LATCHKEY_ALGORITHM=HS256", "LATCHKEY_SIGNING_KEY=" + sharedSecret[:31]},
			[]string{"LATCHKEY_SIGNING_KEY: 31 bytes are too few for HS256; it needs 32 at least"},
		}, {
			"the signing key is in a file",
			[]string{"LATCHKEY_ALGORITHM=HS256", "LATCHKEY_SIGNING_KEY_FILE=" + file},
			nil,
		}, {
			"the signing key is given twice",
			[]string{"LATCHKEY_ALGORITHM=HS256", "LATCHKEY_SIGNING_KEY=" + sharedSecret, "LATCHKEY_SIGNING_KEY_FILE=" + file},
			[]string{"LATCHKEY_SIGNING_KEY: LATCHKEY_SIGNING_KEY_FILE is set, too; use one of them"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := config.Load(test.environment, nil)
			if diff := cmp.Diff(test.want, lines(t, err)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSettingsThatWereNotLoadedAreJudged(t *testing.T) {
	s, err := config.Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.AuthHeaderTypes = nil
	want := config.Faults{{"LATCHKEY_AUTH_HEADER_TYPES", "one scheme is needed at least, as in Bearer"}}
	if diff := cmp.Diff(want, s.Validate()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestALimitThatAnotherOneCoversIsTold(t *testing.T) {
	for _, test := range []struct {
		environment []string
		want        string
	}{
		{
			[]string{"LATCHKEY_MAX_BODY_BYTES=30000", "LATCHKEY_MAX_DOCUMENT_BYTES=50000"},
			"LATCHKEY_MAX_DOCUMENT_BYTES: 50000 can never be reached, since LATCHKEY_MAX_BODY_BYTES is 30000; lower this or raise that",
		}, {
			[]string{"LATCHKEY_MAX_DOCUMENT_BYTES=900", "LATCHKEY_MAX_TOKENS=950"},
			"LATCHKEY_MAX_TOKENS: 950 can never be reached, since LATCHKEY_MAX_DOCUMENT_BYTES is 900; lower this or raise that",
		}, {
			[]string{"LATCHKEY_MAX_ALIASES=101", "LATCHKEY_MAX_SELECTIONS=100"},
			"LATCHKEY_MAX_ALIASES: 101 can never be reached, since LATCHKEY_MAX_SELECTIONS is 100; lower this or raise that",
		}, {
			[]string{"LATCHKEY_MAX_ROOT_FIELDS=21", "LATCHKEY_MAX_SELECTIONS=10"},
			"LATCHKEY_MAX_ROOT_FIELDS: 21 can never be reached, since LATCHKEY_MAX_SELECTIONS is 10; lower this or raise that",
		},
	} {
		_, err := config.Load(test.environment, nil)
		if diff := cmp.Diff([]string{test.want}, lines(t, err)); diff != "" {
			t.Errorf("%v: -want +got:\n%s", test.environment, diff)
		}
	}
}
