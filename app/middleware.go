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
		ctx := context.WithValue(r.Context(), requestIDKey{}, id)
		ctx = auth.WithClient(ctx, auth.Client{
			UserAgent: shortened(r.UserAgent()), IPAddress: clientAddress(r, proxies),
		})
		ctx, record := graph.WithRecord(ctx)
		r = r.WithContext(ctx)

		h := w.Header()
		h["X-Request-Id"] = []string{id}
		guards.set(h, r)

		seen := &statusRecorder{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				a.panicked(ctx, seen, p)
			}
			a.logAccess(r, seen, record, time.Since(started))
		}()
		next.ServeHTTP(seen, r)
	})
}

// panicked logs a panic that no handler caught and answers, if nothing was answered yet.
func (a *App) panicked(ctx context.Context, w *statusRecorder, p any) {
	if p == http.ErrAbortHandler {
		panic(p) // net/http's own way to drop a connection
	}
	a.Logger.ErrorContext(ctx, "panic", "request_id", requestID(ctx), "panic", p, "stack", string(debug.Stack()))
	if w.status == 0 {
		http.Error(w, fault.Lookup(fault.KindInternal).Message, http.StatusInternalServerError)
	}
}

func (a *App) logAccess(r *http.Request, w *statusRecorder, record *graph.Record, took time.Duration) {
	level := slog.LevelInfo
	if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		level = slog.LevelDebug
	}
	if !a.access.Enabled(r.Context(), level) {
		return
	}
	var room [9]slog.Attr // no more are ever needed: it stays on the stack
	attributes := append(room[:0],
		slog.String("request_id", requestID(r.Context())),
		slog.String("method", r.Method),
		slog.String("path", r.URL.Path),
		slog.Int("status", cmp.Or(w.status, http.StatusOK)),
		slog.Int64("took_us", took.Microseconds()),
		slog.String("address", auth.ClientFrom(r.Context()).IPAddress),
	)
	a.access.LogAttrs(r.Context(), level, "request", record.AppendAttrs(attributes)...)
}

// statusRecorder remembers what was answered.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusRecorder) WriteHeader(status int) {
	w.status = cmp.Or(w.status, status)
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *statusRecorder) Write(b []byte) (int, error) {
	w.status = cmp.Or(w.status, http.StatusOK)
	return w.ResponseWriter.Write(b)
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
