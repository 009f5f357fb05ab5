package store_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm/schema"

	"latchkey/internal/testdb"
	"latchkey/models"
	"latchkey/store"
)

func TestMigrate(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s := open(t, url)
		if err := s.Ready(t.Context()); err == nil {
			t.Error("a database without a schema is called ready")
		}
		steps, err := s.MigrationStatus(t.Context())
		if err != nil || len(steps) == 0 || !steps[0].AppliedAt.IsZero() {
			t.Fatalf("status before: %v, %v", steps, err)
		}
		applied, err := s.Migrate(t.Context())
		if err != nil || len(applied) != len(steps) {
			t.Fatalf("first: %v, %v", applied, err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("not ready after migrating: %v", err)
		}
		if applied, err = s.Migrate(t.Context()); err != nil || len(applied) != 0 {
			t.Errorf("second: %v, %v; want nothing to do", applied, err)
		}
		steps, err = s.MigrationStatus(t.Context())
		if err != nil || steps[len(steps)-1].AppliedAt.IsZero() || steps[0].Name == "" {
			t.Errorf("status after: %v, %v", steps, err)
		}
	})
}

func TestMigrateFromManyNodesAtOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		const nodes = 6
		applied := make([]int, nodes)
		errs := make([]error, nodes)
		stores := make([]*store.Store, nodes)
		for i := range stores {
			stores[i] = open(t, url)
		}
		var group sync.WaitGroup
		for i := range nodes {
			group.Go(func() {
				steps, err := stores[i].Migrate(t.Context())
				applied[i], errs[i] = len(steps), err
			})
		}
		group.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("node %d: %v", i, err)
			}
		}
		steps, err := stores[0].MigrationStatus(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, n := range applied {
			sum += n
		}
		if sum != len(steps) {
			t.Errorf("%d steps were applied by all nodes together, want %d", sum, len(steps))
		}
	})
}

func TestANewerSchemaIsRefused(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		raw(t, url, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
		_, err := s.Migrate(t.Context())
		if err == nil || !strings.Contains(err.Error(), "newer") {
			t.Errorf("Migrate: got %v, want a word on a newer version", err)
		}
		// A node that runs already goes on, while the others are upgraded.
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("a running node is no longer ready: %v", err)
		}
	})
}

// The migrations are written by hand for each database: they must say the same as the models.
func TestMigrationsAndModelsAgree(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		migrated(t, url)
		for _, model := range []any{models.User{}, models.Role{}, models.Session{}, models.SigningKey{}, models.Event{}, models.Attempt{}} {
			parsed, err := schema.Parse(model, &sync.Map{}, schema.NamingStrategy{})
			if err != nil {
				t.Fatal(err)
			}
			got := columns(t, url, parsed.Table)
			want := slices.Sorted(slices.Values(parsed.DBNames))
			if !slices.Equal(got, want) {
				t.Errorf("%s has the columns %v, its model says %v", parsed.Table, got, want)
			}
		}
	})
}

func TestANewDatabaseFileIsItsOwnersAlone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "folder")
	path := filepath.Join(folder, "a b?c#d%20.db")
	migrated(t, "sqlite:"+path)
	for _, f := range []string{path, path + "-wal"} {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", f, info.Mode().Perm())
		}
	}
}

// rawDB opens the database behind the store's back.
func rawDB(t testing.TB, url string) *sql.DB {
	t.Helper()
	driver, dsn := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, dsn = "sqlite", path
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() }) //nolint:errcheck // the test is over
	return db
}

func raw(t testing.TB, url, statement string) {
	t.Helper()
	if _, err := rawDB(t, url).ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func columns(t *testing.T, url, table string) []string {
	t.Helper()
	query := fmt.Sprintf("SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = '%s'", table)
	if strings.HasPrefix(url, "sqlite:") {
		query = fmt.Sprintf("SELECT name FROM pragma_table_info('%s')", table)
	}
	rows, err := rawDB(t, url).QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // reported by Err
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}
