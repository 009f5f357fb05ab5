package cli_test

import (
	"bytes"
	"crypto/ecdsa"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"latchkey/app"
	"latchkey/config"
	"latchkey/internal/testdb"
)

// The secrets that the run below makes up; tokens, cookies and keys come to them.
const (
	rightPassword = "orbit-walnut-ferry-6174"
	wrongPassword = "not-the-walnut-ferry-2718"
	newPassword   = "thimble-quarry-ember-3141"
	secretKey     = "sealed-with-nothing-but-this-test-1618"
	dbPassword    = "of-the-database-itself-1414"
)

// secrets is what must not be seen, by what it is.
type secrets map[string]string

// token adds a token: whole, its payload and its signature. The header is no secret.
func (s secrets) token(what, token string) {
	s[what] = token
	if parts := strings.Split(token, "."); len(parts) == 3 {
		s[what+", payload"], s[what+", signature"] = parts[1], parts[2]
	}
}

// bytes adds raw bytes in the forms in which programs write them.
func (s secrets) bytes(what string, raw []byte) {
	s[what+", raw"] = string(raw)
	s[what+", hex"] = hex.EncodeToString(raw)
	s[what+", base64"] = base64.RawStdEncoding.EncodeToString(raw)
	s[what+", base64url"] = base64.RawURLEncoding.EncodeToString(raw)
}

// found returns a line for each secret that an output has in it, as it is, as a URL writes it, or in base64.
func (s secrets) found(outputs map[string]string) []string {
	var list []string
	for what, secret := range s {
		forms := []string{secret, url.QueryEscape(secret)}
		for shift := range 3 { // base64 has three forms of a text within another; the ends depend on what is around it
			encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
			forms = append(forms, strings.TrimRight(encoded, "=")[4:len(strings.TrimRight(encoded, "="))-3])
		}
		for where, output := range outputs {
			if slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(output, form) }) {
				list = append(list, fmt.Sprintf("%s is in %s", what, where))
			}
		}
	}
	slices.Sort(list)
	return list
}

func TestTheScanFindsAPlantedSecret(t *testing.T) {
	s := secrets{"the password": rightPassword}
	s.token("a token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0x.c2lnbmF0dXJlb2ZhdG9rZW4")
	s.bytes("a key", []byte("0123456789abcdef0123456789abcdef"))
	for what, secret := range s {
		for form, text := range map[string]string{
			"plain": "a line with " + secret + " in it", "in a URL": "/?p=" + url.QueryEscape(secret) + "&",
			"in base64": base64.StdEncoding.EncodeToString([]byte("user:" + secret + ":more")),
		} {
			if !slices.Contains(s.found(map[string]string{"the log": text}), what+" is in the log") {
				t.Errorf("%s is not found %s", what, form)
			}
		}
	}
	if list := s.found(map[string]string{"the log": "nothing of it"}); list != nil {
		t.Errorf("%q were found in nothing", list)
	}
}

// A run that does everything that there is to do with a secret, in right and in broken ways, with the log at its most
// talkative, metrics and traces on.
func TestNoOutputHasASecretInIt(t *testing.T) {
	testdb.Each(t, func(t *testing.T, databaseURL string) {
		run := startScan(t, databaseURL)
		run.signInAndOut(t)
		run.breakGraphQL(t)
		run.breakREST(t)
		run.breakDatabase(t)
		for _, line := range run.secrets.found(run.outputs(t)) {
			t.Error(line)
		}
	})
}

// Were a secret logged, counted and traced, the scan would see it: an operation has it for a name.
func TestTheScanReadsEveryOutput(t *testing.T) {
	run := startScan(t, testdb.SQLite(t))
	const planted = "PlantedWhereEverybodyLooks"
	run.secrets["the planted"] = planted
	run.graphql(t, `query `+planted+` { protected }`, nil)
	run.graphql(t, `{ protected }`, nil, "Authorization", "Bearer "+planted)
	run.graphql(t, `{ protected(`+planted+`: 1) }`, nil)
	run.graphql(t, `mutation { tokenObtain(username: "ada", password: "nonsense nonsense") { access } }`, nil, "User-Agent", planted)
	got := run.secrets.found(run.outputs(t))
	for _, where := range []string{"the log", "the metrics", "the spans", "the database", "the answers"} {
		if !slices.Contains(got, "the planted is in "+where) {
			t.Errorf("it was not found in %s: %q", where, got)
		}
	}
}

// scan is a server whose every output is kept.
type scan struct {
	*server
	secrets  secrets
	database string
	metrics  string // its URL
	drained  chan error

	mu      sync.Mutex
	spans   bytes.Buffer
	answers strings.Builder // to requests that were to be refused
	command strings.Builder // what createsuperuser wrote
}

func startScan(t *testing.T, databaseURL string) *scan {
	t.Helper()
	run := &scan{drained: make(chan error, 1), secrets: secrets{
		"the right password": rightPassword, "the wrong password": wrongPassword, "the new password": newPassword,
		"LATCHKEY_SECRET_KEY": secretKey, "the password of the database": dbPassword,
	}}
	if u, err := url.Parse(databaseURL); err == nil && u.User != nil {
		u.User = url.UserPassword(u.User.Username(), dbPassword) // the server does not ask for one
		databaseURL = u.String()
	}
	run.database = databaseURL
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		run.mu.Lock()
		defer run.mu.Unlock()
		if _, err := run.spans.ReadFrom(r.Body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(collector.Close)
	settings := environment(
		"LATCHKEY_DATABASE_URL="+databaseURL, "LATCHKEY_SECRET_KEY="+secretKey, "LATCHKEY_LOG_LEVEL=debug",
		"LATCHKEY_METRICS_ADDR=127.0.0.1:0", "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL,
		"LATCHKEY_REFRESH_REUSE_LEEWAY=0", "LATCHKEY_THROTTLE=false",
	)
	settings = slices.DeleteFunc(settings, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "LATCHKEY_THROTTLE" && !slices.Contains(config.Variables(), name)
	})
	dir := t.TempDir()
	create := exec.Command("latchkey", "createsuperuser", "--username", "ada", "--email", "ada@example.org", "--password-stdin")
	create.Dir, create.Env, create.Stdin = dir, settings, strings.NewReader(rightPassword+"\n")
	create.Stdout, create.Stderr = &run.command, &run.command
	if err := create.Run(); err != nil {
		t.Fatalf("createsuperuser: %v\n%s", err, &run.command)
	}
	s, err := startServer(dir, settings, "latchkey", "serve")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	run.server = s
	at := regexp.MustCompile(`"msg":"serving metrics","address":"([^"]*)"`).FindStringSubmatch(s.log.String())
	if at == nil {
		t.Fatalf("no metrics are served:\n%s", s.log.String())
	}
	run.metrics = "http://" + at[1] + "/metrics"
	go func() { // so that the log never waits for a reader
		_, err := s.awaitLog("stopping")
		run.drained <- err
	}()
	run.addKeys(t)
	return run
}

// addKeys adds the private halves of the signing keys.
func (s *scan) addKeys(t *testing.T) {
	t.Helper()
	a, err := app.Open(t.Context(), app.Options{Logger: slog.New(slog.DiscardHandler), Settings: s.settings(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close() //nolint:errcheck // it was only read
	key, ok := a.Keys.Ring().Signing().Private.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("the signing key is a %T", a.Keys.Ring().Signing().Private)
	}
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s.secrets.bytes("the signing key", raw)
	s.secrets["the signing key, as a number"] = new(big.Int).SetBytes(raw).String()
}

func (s *scan) settings(t *testing.T) *config.Settings {
	t.Helper()
	settings, err := config.Load([]string{"LATCHKEY_DATABASE_URL=" + s.database, "LATCHKEY_SECRET_KEY=" + secretKey}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// outputs ends the server and returns all that it has shown to anybody.
func (s *scan) outputs(t *testing.T) map[string]string {
	t.Helper()
	metrics := get(t, s.metrics)
	printed := s.printed()
	if err := s.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-s.drained; err != nil {
		t.Fatal(err)
	}
	if status, err := s.wait(); status != 0 || err != nil {
		t.Errorf("exit status %d, %v", status, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	outputs := map[string]string{
		"standard output": printed, "the log": s.log.String(), "the metrics": metrics, "the spans": s.spans.String(),
		"the answers": s.answers.String(), "what createsuperuser wrote": s.command.String(), "the database": s.rows(t),
	}
	for _, where := range []string{"the log", "the metrics", "the spans", "the answers", "the database"} {
		if outputs[where] == "" {
			t.Errorf("%s are empty: there is nothing to scan", where)
		}
	}
	return outputs
}

// rows returns every row of every table as text.
func (s *scan) rows(t *testing.T) string {
	t.Helper()
	driver, source, tables := "pgx", s.database, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
	if path, ok := strings.CutPrefix(s.database, "sqlite:"); ok {
		driver, source, tables = "sqlite", path, "SELECT name FROM sqlite_schema WHERE type = 'table'"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	var all strings.Builder
	for _, table := range s.read(t, db, tables) {
		all.WriteString(strings.Join(s.read(t, db, fmt.Sprintf("SELECT * FROM %q", table)), "\n") + "\n")
	}
	return all.String()
}

func (s *scan) read(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // it was read to its end
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for rows.Next() {
		fields, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range fields {
			into[i] = &fields[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i, f := range fields {
			if raw, ok := f.([]byte); ok {
				fields[i] = string(raw)
			}
		}
		list = append(list, strings.Trim(fmt.Sprintln(fields...), "\n"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// send sends a request and returns the answer. header is a list of names and values.
func (s *scan) send(t *testing.T, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(content)
}

// refused sends a request that must not give anything, and keeps the answer to look at.
func (s *scan) refused(t *testing.T, method, path, body string, header ...string) {
	t.Helper()
	response, content := s.send(t, method, path, body, header...)
	if strings.Contains(content, `"access":"`) || response.StatusCode == http.StatusOK && !strings.Contains(content, `"errors":`) {
		t.Errorf("%s %s with %s was not refused: %d %s", method, path, body, response.StatusCode, content)
	}
	fmt.Fprintf(&s.answers, "%d %s\n", response.StatusCode, content)
	for name, values := range response.Header {
		if name != "Location" { // sends a client to where it wanted to go
			fmt.Fprintf(&s.answers, "%s: %s\n", name, strings.Join(values, ", "))
		}
	}
}

const jsonType = "application/json"

func graphqlBody(t *testing.T, query string, variables map[string]any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// graphql sends an operation that must fail.
func (s *scan) graphql(t *testing.T, query string, variables map[string]any, header ...string) {
	t.Helper()
	s.refused(t, http.MethodPost, "/graphql", graphqlBody(t, query, variables), append([]string{"Content-Type", jsonType}, header...)...)
}

// granted sends an operation that must succeed, and returns the answer.
func (s *scan) granted(t *testing.T, query string, variables map[string]any, header ...string) (*http.Response, string) {
	t.Helper()
	response, content := s.send(t, http.MethodPost, "/graphql", graphqlBody(t, query, variables), append([]string{"Content-Type", jsonType}, header...)...)
	if strings.HasPrefix(content, `{"errors":`) {
		t.Fatalf("%s: %s", query, content)
	}
	return response, content
}

// keep adds every token of an answer to the secrets and returns the last access and refresh token.
func (s *scan) keep(what, content string) (access, refresh string) {
	for _, m := range regexp.MustCompile(`"(access|refresh)":"([^"]+)"`).FindAllStringSubmatch(content, -1) {
		s.secrets.token(fmt.Sprintf("the %s token of %s", m[1], what), m[2])
		if m[1] == "access" {
			access = m[2]
		} else {
			refresh = m[2]
		}
	}
	return access, refresh
}

const obtain = `mutation SignIn($p: String!) { tokenObtain(username: "ada", password: $p) { access refresh } }`

// signInAndOut goes through the life of sessions, over GraphQL and REST.
func (s *scan) signInAndOut(t *testing.T) {
	t.Helper()
	_, content := s.granted(t, obtain, map[string]any{"p": rightPassword})
	access, refresh := s.keep("a sign-in", content)
	bearer := "Bearer " + access
	s.granted(t, `query Me { me { id username sessions { id } } protected }`, nil, "Authorization", bearer)
	s.granted(t, `mutation V($t: String!) { tokenVerify(token: $t) { sessionId } }`, map[string]any{"t": access})
	_, content = s.granted(t, `mutation R($t: String) { tokenRefresh(refresh: $t) { access refresh } }`, map[string]any{"t": refresh})
	_, next := s.keep("a refresh", content)
	s.graphql(t, `mutation R($t: String) { tokenRefresh(refresh: $t) { access refresh } }`, map[string]any{"t": refresh}) // reuse
	s.graphql(t, `mutation R($t: String) { tokenRefresh(refresh: $t) { access refresh } }`, map[string]any{"t": next})
	s.graphql(t, `{ protected }`, nil, "Authorization", bearer) // revoked

	response, content := s.granted(t, `mutation { tokenObtain(username: "ada", password: "`+rightPassword+`", delivery: COOKIE) { access } }`, nil)
	s.keep("a sign-in with a cookie", content)
	cookie := response.Cookies()[0]
	s.secrets.token("the cookie", cookie.Value)
	s.graphql(t, `mutation { tokenRefresh(delivery: COOKIE) { access } }`, nil, "Cookie", cookie.Name+"="+cookie.Value, "Origin", "https://evil.example")
	s.graphql(t, `mutation { tokenRefresh { access } }`, nil, "Cookie", cookie.Name+"="+cookie.Value[:len(cookie.Value)-9]+"AAAAAAAAA")
	response, content = s.granted(t, `mutation { tokenRefresh(delivery: COOKIE) { access } }`, nil, "Cookie", cookie.Name+"="+cookie.Value)
	access, _ = s.keep("a refresh with a cookie", content)
	if len(response.Cookies()) > 0 {
		s.secrets.token("the next cookie", response.Cookies()[0].Value)
	}
	bearer = "Bearer " + access

	const change = `mutation C($c: String!, $n: String!) { passwordChange(current: $c, new: $n) { tokens { access refresh } errors { code } } }`
	_, content = s.granted(t, change, map[string]any{"c": wrongPassword, "n": newPassword}, "Authorization", bearer)
	s.answers.WriteString(content)
	_, content = s.granted(t, change, map[string]any{"c": rightPassword, "n": newPassword}, "Authorization", bearer)
	access, _ = s.keep("a change of the password", content)
	_, content = s.granted(t, change, map[string]any{"c": newPassword, "n": rightPassword}, "Authorization", "Bearer "+access)
	access, refresh = s.keep("a change back", content)
	_, content = s.granted(t, `mutation U($p: String!) { userCreate(input: {username: "bob", password: $p}) { user { id } errors { code } } }`,
		map[string]any{"p": newPassword}, "Authorization", "Bearer "+access)
	s.answers.WriteString(content)
	s.granted(t, `mutation O($t: String) { tokenRevoke(refresh: $t) }`, map[string]any{"t": refresh})

	for _, body := range []struct{ kind, text string }{
		{jsonType, `{"username":"ada","password":"` + rightPassword + `"}`},
		{"application/x-www-form-urlencoded", "username=ada&password=" + rightPassword},
	} {
		answered, content := s.send(t, http.MethodPost, "/api/token/", body.text, "Content-Type", body.kind)
		if answered.StatusCode != http.StatusOK {
			t.Fatalf("/api/token/: %s", content)
		}
		access, refresh = s.keep("/api/token/ with "+body.kind, content)
		answered, content = s.send(t, http.MethodPost, "/api/token/verify/", `{"token":"`+access+`"}`, "Content-Type", jsonType)
		if answered.StatusCode != http.StatusOK {
			t.Fatalf("/api/token/verify/: %s", content)
		}
		_, content = s.send(t, http.MethodPost, "/api/token/refresh/", "refresh="+refresh, "Content-Type", "application/x-www-form-urlencoded")
		_, refresh = s.keep("/api/token/refresh/ after "+body.kind, content)
		if answered, content = s.send(t, http.MethodPost, "/api/token/blacklist/", `{"refresh":"`+refresh+`"}`, "Content-Type", jsonType); answered.StatusCode != http.StatusOK {
			t.Fatalf("/api/token/blacklist/: %s", content)
		}
	}
}

// breakGraphQL sends secrets to /graphql in every way but the right one.
func (s *scan) breakGraphQL(t *testing.T) {
	t.Helper()
	_, content := s.granted(t, obtain, map[string]any{"p": rightPassword})
	access, refresh := s.keep("a sign-in before all breaks", content)
	tampered := access[:len(access)-8] + "AAAAAAAA"

	s.graphql(t, obtain, map[string]any{"p": wrongPassword})
	s.graphql(t, `mutation { tokenObtain(username: "nobody", password: "`+wrongPassword+`") { access } }`, nil)
	s.graphql(t, `mutation { tokenObtain(username: "`+wrongPassword+`", password: "`+rightPassword+`") { access } }`, nil) // the wrong way round
	s.graphql(t, `mutation { tokenObtain(username: "ada", password: "`+rightPassword+`) { access } }`, nil)
	s.graphql(t, `mutation { tokenObtain(username: "ada", password: """`+rightPassword+`) { access } }`, nil)
	s.graphql(t, `mutation { tokenObtain(username: "ada", password: `+strings.ReplaceAll(rightPassword, "-", "_")+`) { access } }`, nil)
	s.graphql(t, `mutation { tokenObtain(username: "ada", password: "`+rightPassword+`", nosuch: "`+refresh+`") { access } }`, nil)
	s.graphql(t, `mutation { tokenObtain(username: "ada", password: ["`+rightPassword+`"]) { access } }`, nil)
	s.graphql(t, `mutation { tokenObtain(username: "ada", password: "`+rightPassword+`", delivery: "`+refresh+`") { access } }`, nil)
	s.graphql(t, `mutation { tokenObtain(username: "ada", password: "`+rightPassword+`") { nosuchfield } }`, nil)
	s.graphql(t, obtain, map[string]any{"p": []string{rightPassword}})
	s.graphql(t, obtain, map[string]any{"p": map[string]string{"password": rightPassword}})
	s.graphql(t, obtain, map[string]any{"p": nil, "password": rightPassword})
	s.graphql(t, `mutation V($t: Int!) { tokenVerify(token: $t) { sessionId } }`, map[string]any{"t": access})
	s.graphql(t, `mutation { tokenVerify(token: "`+tampered+`") { sessionId } }`, nil)
	s.graphql(t, `mutation { tokenRefresh(refresh: "`+access+`") { access } }`, nil)
	s.graphql(t, `query { user(id: "`+access+`") { id } }`, nil, "Authorization", "Bearer "+access)
	s.graphql(t, `query { users(first: 1, after: "`+refresh+`") { edges { cursor } } }`, nil, "Authorization", "Bearer "+access)

	for _, authorization := range []string{
		"Bearer " + tampered, "Bearer " + access + " more", "Bearer  ", "Bearer" + access, access, "bearer " + access, "Bearer " + refresh,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("ada:"+rightPassword)), "Bearer " + rightPassword, "Token " + refresh,
	} {
		s.graphql(t, `query Guarded { protected }`, nil, "Authorization", authorization)
	}

	post := func(body string, header ...string) {
		t.Helper()
		s.refused(t, http.MethodPost, "/graphql", body, append([]string{"Content-Type", jsonType}, header...)...)
	}
	post(`{"query":"mutation { tokenObtain(username: \"ada\", password: \"` + rightPassword + `\") { access } }`)
	post(`{"query":"{ protected }","variables":{"p":"` + rightPassword + `"`)
	post(`{"query":"{ protected }","variables":"` + rightPassword + `"}`)
	post(`{"query":"{ protected }","operationName":"` + refresh + `"}`)
	post(`{"query":"query ` + refresh + ` { protected }","operationName":"` + refresh + `"}`)
	post(`{"query":{"password":"` + rightPassword + `"}}`)
	post(`{"query":"{ protected }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + refresh + `"}}}`)
	post(`[{"query":"mutation { tokenObtain(username: \"ada\", password: \"` + rightPassword + `\") { access } }"}]`)
	post(rightPassword)
	post(`{"query":"{ protected }"}`, "Content-Type", "text/plain; "+refresh)
	post(`username=ada&password=`+rightPassword, "Content-Type", "application/x-www-form-urlencoded")
	post(`{"query":"{ protected }"}`, "Cookie", "__Host-latchkey="+refresh+"; latchkey_refresh="+refresh)

	query := url.QueryEscape(`mutation { tokenObtain(username: "ada", password: "` + rightPassword + `") { access } }`)
	s.refused(t, http.MethodGet, "/graphql?query="+query, "")
	s.refused(t, http.MethodGet, "/graphql?access_token="+access+"&query="+url.QueryEscape("{ protected }"), "")
	s.refused(t, http.MethodGet, "/graphql?query="+url.QueryEscape("{ protected }")+"&variables="+url.QueryEscape(`{"p":"`+rightPassword), "")
	s.refused(t, http.MethodGet, "/graphql?query=%zz"+rightPassword, "")
	s.refused(t, "PUT", "/graphql?token="+refresh, rightPassword)
}

// breakREST does so with the other paths.
func (s *scan) breakREST(t *testing.T) {
	t.Helper()
	_, content := s.granted(t, obtain, map[string]any{"p": rightPassword})
	access, refresh := s.keep("a sign-in before REST breaks", content)

	for _, body := range []string{
		`{"username":"ada","password":"` + wrongPassword + `"}`, `{"username":"ada","password":"` + rightPassword, `["` + rightPassword + `"]`,
		`{"username":"ada","password":["` + rightPassword + `"]}`, `{"username":["ada"],"password":"` + rightPassword + `"}`,
		`{"username":"ada","password":{"p":"` + rightPassword + `"}}`, `{"username":"` + rightPassword + `"}`, rightPassword,
	} {
		s.refused(t, http.MethodPost, "/api/token/", body, "Content-Type", jsonType)
	}
	s.refused(t, http.MethodPost, "/api/token/", "username=ada&password="+wrongPassword, "Content-Type", "application/x-www-form-urlencoded")
	s.refused(t, http.MethodPost, "/api/token/", "password="+rightPassword+"&password=%zz", "Content-Type", "application/x-www-form-urlencoded")
	s.refused(t, http.MethodPost, "/api/token/", "username: ada, password: "+rightPassword, "Content-Type", "text/yaml")
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	if err := parts.WriteField("password", rightPassword); err != nil {
		t.Fatal(err)
	}
	s.refused(t, http.MethodPost, "/api/token/", form.String(), "Content-Type", parts.FormDataContentType()) // without its end
	for _, path := range []string{"/api/token/refresh/", "/api/token/verify/", "/api/token/blacklist/"} {
		s.refused(t, http.MethodPost, path, `{"refresh":"`+access+`","token":"`+access[:len(access)-8]+`AAAAAAAA"}`, "Content-Type", jsonType)
		s.refused(t, http.MethodPost, path, `{"refresh":"`+refresh+`","token":"`+refresh, "Content-Type", jsonType)
		s.refused(t, http.MethodPost, path+"?refresh="+refresh, "", "Content-Type", jsonType)
		s.refused(t, "X"+strings.ReplaceAll(rightPassword, "-", ""), path, "")
	}
	s.secrets["the right password, as a method"] = strings.ReplaceAll(rightPassword, "-", "")
	s.refused(t, http.MethodPost, "/api/token?password="+rightPassword, "")
	s.refused(t, http.MethodGet, "/protected/?token="+access, "")
	s.refused(t, http.MethodGet, "/protected/", "", "Authorization", "Bearer "+access+" "+refresh)
	s.refused(t, http.MethodGet, "/protected/", "", "Authorization", "Bearer "+access[:len(access)-8]+"AAAAAAAA")
	s.refused(t, http.MethodGet, "/nowhere?password="+rightPassword, "")
	s.refused(t, http.MethodGet, "/api/token/"+refresh, "")
	s.refused(t, http.MethodGet, "/graphiql/"+refresh, "")
}

// breakDatabase takes the tables of sessions away: the drivers' errors are logged.
func (s *scan) breakDatabase(t *testing.T) {
	t.Helper()
	_, content := s.granted(t, obtain, map[string]any{"p": rightPassword})
	access, refresh := s.keep("a sign-in before the database breaks", content)
	driver, source := "pgx", s.database
	if path, ok := strings.CutPrefix(s.database, "sqlite:"); ok {
		driver, source = "sqlite", path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the test has what it wants
	rename := func(from, to string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			t.Fatal(err)
		}
	}
	rename("sessions", "gone")
	s.graphql(t, obtain, map[string]any{"p": rightPassword})
	s.graphql(t, `mutation R($t: String) { tokenRefresh(refresh: $t) { access refresh } }`, map[string]any{"t": refresh})
	s.refused(t, http.MethodPost, "/api/token/", `{"username":"ada","password":"`+rightPassword+`"}`, "Content-Type", jsonType)
	s.refused(t, http.MethodPost, "/api/token/refresh/", `{"refresh":"`+refresh+`"}`, "Content-Type", jsonType)
	rename("users", "gone_too")
	s.graphql(t, obtain, map[string]any{"p": rightPassword})
	s.graphql(t, `{ me { username } }`, nil, "Authorization", "Bearer "+access)
	rename("gone_too", "users")
	rename("gone", "sessions")
	if !strings.Contains(s.answers.String(), "INTERNAL_SERVER_ERROR") {
		t.Error("no fault was provoked")
	}
}
