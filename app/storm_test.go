package app_test

import (
	"log/slog"
	"runtime"
	"sync"
	"testing"

	"latchkey/app"
	"latchkey/auth"
	"latchkey/auth/password"
	"latchkey/fault"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// A thousand sign-ins at once, with passwords hashed at their real cost: each is answered or refused, and memory does
// not grow with their number.
func TestAThousandSignInsAtOnce(t *testing.T) {
	a, err := app.Open(t.Context(), app.Options{
		Settings: testkit.Settings(t, testdb.SQLite(t)), Logger: slog.New(slog.DiscardHandler),
		Hashing: password.DefaultParams(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close() //nolint:errcheck // the test is over
	form := auth.UserForm{Username: "ada", Password: testkit.Password}
	if _, err := a.Auth.CreateUser(t.Context(), form); err != nil {
		t.Fatal(err)
	}

	var mu sync.Mutex
	answers := map[fault.Kind]int{}
	var group sync.WaitGroup
	for range 1000 {
		group.Go(func() {
			var kind fault.Kind
			if _, err := a.Auth.Login(t.Context(), "ada", testkit.Password); err != nil {
				kind = fault.From(err).Kind
			}
			mu.Lock()
			defer mu.Unlock()
			answers[kind]++
		})
	}
	group.Wait()

	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("answers: %v; memory from the system: %d MiB", answers, memory.Sys>>20)
	if answers[""] == 0 || answers[fault.KindRateLimited] == 0 || answers[""]+answers[fault.KindRateLimited] != 1000 {
		t.Errorf("the answers are %v, want sign-ins and RATE_LIMITED alone", answers)
	}
	if limit := uint64(512 << 20); memory.Sys > limit {
		t.Errorf("%d MiB were taken from the system, want no more than %d", memory.Sys>>20, limit>>20)
	}
}
