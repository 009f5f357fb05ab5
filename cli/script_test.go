package cli_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"latchkey/config"
	"latchkey/internal/testcert"
	"latchkey/internal/testdb"
)

// TestScripts runs testdata/script/*.txtar, which say what each command does. Beyond the commands of testscript they use
//
//	status N COMMAND …   run it; it must end with the exit status N
//	start COMMAND …      run a server, until it listens; sets ADDR and URL; stdout and stderr are what it wrote so far
//	terminate            send it SIGTERM; it must end with 0; stdout and stderr are all it wrote
//	sql URL STATEMENT    change the database
//	mode N FILE …        check the permissions
//	mkcert CERT KEY LEFT NAME …  make a certificate of a day that is good for so much longer
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: setup, Cmds: scriptCommands(), RequireExplicitExec: true})
}

// TestScriptsOnPostgres runs testdata/postgres/*.txtar, each with a schema of its own.
func TestScriptsOnPostgres(t *testing.T) {
	testdb.Postgres(t) // skips here, if at all
	testscript.Run(t, testscript.Params{
		Dir: "testdata/postgres", Cmds: scriptCommands(), RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("LATCHKEY_DATABASE_URL", testdb.Postgres(t))
			e.Setenv("LATCHKEY_SECRET_KEY", "made up for the scripts of package cli")
			return setup(e)
		},
	})
}

// serverKey is where a script keeps its server.
type serverKey struct{}

func setup(e *testscript.Env) error {
	e.Values[serverKey{}] = new(*server)
	e.Setenv("LATCHKEY_ADDR", "127.0.0.1:0")
	return nil
}

func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"status": statusCommand, "start": startCommand, "terminate": terminateCommand, "sql": sqlCommand, "mode": modeCommand,
		"mkcert": mkcertCommand,
	}
}

func statusCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND …")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

func startCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: start COMMAND …")
	}
	var environment []string
	for _, name := range slices.Concat(config.Variables(), processVariables()) {
		if value := ts.Getenv(name); value != "" {
			environment = append(environment, name+"="+value)
		}
	}
	s, err := startServer(ts.MkAbs("."), environment, args...)
	ts.Check(err)
	ts.Defer(s.kill)
	*ts.Value(serverKey{}).(**server) = s
	ts.Setenv("ADDR", s.address)
	ts.Setenv("URL", s.url)
	fmt.Fprint(ts.Stdout(), s.printed())
	fmt.Fprint(ts.Stderr(), s.log.String())
}

func terminateCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: terminate")
	}
	s := *ts.Value(serverKey{}).(**server)
	if s == nil {
		ts.Fatalf("no server runs")
	}
	printed := s.printed()
	status, err := s.stop()
	fmt.Fprint(ts.Stdout(), printed)
	fmt.Fprint(ts.Stderr(), s.log.String())
	ts.Check(err)
	if status != 0 {
		ts.Fatalf("exit status %d", status)
	}
}

func sqlCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql URL STATEMENT")
	}
	driver, source := "pgx", args[0]
	if path, ok := strings.CutPrefix(source, "sqlite:"); ok {
		driver, source = "sqlite", ts.MkAbs(path)
	}
	db, err := sql.Open(driver, source)
	ts.Check(err)
	defer db.Close() //nolint:errcheck // the statement was run or was not
	_, err = db.Exec(args[1])
	ts.Check(err)
}

func mkcertCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: mkcert CERT KEY LEFT NAME …")
	}
	left, err := time.ParseDuration(args[2])
	ts.Check(err)
	end := time.Now().Add(left)
	cert, key, err := testcert.New(end.Add(-24*time.Hour-time.Minute), end, args[3:]...)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), cert, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), key, 0o600))
}

func modeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode N FILE …")
	}
	for _, path := range args[1:] {
		info, err := os.Stat(ts.MkAbs(path))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", path, got, args[0])
		}
	}
}
