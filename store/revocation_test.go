package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/internal/testdb"
	"latchkey/models"
	"latchkey/store"
)

// fill writes n revocations of sessions at once.
func fill(t testing.TB, url string, n int) {
	t.Helper()
	insert := `INSERT INTO revocations (session_id, user_id, epoch, expires_at)
		SELECT md5(i::text), 0, 0, '2100-01-01' FROM generate_series(1, %d) AS i`
	if strings.HasPrefix(url, "sqlite:") {
		insert = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
			INSERT INTO revocations (session_id, user_id, epoch, expires_at)
			SELECT lower(hex(randomblob(16))), 0, 0, 4102444800000000 FROM n LIMIT %d`
	}
	raw(t, url, fmt.Sprintf(insert, n))
}

// reader reads on from where it was.
type reader struct {
	*store.Store
	mark  string
	pages []int // how many came at a time
	anew  bool
}

func (r *reader) read(t testing.TB) (count int) {
	t.Helper()
	var err error
	r.pages = nil
	r.mark, r.anew, err = r.RevocationsSince(t.Context(), r.mark, func(page []models.Revocation) {
		r.pages = append(r.pages, len(page))
		count += len(page)
	})
	if err != nil {
		t.Fatal(err)
	}
	return count
}

func TestManyRevocationsComeInPages(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		r := &reader{Store: migrated(t, url)}
		r.read(t)
		for _, mark := range []string{"", r.mark} {
			raw(t, url, "DELETE FROM revocations")
			fill(t, url, 2500)
			r.mark = mark
			if n := r.read(t); n != 2500 || fmt.Sprint(r.pages) != "[1000 1000 500]" {
				t.Errorf("since %q: %d in the pages %v", mark, n, r.pages)
			}
		}
	})
}

// Whoever holds a transaction open, in whichever database of the server, has nothing read twice; what that transaction
// itself writes is not missed.
func TestATransactionThatIsHeldOpenHasNothingReadTwice(t *testing.T) {
	url := testdb.Postgres(t)
	r := &reader{Store: migrated(t, url)}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // the test is over
	held, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const insert = "INSERT INTO revocations (session_id, user_id, epoch, expires_at) VALUES ('', 1, 1, now())"
	if _, err := held.Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 3, 0, 1, 0} {
		if i == 1 {
			fill(t, url, 3)
		}
		if i == 3 {
			if err := held.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.read(t); got != want || r.anew {
			t.Errorf("reading %d: %d rows, want %d; anew %t", i, got, want, r.anew)
		}
	}
}

// A mark that the database cannot know, or may have lost what it stands for, is found out.
func TestAfterARestoreAllIsReadAnew(t *testing.T) {
	restores := map[string]map[string]string{
		"sqlite": {"an older file was put back": "DELETE FROM revocations; UPDATE sqlite_sequence SET seq = 1 WHERE name = 'revocations'"},
		"postgres": {
			"the table was filled anew": "TRUNCATE revocations",
			"the server ended all connections": `DELETE FROM revocations;
				SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE pid <> pg_backend_pid() AND application_name = current_schema()`,
		},
	}
	for dialect, ways := range restores {
		for name, statement := range ways {
			t.Run(dialect+": "+name, func(t *testing.T) {
				url := testdb.SQLite(t)
				if dialect == "postgres" {
					base := testdb.Postgres(t)
					url = base + "&application_name=" + schemaOf(t, base)
				}
				r := &reader{Store: migrated(t, url)}
				fill(t, url, 5)
				if n := r.read(t); n != 5 || r.anew {
					t.Fatalf("at first %d, anew %t", n, r.anew)
				}
				raw(t, url, statement)
				fill(t, url, 3)
				if n := r.readAgain(t); n != 3 || !r.anew {
					t.Errorf("after the restore %d, anew %t", n, r.anew)
				}
				fill(t, url, 1)
				if n := r.read(t); n != 1 || r.anew {
					t.Errorf("after that %d, anew %t", n, r.anew)
				}
			})
		}
	}
}

// readAgain allows for one reading through a connection that has just been ended.
func (r *reader) readAgain(t testing.TB) int {
	t.Helper()
	if _, _, err := r.RevocationsSince(t.Context(), r.mark, func([]models.Revocation) {}); err != nil {
		t.Log("as it may be:", err)
	}
	return r.read(t)
}

func schemaOf(t testing.TB, url string) (schema string) {
	t.Helper()
	if err := rawDB(t, url).QueryRowContext(t.Context(), "SELECT current_schema()").Scan(&schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// Requests that wait for each other's locks, as many as there are connections for them, do not keep a node from knowing
// what was revoked, nor from saying that it is ready.
func TestTheFeedDoesNotWaitForRequests(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		user := models.User{Username: "ada", UsernameKey: "ada", IsActive: true}
		if err := s.CreateUser(t.Context(), &user); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		err := s.Tx(t.Context(), func(tx models.Store) error {
			if _, err := tx.RaiseEpoch(t.Context(), user.ID, time.Now(), time.Now()); err != nil {
				return err
			}
			for range 40 {
				waiting.Go(func() { _, _ = s.RaiseEpoch(ctx, user.ID, time.Now(), time.Now()) })
			}
			<-time.After(200 * time.Millisecond) // so that they do wait
			asking, done := context.WithTimeout(t.Context(), time.Second)
			defer done()
			if _, _, err := s.RevocationsSince(asking, "", func([]models.Revocation) {}); err != nil {
				t.Errorf("the feed: %v", err)
			}
			if err := s.Ready(asking); err != nil {
				t.Errorf("readiness: %v", err)
			}
			return nil
		})
		cancel()
		waiting.Wait()
		if err != nil {
			t.Error(err)
		}
	})
}

// A start reads all; an idle node polls, with another transaction held open on PostgreSQL.
func BenchmarkRevocationsSince(b *testing.B) {
	for name, empty := range map[string]func(testing.TB) string{"sqlite": testdb.SQLite, "postgres": testdb.Postgres} {
		for _, n := range []int{0, 10_000, 1_000_000} {
			url := empty(b)
			s, err := store.Open(b.Context(), url)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close() //nolint:errcheck // the benchmark is over
			if _, err := s.Migrate(b.Context()); err != nil {
				b.Fatal(err)
			}
			if name == "postgres" {
				tx, err := rawDB(b, url).BeginTx(b.Context(), nil)
				if err != nil {
					b.Fatal(err)
				}
				defer tx.Rollback() //nolint:errcheck // the benchmark is over
				if _, err := tx.ExecContext(b.Context(), "SELECT pg_current_xact_id()"); err != nil {
					b.Fatal(err)
				}
			}
			fill(b, url, n)
			r := &reader{Store: s}
			b.Run(fmt.Sprintf("%s/rows=%d/all", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r.mark = ""
					if got := r.read(b); got != n {
						b.Fatalf("%d rows", got)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/rows=%d/nothing new", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if r.read(b) != 0 {
						b.Fatal("something is new")
					}
				}
			})
		}
	}
}
