package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
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

// stormVariable makes the test binary try a thousand sign-ins at once on the database it names, in a process that does
// nothing else, and print what came of it.
const stormVariable = "APP_TEST_STORM"

// stormResult is what came of it.
type stormResult struct {
	Answers map[fault.Kind]int // by the kind of refusal; "" are the sign-ins
	Memory  uint64             // taken from the system at the most, in bytes
}

func stormChild(url string) error {
	ctx := context.Background()
	settings := testkit.Settings(&testing.T{}, url)
	a, err := app.Open(ctx, app.Options{
		Settings: settings, Logger: slog.New(slog.DiscardHandler), Hashing: password.DefaultParams(),
	})
	if err != nil {
		return err
	}
	defer a.Close() //nolint:errcheck // the process ends
	if _, err := a.Auth.CreateUser(auth.AsOperator(ctx), auth.UserForm{Username: "ada", Password: testkit.Password}); err != nil {
		return err
	}
	result := stormResult{Answers: map[fault.Kind]int{}}
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 1000 {
		group.Go(func() {
			var kind fault.Kind
			if _, err := a.Auth.Login(ctx, "ada", testkit.Password); err != nil {
				kind = fault.From(err).Kind
			}
			mu.Lock()
			defer mu.Unlock()
			result.Answers[kind]++
		})
	}
	group.Wait()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	result.Memory = memory.Sys
	return json.NewEncoder(os.Stdout).Encode(result)
}

// A thousand sign-ins at once, with passwords hashed at their real cost: each is answered or refused, and memory does
// not grow with their number.
func TestAThousandSignInsAtOnce(t *testing.T) {
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%s", stormVariable, testdb.SQLite(t)))
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got stormResult
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	t.Logf("answers: %v; memory from the system: %d MiB", got.Answers, got.Memory>>20)
	signedIn, refused := got.Answers[""], got.Answers[fault.KindRateLimited]
	if signedIn == 0 || refused == 0 || signedIn+refused != 1000 {
		t.Errorf("the answers are %v, want sign-ins and RATE_LIMITED alone", got.Answers)
	}
	if limit := uint64(512 << 20); got.Memory > limit {
		t.Errorf("%d MiB were taken from the system, want no more than %d", got.Memory>>20, limit>>20)
	}
}
