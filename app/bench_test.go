package app_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/app"
	"latchkey/auth"
	"latchkey/auth/password"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// What a request costs in the whole server but for the network: guard, limits, access log, revocation and all.
func BenchmarkRequest(b *testing.B) {
	a, err := app.Open(b.Context(), app.Options{
		Settings: testkit.Settings(b, testdb.SQLite(b)), Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)),
		Hashing: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close() //nolint:errcheck // the benchmark is over
	s := testkit.Serve(b, a)
	s.AddUser("ada")
	pair := s.SignIn("ada")
	handler, err := a.Handler()
	if err != nil {
		b.Fatal(err)
	}
	for name, query := range map[string]string{"protected": "{ protected }", "who am I": "{ me { id username } }"} {
		b.Run(name, func(b *testing.B) { ask(b, handler, query, pair.Access) })
	}
}

// What watching adds to a request: nobody watches, Prometheus does, and a collector takes the spans of none or of all.
func BenchmarkWatched(b *testing.B) {
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // it is thrown away
	}))
	defer collector.Close()
	for _, watch := range []struct {
		name    string
		metrics string
		environ []string
	}{
		{"off", "", nil},
		{"metrics", "127.0.0.1:0", nil},
		{"traces, none sampled", "", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_TRACES_SAMPLER=always_off"}},
		{"traces, all sampled", "", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_TRACES_SAMPLER=always_on"}},
	} {
		b.Run(watch.name, func(b *testing.B) {
			for _, v := range watch.environ { // the SDK reads them from the process
				name, value, _ := strings.Cut(v, "=")
				b.Setenv(name, value)
			}
			settings := testkit.Settings(b, testdb.SQLite(b))
			settings.MetricsAddr = watch.metrics
			a, err := app.Open(b.Context(), app.Options{
				Settings: settings, Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)), Environ: watch.environ,
				Hashing: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1},
			})
			if err != nil {
				b.Fatal(err)
			}
			defer a.Close() //nolint:errcheck // the benchmark is over
			s := testkit.Serve(b, a)
			s.AddUser("ada")
			pair := s.SignIn("ada")
			handler, err := a.Handler()
			if err != nil {
				b.Fatal(err)
			}
			for name, query := range map[string]string{"protected": "query Guarded { protected }", "who am I": "query Me { me { id username } }"} {
				b.Run(name, func(b *testing.B) { ask(b, handler, query, pair.Access) })
			}
		})
	}
}

// ask sends a query to the handler, again and again.
func ask(b *testing.B, handler http.Handler, query, access string) {
	body := []byte(`{"query":"` + query + `"}`)
	b.ReportAllocs()
	defer reportCPU(b)()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+access)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK || bytes.Contains(w.Body.Bytes(), []byte("errors")) {
			b.Fatal(w.Body)
		}
	}
}

// What a refresh costs, signatures and the database's file included, and PostgreSQL's own time not.
func BenchmarkRefresh(b *testing.B) {
	onBoth(b, func(b *testing.B, a *app.App) {
		pair, err := a.Auth.Login(b.Context(), "ada", testkit.Password)
		for b.Loop() {
			if err != nil {
				b.Fatal(err)
			}
			pair, err = a.Auth.Refresh(b.Context(), pair.Refresh)
		}
	})
}

// What a sign-in costs but for the hash, which is as cheap as it gets here.
func BenchmarkSignIn(b *testing.B) {
	onBoth(b, func(b *testing.B, a *app.App) {
		for b.Loop() {
			if _, err := a.Auth.Login(b.Context(), "ada", testkit.Password); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// onBoth runs a benchmark with a user ada on both databases.
func onBoth(b *testing.B, benchmark func(*testing.B, *app.App)) {
	for name, database := range map[string]func(testing.TB) string{"sqlite": testdb.SQLite, "postgres": testdb.Postgres} {
		b.Run(name, func(b *testing.B) {
			a, err := app.Open(b.Context(), app.Options{
				Settings: testkit.Settings(b, database(b)), Logger: slog.New(slog.DiscardHandler),
				Hashing: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1},
			})
			if err != nil {
				b.Fatal(err)
			}
			defer a.Close() //nolint:errcheck // the benchmark is over
			form := auth.UserForm{Username: "ada", Password: testkit.Password}
			if _, err := a.Auth.CreateUser(auth.AsOperator(b.Context()), form); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			defer reportCPU(b)()
			benchmark(b, a)
		})
	}
}

// reportCPU makes the benchmark tell the CPU time of the process, user and system: what a busy machine moves least.
// What it returns is called at the end.
func reportCPU(b *testing.B) func() {
	cpu := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := cpu()
	return func() { b.ReportMetric(float64((cpu()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op") }
}
