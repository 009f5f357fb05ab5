package config_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/config"
)

// lines returns the lines of Faults; none for no error.
func lines(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	faults, ok := errors.AsType[config.Faults](err)
	if !ok {
		t.Fatalf("%v is a %T, want Faults", err, err)
	}
	return faults.Lines()
}

func TestWithoutAnySettingTheDefaultsCount(t *testing.T) {
	got, err := config.Load([]string{"PATH=/bin", "DATABASE=x", "latchkey_addr=x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Settings{
		Addr:              "127.0.0.1:8000",
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 9 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: 2 * time.Minute,
		ShutdownTimeout: 10 * time.Second, MaxHeaderBytes: 65536, MaxConnections: 4096,
		DatabaseURL: "sqlite:data/latchkey.db", Algorithm: "ES256",
		AccessTokenLifetime: 5 * time.Minute, RefreshTokenLifetime: 24 * time.Hour, SessionLifetime: 720 * time.Hour,
		RotateRefreshTokens: true, UserIDClaim: "user_id", UsernameField: "username", AuthHeaderTypes: []string{"Bearer"}, UpdateLastLogin: true,
		AuditRetention: 2160 * time.Hour, KeyRotation: 2160 * time.Hour, RefreshReuseLeeway: 10 * time.Second, CookieSameSite: "Strict",
		Throttle: true, AnonymousRate: 100,
		MaxBodyBytes: 1 << 20, MaxDocumentBytes: 20_000, MaxTokens: 1_000, MaxDepth: 15, MaxAliases: 30, MaxRootFields: 20,
		MaxDirectives: 20, MaxFragments: 50, MaxSelections: 1_000, MaxCost: 2_000, OperationTimeout: 10 * time.Second,
		DocumentCacheBytes: 8 << 20, LogLevel: "info",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTheFlagGoesBeforeTheVariable(t *testing.T) {
	s, err := config.Load([]string{"LATCHKEY_ISSUER=variable", "LATCHKEY_AUDIENCE=variable"}, map[string]string{"issuer": "flag"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Issuer != "flag" || s.Audience != "variable" {
		t.Errorf("got %q and %q, want flag and variable", s.Issuer, s.Audience)
	}
}

func TestAFlagCoversAFaultyVariable(t *testing.T) {
	if _, err := config.Load([]string{"LATCHKEY_LEEWAY=x"}, map[string]string{"leeway": "1s"}); err != nil {
		t.Error(err)
	}
}

func TestDatabaseURLStandsIn(t *testing.T) {
	for _, test := range []struct {
		name        string
		environment []string
		want        string
		wantFaults  []string
	}{
		{
			"where LATCHKEY_DATABASE_URL is not set",
			[]string{"DATABASE_URL=sqlite:b"},
			"sqlite:b", nil,
		}, {
			"and nowhere else",
			[]string{"DATABASE_URL=nonsense", "LATCHKEY_DATABASE_URL=sqlite:a"},
			"sqlite:a", nil,
		}, {
			"and is the one that is blamed",
			[]string{"DATABASE_URL=mysql://u:p@h/d"},
			"mysql://u:p@h/d",
			[]string{"DATABASE_URL: neither sqlite:PATH nor postgres://USER:PASSWORD@HOST:PORT/NAME"},
		}, {
			"empty as little as the other",
			[]string{"DATABASE_URL="},
			"sqlite:data/latchkey.db",
			[]string{"DATABASE_URL: it is set, but empty: give it a value, or leave it out for sqlite:data/latchkey.db"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := config.Load(test.environment, nil)
			if diff := cmp.Diff(test.wantFaults, lines(t, err)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if s.DatabaseURL != test.want {
				t.Errorf("got %q, want %q", s.DatabaseURL, test.want)
			}
		})
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	_, err := config.Load([]string{
		"LATCHKEY_LEEWAY=soon", "LATCHKEY_GRAPHIQL=perhaps", "LATCHKEY_ROTATE_REFRESH_TOKENS=", "LATCHKEY_ISSUER=",
		"LATCHKEY_ADDR=8000", "LATCHKEY_DATABASE_URL=postgres://h/d", "LATCHKEY_ADRR=x",
	}, map[string]string{"log-level": "loud"})
	want := []string{
		"LATCHKEY_ROTATE_REFRESH_TOKENS: it is set, but empty: give it a value, or leave it out for true",
		"LATCHKEY_LEEWAY: not a duration, as in 90s, 5m or 24h",
		"LATCHKEY_ISSUER: it is set, but empty: give it a value, or leave it out",
		"LATCHKEY_GRAPHIQL: neither true nor false",
		"LATCHKEY_ADDR: not HOST:PORT, as in 127.0.0.1:8000",
		"LATCHKEY_LOG_LEVEL: not one of debug, info, warn, error",
		"LATCHKEY_SECRET_KEY: it is required with PostgreSQL; `openssl rand -base64 48` makes one",
		"LATCHKEY_ADRR: there is no such setting; did you mean LATCHKEY_ADDR?",
	}
	if diff := cmp.Diff(want, lines(t, err)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := strings.Count(err.Error(), "\n"); got != len(want)-1 {
		t.Errorf("the error has %d line ends for %d faults", got, len(want))
	}
}

func TestWhatACommandDoesNotNeedDoesNotHinderIt(t *testing.T) {
	environment := []string{"LATCHKEY_ADDR=8000", "LATCHKEY_LEEWAY=soon", "DATABASE_URL=nonsense", "LATCHKEY_TYPO_HERE=x"}
	_, err := config.Load(environment, nil, "LATCHKEY_DATABASE_URL")
	want := []string{
		"DATABASE_URL: neither sqlite:PATH nor postgres://USER:PASSWORD@HOST:PORT/NAME",
		"LATCHKEY_TYPO_HERE: there is no such setting; `latchkey serve --help` lists them",
	}
	if diff := cmp.Diff(want, lines(t, err)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnUnknownVariableIsRefused(t *testing.T) {
	const (
		list       = "`latchkey serve --help` lists them"
		kubernetes = "Kubernetes makes it for a service named latchkey, unless the pod has enableServiceLinks: false"
	)
	for _, test := range []struct{ entry, want string }{
		{"LATCHKEY_ADRR=x", "did you mean LATCHKEY_ADDR?"},
		{"LATCHKEY_LOGLEVEL=info", "did you mean LATCHKEY_LOG_LEVEL?"},
		{"LATCHKEY_ACCESS_LIFETIME=5m", "did you mean LATCHKEY_ACCESS_TOKEN_LIFETIME?"},
		{"LATCHKEY_ISSUERS=x", "did you mean LATCHKEY_ISSUER?"},
		{"LATCHKEY_SECRET=x", "did you mean LATCHKEY_SECRET_KEY?"},
		{"LATCHKEY_FRANCE=x", list},
		{"LATCHKEY_=x", list},
		{"LATCHKEY_addr=x", list},
		{"LATCHKEY_PORT=8000", list},
		{"LATCHKEY_PORT=tcp://10.0.0.1:8000", kubernetes},
		{"LATCHKEY_PORT_8000_TCP_ADDR=10.0.0.1", kubernetes},
		{"LATCHKEY_SERVICE_HOST=10.0.0.1", kubernetes},
	} {
		name, _, _ := strings.Cut(test.entry, "=")
		_, err := config.Load([]string{test.entry}, nil)
		want := []string{name + ": there is no such setting; " + test.want}
		if diff := cmp.Diff(want, lines(t, err)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", test.entry, diff)
		}
	}
}

func TestNoFaultRepeatsAValue(t *testing.T) {
	const secret = "hunter2"
	values := []string{
		secret, secret + ":" + secret, secret + "=x", "postgres://app:" + secret + "@db:port/x",
		"postgres://app:pa/" + secret + "@db/x", "postgres://app:12/" + secret + "@db/x", "postgres://app:x@" + secret + "@db/x",
		"sqlite://" + secret, "sqlite:~" + secret, "sqlite:x?" + secret, "user_id " + secret, secret + "," + secret, "5" + secret,
	}
	told := 0
	for _, variable := range slices.Concat(config.Variables(), []string{"DATABASE_URL", "LATCHKEY_TYPO_HERE"}) {
		for _, value := range values {
			for _, more := range []string{"LATCHKEY_ALGORITHM=ES256", "LATCHKEY_ALGORITHM=HS256"} {
				_, err := config.Load([]string{more, variable + "=" + value}, nil)
				for _, line := range lines(t, err) {
					told++
					if strings.Contains(line, secret) {
						t.Errorf("%s=%s: %s", variable, value, line)
					}
				}
			}
		}
	}
	if told < 200 {
		t.Errorf("%d faults were looked at, want 200 at least", told)
	}
}

func FuzzLoad(f *testing.F) {
	for _, variable := range config.Variables() {
		f.Add(variable, another()[variable])
	}
	f.Fuzz(func(t *testing.T, variable, value string) {
		s, err := config.Load([]string{variable + "=" + value}, nil)
		if err == nil && len(s.Validate()) > 0 {
			t.Errorf("%q=%q was taken, but is refused: %v", variable, value, s.Validate())
		}
		for _, line := range lines(t, err) {
			if strings.Contains(line, "\n") && !strings.Contains(variable, "\n") {
				t.Errorf("a fault has more than one line: %q", line)
			}
		}
		s.Loopback()
		s.Proxies()
	})
}

func TestASecretFromBeforeIsTakenAsItWas(t *testing.T) {
	const one, two = "made up, with commas, for the tests", " another, made up for the tests "
	for _, tt := range []struct {
		name, value string
		want        []string
	}{
		{"one", one, []string{one}},
		{"spaces around it", two, []string{two}},
		{"a line each", one + "\n" + two, []string{one + "\n" + two, one, two}},
		{"an end of line", one + "\n", []string{one + "\n", one}},
		{"lines of Windows, and an empty one", one + "\r\n\r\n" + two, []string{one + "\r\n\r\n" + two, one, two}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := config.Load([]string{"LATCHKEY_SECRET_KEY_FALLBACKS=" + tt.value}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.SecretsBefore, tt.want) {
				t.Errorf("got %q, want %q", s.SecretsBefore, tt.want)
			}
		})
	}
}
