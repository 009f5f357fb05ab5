package app_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"latchkey/app"
	"latchkey/auth/password"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// childVariable makes the test binary a server on the database it names, for tests that kill it.
const childVariable = "APP_TEST_SERVE"

func TestMain(m *testing.M) {
	for variable, run := range map[string]func(string) error{childVariable: serveChild, stormVariable: stormChild} {
		if url := os.Getenv(variable); url != "" {
			if err := run(url); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// serveChild serves on a free port, which it prints.
func serveChild(url string) error {
	t := &testing.T{}
	settings := testkit.Settings(t, url)
	settings.Addr = "127.0.0.1:0"
	ctx := context.Background()
	a, err := app.Open(ctx, app.Options{
		Settings: settings, Logger: slog.New(slog.DiscardHandler),
		Hashing: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1},
	})
	if err != nil {
		return err
	}
	l, err := a.Listen(ctx)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr().(*net.TCPAddr).String())
	return a.Serve(ctx, l)
}

// child is a server in a process of its own.
type child struct {
	command *exec.Cmd
	url     string
}

func startChild(t *testing.T, databaseURL string) child {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), childVariable+"="+databaseURL)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server did not start: %v", err)
	}
	return child{command, "http://" + strings.TrimSpace(address)}
}

// kill ends the process as a power cut does: at once, in the middle of whatever it does.
func (c child) kill(t *testing.T) {
	t.Helper()
	if err := c.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.command.Wait() // it says that the process was killed
}

// mutate sends a mutation that answers a refresh token; "" where the server is gone or refuses.
func (c child) mutate(field string) string {
	body, _ := json.Marshal(map[string]string{"query": "mutation { t: " + field + " { refresh } }"}) // text always encodes
	response, err := http.Post(c.url+"/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		return ""
	}
	defer response.Body.Close() //nolint:errcheck // it is read whole or the server is gone
	var answer struct {
		Data struct{ T struct{ Refresh string } }
	}
	if json.NewDecoder(response.Body).Decode(&answer) != nil {
		return ""
	}
	return answer.Data.T.Refresh
}

// What a client was answered is kept, however the process ends after it.
func TestKilledInAStormOfSignIns(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		testkit.Start(t, url).AddUser("ada")
		signIn := fmt.Sprintf("tokenObtain(username: %q, password: %q)", "ada", testkit.Password)

		for range 3 {
			server := startChild(t, url)
			const enough = 40
			answered := make(chan string, 1000)
			storm, cancel := context.WithCancel(t.Context())
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					for storm.Err() == nil {
						if refresh := server.mutate(signIn); refresh != "" {
							answered <- refresh
						}
					}
				})
			}
			tokens := make([]string, 0, enough)
			for len(tokens) < enough {
				tokens = append(tokens, <-answered)
			}
			server.kill(t) // while eight sign-ins are under way
			cancel()
			group.Wait()
			close(answered)
			for refresh := range answered {
				tokens = append(tokens, refresh)
			}

			if _, err := verify(t, url, nil); err != nil {
				t.Errorf("the audit chain: %v", err)
			}
			again := startChild(t, url)
			for i, refresh := range tokens {
				if again.mutate(fmt.Sprintf("tokenRefresh(refresh: %q)", refresh)) == "" {
					t.Errorf("session %d of %d is lost", i+1, len(tokens))
				}
			}
			again.kill(t)
		}
		if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
			checkIntegrity(t, path)
		}
	})
}

func checkIntegrity(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // only read
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity_check: %q, %v", verdict, err)
	}
}

// A client that retries the last refresh token it knows is not signed out by a crash, wherever in the middle it came, and
// holds one valid successor afterwards.
func TestKilledInAStormOfRefreshes(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		testkit.Start(t, url).AddUser("ada")
		server := startChild(t, url)
		known := make([]string, 8) // by each client
		for i := range known {
			if known[i] = server.mutate(fmt.Sprintf("tokenObtain(username: %q, password: %q)", "ada", testkit.Password)); known[i] == "" {
				t.Fatal("no sign-in")
			}
		}
		for range 10 {
			var refreshed atomic.Int64
			enough := make(chan struct{})
			var once sync.Once
			var group sync.WaitGroup
			for i := range known {
				group.Go(func() {
					for {
						next := server.mutate(fmt.Sprintf("tokenRefresh(refresh: %q)", known[i]))
						if next == "" {
							return // the server is gone; the reply may be lost
						}
						known[i] = next
						if refreshed.Add(1) == 40 {
							once.Do(func() { close(enough) })
						}
					}
				})
			}
			<-enough
			server.kill(t)
			group.Wait()

			server = startChild(t, url)
			for i, last := range known {
				refresh := fmt.Sprintf("tokenRefresh(refresh: %q)", last)
				first, again := server.mutate(refresh), server.mutate(refresh)
				if first == "" {
					t.Fatalf("client %d is signed out", i)
				}
				if claim(t, first, "jti") != claim(t, again, "jti") {
					t.Errorf("client %d holds two successors", i)
				}
				known[i] = first
			}
		}
		server.kill(t)
		if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
			checkIntegrity(t, path)
		}
	})
}
