package cli_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"latchkey/app"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/models"
)

// runCommand runs a command that must end well and returns what it prints.
func runCommand(t *testing.T, stdin string, environment []string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "latchkey", args...)
	command.Dir, command.Env, command.Stdin = t.TempDir(), environment, strings.NewReader(stdin)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("latchkey %s: %v", args[0], err)
	}
	return string(out)
}

// flushed starts a server whose user alice can sign in, and returns it and what only the database's URL is needed for.
func flushed(t *testing.T, url string, more ...string) (s *server, settings, databaseOnly []string) {
	t.Helper()
	databaseOnly = environment("LATCHKEY_DATABASE_URL=" + url)
	settings = append(append(databaseOnly, "LATCHKEY_SECRET_KEY=made up for the tests of package cli"), more...)
	runCommand(t, typedPassword+"\n", settings, "createsuperuser", "--username", "alice", "--email", "", "--password-stdin")
	s, err := startServer(t.TempDir(), settings, "latchkey", "serve")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	return s, settings, databaseOnly
}

type tokens struct{ Access, Refresh string }

func signIn(t *testing.T, s *server) tokens {
	t.Helper()
	var answer struct {
		Data struct{ TokenObtain tokens }
	}
	query := fmt.Sprintf(`{"query":"mutation { tokenObtain(username: \"alice\", password: \"%s\") { access refresh } }"}`, typedPassword)
	if err := json.Unmarshal([]byte(post(t, s.url+"/graphql", query)), &answer); err != nil || answer.Data.TokenObtain.Access == "" {
		t.Fatalf("sign in: %v", err)
	}
	return answer.Data.TokenObtain
}

// problems returns why the tokens are refused; "" for one that is not.
func (pair tokens) problems(t *testing.T, s *server) (access, refresh string) {
	t.Helper()
	ask := func(query, token string) string {
		var answer struct {
			Errors []struct{ Extensions struct{ Reason string } }
		}
		body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]string{"t": token}})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(post(t, s.url+"/graphql", string(body))), &answer); err != nil {
			t.Fatal(err)
		}
		if len(answer.Errors) == 0 {
			return ""
		}
		return answer.Errors[0].Extensions.Reason
	}
	return ask("mutation($t: String!) { tokenVerify(token: $t) { tokenType } }", pair.Access),
		ask("mutation($t: String) { tokenRefresh(refresh: $t) { access } }", pair.Refresh)
}

func TestFlushRevivesNoToken(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s, settings, databaseOnly := flushed(t, url)
		ended, alive := signIn(t, s), signIn(t, s)
		post(t, s.url+"/graphql", fmt.Sprintf(`{"query":"mutation { tokenRevoke(refresh: \"%s\") }"}`, ended.Refresh))

		want := "deleted 0 expired sessions\ndeleted 0 expired revocations\ndeleted 0 expired foreign tokens\ndeleted 0 expired signing keys\ndeleted 0 expired attempts\n"
		if got := runCommand(t, "", databaseOnly, "flushexpiredtokens"); got != want {
			t.Errorf("it prints:\n%swant:\n%s", got, want)
		}
		if access, refresh := ended.problems(t, s); access != "REVOKED" || refresh != "REVOKED" {
			t.Errorf("the tokens of the ended session: %q and %q", access, refresh)
		}

		// Nor in a server that starts afterwards.
		if status, err := s.stop(); status != 0 || err != nil {
			t.Fatalf("exit status %d, %v", status, err)
		}
		again, err := startServer(t.TempDir(), settings, "latchkey", "serve")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(again.kill)
		if access, refresh := ended.problems(t, again); access != "REVOKED" || refresh != "REVOKED" {
			t.Errorf("the tokens of the ended session after a restart: %q and %q", access, refresh)
		}
		if access, refresh := alive.problems(t, again); access != "" || refresh != "" {
			t.Errorf("the tokens of the other session: %q and %q", access, refresh)
		}
	})
}

func TestFlushDeletesWhatHasExpired(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s, _, databaseOnly := flushed(t, url, "LATCHKEY_ACCESS_TOKEN_LIFETIME=1s", "LATCHKEY_REFRESH_TOKEN_LIFETIME=1s")
		signIn(t, s)
		began := time.Now()
		for !strings.HasPrefix(runCommand(t, "", databaseOnly, "flushexpiredtokens"), "deleted 1 expired sessions\n") {
			if time.Since(began) > 20*time.Second {
				t.Fatal("a session of a second is not deleted")
			}
		}
	})
}

// makeKeys makes the first signing keys, as the first start of a server does.
func makeKeys(t *testing.T, environ []string) {
	t.Helper()
	settings, err := config.Load(environ, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Open(t.Context(), app.Options{Settings: settings, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// What commands do is recorded, and nobody did it.
func TestCommandsAreRecorded(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		settings := environment("LATCHKEY_DATABASE_URL="+url, "LATCHKEY_SECRET_KEY=made up for the tests of package cli")
		runCommand(t, typedPassword+"\n", settings, "createsuperuser", "--username", "alice", "--email", "", "--password-stdin")
		makeKeys(t, settings)
		runCommand(t, "", settings, "keys", "rotate", "--force")
		var list []struct{ KID, State string }
		if err := json.Unmarshal([]byte(runCommand(t, "", settings, "keys", "list", "--json")), &list); err != nil {
			t.Fatal(err)
		}
		for _, key := range list {
			if key.State == string(models.KeyRetired) {
				runCommand(t, "", settings, "keys", "retire", key.KID)
			}
		}
		db, err := app.OpenStore(t.Context(), &config.Settings{DatabaseURL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close() //nolint:errcheck // it was only read
		rows, err := db.EventsBefore(t.Context(), 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, row := range rows {
			names = append(names, row.Type)
			if row.ActorID != 0 || row.Address != "" || row.UserAgent != "" {
				t.Errorf("somebody did it: %+v", row)
			}
		}
		if got, want := strings.Join(names, " "), "signing_key_retired signing_key_rotated user_created"; got != want {
			t.Errorf("recorded are %s, want %s", got, want)
		}
	})
}
