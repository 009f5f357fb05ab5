package app

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/XSAM/otelsql"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"

	"latchkey/auth"
	"latchkey/graph"
)

// traceGrace bounds how long the end of the process waits for a collector to take the last spans.
const traceGrace = 3 * time.Second

// tracing makes spans and sends them away. nil: it is off, and costs nothing.
type tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	logger   *slog.Logger
	names    *operationNames // which names of operations become names of spans
}

// newTracing returns what the OTEL_* variables among the environment ask for: nil where they name no exporter and no
// endpoint. The SDK reads the rest of them by itself. An exporter that writes to the console writes to it.
func newTracing(ctx context.Context, environ []string, console io.Writer, logger *slog.Logger) (*tracing, error) {
	variables := otelVariables(environ)
	exporters, err := variables.exporters()
	if err != nil || len(exporters) == 0 {
		return nil, err
	}
	if err := variables.validate(slices.Contains(exporters, "otlp")); err != nil {
		return nil, err
	}
	version, _ := BuildInfo()
	// What comes later wins.
	from, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("latchkey"), semconv.ServiceVersion(version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, errors.New("OTEL_RESOURCE_ATTRIBUTES: not a list of NAME=VALUE, as in deployment.environment.name=test")
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(from)}
	for _, name := range exporters {
		var exporter sdktrace.SpanExporter
		if name == "console" {
			exporter, err = stdouttrace.New(stdouttrace.WithWriter(console))
		} else {
			exporter, err = otlptracehttp.New(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("OTEL_TRACES_EXPORTER: %s: %w", name, err)
		}
		options = append(options, sdktrace.WithBatcher(&steadyExporter{SpanExporter: exporter, logger: logger}))
	}
	provider := sdktrace.NewTracerProvider(options...)
	return &tracing{
		provider: provider, tracer: provider.Tracer("latchkey", trace.WithInstrumentationVersion(version)), logger: logger,
		names: new(operationNames),
	}, nil
}

// otelEnvironment is the OTEL_* variables that have a value: an empty one counts as not set.
type otelEnvironment map[string]string

func otelVariables(environ []string) otelEnvironment {
	m := otelEnvironment{}
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") && value != "" {
			m[name] = value
		}
	}
	return m
}

// exporters returns where spans go, as in otlp or console; nothing where there are to be none.
func (m otelEnvironment) exporters() ([]string, error) {
	if strings.EqualFold(m["OTEL_SDK_DISABLED"], "true") {
		return nil, nil
	}
	if m["OTEL_TRACES_EXPORTER"] == "" {
		if m.traces("ENDPOINT") != "" {
			return []string{"otlp"}, nil
		}
		return nil, nil
	}
	var list []string
	for name := range strings.SplitSeq(m["OTEL_TRACES_EXPORTER"], ",") {
		switch name = strings.TrimSpace(name); name {
		case "none":
			return nil, nil
		case "otlp", "console":
			if !slices.Contains(list, name) {
				list = append(list, name)
			}
		default:
			return nil, errors.New("OTEL_TRACES_EXPORTER: not one of none, otlp, console")
		}
	}
	return list, nil
}

// traces returns the variable of OTLP for traces, or the one for every signal.
func (m otelEnvironment) traces(what string) string {
	return cmp.Or(m["OTEL_EXPORTER_OTLP_TRACES_"+what], m["OTEL_EXPORTER_OTLP_"+what])
}

// validate refuses what the SDK would pass over with a line in the log. No error repeats a value: some hold passwords.
func (m otelEnvironment) validate(otlp bool) error {
	samplers := []string{
		"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
	}
	if sampler := m["OTEL_TRACES_SAMPLER"]; sampler != "" && !slices.Contains(samplers, strings.ToLower(strings.TrimSpace(sampler))) {
		return fmt.Errorf("OTEL_TRACES_SAMPLER: not one of %s", strings.Join(samplers, ", "))
	}
	if !otlp {
		return nil
	}
	if protocol := m.traces("PROTOCOL"); protocol != "" && protocol != "http/protobuf" && protocol != "http/json" {
		return errors.New("OTEL_EXPORTER_OTLP_PROTOCOL: not one of http/protobuf, http/json; a collector listens for them on port 4318")
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		if m[name] == "" {
			continue
		}
		if u, err := url.Parse(m[name]); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("%s: not a URL, as in http://127.0.0.1:4318", name)
		}
	}
	return nil
}

// steadyExporter tells the log once that spans get lost, and once that they do no longer, whatever the SDK would say of
// each batch.
type steadyExporter struct {
	sdktrace.SpanExporter
	logger  *slog.Logger
	failing atomic.Bool
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *steadyExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	failed := err != nil
	if e.failing.Swap(failed) == failed {
		return nil
	}
	if failed {
		e.logger.WarnContext(ctx, "traces: the collector does not take spans; they are lost until it does", "error", shortened(err.Error()))
	} else {
		e.logger.InfoContext(ctx, "traces: the collector takes spans again")
	}
	return nil
}

// close sends what waits, and gives up after a while.
func (t *tracing) close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), traceGrace)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.logger.WarnContext(ctx, "traces: the last spans were not sent", "error", err)
	}
}

// pool returns what makes pools of connections whose statements are spans, within a request that is traced.
func (t *tracing) pool(system attribute.KeyValue) func(driver.Connector) *sql.DB {
	if t == nil {
		return sql.OpenDB
	}
	return func(c driver.Connector) *sql.DB {
		return otelsql.OpenDB(c,
			otelsql.WithTracerProvider(t.provider), otelsql.WithMeterProvider(metricnoop.NewMeterProvider()),
			otelsql.WithAttributes(system), otelsql.WithSpanNameFormatter(statementName),
			otelsql.WithSpanErrorAttributesGetter(statementFault),
			otelsql.WithSpanOptions(otelsql.SpanOptions{
				SpanFilter:           traced,
				RecordError:          harmless,
				DisableErrSkip:       true,
				OmitConnResetSession: true,
				OmitConnPrepare:      true,
				OmitRows:             true,
			}))
	}
}

// traced lets a statement be a span where it is part of one that is sent away: what runs in the background, four times a
// second, is not.
func traced(ctx context.Context, _ otelsql.Method, _ string, _ []driver.NamedValue) bool {
	return trace.SpanFromContext(ctx).IsRecording()
}

// statementName names the span of a statement by its first word, and those of a transaction by what they do.
func statementName(_ context.Context, method otelsql.Method, query string) string {
	switch method { //nolint:exhaustive // the others have a statement, or keep their names
	case otelsql.MethodConnBeginTx:
		return "BEGIN"
	case otelsql.MethodTxCommit:
		return "COMMIT"
	case otelsql.MethodTxRollback:
		return "ROLLBACK"
	}
	if word := strings.Fields(query); len(word) > 0 {
		return strings.ToUpper(word[0])
	}
	return string(method)
}

// harmless reports whether the text of a driver's error has no value of a statement in it.
func harmless(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrBadConn)
}

// statementFault tells of a driver's error its code, and not its text, which may have values in it.
func statementFault(err error) []attribute.KeyValue {
	list := []attribute.KeyValue{semconv.ErrorType(err)}
	if postgres, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		return append(list, semconv.DBResponseStatusCode(postgres.SQLState()))
	}
	if sqlite, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		return append(list, semconv.DBResponseStatusCode(fmt.Sprint(sqlite.Code())))
	}
	return list
}

// begin starts the span of an HTTP request, below the caller's (W3C Trace Context). The probes of an orchestrator have
// none.
func (t *tracing) begin(ctx context.Context, r *http.Request) (context.Context, trace.Span) {
	if t == nil || r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		return ctx, nil
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	return t.tracer.Start(ctx, spanMethod(r), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(semconv.HTTPRequestMethodKey.String(methodOf(r)), semconv.URLPath(pathOf(r))))
}

// end ends the span of an HTTP request.
func (t *tracing) end(span trace.Span, r *http.Request, status int) {
	if span == nil {
		return
	}
	defer span.End()
	if !span.IsRecording() {
		return
	}
	if route := routeOf(r); route != "none" {
		span.SetName(spanMethod(r) + " " + route)
		span.SetAttributes(semconv.HTTPRoute(route))
	}
	span.SetAttributes(
		semconv.HTTPResponseStatusCode(status), semconv.ClientAddress(auth.ClientFrom(r.Context()).IPAddress),
		attribute.String("latchkey.request_id", requestID(r.Context())),
	)
	if caller := auth.SeenCaller(r.Context()); caller != nil {
		span.SetAttributes(semconv.UserID(caller.UserID))
	}
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
		span.SetAttributes(semconv.ErrorTypeKey.String(fmt.Sprint(status)))
	}
}

// operation starts the span of a GraphQL operation, for graph.Options.Begin.
func (t *tracing) operation(ctx context.Context, name, kind string) (context.Context, func([]string)) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, func([]string) {}
	}
	_, err := auth.CallerFrom(ctx)
	title, record := kind, &graph.Record{Name: name, Type: kind}
	if name != "" && t.names.label(record, err == nil) == name {
		title += " " + name
	}
	ctx, span := t.tracer.Start(ctx, title, trace.WithAttributes(semconv.GraphQLOperationTypeKey.String(kind)))
	if name != "" {
		span.SetAttributes(semconv.GraphQLOperationName(name))
	}
	return ctx, func(failed []string) {
		if len(failed) > 0 {
			span.SetStatus(codes.Error, "")
			span.SetAttributes(semconv.ErrorTypeKey.String(failed[0]))
		}
		span.End()
	}
}

// spanMethod is how the name of a span begins.
func spanMethod(r *http.Request) string {
	if method := methodOf(r); method != otherMethod {
		return method
	}
	return "HTTP"
}
