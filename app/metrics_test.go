package app_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"latchkey/app"
	"latchkey/auth"
	"latchkey/auth/password"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

var update = flag.Bool("update", false, "rewrite docs/metrics.md")

func withMetrics(s *config.Settings) { s.MetricsAddr = "127.0.0.1:0" }

// scrape returns the metrics as Prometheus gets them.
func scrape(t *testing.T, a *app.App) string {
	t.Helper()
	w := httptest.NewRecorder()
	a.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func parse(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value returns the value of a series, as in `name{label="value"}`, with all of its labels in the order of their names.
func value(t *testing.T, text, series string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "none"
}

// everyMetric uses the server until every metric has a series.
func everyMetric(t *testing.T, s *testkit.Server) {
	t.Helper()
	s.AddUser("ada")
	pair := s.SignIn("ada")
	s.Protected("Bearer " + pair.Access)
}

func TestThePageOfMetricsIsPrintedFromTheTable(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), withMetrics)
	everyMetric(t, s)
	const path = "../docs/metrics.md"
	page, err := template.ParseFiles("testdata/metrics.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := page.Execute(&want, map[string]any{
		"Metrics": metricsTable(parse(t, scrape(t, s.App))),
		"SignIns": words(auth.SignInOutcomes()), "Refreshes": words(auth.RefreshOutcomes()),
	}); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("docs/metrics.md is not what the server says; `make generate` prints it anew (-want +got):\n%s", diff)
	}
}

// metricsTable has a row for each metric of Latchkey's own: name, type, labels, help.
func metricsTable(families map[string]*dto.MetricFamily) string {
	var names []string
	for name := range families {
		if strings.HasPrefix(name, "latchkey_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("| name | type | labels | |\n| --- | --- | --- | --- |\n")
	for _, name := range names {
		var labels []string
		for _, l := range families[name].GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(families[name].GetType().String()),
			strings.Join(labels, ", "), families[name].GetHelp())
	}
	return b.String()
}

func words(list []string) string { return "`" + strings.Join(list, "`, `") + "`" }

func TestMetricsAreTheSameAndWellFormedWithBothDatabases(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		everyMetric(t, s)
		text := scrape(t, s.App)
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
		families := parse(t, text)
		if table := metricsTable(families); !strings.Contains(string(page), table) {
			t.Errorf("docs/metrics.md does not have this table:\n%s", table)
		}
		for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
			if families[name] == nil {
				t.Errorf("%s is missing", name)
			}
		}
		pools := map[string]bool{}
		for _, m := range families["latchkey_db_connections_max"].GetMetric() {
			pools[m.GetLabel()[0].GetValue()] = true
			if m.GetGauge().GetValue() < 1 {
				t.Errorf("a pool has no bound: %v", m)
			}
		}
		if !pools["read"] && !pools["main"] || len(pools) < 2 {
			t.Errorf("the pools are %v", pools)
		}
	}, withMetrics)
}

func TestWhatIsCounted(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), withMetrics, func(s *config.Settings) { s.RefreshReuseLeeway = 10 * time.Second })
	s.AddUser("ada")
	pair := s.SignIn("ada")
	s.Obtain("ada", "wrong horse battery")
	rest := func(body string) int {
		response, err := http.Post(s.URL+"/api/token/", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close() //nolint:errcheck // nothing was written
		return response.StatusCode
	}
	if ok, no := rest(`{"username":"ada","password":"`+testkit.Password+`"}`), rest(`{"username":"ada","password":"wrong"}`); ok != 200 || no != 401 {
		t.Fatalf("/api/token/ answered %d and %d", ok, no)
	}
	s.Refresh(pair.Refresh)
	s.Refresh(pair.Refresh)
	s.Clock.Advance(11 * time.Second)
	s.Refresh(pair.Refresh)
	s.Refresh("nonsense")
	s.Query("query Guarded { protected }", nil)
	s.Query("query Guarded { protected }", nil, "Authorization", "Bearer "+s.SignIn("ada").Access)
	s.Query("{ nosuch }", nil)
	s.Get("/healthz")
	s.Get("/nowhere/at/all")

	text := scrape(t, s.App)
	for series, want := range map[string]string{
		`latchkey_sign_ins_total{outcome="ok"}`:                                                                  "3",
		`latchkey_sign_ins_total{outcome="invalid_credentials"}`:                                                 "2",
		`latchkey_refreshes_total{outcome="ok"}`:                                                                 "1",
		`latchkey_refreshes_total{outcome="repeated"}`:                                                           "1",
		`latchkey_refreshes_total{outcome="reused"}`:                                                             "1",
		`latchkey_refreshes_total{outcome="malformed"}`:                                                          "1",
		`latchkey_refreshes_total{outcome="error"}`:                                                              "0",
		`latchkey_events_total{event="refresh_reused"}`:                                                          "1",
		`latchkey_graphql_operations_total{code="UNAUTHENTICATED",operation="Guarded",type="query"}`:             "1",
		`latchkey_graphql_operations_total{code="OK",operation="Guarded",type="query"}`:                          "1",
		`latchkey_graphql_operation_duration_seconds_count{operation="Guarded",type="query"}`:                    "2",
		`latchkey_graphql_operations_total{code="INVALID_CREDENTIALS",operation="anonymous",type="mutation"}`:    "1",
		`latchkey_graphql_operations_total{code="GRAPHQL_VALIDATION_FAILED",operation="unknown",type="unknown"}`: "1",
		`latchkey_http_requests_total{route="/healthz",status="2xx"}`:                                            "1",
		`latchkey_http_requests_total{route="/api/token/",status="2xx"}`:                                         "1",
		`latchkey_http_requests_total{route="/api/token/",status="4xx"}`:                                         "1",
		`latchkey_http_requests_total{route="none",status="4xx"}`:                                                "1",
		`latchkey_http_request_duration_seconds_count{route="none"}`:                                             "1",
		`latchkey_http_requests_in_flight`:                                                                       "0",
		`latchkey_token_cache_lookups_total{result="hit"}`:                                                       "1",

		`latchkey_signing_keys`:                     "2",
		`latchkey_password_hashes_refused_total`:    "0",
		`latchkey_db_connections_max{pool="write"}`: "1",
	} {
		if got := value(t, text, series); got != want {
			t.Errorf("%s is %s, want %s", series, got, want)
		}
	}
	if got := value(t, text, "latchkey_signing_key_activated_timestamp_seconds"); got == "none" || got == "0" {
		t.Errorf("the signing key took over at %s", got)
	}
}

// Names that clients make up cost a bounded number of series, and strangers leave room for those who are signed in.
func TestNamesOfOperationsAreBounded(t *testing.T) {
	s := testkit.Start(t, testdb.SQLite(t), withMetrics)
	s.AddUser("ada")
	bearer := "Bearer " + s.SignIn("ada").Access
	for i := range 120 {
		s.Query(fmt.Sprintf("query Stranger%d { __typename }", i), nil)
	}
	for i := range 120 {
		s.Query(fmt.Sprintf("query Known%d { protected }", i), nil, "Authorization", bearer)
	}
	count := func() (strangers, known int) {
		for _, m := range parse(t, scrape(t, s.App))["latchkey_graphql_operations_total"].GetMetric() {
			for _, l := range m.GetLabel() {
				if strings.HasPrefix(l.GetValue(), "Stranger") {
					strangers++
				}
				if strings.HasPrefix(l.GetValue(), "Known") {
					known++
				}
			}
		}
		return strangers, known
	}
	if strangers, known := count(); strangers != 50 || known != 50 {
		t.Errorf("%d names of strangers and %d of a user have series, want 50 and 50", strangers, known)
	}
	text := scrape(t, s.App)
	if got := value(t, text, `latchkey_graphql_operations_total{code="OK",operation="other",type="query"}`); got != "140" {
		t.Errorf("%s others were counted, want 140", got)
	}
	s.Query("query Stranger7 { __typename }", nil)
	if got := value(t, scrape(t, s.App), `latchkey_graphql_operations_total{code="OK",operation="Stranger7",type="query"}`); got != "2" {
		t.Errorf("a name that has a series was counted %s times, want 2", got)
	}
}

func TestThereAreNoMetricsWithoutAnAddress(t *testing.T) {
	if s := testkit.Start(t, testdb.SQLite(t)); s.App.MetricsHandler() != nil {
		t.Error("there is a handler")
	}
}

// opened is an App that logs into a buffer.
func opened(t *testing.T, change func(*config.Settings), environ ...string) (*app.App, *logBuffer) {
	t.Helper()
	settings := testkit.Settings(t, testdb.SQLite(t))
	settings.Addr = "127.0.0.1:0"
	change(settings)
	log := &logBuffer{}
	a, err := app.Open(t.Context(), app.Options{
		Settings: settings, Logger: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Hashing: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1}, Environ: environ,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a, log
}

func TestTheListenerForMetricsServesNothingElseAndEndsWithTheServer(t *testing.T) {
	a, log := opened(t, withMetrics)
	defer a.Close() //nolint:errcheck // the test is over
	l, err := a.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := withCancel(t)
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx, l) }()
	// An answer says that the other listener is there, too: it is opened before.
	if response, err := http.Get("http://" + l.Addr().String() + "/metrics"); err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("the server itself answers /metrics: %v, %v", response, err)
	}
	at := regexp.MustCompile(`"msg":"serving metrics","address":"([^"]*)"`).FindStringSubmatch(log.String())
	if at == nil {
		t.Fatalf("no address was logged:\n%s", log)
	}
	for path, want := range map[string]int{"/metrics": 200, "/": 404, "/graphql": 404, "/debug/pprof/": 404, "/healthz": 404} {
		response, err := http.Get("http://" + at[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != want || (want == 200) != bytes.Contains(body, []byte("latchkey_build_info{")) {
			t.Errorf("%s: %d, %v", path, response.StatusCode, err)
		}
		response.Body.Close() //nolint:errcheck // it was read
	}
	if response, err := http.Post("http://"+at[1]+"/metrics", "text/plain", strings.NewReader("x")); err != nil || response.StatusCode != 405 {
		t.Errorf("POST: %v, %v", response, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", at[1]); err == nil {
		conn.Close() //nolint:errcheck // it should not be there
		t.Error("the listener for metrics outlived the server")
	}
}

func TestAnAddressForMetricsThatIsInUseStopsTheStart(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // the test is over
	a, _ := opened(t, func(s *config.Settings) { s.MetricsAddr = other.Addr().String() })
	defer a.Close() //nolint:errcheck // the test is over
	if _, err := a.Listen(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "LATCHKEY_METRICS_ADDR: ") ||
		!strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}
