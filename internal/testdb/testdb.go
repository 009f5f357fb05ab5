// Package testdb gives tests real databases: an SQLite file in a folder of the test's own, and a schema of the test's
// own on a PostgreSQL server.
package testdb

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
)

// serverVariable names the PostgreSQL server to use. It has no prefix of the server's own settings, which would refuse
// to start with one they do not know.
const serverVariable = "TEST_POSTGRES_URL"

// localServer is tried where the variable is not set.
const localServer = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable&connect_timeout=2"

// Each runs a test as the subtests "sqlite" and "postgres", with the URL of an empty database. Without a PostgreSQL
// server its half is skipped, unless CI is set: there nothing may be.
func Each(t *testing.T, test func(t *testing.T, databaseURL string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}

// SQLite returns the URL of a database that does not exist yet.
func SQLite(t testing.TB) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "latchkey.db")
}

// Postgres returns the URL of an empty schema, which is dropped when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv(serverVariable)
	if server == "" {
		server = localServer
	}
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		if os.Getenv("CI") != "" || os.Getenv(serverVariable) != "" {
			t.Fatalf("no PostgreSQL server: %v", err)
		}
		t.Skipf("skipped: no PostgreSQL server at 127.0.0.1:5432; set %s to use another", serverVariable)
	}
	defer conn.Close(ctx) //nolint:errcheck // the test has what it wants
	schema := "test_" + rand.Text()
	if _, err := conn.Exec(ctx, fmt.Sprintf("CREATE SCHEMA %q", schema)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dropSchema(t, server, schema) })

	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", fmt.Sprintf("%q", schema))
	u.RawQuery = q.Encode()
	return u.String()
}

// PostgresWithoutNotifications is Postgres for servers that never hear of each other: in front of the database's own
// pg_notify they find one that does nothing.
func PostgresWithoutNotifications(t testing.TB) string {
	t.Helper()
	u, err := url.Parse(Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", q.Get("search_path")+",pg_catalog")
	u.RawQuery = q.Encode()
	conn, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // the test has what it wants
	const mute = "CREATE FUNCTION pg_notify(text, text) RETURNS void LANGUAGE sql AS ''"
	if _, err := conn.Exec(t.Context(), mute); err != nil {
		t.Fatal(err)
	}
	return u.String()
}

// dropSchema works without the test's context, which has ended by now.
func dropSchema(t testing.TB, server, schema string) {
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Errorf("drop schema: %v", err)
		return
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is left to do
	if _, err := conn.Exec(ctx, fmt.Sprintf("DROP SCHEMA %q CASCADE", schema)); err != nil {
		t.Errorf("drop schema: %v", err)
	}
}
