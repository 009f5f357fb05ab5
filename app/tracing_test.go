package app_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"latchkey/app"
	"latchkey/auth/password"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

func withCancel(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

// collector takes spans as OTLP over HTTP.
type collector struct {
	*httptest.Server

	mu       sync.Mutex
	spans    []*tracepb.Span
	resource map[string]string
	raw      []byte
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{resource: map[string]string{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s with %s: %v", r.URL, r.Header, err)
		}
		var request coltracepb.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw = append(c.raw, body...)
		for _, rs := range request.GetResourceSpans() {
			for _, a := range rs.GetResource().GetAttributes() {
				c.resource[a.GetKey()] = a.GetValue().GetStringValue()
			}
			for _, ss := range rs.GetScopeSpans() {
				c.spans = append(c.spans, ss.GetSpans()...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// traced opens a Latchkey whose traces go where the OTEL_* variables say, which the SDK reads from the process.
func traced(t *testing.T, databaseURL string, variables ...string) (*testkit.Server, *logBuffer) {
	t.Helper()
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	log := &logBuffer{}
	a, err := app.Open(t.Context(), app.Options{
		Settings: testkit.Settings(t, databaseURL), Logger: slog.New(slog.NewJSONHandler(log, nil)),
		Hashing: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1}, Environ: os.Environ(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return testkit.Serve(t, a, testkit.NotFollowing), log
}

// attributes returns the attributes of a span as text.
func attributes(span *tracepb.Span) map[string]string {
	m := map[string]string{}
	for _, a := range span.GetAttributes() {
		switch {
		case a.GetValue().GetStringValue() != "":
			m[a.GetKey()] = a.GetValue().GetStringValue()
		default:
			m[a.GetKey()] = fmt.Sprint(a.GetValue().GetIntValue())
		}
	}
	return m
}

func TestARequestAnOperationAndAStatementAreSpansOfTheCallersTrace(t *testing.T) {
	for name, database := range map[string]func(testing.TB) string{"sqlite": testdb.SQLite, "postgresql": testdb.Postgres} {
		t.Run(name, func(t *testing.T) {
			c := startCollector(t)
			s, log := traced(t, database(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test")
			id := s.AddUser("ada")
			pair := s.SignIn("ada")
			const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
			s.Query("query Me { me { id } }", nil, "Authorization", "Bearer "+pair.Access,
				"traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
			s.Query("query Guarded { protected }", nil, "traceparent", "00-"+strings.Repeat("7", 32)+"-00f067aa0ba902b7-01")
			s.Query("query Unsampled { protected }", nil, "traceparent", "00-"+strings.Repeat("8", 32)+"-00f067aa0ba902b7-00")
			s.Get("/healthz")
			if err := s.App.Close(); err != nil { // sends what waits
				t.Fatal(err)
			}

			if c.resource["service.name"] != "latchkey" || c.resource["deployment.environment.name"] != "test" || c.resource["service.version"] == "" {
				t.Errorf("the resource is %v", c.resource)
			}
			of := map[string][]*tracepb.Span{}
			for _, span := range c.spans {
				of[fmt.Sprintf("%x", span.GetTraceId())] = append(of[fmt.Sprintf("%x", span.GetTraceId())], span)
			}
			list := of[trace]
			if len(list) != 3 {
				t.Fatalf("the trace has %d spans, want a request, an operation and a statement: %v", len(list), list)
			}
			slices.SortFunc(list, func(a, b *tracepb.Span) int {
				return int(a.GetStartTimeUnixNano()) - int(b.GetStartTimeUnixNano())
			})
			request, operation, statement := list[0], list[1], list[2]
			if request.GetName() != "POST /graphql" || request.GetKind() != tracepb.Span_SPAN_KIND_SERVER || fmt.Sprintf("%x", request.GetParentSpanId()) != "00f067aa0ba902b7" {
				t.Errorf("the request is %v", request)
			}
			if got := attributes(request); got["http.response.status_code"] != "200" || got["user.id"] != id || got["url.path"] != "/graphql" ||
				got["http.route"] != "/graphql" || got["latchkey.request_id"] == "" || got["client.address"] != "127.0.0.1" {
				t.Errorf("the request has %v", got)
			}
			if operation.GetName() != "query Me" || string(operation.GetParentSpanId()) != string(request.GetSpanId()) {
				t.Errorf("the operation is %v", operation)
			}
			if got := attributes(operation); len(got) != 2 || got["graphql.operation.name"] != "Me" || got["graphql.operation.type"] != "query" {
				t.Errorf("the operation has %v", got)
			}
			if statement.GetName() != "SELECT" || statement.GetKind() != tracepb.Span_SPAN_KIND_CLIENT || string(statement.GetParentSpanId()) != string(operation.GetSpanId()) {
				t.Errorf("the statement is %v", statement)
			}
			if got := attributes(statement); got["db.system.name"] != name || !strings.Contains(got["db.query.text"], "users.id = $1") {
				t.Errorf("the statement has %v", got)
			}
			if len(of[strings.Repeat("8", 32)]) != 0 {
				t.Error("a trace that the caller does not sample was sent")
			}
			for _, span := range of[strings.Repeat("7", 32)] {
				if span.GetName() == "query Guarded" && (span.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR || attributes(span)["error.type"] != "UNAUTHENTICATED") {
					t.Errorf("a refused operation is %v", span)
				}
			}
			for _, span := range c.spans {
				if strings.Contains(span.GetName(), "health") || len(span.GetParentSpanId()) == 0 && span.GetKind() != tracepb.Span_SPAN_KIND_SERVER {
					t.Errorf("%s is a trace by itself", span.GetName())
				}
			}
			if !strings.Contains(log.String(), `"trace_id":"`+trace+`"`) {
				t.Errorf("the trace is not in the log:\n%s", log)
			}
		})
	}
}

// What a driver says of a failure may have a value in it, so the span has its code alone.
func TestAFailedStatementIsTracedWithoutItsText(t *testing.T) {
	c := startCollector(t)
	url := testdb.Postgres(t)
	s, _ := traced(t, url, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	s.AddUser("ada")
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context()) //nolint:errcheck // the test is over
	if _, err := db.Exec(t.Context(), "ALTER TABLE sessions RENAME TO gone"); err != nil {
		t.Fatal(err)
	}
	_, answer := s.Obtain("ada", testkit.Password)
	if !strings.Contains(answer.Body, "INTERNAL_SERVER_ERROR") {
		t.Fatal(answer.Body)
	}
	if err := s.App.Close(); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, span := range c.spans {
		found = found || attributes(span)["db.response.status_code"] == "42P01"
		if len(span.GetEvents()) > 0 || span.GetStatus().GetMessage() != "" {
			t.Errorf("%s tells more than a code: %v", span.GetName(), span)
		}
	}
	if !found {
		t.Error("no statement failed for the table that is gone")
	}
}

// A collector that is away costs a line in the log, and no request waits for it.
func TestACollectorThatIsAwayIsToldOnce(t *testing.T) {
	c := startCollector(t)
	url := c.URL
	c.Close()
	s, log := traced(t, testdb.SQLite(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+url, "OTEL_BSP_MAX_QUEUE_SIZE=8",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE=4", "OTEL_EXPORTER_OTLP_TIMEOUT=200")
	for range 100 {
		if answer := s.Query("{ __typename }", nil); answer.Status != http.StatusOK {
			t.Fatal(answer.Body)
		}
	}
	if err := s.App.Close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "the collector does not take spans"); n != 1 {
		t.Errorf("%d lines tell that the collector is away, want 1:\n%s", n, log)
	}
}

func TestTracesAreOffUnlessTheyAreAskedFor(t *testing.T) {
	for _, variables := range [][]string{
		nil,
		{"OTEL_SERVICE_NAME=auth"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT="},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", "OTEL_SDK_DISABLED=true"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER=none"},
		{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://127.0.0.1:4318"},
	} {
		t.Run(strings.Join(variables, " "), func(t *testing.T) {
			a, log := opened(t, withMetrics, variables...)
			defer a.Close() //nolint:errcheck // the test is over
			testkit.Serve(t, a, testkit.NotFollowing).Query("{ __typename }", nil)
			if !strings.Contains(log.String(), `"msg":"request"`) || strings.Contains(log.String(), "trace_id") {
				t.Errorf("the log:\n%s", log)
			}
		})
	}
}

func TestTracesThatCannotBeSentStopTheStart(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"
	for _, test := range []struct {
		variables []string
		want      string
	}{
		{[]string{"OTEL_TRACES_EXPORTER=zipkin"}, "OTEL_TRACES_EXPORTER: not one of none, otlp, console"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT: not a URL, as in http://127.0.0.1:4318"},
		{[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=swordfish"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: not a URL, as in http://127.0.0.1:4318"},
		{[]string{endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL: not one of http/protobuf, http/json; a collector listens for them on port 4318"},
		{[]string{endpoint, "OTEL_TRACES_SAMPLER=sometimes"}, "OTEL_TRACES_SAMPLER: not one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio"},
	} {
		t.Run(test.want, func(t *testing.T) {
			_, err := app.Open(t.Context(), app.Options{
				Settings: testkit.Settings(t, testdb.SQLite(t)), Logger: slog.New(slog.DiscardHandler), Environ: test.variables,
			})
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v", err)
			}
		})
	}
}
