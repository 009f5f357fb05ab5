package config_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"latchkey/config"
)

// needed returns what has to be set together with a variable.
func needed(variable string) []string {
	switch variable {
	case "LATCHKEY_TLS_CERT_FILE":
		return []string{"LATCHKEY_TLS_KEY_FILE=key.pem"}
	case "LATCHKEY_TLS_KEY_FILE":
		return []string{"LATCHKEY_TLS_CERT_FILE=cert.pem"}
	}
	return nil
}

// another returns, by variable, a good value of each setting that is not its default.
func another() map[string]string {
	return map[string]string{
		"LATCHKEY_ADDR":                   "0.0.0.0:9000",
		"LATCHKEY_TLS_CERT_FILE":          "cert.pem",
		"LATCHKEY_TLS_KEY_FILE":           "key.pem",
		"LATCHKEY_READ_HEADER_TIMEOUT":    "1500ms",
		"LATCHKEY_READ_TIMEOUT":           "30s",
		"LATCHKEY_WRITE_TIMEOUT":          "1m",
		"LATCHKEY_IDLE_TIMEOUT":           "30s",
		"LATCHKEY_SHUTDOWN_TIMEOUT":       "25s",
		"LATCHKEY_MAX_HEADER_BYTES":       "8192",
		"LATCHKEY_MAX_CONNECTIONS":        "0",
		"LATCHKEY_METRICS_ADDR":           "127.0.0.1:9464",
		"LATCHKEY_TRUSTED_PROXIES":        "10.0.0.0/8, 192.168.1.7",
		"LATCHKEY_DATABASE_URL":           "sqlite:/var/lib/latchkey.db",
		"LATCHKEY_SECRET_KEY":             "made up for the tests of package config",
		"LATCHKEY_USERNAME_FIELD":         "email",
		"LATCHKEY_CARRIED_CLAIMS":         "tenant,plan",
		"LATCHKEY_SECRET_KEY_FALLBACKS":   "the one before made up for the tests of package config",
		"LATCHKEY_ALGORITHM":              "EdDSA",
		"LATCHKEY_SIGNING_KEY":            "-----BEGIN PRIVATE KEY-----",
		"LATCHKEY_SIGNING_KEY_FILE":       "reference_test.go",
		"LATCHKEY_ACCESS_TOKEN_LIFETIME":  "90s",
		"LATCHKEY_REFRESH_TOKEN_LIFETIME": "1h30m",
		"LATCHKEY_SESSION_LIFETIME":       "0",
		"LATCHKEY_ROTATE_REFRESH_TOKENS":  "false",
		"LATCHKEY_KEY_ROTATION":           "0",
		"LATCHKEY_REFRESH_REUSE_LEEWAY":   "0",
		"LATCHKEY_LEEWAY":                 "10s",
		"LATCHKEY_ISSUER":                 "https://auth.example.org",
		"LATCHKEY_AUDIENCE":               "https://api.example.org",
		"LATCHKEY_USER_ID_CLAIM":          "uid",
		"LATCHKEY_AUTH_HEADER_TYPES":      "JWT,Bearer",
		"LATCHKEY_UPDATE_LAST_LOGIN":      "0",
		"LATCHKEY_COOKIE_SAMESITE":        "Lax",
		"LATCHKEY_ALLOWED_ORIGINS":        "https://app.example.org, http://localhost:3000",
		"LATCHKEY_THROTTLE":               "false",
		"LATCHKEY_THROTTLE_REDIS_URL":     "redis://redis.example.org:6379/0",
		"LATCHKEY_ANONYMOUS_RATE":         "0",
		"LATCHKEY_GRAPHIQL":               "false",
		"LATCHKEY_INTROSPECTION":          "true",
		"LATCHKEY_TRUSTED_DOCUMENTS":      "testdata",
		"LATCHKEY_MAX_BODY_BYTES":         "30000",
		"LATCHKEY_MAX_DOCUMENT_BYTES":     "10000",
		"LATCHKEY_MAX_TOKENS":             "500",
		"LATCHKEY_MAX_DEPTH":              "7",
		"LATCHKEY_MAX_ALIASES":            "15",
		"LATCHKEY_MAX_ROOT_FIELDS":        "5",
		"LATCHKEY_MAX_DIRECTIVES":         "4",
		"LATCHKEY_MAX_FRAGMENTS":          "10",
		"LATCHKEY_MAX_SELECTIONS":         "300",
		"LATCHKEY_MAX_COST":               "400",
		"LATCHKEY_OPERATION_TIMEOUT":      "1500ms",
		"LATCHKEY_DOCUMENT_CACHE_BYTES":   "2000000",
		"LATCHKEY_LOG_FORMAT":             "json",
		"LATCHKEY_LOG_LEVEL":              "debug",
		"LATCHKEY_AUDIT_RETENTION":        "0",
	}
}

func TestEverySettingIsOneFieldAndEveryFieldASetting(t *testing.T) {
	of := map[string]string{} // field: variable
	for _, variable := range config.Variables() {
		value, ok := another()[variable]
		if !ok {
			t.Errorf("%s has no value in the map above", variable)
			continue
		}
		defaults, _ := config.Load(needed(variable), nil)
		changed, err := config.Load(append(needed(variable), variable+"="+value), nil)
		if err != nil {
			t.Errorf("%s=%s: %v", variable, value, err)
		}
		fields := differing(*defaults, *changed)
		if len(fields) != 1 {
			t.Errorf("%s changes %v, want one field", variable, fields)
			continue
		}
		if other, ok := of[fields[0]]; ok {
			t.Errorf("%s and %s both change %s", variable, other, fields[0])
		}
		of[fields[0]] = variable
	}
	if got, want := len(of), reflect.TypeFor[config.Settings]().NumField(); got != want {
		t.Errorf("%d settings for %d fields", got, want)
	}
}

// differing returns the names of the fields that are not the same in both.
func differing(a, b config.Settings) []string {
	var names []string
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			names = append(names, x.Type().Field(i).Name)
		}
	}
	return names
}

func TestEveryFlagHasTheNameOfItsVariable(t *testing.T) {
	for _, g := range config.Reference() {
		for _, s := range g.Settings {
			if got := "LATCHKEY_" + strings.ToUpper(strings.ReplaceAll(s.Flag(), "-", "_")); got != s.Variable {
				t.Errorf("--%s is the flag of %s", s.Flag(), s.Variable)
			}
			value := another()[s.Variable]
			fromFlag, err := config.Load(needed(s.Variable), map[string]string{s.Flag(): value})
			if err != nil {
				t.Fatal(err)
			}
			fromVariable, err := config.Load(append(needed(s.Variable), s.Variable+"="+value), nil)
			if err != nil {
				t.Fatal(err)
			}
			if fields := differing(*fromFlag, *fromVariable); len(fields) > 0 {
				t.Errorf("--%s and %s differ in %v", s.Flag(), s.Variable, fields)
			}
		}
	}
}

func TestTheReferenceIsWhole(t *testing.T) {
	for _, g := range config.Reference() {
		for _, s := range g.Settings {
			if !strings.HasPrefix(s.Variable, config.Prefix) || !strings.HasSuffix(s.Help, ".") {
				t.Errorf("%s: %q", s.Variable, s.Help)
			}
			if s.Placeholder == "" && !slices.Contains([]string{"true", "false", ""}, s.Default) {
				t.Errorf("%s has no placeholder, as if it were true or false", s.Variable)
			}
		}
	}
}
