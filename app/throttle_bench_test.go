package app_test

import (
	"fmt"
	"testing"

	"latchkey/app"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// BenchmarkThrottledSignIn measures sign-ins whose hashes cost next to nothing, with and without what is throttled.
func BenchmarkThrottledSignIn(b *testing.B) {
	redis := func(s *config.Settings) { s.Throttle, s.ThrottleRedisURL = true, "redis://127.0.0.1:6379/0" }
	off := func(*config.Settings) {}
	for _, database := range []struct {
		name string
		url  func(testing.TB) string
	}{{"sqlite", testdb.SQLite}, {"postgres", testdb.Postgres}} {
		for _, mode := range []struct {
			name   string
			change func(*config.Settings)
		}{{"off", off}, {"on", testkit.Throttled}, {"redis", redis}} {
			a, _ := testkit.Open(b, database.url(b), mode.change)
			addUser(b, a, "ada")
			b.Run(database.name+"/"+mode.name+"/right", func(b *testing.B) {
				for b.Loop() {
					if _, refused := signIn(comingFrom(b.Context(), "203.0.113.7", ""), b, a, "ada", testkit.Password); refused != nil {
						b.Fatal(refused)
					}
				}
			})
			b.Run(database.name+"/"+mode.name+"/wrong", func(b *testing.B) { benchmarkFailures(b, a) })
		}
	}
}

// benchmarkFailures guesses at another account from another address each time, so that no budget is used up.
func benchmarkFailures(b *testing.B, a *app.App) {
	i := 0
	for b.Loop() {
		i++
		_, _ = signIn(comingFrom(b.Context(), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), ""), b, a, fmt.Sprint("nobody", i), wrongPassword)
	}
}

// BenchmarkAttemptsIn measures the one question that a sign-in asks more.
func BenchmarkAttemptsIn(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": testdb.SQLite, "postgres": testdb.Postgres} {
		b.Run(name, func(b *testing.B) {
			a, _ := testkit.Open(b, url(b))
			for b.Loop() {
				if _, err := a.Store.AttemptsIn(b.Context(), []string{"an account", "an account.from a network", "a network"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
