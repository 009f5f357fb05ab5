package cli_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"latchkey/app"
	"latchkey/config"
	"latchkey/internal/testdb"
)

// environment is what a process needs besides settings.
func environment(settings ...string) []string {
	list := []string{"LATCHKEY_ADDR=127.0.0.1:0"}
	for _, name := range processVariables() {
		if value := os.Getenv(name); value != "" {
			list = append(list, name+"="+value)
		}
	}
	return append(list, settings...)
}

// processVariables are what a process of the test needs to run at all.
func processVariables() []string { return []string{"PATH", "TMPDIR", "GOCOVERDIR", "GORACE"} }

func TestServeFinishesTheRequestsThatAreUnderWay(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			s, err := startServer(t.TempDir(), environment(), "latchkey", "serve")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.kill)

			// Half of a request, and before the other half the signal.
			conn, err := net.Dial("tcp", s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close() //nolint:errcheck // it was read to its end
			const body = `{"query":"{ __typename }"}`
			head := fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
				"Expect: 100-continue\r\n\r\n", s.address, len(body))
			if _, err := io.WriteString(conn, head); err != nil {
				t.Fatal(err)
			}
			replies := bufio.NewReader(conn)
			// The server asks for the body, so the request is in the handler's hands.
			if line, err := replies.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
				t.Fatalf("got %q, %v, want 100 Continue", line, err)
			}
			if line, err := replies.ReadString('\n'); err != nil || line != "\r\n" {
				t.Fatalf("got %q, %v, want an empty line", line, err)
			}
			if err := s.signal(signal); err != nil {
				t.Fatal(err)
			}
			if _, err := s.awaitLog("stopping"); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, body); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(replies, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(response.Body)
			if err != nil || string(answer) != `{"data":{"__typename":"Query"}}` {
				t.Errorf("got %s, %v", answer, err)
			}
			if status, err := s.wait(); status != 0 || err != nil {
				t.Errorf("exit status %d, %v; the log:\n%s", status, err, s.log.String())
			}
		})
	}
}

func TestTwoNodesThatStartAtOnceMakeOneSuperuserAndOneSetOfKeys(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		settings := environment("LATCHKEY_DATABASE_URL="+url, "LATCHKEY_SECRET_KEY=made up for the tests of package cli")
		const nodes = 3
		servers := make(chan *server, nodes)
		for range nodes {
			go func() {
				s, err := startServer(t.TempDir(), settings, "latchkey", "serve")
				if err != nil {
					t.Error(err)
				}
				servers <- s
			}()
		}
		var started []*server
		for range nodes {
			if s := <-servers; s != nil {
				t.Cleanup(s.kill)
				started = append(started, s)
			}
		}
		if t.Failed() {
			t.FailNow()
		}

		var passwords []string
		for _, s := range started {
			passwords = append(passwords, shownPasswords(s.printed())...)
		}
		if len(passwords) != 1 {
			t.Fatalf("%d passwords were shown, want 1", len(passwords))
		}
		keys := map[string]bool{}
		for _, s := range started {
			query := fmt.Sprintf(`{"query":"mutation { tokenObtain(username: \"admin\", password: \"%s\") { user { username } } }"}`, passwords[0])
			if got := post(t, s.url+"/graphql", query); !strings.Contains(got, `"username":"admin"`) {
				t.Errorf("%s: %s", s.url, got)
			}
			keys[get(t, s.url+"/.well-known/jwks.json")] = true
		}
		if len(keys) != 1 {
			t.Errorf("the nodes publish %d different sets of keys", len(keys))
		}
		expectTwoKeys(t, url)
		for _, s := range started {
			if status, err := s.stop(); status != 0 || err != nil {
				t.Errorf("exit status %d, %v; the log:\n%s", status, err, s.log.String())
			}
		}
	})
}

// shownPasswords returns the passwords that a server has shown.
func shownPasswords(printed string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`(?m)^    password  (.*)$`).FindAllStringSubmatch(printed, -1) {
		list = append(list, m[1])
	}
	return list
}

func expectTwoKeys(t *testing.T, url string) {
	t.Helper()
	db, err := app.OpenStore(t.Context(), &config.Settings{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	rows, err := db.SigningKeys(t.Context())
	if err != nil || len(rows) != 2 {
		t.Errorf("the database holds %d signing keys, %v, want the active and the next one", len(rows), err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	return send(t, http.MethodGet, url, "")
}

func post(t *testing.T, url, body string) string {
	t.Helper()
	return send(t, http.MethodPost, url, body)
}

func send(t *testing.T, method, url, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
