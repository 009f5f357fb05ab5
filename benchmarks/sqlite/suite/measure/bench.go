// Package measure holds the benchmarks and the probes that every candidate runs.
package measure

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"latchkey/benchmarks/sqlite/suite"
)

const (
	joined = `SELECT s.id, s.user_id, s.generation, s.created_at, s.last_used_at, s.expires_at, s.ended_at, s.user_agent,
		u.username, u.email, u.password, u.epoch, u.is_active, u.created_at AS joined_at
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?`
	advance = `UPDATE sessions SET generation = generation + 1, last_used_at = ?, expires_at = ?
		WHERE id = ? AND generation = ? AND ended_at IS NULL`
	advanceReturning = advance + ` RETURNING user_id`
	advanceWhole     = advance + ` RETURNING user_id,
		(SELECT username FROM users WHERE id = user_id), (SELECT epoch FROM users WHERE id = user_id),
		(SELECT is_active FROM users WHERE id = user_id)`
	userByID = `SELECT id, username, email, password, epoch, is_active, created_at FROM users WHERE id = ?`
)

// sessionAndUser is a row of the joined query.
type sessionAndUser struct {
	suite.Session
	Username string
	Email    *string
	Password string
	Epoch    int64
	IsActive bool
	JoinedAt time.Time
}

func (r *sessionAndUser) scan(row *sql.Row) error {
	return row.Scan(&r.ID, &r.UserID, &r.Generation, &r.CreatedAt, &r.LastUsedAt, &r.ExpiresAt, &r.EndedAt,
		&r.UserAgent, &r.Username, &r.Email, &r.Password, &r.Epoch, &r.IsActive, &r.JoinedAt)
}

// fixture is a seeded file with a reading pool and the one writer over it.
type fixture struct {
	path           string
	reader, writer *sql.DB
}

func open(tb testing.TB, d suite.Driver) fixture {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "bench.db")
	w, err := d.Writer(path, 5*time.Second)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.Close() })
	if err := suite.Seed(tb.Context(), w); err != nil {
		tb.Fatal(err)
	}
	r, err := d.Reader(path)
	if err != nil {
		tb.Fatal(err)
	}
	r.SetMaxIdleConns(4)
	tb.Cleanup(func() { r.Close() })
	return fixture{path, r, w}
}

// Bench runs every benchmark of one driver.
func Bench(b *testing.B, d suite.Driver) {
	b.Run("read", func(b *testing.B) { benchReads(b, d) })
	b.Run("refresh", func(b *testing.B) { benchRefresh(b, d) })
	b.Run("open", func(b *testing.B) {
		f := open(b, d)
		measured(b, func(context.Context, int) error { return suite.OpenAndRead(d, f.path) })
	})
}

func benchReads(b *testing.B, d suite.Driver) {
	f := open(b, d)
	stmt, err := f.reader.PrepareContext(b.Context(), joined)
	if err != nil {
		b.Fatal(err)
	}
	defer stmt.Close()
	both(b, "sql_prepared_join", func(ctx context.Context, n int) error {
		var r sessionAndUser
		return r.scan(stmt.QueryRowContext(ctx, suite.SessionID(n)))
	})
	for _, prepare := range []bool{false, true} {
		g, err := suite.Gorm(d, f.reader, prepare)
		if err != nil {
			b.Fatal(err)
		}
		suffix := ""
		if prepare {
			suffix = "_PrepareStmt"
		}
		both(b, "gorm_raw_join"+suffix, func(ctx context.Context, n int) error {
			_, err := gorm.G[sessionAndUser](g).Raw(joined, suite.SessionID(n)).Take(ctx)
			return err
		})
		both(b, "gorm_two_takes"+suffix, func(ctx context.Context, n int) error {
			s, err := gorm.G[suite.Session](g).Where("id = ?", suite.SessionID(n)).Take(ctx)
			if err != nil {
				return err
			}
			_, err = gorm.G[suite.User](g).Where("id = ?", s.UserID).Take(ctx)
			return err
		})
	}
}

func benchRefresh(b *testing.B, d suite.Driver) {
	f := open(b, d)
	at := suite.Start().Add(time.Hour)
	until := at.Add(24 * time.Hour)

	// Rounds of Rows refreshes move each session one generation ahead, so the
	// n-th refresh expects generation base + n/Rows.
	generations := func(b *testing.B) func(n int) int64 {
		if _, err := f.writer.ExecContext(b.Context(), `UPDATE sessions SET generation = 1`); err != nil {
			b.Fatal(err)
		}
		return func(n int) int64 { return int64(n/suite.Rows) + 1 }
	}
	prepare := func(b *testing.B, query string) *sql.Stmt {
		stmt, err := f.writer.PrepareContext(b.Context(), query)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { stmt.Close() })
		return stmt
	}

	b.Run("sql_prepared_tx_returning", func(b *testing.B) {
		update, user, generation := prepare(b, advanceReturning), prepare(b, userByID), generations(b)
		measured(b, func(ctx context.Context, n int) error {
			tx, err := f.writer.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			var u suite.User
			err = tx.StmtContext(ctx, update).QueryRowContext(ctx, at, until, suite.SessionID(n), generation(n)).Scan(&u.ID)
			if err != nil {
				return err
			}
			err = tx.StmtContext(ctx, user).QueryRowContext(ctx, u.ID).Scan(
				&u.ID, &u.Username, &u.Email, &u.Password, &u.Epoch, &u.IsActive, &u.CreatedAt)
			if err != nil {
				return err
			}
			return tx.Commit()
		})
	})
	b.Run("sql_prepared_one_statement", func(b *testing.B) {
		update, generation := prepare(b, advanceWhole), generations(b)
		measured(b, func(ctx context.Context, n int) error {
			var u suite.User
			return update.QueryRowContext(ctx, at, until, suite.SessionID(n), generation(n)).Scan(
				&u.ID, &u.Username, &u.Epoch, &u.IsActive)
		})
	})
	for _, prepared := range []bool{false, true} {
		g, err := suite.Gorm(d, f.writer, prepared)
		if err != nil {
			b.Fatal(err)
		}
		suffix := ""
		if prepared {
			suffix = "_PrepareStmt"
		}
		b.Run("gorm_raw_tx"+suffix, func(b *testing.B) {
			generation := generations(b)
			measured(b, func(ctx context.Context, n int) error {
				return g.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
					var id int64
					r := tx.Raw(advanceReturning, at, until, suite.SessionID(n), generation(n)).Scan(&id)
					if r.Error != nil || id == 0 {
						return fmt.Errorf("not advanced: %w", r.Error)
					}
					_, err := gorm.G[suite.User](tx).Where("id = ?", id).Take(ctx)
					return err
				})
			})
		})
		b.Run("gorm_generics_tx"+suffix, func(b *testing.B) {
			generation := generations(b)
			measured(b, func(ctx context.Context, n int) error {
				return g.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
					rows, err := gorm.G[suite.Session](tx).
						Where("id = ? AND generation = ? AND ended_at IS NULL", suite.SessionID(n), generation(n)).
						Set(clause.Assignment{Column: clause.Column{Name: "generation"}, Value: gorm.Expr("generation + 1")},
							clause.Assignment{Column: clause.Column{Name: "last_used_at"}, Value: at},
							clause.Assignment{Column: clause.Column{Name: "expires_at"}, Value: until}).
						Update(ctx)
					if err != nil || rows != 1 {
						return fmt.Errorf("%d rows: %w", rows, err)
					}
					_, err = gorm.G[suite.User](tx).Where("id = ?", n%suite.Rows+1).Take(ctx)
					return err
				})
			})
		})
		b.Run("gorm_raw_one_statement"+suffix, func(b *testing.B) {
			generation := generations(b)
			measured(b, func(ctx context.Context, n int) error {
				var u struct {
					UserID   int64
					Username string
					Epoch    int64
					IsActive bool
				}
				r := g.WithContext(ctx).Raw(advanceWhole, at, until, suite.SessionID(n), generation(n)).Row()
				return r.Scan(&u.UserID, &u.Username, &u.Epoch, &u.IsActive)
			})
		})
	}
}

// both measures op in one goroutine and in GOMAXPROCS goroutines.
func both(b *testing.B, name string, op func(ctx context.Context, n int) error) {
	b.Run(name, func(b *testing.B) { measured(b, op) })
	b.Run(name+"_parallel", func(b *testing.B) {
		ctx := context.Background()
		b.ReportAllocs()
		before := cpu(b)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for n := 0; pb.Next(); n++ {
				if err := op(ctx, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/1e3, "cpu-µs/op")
	})
}

func measured(b *testing.B, op func(ctx context.Context, n int) error) {
	ctx := context.Background()
	b.ReportAllocs()
	before := cpu(b)
	n := 0
	for b.Loop() {
		if err := op(ctx, n); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(n)/1e3, "cpu-µs/op")
}

// cpu is the user and system time of the process so far, in nanoseconds.
func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
