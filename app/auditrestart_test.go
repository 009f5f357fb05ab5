package app_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/app"
	"latchkey/auth"
	"latchkey/auth/chain"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

func restart(t testing.TB, url string) (auth.ChainRestart, error) {
	t.Helper()
	audit, err := app.OpenAudit(t.Context(), testkit.Settings(t, url))
	if err != nil {
		t.Fatal(err)
	}
	defer audit.Close() //nolint:errcheck // it is over
	return audit.Restart(t.Context())
}

// Behind a break a new chain begins, whose first row says what was wrong; servers that run go on with it.
func TestANewChainBeginsBehindABreak(t *testing.T) {
	for _, test := range []struct{ name, do, wrong string }{
		{"a row was changed", "UPDATE events SET address = 'x' WHERE seq = 2", "row 2 was changed"},
		{"the end was cut off", "DELETE FROM events WHERE seq = 3", "row 3 was removed from the end"},
		{"the row of the chain was changed", "UPDATE event_chain SET last_seq = 9000000000000000000", "event_chain"},
		{"its BeforeID was changed to that of the last row", "UPDATE event_chain SET before_id = (SELECT max(id) FROM events)", "event_chain"},
		{"the row of the chain was removed", "DELETE FROM event_chain", "the chain's row was removed"},
		{"a row was put in a negative place", "UPDATE events SET seq = -3 WHERE seq = 3", "row 3 was removed from the end"},
		{"a row was put in with an id below all", "UPDATE events SET id = -3, seq = 0 WHERE seq = 3", "row 3 was removed from the end"},
		{"a place is no number", "", "row 3 was"}, // SQLite alone lets one do so
		{"a row was put in with a high id", "UPDATE events SET id = 500 WHERE seq = 3", "row 3 was changed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.Each(t, func(t *testing.T, s *testkit.Server) {
				url := s.App.Settings.DatabaseURL
				s.AddUser("ada")
				s.SignIn("ada")
				s.SignIn("ada")
				old := mustVerify(t, url, 3).End
				if _, err := restart(t, url); !errors.Is(err, auth.ErrChainWhole) {
					t.Fatalf("where all is whole: %v", err)
				}
				do := test.do
				if do == "" {
					if do = "UPDATE events SET seq = CAST('3' AS blob) WHERE seq = 3"; !strings.HasPrefix(url, "sqlite:") {
						do = "DELETE FROM events WHERE seq = 3"
					}
				}
				behind(t, url)(do)
				done, err := restart(t, url)
				if err != nil || !strings.Contains(done.Wrong, test.wrong) {
					t.Fatalf("%+v, %v", done, err)
				}
				report := mustVerify(t, url, 1)
				if !report.Former || report.Why != done.Wrong || report.BegunAt.IsZero() || report.Before < 2 {
					t.Errorf("%+v", report)
				}
				s.SignIn("ada") // the server that ran all the time
				mustVerify(t, url, 2)
				if report, err := verify(t, url, &old); err != nil || report.Passed || !report.NotedFormer {
					t.Errorf("with a mark of the chain before: %+v, %v", report, err)
				}
				if _, err := restart(t, url); !errors.Is(err, auth.ErrChainWhole) {
					t.Errorf("once more: %v", err)
				}
				// The clock of the server runs ahead of that of the command, which is the real one.
				s.Clock.Advance(2*time.Hour + max(0, time.Since(s.Clock.Now())))
				mustClean(t, s)
				if report := mustVerify(t, url, 0); report.Before != 0 {
					t.Errorf("%d rows from before are left although their time is over", report.Before)
				}
			}, func(c *config.Settings) { c.AuditRetention = time.Hour })
		})
	}
}

// A place behind which there is no room is for the operator to take away.
func TestARestartSaysWhatIsInItsWay(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		url := s.App.Settings.DatabaseURL
		s.AddUser("ada")
		s.SignIn("ada")
		run := behind(t, url)
		run("UPDATE events SET seq = 9223372036854775807 WHERE seq = 2")
		const mend = "UPDATE events SET seq = 0 WHERE seq = 9223372036854775807"
		if _, err := restart(t, url); err == nil || !strings.Contains(err.Error(), mend) {
			t.Fatalf("got %v", err)
		}
		run(mend)
		if _, err := restart(t, url); err != nil {
			t.Fatal(err)
		}
		if report := mustVerify(t, url, 1); report.Before != 2 {
			t.Errorf("%+v", report)
		}
	})
}

// Who wipes the chain whole, so that a start begins another one, is given away by the time at which it began, and by a
// mark that was noted elsewhere.
func TestAChainThatWasWipedIsYounger(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s := testkit.Start(t, url)
		s.AddUser("ada")
		s.SignIn("ada")
		before := mustVerify(t, url, 2)
		run := behind(t, url)
		run("UPDATE events SET seq = 0, hash = ''")
		run("DELETE FROM event_chain")
		s.Clock.Advance(time.Hour)
		again, err := app.Open(t.Context(), app.Options{Settings: s.App.Settings, Now: s.Clock.Now, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close() //nolint:errcheck // the test is over
		if report := mustVerify(t, url, 0); !report.BegunAt.Equal(before.BegunAt.Add(time.Hour)) || report.Before != 2 {
			t.Errorf("%+v, and before %+v", report, before)
		}
		if _, err := verify(t, url, &before.End); err == nil {
			t.Error("the mark that was noted does not tell")
		}
	})
}

// Of operators at once one begins the new chain, while two nodes write and others verify.
func TestOneOfManyRestartsTheChain(t *testing.T) {
	for _, do := range []string{"UPDATE events SET address = 'x' WHERE seq = 1", "DELETE FROM event_chain"} {
		testdb.Each(t, func(t *testing.T, url string) {
			if strings.HasPrefix(do, "DELETE") {
				url = another(t, url)
			}
			first, _ := testkit.Open(t, url)
			second, _ := testkit.Open(t, url)
			if _, err := first.Auth.CreateUser(auth.AsOperator(t.Context()), auth.UserForm{Username: "ada", Password: testkit.Password}); err != nil {
				t.Fatal(err)
			}
			behind(t, url)(do)
			const operators, writers, each = 4, 4, 4
			var began atomic.Int64
			var group sync.WaitGroup
			for range operators {
				group.Go(func() {
					_, err := restart(t, url)
					if err == nil {
						began.Add(1)
					} else if !errors.Is(err, auth.ErrChainWhole) {
						t.Error(err)
					}
				})
				group.Go(func() {
					if _, err := verify(t, url, nil); err != nil {
						if _, ok := chain.IsBroken(err); !ok {
							t.Error(err)
						}
					}
				})
			}
			for _, node := range []*app.App{first, second} {
				for range writers {
					group.Go(func() {
						for range each {
							if _, err := node.Auth.Login(t.Context(), "ada", testkit.Password); err != nil {
								t.Error(err)
							}
						}
					})
				}
			}
			group.Wait()
			report, err := verify(t, url, nil)
			if err != nil || began.Load() != 1 || report.Before+report.Rows != 2+2*writers*each {
				t.Errorf("%d began a chain: %+v, %v", began.Load(), report, err)
			}
		})
	}
}

// Where the row of the chain is gone, no start begins a chain, and what is written meanwhile is in none.
func TestNoServerBeginsAChainInPlaceOfOneThatWasRemoved(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s := testkit.Start(t, url)
		s.AddUser("ada")
		behind(t, url)("DELETE FROM event_chain")
		s.SignIn("ada")
		again := testkit.Start(t, url)
		again.SignIn("ada")
		if broken, ok := chain.IsBroken(wrongWith(verify(t, url, nil))); !ok || !strings.Contains(broken.Error(), "the chain's row was removed") {
			t.Errorf("got %v", broken)
		}
		if _, err := restart(t, url); err != nil {
			t.Fatal(err)
		}
		s.SignIn("ada")
		again.SignIn("ada")
		if report := mustVerify(t, url, 3); report.Before != 3 {
			t.Errorf("%+v", report)
		}
	})
}
