package app_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"latchkey/app"
	"latchkey/auth/keys"
	"latchkey/auth/password"
	"latchkey/auth/token"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// openFile opens the database of an SQLite file and returns its keys, as they are published, and the log.
func openFile(t *testing.T, path, secretKey string) (keys, log string, err error) {
	t.Helper()
	settings, err := config.Load(nil, map[string]string{"database-url": "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	settings.SecretKey = secretKey
	var b bytes.Buffer
	a, err := app.Open(t.Context(), app.Options{
		Settings: settings, Logger: slog.New(slog.NewTextHandler(&b, nil)),
		Hashing: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1},
	})
	if err != nil {
		return "", b.String(), err
	}
	defer a.Close() //nolint:errcheck // it is opened again, or not
	return string(a.Keys.Ring().JWKS()), b.String(), nil
}

// madeFile returns the path of a database that has its secret beside it, and its keys.
func madeFile(t *testing.T) (path, keys string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "latchkey.db")
	keys, _, err := openFile(t, path, "")
	if err != nil {
		t.Fatal(err)
	}
	return path, keys
}

func TestTheSecretIsMadeForItsOwnerAlone(t *testing.T) {
	path, want := madeFile(t)
	info, err := os.Stat(path + ".secret")
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %04o, want 0600", got)
	}
	content, err := os.ReadFile(path + ".secret")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(strings.TrimSpace(string(content))); n < 43 { // 256 bits in base64
		t.Errorf("the secret has %d characters", n)
	}
	got, log, err := openFile(t, path, "")
	if err != nil || got != want || strings.Contains(log, "WARN") {
		t.Errorf("at the second start: %v, log %q, the same keys: %t", err, log, got == want)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "latchkey.db") {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func TestTheSecretMayBeMovedIntoTheSetting(t *testing.T) {
	path, want := madeFile(t)
	content, err := os.ReadFile(path + ".secret")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".secret"); err != nil {
		t.Fatal(err)
	}
	got, _, err := openFile(t, path, strings.TrimSpace(string(content)))
	if err != nil || got != want {
		t.Errorf("got %v, the same keys: %t", err, got == want)
	}
}

func TestTheSecretInTheFileIsChanged(t *testing.T) {
	path, want := madeFile(t)
	first := linesOf(t, path+".secret")
	settings, err := config.Load(nil, map[string]string{"database-url": "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	var last []string
	for range 2 {
		a, err := app.Open(t.Context(), app.Options{Settings: settings, Logger: slog.New(slog.DiscardHandler), Keyless: true})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := a.Reseal(t.Context()); err != nil || n != 3 {
			t.Errorf("%d keys were sealed anew, %v; want the active, the next and that of the audit", n, err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		last = linesOf(t, path+".secret")
		if len(last) != 1 || slices.Contains(first, last[0]) {
			t.Errorf("the file has %d lines, want a new secret alone", len(last))
		}
		got, log, err := openFile(t, path, "")
		if err != nil || got != want || strings.Contains(log, "WARN") {
			t.Errorf("the start after it: %v, log %q, the same keys: %t", err, log, got == want)
		}
		// The new one alone opens all.
		if got, _, err := openFile(t, path, last[0]); err != nil || got != want {
			t.Errorf("with the new secret alone: %v, the same keys: %t", err, got == want)
		}
	}
	if _, _, err := openFile(t, path, first[0]); err == nil {
		t.Error("the first secret opens the keys")
	}
	// A change that was cut short leaves more lines, and a key under any of them.
	write(t, path+".secret", strings.Join(append([]string{"one that sealed nothing, of 32 characters"}, last...), "\n"))
	if got, _, err := openFile(t, path, ""); err != nil || got != want {
		t.Errorf("after a change that was cut short: %v, the same keys: %t", err, got == want)
	}
	reseal(t, settings)
	if left := linesOf(t, path+".secret"); len(left) != 1 {
		t.Errorf("after one more change the file has %d lines", len(left))
	}
}

// reseal runs `keys reseal`, as a process of its own does.
func reseal(t *testing.T, settings *config.Settings) {
	t.Helper()
	a, err := app.Open(t.Context(), app.Options{Settings: settings, Logger: slog.New(slog.DiscardHandler), Keyless: true})
	if err != nil {
		t.Error(err)
		return
	}
	defer a.Close() //nolint:errcheck // it is opened again
	if _, err := a.Reseal(t.Context()); err != nil {
		t.Error(err)
	}
}

// However many change the secret at once, while servers rotate the keys, every key opens afterwards.
func TestManyWhoChangeTheSecretAtOnce(t *testing.T) {
	path, _ := madeFile(t)
	settings, err := config.Load(nil, map[string]string{"database-url": "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() { reseal(t, settings) })
		}
		group.Go(func() {
			a, err := app.Open(t.Context(), app.Options{Settings: settings, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Error(err)
				return
			}
			defer a.Close() //nolint:errcheck // it is opened again
			if _, err := a.Keeper.RotateNow(t.Context()); err != nil {
				t.Error(err)
			}
		})
		group.Wait()
		if _, _, err := openFile(t, path, ""); err != nil {
			t.Fatalf("a key does not open: %v", err)
		}
		if n := len(linesOf(t, path+".secret")); n != 1 {
			t.Errorf("the file has %d lines, want the secret alone", n)
		}
	}
}

// A server that runs takes up the secret that a command changed, twice: it answers as before, and what it seals opens.
func TestARunningServerTakesUpAChangedSecret(t *testing.T) {
	path, _ := madeFile(t)
	settings, err := config.Load(nil, map[string]string{"database-url": "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Open(t.Context(), app.Options{Settings: settings, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close() //nolint:errcheck // the test ends
	reseal(t, settings)
	if _, err := a.Keys.Lookup(t.Context(), "nobody"); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("a made-up kid: got %v", err)
	}
	reseal(t, settings)
	if rotated, err := a.Keeper.RotateNow(t.Context()); err != nil || !rotated {
		t.Fatalf("rotate: %t, %v", rotated, err)
	}
	if err := a.Keys.Reload(t.Context()); err != nil {
		t.Errorf("reload: %v", err)
	}
	got, _, err := openFile(t, path, "")
	if err != nil || got != string(a.Keys.Ring().JWKS()) {
		t.Errorf("the next start: %v, the same keys: %t", err, got == string(a.Keys.Ring().JWKS()))
	}
}

// A command under a secret that does not open the keys changes nothing.
func TestAWrongSecretRotatesNothing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s := testkit.Start(t, url)
		wrong := testkit.Settings(t, url)
		wrong.SecretKey = "quite another secret key, made of other words"
		a, err := app.Open(t.Context(), app.Options{Settings: wrong, Logger: slog.New(slog.DiscardHandler), Keyless: true})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close() //nolint:errcheck // the test ends
		k, err := a.OpenKeeper(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if rotated, err := k.RotateNow(t.Context()); rotated || !errors.Is(err, keys.ErrWrongSecret) {
			t.Errorf("rotate: %t, %v", rotated, err)
		}
		if err := k.Retire(t.Context(), s.App.Keys.Ring().Signing().ID); !errors.Is(err, keys.ErrWrongSecret) {
			t.Errorf("retire: %v", err)
		}
		again, err := app.Open(t.Context(), app.Options{Settings: testkit.Settings(t, url), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatalf("the server does not start: %v", err)
		}
		defer again.Close() //nolint:errcheck // the test ends
		if got, want := string(again.Keys.Ring().JWKS()), string(s.App.Keys.Ring().JWKS()); got != want {
			t.Errorf("the keys are %s, want %s", got, want)
		}
	})
}

func linesOf(t *testing.T, path string) []string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(content)), "\n")
}

func TestManyWhoStartAtOnceHaveOneSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "latchkey.db")
	const nodes = 16
	var group sync.WaitGroup
	keys := make([]string, nodes)
	for i := range nodes {
		group.Go(func() {
			var err error
			if keys[i], _, err = openFile(t, path, ""); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range keys {
		if keys[i] != keys[0] || keys[i] == "" {
			t.Errorf("node %d has other keys than node 0", i)
		}
	}
}

func TestASecretThatDoesNotFitStopsTheStart(t *testing.T) {
	const other = "made up for the tests of package app, another one"
	for _, test := range []struct {
		name      string
		content   string // of the file; empty: it is gone
		secretKey string
		want      string // with the file as FILE
	}{
		{
			"it is missing", "", "",
			"secret key: FILE is missing, and without it the keys in the database cannot be opened: " +
				"restore it, or set LATCHKEY_SECRET_KEY to what they were made under",
		}, {
			"it was cut", "c2hvcnQ\n", "",
			"the secret key in FILE is too short: it is damaged, restore it",
		}, {
			"it was emptied", "\n", "",
			"the secret key in FILE is too short: it is damaged, restore it",
		}, {
			"it is that of another database", other, "",
			"the secret key in FILE does not open the keys in this database: ",
		}, {
			"another one is set", "", other,
			"LATCHKEY_SECRET_KEY does not open the keys in this database: ",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			path, keys := madeFile(t)
			file := path + ".secret"
			good, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if test.content != "" {
				write(t, file, test.content)
			}
			_, _, err = openFile(t, path, test.secretKey)
			want := strings.ReplaceAll(test.want, "FILE", file)
			if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if err != nil && strings.Contains(err.Error(), other) {
				t.Errorf("the error shows the secret: %v", err)
			}
			// Nothing was made: neither a secret nor, as the good one shows, a key.
			if content, err := os.ReadFile(file); string(content) != test.content {
				t.Errorf("the file was changed: %v", err)
			}
			write(t, file, string(good))
			got, _, err := openFile(t, path, "")
			if err != nil || got != keys {
				t.Errorf("with the good secret: %v, the same keys: %t", err, got == keys)
			}
		})
	}
}

func TestASecretThatOthersCanReadIsWarnedAbout(t *testing.T) {
	path, want := madeFile(t)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o666} {
		if err := os.Chmod(path+".secret", mode); err != nil {
			t.Fatal(err)
		}
		got, log, err := openFile(t, path, "")
		if err != nil || got != want {
			t.Fatalf("%v, the same keys: %t", err, got == want)
		}
		if strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "chmod 600") || !strings.Contains(log, path+".secret") {
			t.Errorf("mode %04o: the log is %q", mode, log)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
