package app_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/app"
	"latchkey/auth"
	"latchkey/auth/chain"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
	"latchkey/models"
)

// behind opens the database behind the server's back, and returns what runs a statement there.
func behind(t testing.TB, url string) func(statement string) {
	t.Helper()
	driver, source := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, source = "sqlite", path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() }) //nolint:errcheck // the test is over
	return func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v: %s", err, statement)
		}
	}
}

func verifyWith(t testing.TB, settings *config.Settings, noted *chain.Mark) (auth.ChainReport, error) {
	t.Helper()
	audit, err := app.OpenAudit(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	defer audit.Close() //nolint:errcheck // it was only read
	return audit.Verify(t.Context(), noted)
}

func verify(t testing.TB, url string, noted *chain.Mark) (auth.ChainReport, error) {
	t.Helper()
	return verifyWith(t, testkit.Settings(t, url), noted)
}

func mustVerify(t testing.TB, url string, rows int64) auth.ChainReport {
	t.Helper()
	report, err := verify(t, url, nil)
	if err != nil || report.Rows != rows || !report.Begun {
		t.Fatalf("%+v, %v; want %d rows and nothing wrong", report, err, rows)
	}
	return report
}

// Whoever can write the database, but does not have the secret, changes nothing of the past unnoticed.
func TestAChangeOfTheAuditIsFound(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		a, clock := testkit.Open(t, url)
		for _, name := range []string{"ada", "grace", "lin", "mary", "root"} {
			if _, err := a.Auth.CreateUser(auth.AsOperator(t.Context()), auth.UserForm{Username: name, Password: testkit.Password}); err != nil {
				t.Fatal(err)
			}
			clock.Advance(time.Second)
		}
		good := mustVerify(t, url, 5)
		run := behind(t, url)
		run("CREATE TABLE saved AS SELECT * FROM events")
		run("CREATE TABLE saved_chain AS SELECT * FROM event_chain")
		later := "at + 1"
		if !strings.HasPrefix(url, "sqlite:") {
			later = "at + interval '1 microsecond'"
		}
		type change struct {
			name  string
			do    []string
			seq   int64
			words string
		}
		var mistyped []change
		if strings.HasPrefix(url, "sqlite:") { // a blob reads like the text or the number, but no condition finds it
			for _, column := range []string{"at", "type", "actor_id", "actor_name", "subject_id", "subject_name", "session_id", "address", "user_agent", "detail"} {
				mistyped = append(mistyped, change{
					column + ", as a blob",
					[]string{"UPDATE events SET " + column + " = CAST(" + column + " AS blob) WHERE seq = 3"},
					3, "row 3 was changed: a column of event 3",
				})
			}
			mistyped = append(mistyped,
				change{"hash, as a text", []string{"UPDATE events SET hash = CAST(hash AS text) WHERE seq = 3"}, 3, "row 3 was changed: a column"},
				change{"at, as a fraction", []string{"UPDATE events SET at = at + 0.5 WHERE seq = 3"}, 3, "row 3 was changed: a column"},
				change{"seq, as a blob", []string{"UPDATE events SET seq = CAST('3' AS blob) WHERE seq = 3"}, 3, "row 3 was changed: a column"})
		}
		for _, test := range append(mistyped, []change{
			{"id", []string{"UPDATE events SET id = 900 WHERE seq = 3"}, 3, "row 3 was changed"},
			{"at", []string{"UPDATE events SET at = " + later + " WHERE seq = 3"}, 3, "row 3 was changed"},
			{"type", []string{"UPDATE events SET type = 'signed_in' WHERE seq = 3"}, 3, "row 3 was changed"},
			{"actor_id", []string{"UPDATE events SET actor_id = 1 WHERE seq = 3"}, 3, "row 3 was changed"},
			{"actor_name", []string{"UPDATE events SET actor_name = 'eve' WHERE seq = 3"}, 3, "row 3 was changed"},
			{"subject_id", []string{"UPDATE events SET subject_id = 1 WHERE seq = 3"}, 3, "row 3 was changed"},
			{"subject_name", []string{"UPDATE events SET subject_name = 'eve' WHERE seq = 3"}, 3, "row 3 was changed"},
			{"session_id", []string{"UPDATE events SET session_id = 'x' WHERE seq = 3"}, 3, "row 3 was changed"},
			{"address", []string{"UPDATE events SET address = '192.0.2.1' WHERE seq = 3"}, 3, "row 3 was changed"},
			{"user_agent", []string{"UPDATE events SET user_agent = 'x' WHERE seq = 3"}, 3, "row 3 was changed"},
			{"detail", []string{"UPDATE events SET detail = '{}' WHERE seq = 3"}, 3, "row 3 was changed"},
			{"detail, by a space", []string{"UPDATE events SET detail = detail || ' ' WHERE seq = 3"}, 3, "row 3 was changed"},
			{"hash", []string{"UPDATE events SET hash = (SELECT hash FROM saved WHERE seq = 2) WHERE seq = 3"}, 3, "row 3 was changed"},
			{"seq, to none", []string{"UPDATE events SET seq = 0 WHERE seq = 3"}, 3, "row 3 was removed"},
			{"the first is removed", []string{"DELETE FROM events WHERE seq = 1"}, 1, "row 1 was removed"},
			{"two in the middle are removed", []string{"DELETE FROM events WHERE seq IN (2, 3)"}, 2, "rows 2 to 3 were removed"},
			{"the last is removed", []string{"DELETE FROM events WHERE seq = 5"}, 5, "row 5 was removed from the end"},
			{"all are removed", []string{"DELETE FROM events"}, 1, "rows 1 to 5 were removed from the end"},
			{"two change places", []string{
				"UPDATE events SET seq = 100 WHERE seq = 2", "UPDATE events SET seq = 2 WHERE seq = 3", "UPDATE events SET seq = 3 WHERE seq = 100",
			}, 2, "row 2 was changed, or put in the place of another"},
			{"one is inserted in no chain", []string{
				"UPDATE saved SET id = 901, seq = 0 WHERE seq = 4", "INSERT INTO events SELECT * FROM saved WHERE id = 901",
				"UPDATE saved SET id = (SELECT id FROM events WHERE seq = 4), seq = 4 WHERE id = 901",
			}, 0, "a row is in no chain"},
			{"one is inserted before the beginning", []string{
				"UPDATE saved SET id = -901, seq = 0 WHERE seq = 4", "INSERT INTO events SELECT * FROM saved WHERE id = -901",
				"UPDATE saved SET id = (SELECT id FROM events WHERE seq = 4), seq = 4 WHERE id = -901",
			}, 0, "a row is in no chain"},
			{"one is inserted behind the end", []string{
				"UPDATE saved SET id = 901, seq = 6 WHERE seq = 4", "INSERT INTO events SELECT * FROM saved WHERE id = 901",
				"UPDATE saved SET id = (SELECT id FROM events WHERE seq = 4), seq = 4 WHERE id = 901",
			}, 6, "row 6 stands behind the end"},
			{"the end is moved with it", []string{
				"DELETE FROM events WHERE seq = 5",
				"UPDATE event_chain SET last_seq = 4, last_hash = (SELECT hash FROM events WHERE seq = 4)",
			}, 0, "the row of event_chain"},
			{"the beginning is moved", []string{
				"UPDATE event_chain SET first_seq = 3, prev_hash = (SELECT hash FROM events WHERE seq = 2)", "DELETE FROM events WHERE seq < 3",
			}, 0, "the row of event_chain"},
			{"the row of the chain is removed", []string{"DELETE FROM event_chain"}, 0, "was removed"},
		}...) {
			for _, statement := range test.do {
				run(statement)
			}
			_, err := verify(t, url, nil)
			broken, ok := chain.IsBroken(err)
			if !ok || broken.Seq != test.seq || !strings.Contains(broken.Error(), test.words) {
				t.Errorf("%s: got %v, want %q at %d", test.name, err, test.words, test.seq)
			}
			run("DELETE FROM events")
			run("INSERT INTO events SELECT * FROM saved")
			run("DELETE FROM event_chain")
			run("INSERT INTO event_chain SELECT * FROM saved_chain")
			mustVerify(t, url, 5)
		}

		// An older state of all of it is found by a mark from later, that was noted elsewhere.
		if err := testkit.MakeStale(t.Context(), a, 1); err != nil {
			t.Fatal(err)
		}
		six := mustVerify(t, url, 6)
		if report, err := verify(t, url, &good.End); err != nil || !report.Passed {
			t.Errorf("with the mark of before: %+v, %v", report, err)
		}
		run("DELETE FROM event_chain")
		run("INSERT INTO event_chain SELECT * FROM saved_chain")
		if _, err := verify(t, url, nil); err == nil {
			t.Error("an older end was put back")
		}
		run("DELETE FROM events WHERE seq = 6")
		mustVerify(t, url, 5)
		if _, err := verify(t, url, &six.End); err == nil {
			t.Error("an older state was put back, and the noted mark does not tell")
		}
	})
}

// The server goes on where the chain was tampered with, but neither mends it nor lets the evidence go.
func TestTheServerDoesNotMendTheChain(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		for _, test := range []struct{ name, do string }{
			{"a row was changed", "UPDATE events SET address = '192.0.2.1' WHERE seq = 1"},
			{"the end was cut off", "UPDATE event_chain SET last_seq = last_seq - 1"},
			{"the row of the chain was removed", "DELETE FROM event_chain"},
		} {
			url := url
			if test.do != "UPDATE events SET address = '192.0.2.1' WHERE seq = 1" {
				url = another(t, url)
			}
			s := testkit.Start(t, url, func(c *config.Settings) { c.AuditRetention = time.Hour })
			s.AddUser("ada")
			s.SignIn("ada")
			if test.name == "the end was cut off" {
				behind(t, url)("DELETE FROM events WHERE seq = 2")
			}
			behind(t, url)(test.do)
			s.SignIn("ada") // it is not kept from it
			s.Clock.Advance(2 * time.Hour)
			if err := s.App.Clean(t.Context()); (err == nil) != (test.name == "the row of the chain was removed") {
				t.Errorf("%s: cleaning: %v", test.name, err)
			}
			rows, err := s.App.Store.EventsBefore(t.Context(), 0, 10)
			if err != nil || len(rows) < 2 {
				t.Errorf("%s: %d rows are left, %v", test.name, len(rows), err)
			}
			if _, err := verify(t, url, nil); err == nil {
				t.Errorf("%s: it was mended", test.name)
			}
		}
	})
}

// another returns another empty database of the same kind.
func another(t *testing.T, url string) string {
	t.Helper()
	if strings.HasPrefix(url, "sqlite:") {
		return testdb.SQLite(t)
	}
	return testdb.Postgres(t)
}

// Two nodes with many goroutines each write one chain without gaps, while it is verified.
func TestManyWriteOneChain(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		const writers, each = 16, 4
		first, _ := testkit.Open(t, url)
		second, _ := testkit.Open(t, url)
		user, err := first.Auth.CreateUser(auth.AsOperator(t.Context()), auth.UserForm{Username: "ada", Password: testkit.Password})
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		errs := make(chan error, 2*writers*each+each)
		for _, node := range []*app.App{first, second} {
			for range writers {
				group.Go(func() {
					for range each {
						_, err := node.Auth.Login(t.Context(), "ada", testkit.Password)
						errs <- err
					}
				})
			}
		}
		group.Go(func() {
			for range each {
				_, err := verify(t, url, nil)
				errs <- err
			}
		})
		group.Wait()
		close(errs)
		busy := 0
		for err := range errs {
			if err != nil {
				busy++
				t.Error(err)
			}
		}
		if user.ID == 0 || busy > 0 {
			t.Fatalf("%d failed", busy)
		}
		mustVerify(t, url, 1+2*writers*each)
	})
}

// A transaction that ends in the middle leaves nothing in the chain, and no gap.
func TestWhatIsRolledBackLeavesNoGap(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		a, _ := testkit.Open(t, url)
		ada, err := a.Auth.CreateUser(auth.AsOperator(t.Context()), auth.UserForm{Username: "ada", Password: testkit.Password})
		if err != nil {
			t.Fatal(err)
		}
		before := mustVerify(t, url, 1)
		failure := errors.New("made up")
		err = a.Store.Tx(t.Context(), func(tx models.Store) error {
			c, ids, err := tx.TakeEventChain(t.Context(), 2)
			if err != nil {
				return err
			}
			c.LastSeq += 2
			rows := []models.Event{
				{ID: ids[0], At: time.Now(), Type: "made_up", Seq: c.LastSeq - 1, Hash: []byte{1}},
				{ID: ids[1], At: time.Now(), Type: "made_up", Seq: c.LastSeq, Hash: []byte{2}},
			}
			if err := errors.Join(tx.CreateEvents(t.Context(), rows), tx.MoveEventChain(t.Context(), c)); err != nil {
				return err
			}
			return failure
		})
		if !errors.Is(err, failure) {
			t.Fatal(err)
		}
		if after := mustVerify(t, url, 1); after.End.Seq != before.End.Seq {
			t.Errorf("the chain ends at %d, it was %d", after.End.Seq, before.End.Seq)
		}
		if err := testkit.MakeStale(t.Context(), a, ada.ID); err != nil {
			t.Fatal(err)
		}
		mustVerify(t, url, 2)
	})
}

// What is deleted because its time is over is no break; the rest of the chain is still whole.
func TestRetentionMovesTheBeginning(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		url := s.App.Settings.DatabaseURL
		s.AddUser("ada")
		for range 4 {
			s.Clock.Advance(time.Hour)
			s.SignIn("ada")
		}
		end := mustVerify(t, url, 5).End
		s.Clock.Advance(90 * time.Minute)
		mustClean(t, s)
		report := mustVerify(t, url, 2)
		if report.Gone != 3 || report.End.Seq != end.Seq {
			t.Errorf("%+v", report)
		}
		if report, err := verify(t, url, &end); err != nil || !report.Passed {
			t.Errorf("with the mark of before: %+v, %v", report, err)
		}
		run := behind(t, url)
		run("CREATE TABLE saved AS SELECT * FROM events")
		run("DELETE FROM events WHERE seq = 4")
		if broken, ok := chain.IsBroken(wrongWith(verify(t, url, nil))); !ok || broken.Seq != 4 {
			t.Errorf("the first of the rest was removed: %v", broken)
		}
		run("INSERT INTO events SELECT * FROM saved WHERE seq = 4")
		s.Clock.Advance(24 * time.Hour)
		mustClean(t, s)
		mustVerify(t, url, 0)
		if report, err := verify(t, url, &end); err != nil || !report.Passed {
			t.Errorf("with all gone: %+v, %v", report, err)
		}
		s.SignIn("ada")
		mustVerify(t, url, 1)
	}, func(c *config.Settings) { c.AuditRetention = 3 * time.Hour })
}

func wrongWith(_ auth.ChainReport, err error) error { return err }

// Rows from before there was a chain stay as they are.
func TestTheChainBeginsBehindWhatWasThereBefore(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		settings := testkit.Settings(t, url)
		db, err := app.OpenStore(t.Context(), settings)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		old := []models.Event{{At: time.Now(), Type: "signed_in"}, {At: time.Now(), Type: "signed_out"}}
		if err := errors.Join(db.CreateEvents(t.Context(), old), db.Close()); err != nil {
			t.Fatal(err)
		}
		if report, err := verify(t, url, nil); err != nil || report.Begun || report.Before != 2 {
			t.Errorf("before the first start: %+v, %v", report, err)
		}
		a, _ := testkit.Open(t, url)
		if _, err := a.Auth.CreateUser(auth.AsOperator(t.Context()), auth.UserForm{Username: "ada", Password: testkit.Password}); err != nil {
			t.Fatal(err)
		}
		if report := mustVerify(t, url, 1); report.Before != 2 {
			t.Errorf("%+v, want two from before the chain", report)
		}
	})
}

// The key of the chain is sealed as signing keys are, where those are in the settings, too.
func TestTheKeyOfTheChainIsResealed(t *testing.T) {
	const older, newer = "a secret key that only tests have, made of words", "another secret key of tests, made of more words"
	for _, shared := range []string{"", "a shared secret of tests for HS256, of words"} {
		testdb.Each(t, func(t *testing.T, url string) {
			settings := func(secret string, before ...string) *config.Settings {
				s := testkit.Settings(t, url)
				s.SecretKey, s.SecretsBefore = secret, before
				if shared != "" {
					s.Algorithm, s.SigningKey = "HS256", shared
				}
				return s
			}
			with := func(s *config.Settings, use func(*app.App) error) error {
				a, err := app.Open(t.Context(), app.Options{Settings: s, Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					return err
				}
				return errors.Join(use(a), a.Close())
			}
			add := func(name string) func(a *app.App) error {
				return func(a *app.App) error {
					_, err := a.Auth.CreateUser(auth.AsOperator(t.Context()), auth.UserForm{Username: name, Password: testkit.Password})
					return err
				}
			}
			want := 3
			if shared != "" {
				want = 1
			}
			if err := with(settings(older), add("ada")); err != nil {
				t.Fatal(err)
			}
			if _, err := verifyWith(t, settings(newer), nil); err == nil || !strings.HasPrefix(err.Error(), "nothing was verified: LATCHKEY_SECRET_KEY does not open") {
				t.Errorf("with a wrong secret: %v", err)
			}
			if err := with(settings(newer), add("eve")); err == nil {
				t.Error("a server started with a wrong secret")
			}
			if err := with(settings(newer, older), func(a *app.App) error {
				if err := add("grace")(a); err != nil {
					return err
				}
				n, err := a.Reseal(t.Context())
				if err == nil && n != want {
					err = fmt.Errorf("%d were sealed anew, want %d", n, want)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if err := with(settings(newer), add("lin")); err != nil {
				t.Fatal(err)
			}
			report, err := verifyWith(t, settings(newer), nil)
			if err != nil || report.Rows != 3 {
				t.Errorf("%+v, %v", report, err)
			}
			if _, err := verifyWith(t, settings(older), nil); err == nil {
				t.Error("the secret of before still opens the key")
			}
		})
	}
}

// BenchmarkAChainedEvent is the recording of an event; BenchmarkAnEvent the writing of a row without a chain.
func BenchmarkAChainedEvent(b *testing.B) {
	benchmarkEvents(b, func(ctx context.Context, a *app.App) error {
		return auth.NewImporter(auth.ImportOptions{Recorder: a.Recorder}).Record(ctx, map[string]any{"new": 1})
	})
}

func BenchmarkAnEvent(b *testing.B) {
	benchmarkEvents(b, func(ctx context.Context, a *app.App) error {
		return a.Store.Tx(ctx, func(tx models.Store) error {
			return tx.CreateEvents(ctx, []models.Event{{At: time.Now(), Type: "users_imported", Detail: map[string]any{"new": 1}}})
		})
	})
}

func benchmarkEvents(b *testing.B, record func(context.Context, *app.App) error) {
	b.Helper()
	for name, open := range map[string]func(testing.TB) string{"sqlite": testdb.SQLite, "postgres": testdb.Postgres} {
		b.Run(name, func(b *testing.B) {
			a, err := app.Open(b.Context(), app.Options{Settings: testkit.Settings(b, open(b)), Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			defer a.Close() //nolint:errcheck // the benchmark is over
			b.Run("alone", func(b *testing.B) {
				for b.Loop() {
					if err := record(b.Context(), a); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("by 16", func(b *testing.B) {
				b.SetParallelism(8)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := record(b.Context(), a); err != nil {
							b.Error(err)
						}
					}
				})
			})
		})
	}
}
