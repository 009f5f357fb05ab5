package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"

	"latchkey/auth"
	"latchkey/fault"
	"latchkey/graph"
)

// maxUserAgent bounds what a session keeps of the User-Agent header, in bytes.
const maxUserAgent = 512

type requestIDKey struct{}

// requestID returns the id of the request under way; empty outside of one.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// around is what every request passes: an id, the access log, the last line against panics, and where it comes from.
func (a *App) around(next http.Handler) http.Handler {
	proxies := a.Settings.Proxies()
	guards := newGuards(overTLS(proxies))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		id := rand.Text()
		ctx, span := a.tracing.begin(context.WithValue(r.Context(), requestIDKey{}, id), r)
		ctx = auth.WithClient(ctx, auth.Client{
			UserAgent: shortened(r.UserAgent()), IPAddress: clientAddress(r, proxies),
		})
		ctx, record := graph.WithRecord(ctx)
		r = r.WithContext(ctx)

		h := w.Header()
		h["X-Request-Id"] = []string{id}
		guards.set(h, r)

		seen := &statusRecorder{ResponseWriter: w}
		if a.metrics != nil {
			a.metrics.inFlight.Inc()
			defer a.metrics.inFlight.Dec()
		}
		defer func() {
			if p := recover(); p != nil {
				a.panicked(ctx, seen, span, p)
			}
			a.observe(r, seen, record, span, time.Since(started))
		}()
		next.ServeHTTP(seen, r)
	})
}

// panicked logs a panic that no handler caught and answers, if nothing was answered yet.
func (a *App) panicked(ctx context.Context, w *statusRecorder, span trace.Span, p any) {
	if p == http.ErrAbortHandler {
		if span != nil {
			span.End()
		}
		panic(p) // net/http's own way to drop a connection
	}
	a.Logger.ErrorContext(ctx, "panic", "request_id", requestID(ctx), "panic", p, "stack", string(debug.Stack()))
	if w.status == 0 {
		http.Error(w, fault.Lookup(fault.KindInternal).Message, http.StatusInternalServerError)
	}
}

// observe tells those who watch of a request that was answered.
func (a *App) observe(r *http.Request, w *statusRecorder, record *graph.Record, span trace.Span, took time.Duration) {
	status := cmp.Or(w.status, http.StatusOK)
	a.tracing.end(span, r, status)
	if a.metrics != nil {
		a.metrics.observe(r, status, record, took)
	}
	a.logAccess(r, w, record, span, took)
}

func (a *App) logAccess(r *http.Request, w *statusRecorder, record *graph.Record, span trace.Span, took time.Duration) {
	level := slog.LevelInfo
	if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		level = slog.LevelDebug
	}
	if !a.access.Enabled(r.Context(), level) {
		return
	}
	var room [12]slog.Attr // no more are ever needed: it stays on the stack
	attributes := append(room[:0],
		slog.String("request_id", requestID(r.Context())),
		slog.String("method", methodOf(r)),
		slog.String("path", pathOf(r)),
		slog.Int("status", cmp.Or(w.status, http.StatusOK)),
		slog.Int64("bytes", w.bytes),
		slog.Int64("took_us", took.Microseconds()),
		slog.String("address", auth.ClientFrom(r.Context()).IPAddress),
	)
	if caller := auth.SeenCaller(r.Context()); caller != nil {
		attributes = append(attributes, slog.String("user_id", caller.UserID))
	}
	if span != nil {
		attributes = append(attributes, slog.String("trace_id", span.SpanContext().TraceID().String()))
	}
	a.access.LogAttrs(r.Context(), level, "request", record.AppendAttrs(attributes)...)
}

// otherMethod stands for a method that HTTP does not define, which a client has made up (RFC 9110 section 9).
const otherMethod = "_OTHER"

// methodOf returns the method of a request where it is a known one.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	default:
		return otherMethod
	}
}

// maxPath bounds what is told of a path, in bytes. Every path that is served is shorter, and a token is longer: of one that
// somebody puts into a path no more is seen than how it begins.
const maxPath = 64

// pathOf returns what may be told of the path of a request.
func pathOf(r *http.Request) string {
	path := r.URL.Path
	if len(path) <= maxPath {
		return path
	}
	return strings.ToValidUTF8(path[:maxPath], "") + "…"
}

// statusRecorder remembers what was answered, and how much.
type statusRecorder struct {
	http.ResponseWriter
	status int
	bytes  int64 // of the body
}

// WriteHeader implements http.ResponseWriter.
func (w *statusRecorder) WriteHeader(status int) {
	w.status = cmp.Or(w.status, status)
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *statusRecorder) Write(b []byte) (int, error) {
	w.status = cmp.Or(w.status, http.StatusOK)
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// shortened returns text that both databases keep: valid UTF-8 without NUL, and not too long.
func shortened(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
	if len(text) <= maxUserAgent {
		return text
	}
	end := maxUserAgent
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
