package app_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"latchkey/app"
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
		b.Run(name, func(b *testing.B) {
			body := []byte(`{"query":"` + query + `"}`)
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", "Bearer "+pair.Access)
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK || bytes.Contains(w.Body.Bytes(), []byte("errors")) {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

// What a refresh costs, signatures and the database's file included.
func BenchmarkRefresh(b *testing.B) {
	a, _ := testkit.Open(b, testdb.SQLite(b))
	s := testkit.Serve(b, a)
	s.AddUser("ada")
	refresh := s.SignIn("ada").Refresh
	b.ReportAllocs()
	for b.Loop() {
		pair, err := a.Auth.Refresh(b.Context(), refresh)
		if err != nil {
			b.Fatal(err)
		}
		refresh = pair.Refresh
	}
}
