package measure

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"latchkey/benchmarks/sqlite/suite"
)

// stormEnv names the file that a child process writes until it is killed.
const stormEnv = "SQLITE_STORM_FILE"

// endless is a query of many seconds, unless an interrupt ends it.
const endless = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 50000000) SELECT count(*) FROM c`

// Probe checks what every candidate must do, and logs where they differ.
func Probe(t *testing.T, d suite.Driver) {
	if path := os.Getenv(stormEnv); path != "" {
		storm(t, d, path)
		return
	}
	t.Run("a writer and readers share the file", func(t *testing.T) { probeShare(t, d) })
	t.Run("a cancelled query leaves the handle usable", func(t *testing.T) { probeCancel(t, d) })
	t.Run("a cancelled transaction releases the write lock", func(t *testing.T) { probeCancelTx(t, d) })
	t.Run("a killed writer leaves a sound file", func(t *testing.T) { probeKill(t, d) })
	t.Run("errors", func(t *testing.T) { probeErrors(t, d) })
	t.Run("times", func(t *testing.T) { probeTimes(t, d) })
}

// probeShare lets 16 goroutines race for one generation through the single
// writer while a reader keeps a snapshot open: one must win, none may be busy.
func probeShare(t *testing.T, d suite.Driver) {
	f := open(t, d)
	ctx := t.Context()
	snapshot, err := f.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Rollback()
	var generation int64
	if err := snapshot.QueryRowContext(ctx, `SELECT generation FROM sessions WHERE id = ?`, suite.SessionID(0)).Scan(&generation); err != nil {
		t.Fatal(err)
	}
	var wins sync.Map
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			r, err := f.writer.ExecContext(ctx, advance, suite.Start(), suite.Start(), suite.SessionID(0), generation)
			if err != nil {
				t.Error(err)
				return
			}
			if n, err := r.RowsAffected(); err != nil || n == 1 {
				wins.Store(i, err)
			}
		})
	}
	wg.Wait()
	got := 0
	wins.Range(func(any, any) bool { got++; return true })
	if got != 1 {
		t.Errorf("%d of 16 won the generation, want 1", got)
	}
	var seen int64
	if err := snapshot.QueryRowContext(ctx, `SELECT generation FROM sessions WHERE id = ?`, suite.SessionID(0)).Scan(&seen); err != nil || seen != generation {
		t.Errorf("snapshot sees generation %d, %v; want %d", seen, err, generation)
	}
	if _, err := f.reader.ExecContext(ctx, `DELETE FROM sessions`); err == nil {
		t.Error("the reading pool wrote")
	} else {
		t.Logf("a write on the reading pool: %s", d.Describe(err))
	}
	for _, p := range []string{"journal_mode", "synchronous", "busy_timeout", "foreign_keys"} {
		var w, r string
		err := errors.Join(f.writer.QueryRowContext(ctx, "PRAGMA "+p).Scan(&w), f.reader.QueryRowContext(ctx, "PRAGMA "+p).Scan(&r))
		t.Logf("%s: writer %s, reader %s (%v)", p, w, r, err)
	}
	var version string
	f.reader.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version)
	t.Logf("SQLite %s", version)
}

func probeCancel(t *testing.T, d suite.Driver) {
	f := open(t, d)
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		began := time.Now()
		var n int64
		err := f.writer.QueryRowContext(ctx, endless).Scan(&n)
		cancel()
		if took := time.Since(began); took > time.Second {
			t.Fatalf("cancelled after %v", took)
		}
		if err == nil {
			t.Error("the query was not cancelled")
		} else if n == 0 && !errors.Is(err, context.DeadlineExceeded) {
			t.Logf("not a context error: %s", d.Describe(err))
		}
		if err := f.writer.QueryRowContext(t.Context(), `SELECT count(*) FROM users`).Scan(&n); err != nil || n != suite.Rows {
			t.Fatalf("after the cancelled query: %d rows, %v", n, err)
		}
	}
}

func probeCancelTx(t *testing.T, d suite.Driver) {
	f := open(t, d)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		tx, err := f.writer.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET epoch = 99`); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.AfterFunc(20*time.Millisecond, cancel)
		var n int64
		if err := tx.QueryRowContext(ctx, endless).Scan(&n); err == nil {
			t.Error("the query was not cancelled")
		}
		cancel()
		if took := time.Since(began); took > time.Second {
			t.Fatalf("cancelled after %v", took)
		}
		if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
			t.Logf("rollback: %s", d.Describe(err))
		}
		if _, err := f.writer.ExecContext(t.Context(), `UPDATE sessions SET user_agent = 'x' WHERE id = ?`, suite.SessionID(0)); err != nil {
			t.Fatalf("the next write: %s", d.Describe(err))
		}
		if err := f.reader.QueryRowContext(t.Context(), `SELECT count(*) FROM users WHERE epoch = 99`).Scan(&n); err != nil || n != 0 {
			t.Fatalf("%d rows of the cancelled transaction remain, %v", n, err)
		}
	}
}

// storm writes transactions to the file at path and reports each commit.
func storm(t *testing.T, d suite.Driver, path string) {
	w, err := d.Writer(path, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for n := int64(2); ; n++ {
		tx, err := w.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE sessions SET generation = ?, user_agent = hex(randomblob(200))`, n); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("committed " + strconv.FormatInt(n, 10) + "\n")
	}
}

func probeKill(t *testing.T, d suite.Driver) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for try := range 5 {
		path := filepath.Join(t.TempDir(), "storm.db")
		w, err := d.Writer(path, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if err := suite.Seed(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		w.Close()
		child := exec.Command(self, "-test.run=^"+strings.Split(t.Name(), "/")[0]+"$")
		child.Env = append(os.Environ(), stormEnv+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		// The child is killed as soon as a number of commits differing by try
		// is out, and whatever it still said by then counts as promised.
		var last int64
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if n, ok := strings.CutPrefix(lines.Text(), "committed "); ok {
				last, _ = strconv.ParseInt(n, 10, 64)
			}
			if last == int64(20+7*try) {
				child.Process.Kill()
			}
		}
		child.Wait()
		w, err = d.Writer(path, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var verdict string
		var lowest, highest int64
		err = errors.Join(
			w.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&verdict),
			w.QueryRowContext(t.Context(), `SELECT min(generation), max(generation) FROM sessions`).Scan(&lowest, &highest))
		w.Close()
		if err != nil || verdict != "ok" || lowest != highest || highest < last || last < 20 {
			t.Errorf("after the kill: %q, generations %d to %d, promised %d, %v", verdict, lowest, highest, last, err)
		}
	}
}

func probeErrors(t *testing.T, d suite.Driver) {
	f := open(t, d)
	ctx := t.Context()
	insert := `INSERT INTO users VALUES (?, ?, ?, 'x', 1, 1, ?)`
	for what, args := range map[string][]any{
		"username taken":    {nil, "user1", "other@example.com", suite.Start()},
		"e-mail taken":      {nil, "other", "USER1@example.com", suite.Start()},
		"primary key taken": {1, "other", "other@example.com", suite.Start()},
	} {
		_, err := f.writer.ExecContext(ctx, insert, args...)
		t.Logf("%s: %s", what, d.Describe(err))
	}
	_, err := f.writer.ExecContext(ctx, `INSERT INTO sessions VALUES ('a', 99999, 1, 1, 1, 1, NULL, '')`)
	t.Logf("no such user: %s", d.Describe(err))
	_, err = f.writer.ExecContext(ctx, `INSERT INTO users (id) VALUES (5000)`)
	t.Logf("null: %s", d.Describe(err))

	g, err := suite.Gorm(d, f.writer, false)
	if err != nil {
		t.Fatal(err)
	}
	err = gorm.G[suite.User](g).Create(ctx, &suite.User{Username: "user1", CreatedAt: suite.Start()})
	t.Logf("username taken, through GORM: %s", d.Describe(err))

	other, err := d.Writer(f.path, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.PingContext(ctx); err != nil {
		t.Fatal(err)
	}
	tx, err := f.writer.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	_, err = other.BeginTx(ctx, nil)
	if err == nil {
		t.Error("two writers at once")
	}
	t.Logf("busy: %s", d.Describe(err))

	patient, err := d.Writer(f.path, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer patient.Close()
	if err := patient.PingContext(ctx); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = patient.BeginTx(short, nil)
	t.Logf("busy, context of 50 ms: after %v: %s", time.Since(began).Round(time.Millisecond), d.Describe(err))
}

// probeTimes writes one instant, given in another zone, through GORM into
// columns of several declared types and logs what is stored and read.
func probeTimes(t *testing.T, d suite.Driver) {
	type moment struct {
		ID int64 `gorm:"primaryKey"`
		At time.Time
		No *time.Time
	}
	f := open(t, d)
	ctx := t.Context()
	want := suite.Start().In(time.FixedZone("", 2*3600))
	for _, declared := range []string{"DATETIME", "TIMESTAMP", "INTEGER", "TEXT"} {
		table := "t_" + strings.ToLower(declared)
		if _, err := f.writer.ExecContext(ctx, `CREATE TABLE `+table+` (id INTEGER PRIMARY KEY, at `+declared+`, no `+declared+`)`); err != nil {
			t.Fatal(err)
		}
		g, err := suite.Gorm(d, f.writer, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Table(table).Create(&moment{ID: 1, At: want}).Error; err != nil {
			t.Fatal(err)
		}
		var kind, text string
		if err := f.reader.QueryRowContext(ctx, `SELECT typeof(at), CAST(at AS TEXT) FROM `+table).Scan(&kind, &text); err != nil {
			t.Fatal(err)
		}
		var got moment
		err = g.Table(table).Take(&got).Error
		equal := got.At.Equal(want)
		var hits int
		f.reader.QueryRowContext(ctx, `SELECT count(*) FROM `+table+` WHERE at = ? AND at > ? AND at < ?`,
			want, want.Add(-time.Microsecond), want.Add(time.Microsecond)).Scan(&hits)
		var newest time.Time
		aggregate := f.reader.QueryRowContext(ctx, `SELECT max(at) FROM `+table).Scan(&newest)
		t.Logf("%s: stored as %s %q; read %v in %v, equal %t, err %v; compared in SQL %t; max(): %v",
			declared, kind, text, got.At, got.At.Location(), equal, err, hits == 1, aggregate)
	}
	now := time.Now()
	if _, err := f.writer.ExecContext(ctx, `INSERT INTO t_datetime VALUES (2, ?, NULL)`, now); err != nil {
		t.Fatal(err)
	}
	var text string
	if err := f.reader.QueryRowContext(ctx, `SELECT CAST(at AS TEXT) FROM t_datetime WHERE id = 2`).Scan(&text); err != nil {
		t.Fatal(err)
	}
	t.Logf("time.Now() stored as %q", text)
}
