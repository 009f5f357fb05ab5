package store

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"latchkey/internal/testdb"
	"latchkey/models"
)

var (
	plans    = flag.String("plans", "", "write the plans of TestPlans to this file")
	manyUser = flag.Int("users", 12_000, "how many users TestPlans and BenchmarkUsers make")
)

// crowd returns a migrated store of many users. One in hundred is inactive; all have the role everybody, one in two the
// role half and one in thousand the role few. All are found by "user" and by "ma", one in hundred by "lovelace".
func crowd(t testing.TB, url string, n int) *Store {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // the test is over
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"everybody", "half", "few"} {
		if err := s.SaveRole(t.Context(), &models.Role{Name: name, Permissions: []string{}}); err != nil {
			t.Fatal(err)
		}
	}
	date := "1767225600000000 + (i / 10) * 1000000" // 2026
	if !strings.HasPrefix(url, "sqlite:") {
		date = "timestamptz '2026-01-01T00:00:00Z' + (i / 10) * interval '1 second'"
	}
	// The names are not in the order of the ids.
	people := fmt.Sprintf(`WITH RECURSIVE series (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < %d),
		people AS (SELECT i, 'user' || substr(CAST(10000000 + (CAST(i AS bigint) * 7919) %% %d AS text), 2) AS name,
			CASE WHEN i %% 100 = 1 THEN 'Lovelace' ELSE 'Major' END AS last FROM series) `, n, n)
	fill := []string{
		`INSERT INTO users (id, username, username_key, email, first_name, last_name, password_hash, is_active, is_staff, is_superuser, epoch, date_joined) ` +
			people + `SELECT i, name, name, name || '@example.org', 'Mary', last, '!', i % 100 <> 0, false, false, 0, ` + date + ` FROM people`,
		`INSERT INTO user_roles (user_id, role_id) SELECT users.id, roles.id FROM users JOIN roles ON roles.name = 'everybody'
			OR roles.name = 'half' AND users.id % 2 = 0 OR roles.name = 'few' AND users.id % 1000 = 0`,
	}
	for _, term := range []string{"username", "email", "lower(first_name || ' ' || last_name)", "lower(last_name || ' ' || first_name)"} {
		fill = append(fill, "INSERT INTO user_terms (term, user_id) SELECT "+term+", id FROM users")
	}
	if !strings.HasPrefix(url, "sqlite:") { // SQLite has no statistics unless somebody asks for them
		fill = append(fill, "ANALYZE users, user_roles, user_terms")
	}
	for _, statement := range fill {
		if err := s.write.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// statements is a logger of GORM that keeps what was run.
type statements struct {
	logger.Interface
	list *[]string
}

func (l statements) LogMode(logger.LogLevel) logger.Interface { return l }

func (l statements) Trace(_ context.Context, _ time.Time, run func() (string, int64), _ error) {
	text, _ := run()
	*l.list = append(*l.list, text)
}

// watched returns the store, and what it runs.
func watched(s *Store) (*Store, *[]string) {
	list := &[]string{}
	read := s.read.Session(&gorm.Session{Logger: statements{logger.Discard, list}})
	return &Store{dialect: s.dialect, read: read, write: s.write}, list
}

func explain(t *testing.T, s *Store, statement string) string {
	t.Helper()
	prefix := "EXPLAIN "
	if _, ok := s.dialect.(sqliteDialect); ok {
		prefix = "EXPLAIN QUERY PLAN "
	}
	rows, err := s.read.Statement.ConnPool.QueryContext(t.Context(), prefix+statement)
	if err != nil {
		t.Fatalf("%v: %.500s", err, statement)
	}
	defer rows.Close() //nolint:errcheck // reported by Err
	var plan strings.Builder
	for rows.Next() {
		var line string
		var a, b, c sql.NullInt64
		if prefix == "EXPLAIN " {
			err = rows.Scan(&line)
		} else {
			err = rows.Scan(&a, &b, &c, &line)
		}
		if err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

type listed struct {
	name  string
	query models.UserQuery
}

// userPages returns the kinds of page that there are, each as the first and as one in the middle.
func userPages(n int) []listed {
	yes, no := true, false
	middle := &models.UserKey{Text: fmt.Sprintf("user%07d", n/2), At: time.Date(2026, 1, 1, 0, 0, n/20, 0, time.UTC), ID: int64(n / 2)}
	var list []listed
	for _, row := range []listed{
		{"all", models.UserQuery{}},
		{"all, descending", models.UserQuery{Descending: true}},
		{"by date", models.UserQuery{Order: models.ByDateJoined}},
		{"active", models.UserQuery{UserFilter: models.UserFilter{IsActive: &yes}}},
		{"inactive", models.UserQuery{UserFilter: models.UserFilter{IsActive: &no}}},
		{"inactive, by date", models.UserQuery{UserFilter: models.UserFilter{IsActive: &no}, Order: models.ByDateJoined}},
		{"a role of everybody", models.UserQuery{UserFilter: models.UserFilter{Role: "everybody"}}},
		{"a role of half", models.UserQuery{UserFilter: models.UserFilter{Role: "half"}}},
		{"a role of few", models.UserQuery{UserFilter: models.UserFilter{Role: "few"}}},
		{"a search that finds all", models.UserQuery{UserFilter: models.UserFilter{Search: "user"}, Order: models.ByMatch}},
		{"a search that finds all by the name", models.UserQuery{UserFilter: models.UserFilter{Search: "ma"}, Order: models.ByMatch}},
		{"a search that finds one in hundred", models.UserQuery{UserFilter: models.UserFilter{Search: "lovelace"}, Order: models.ByMatch}},
		{"a search that finds nobody", models.UserQuery{UserFilter: models.UserFilter{Search: "nobody"}, Order: models.ByMatch}},
		{"a search among the inactive", models.UserQuery{UserFilter: models.UserFilter{Search: "user", IsActive: &no}, Order: models.ByMatch}},
		{"a search in a role of half", models.UserQuery{UserFilter: models.UserFilter{Search: "user", Role: "half"}, Order: models.ByMatch}},
		{"a search in a role of few, by username", models.UserQuery{UserFilter: models.UserFilter{Search: "user", Role: "few"}}},
	} {
		row.query.Limit = 20
		list = append(list, row)
		after := *middle
		if row.query.Search == "ma" {
			after.Text = "mary major"
		}
		if row.query.Search == "lovelace" {
			after.Text = "lovelace mary"
		}
		row.name, row.query.After = row.name+", in the middle", &after
		list = append(list, row)
	}
	return list
}

// A page is read from an index, from where it begins: no table is read from end to end, and nothing is sorted but what was
// bounded before.
func TestPlans(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes many users")
	}
	forbidden := regexp.MustCompile(`Seq Scan on (users|user_terms|user_roles)|(?m)\bSCAN (users|user_terms|user_roles)$`)
	var mu strings.Builder
	testdb.Each(t, func(t *testing.T, url string) {
		s, ran := watched(crowd(t, url, *manyUser))
		for _, page := range userPages(*manyUser) {
			*ran = nil
			if _, err := s.ListUsers(t.Context(), page.query); err != nil {
				t.Fatalf("%s: %v", page.name, err)
			}
			for _, statement := range slices.Clone(*ran) {
				plan := explain(t, s, statement)
				if *plans != "" {
					fmt.Fprintf(&mu, "## %s: %s\n%.400s\n%s\n", t.Name(), page.name, statement, plan)
				}
				if strings.Contains(statement, "LIMIT 5001") && strings.HasPrefix(statement, "SELECT user_id") {
					continue // bounded by itself, whichever way it goes
				}
				bounded := strings.Contains(statement, "LIMIT 10000") || strings.Contains(statement, "MATERIALIZED")
				sorts := strings.Contains(plan, "Sort") || strings.Contains(plan, "TEMP B-TREE")
				if forbidden.MatchString(plan) || sorts && !bounded {
					t.Errorf("%s:\n%.400s\n%s", page.name, statement, plan)
				}
			}
		}
	})
	if *plans != "" {
		t.Cleanup(func() {
			if err := os.WriteFile(*plans, []byte(mu.String()), 0o600); err != nil {
				t.Error(err)
			}
		})
	}
}

// What is read for a page takes the same statements, however many users there are on it.
func TestAPageTakesTheSameStatements(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s, ran := watched(crowd(t, url, 300))
		var counts []int
		for _, size := range []int{1, 10, 100} {
			*ran = nil
			page, err := s.ListUsers(t.Context(), models.UserQuery{Limit: size})
			if err != nil || len(page.Users) != size {
				t.Fatalf("%d users, %v", len(page.Users), err)
			}
			ids := make([]int64, size)
			for i, u := range page.Users {
				ids[i] = u.ID
			}
			if _, err := s.RolesOf(t.Context(), ids); err != nil {
				t.Fatal(err)
			}
			if _, err := s.SessionsOf(t.Context(), ids, time.Now()); err != nil {
				t.Fatal(err)
			}
			counts = append(counts, len(*ran))
		}
		if counts[0] != 5 || counts[1] != 5 || counts[2] != 5 {
			t.Errorf("%v statements, want 5 each: %q", counts, *ran)
		}
	})
}

// A walk that finds nobody for long says from where to go on.
func TestALongWalkEndsEarly(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		n := walkRows + 6_000
		s := crowd(t, url, n)
		// The role is left to those alone who come last.
		err := s.write.Exec("DELETE FROM user_roles WHERE role_id = (SELECT id FROM roles WHERE name = 'everybody') AND user_id IN (SELECT id FROM users WHERE username < ?)",
			fmt.Sprintf("user%07d", walkRows+500)).Error
		if err != nil {
			t.Fatal(err)
		}
		q := models.UserQuery{UserFilter: models.UserFilter{Role: "everybody"}, Limit: 20}
		first, err := s.ListUsers(t.Context(), q)
		if err != nil || len(first.Users) != 0 || !first.More || first.End.Text != fmt.Sprintf("user%07d", walkRows-1) {
			t.Fatalf("%d users, more %v, end %q, %v", len(first.Users), first.More, first.End.Text, err)
		}
		q.After = &first.End
		second, err := s.ListUsers(t.Context(), q)
		if err != nil || len(second.Users) != 20 || second.Users[0].Username != fmt.Sprintf("user%07d", walkRows+500) {
			t.Fatalf("%d users, %v", len(second.Users), err)
		}
		q = models.UserQuery{UserFilter: models.UserFilter{Search: "user"}, Limit: 20}
		if _, err := s.ListUsers(t.Context(), q); err == nil {
			t.Error("everybody is found and sorted by username")
		}
	})
}

// BenchmarkUsers is a page of 20, the first and the one in the middle of all.
func BenchmarkUsers(b *testing.B) {
	for name, open := range map[string]func(testing.TB) string{"sqlite": testdb.SQLite, "postgres": testdb.Postgres} {
		b.Run(name, func(b *testing.B) {
			s := crowd(b, open(b), *manyUser)
			for _, page := range userPages(*manyUser) {
				b.Run(page.name, func(b *testing.B) {
					for b.Loop() {
						if _, err := s.ListUsers(b.Context(), page.query); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			b.Run("count all", func(b *testing.B) {
				for b.Loop() {
					if _, err := s.CountUsers(b.Context(), models.UserFilter{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
