package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrationFiles embed.FS

// versionTable is where goose keeps which steps were applied.
const versionTable = "goose_db_version"

// migrations is what a dialect says of its schema.
type migrations struct {
	dialect goose.Dialect
	folder  string
	lock    lock.SessionLocker // nil where the database needs none
}

// Step is one step of the schema.
type Step struct {
	Version   int64
	Name      string
	AppliedAt time.Time // zero while it is pending
}

// Migrate brings the schema to the newest version and returns the steps it applied. It may run from several
// processes at once. A database that is newer than this program is an error.
func (s *Store) Migrate(ctx context.Context) ([]Step, error) {
	p, err := s.provider()
	if err != nil {
		return nil, err
	}
	if err := s.refuseNewer(ctx, p); err != nil {
		return nil, err
	}
	var applied []Step
	for {
		before, _ := p.GetDBVersion(ctx)
		results, err := p.Up(ctx)
		if partial, ok := errors.AsType[*goose.PartialError](err); ok {
			results = partial.Applied
		}
		for _, r := range results {
			applied = append(applied, Step{Version: r.Source.Version, Name: name(r.Source)})
		}
		if err == nil {
			return applied, s.writeTermsDue(ctx)
		}
		// SQLite has no lock around all steps: where another process was first with one, the step fails here, and
		// is found applied at the next look.
		if after, _ := p.GetDBVersion(ctx); after == before {
			return applied, fmt.Errorf("migrate database: %w", err)
		}
	}
}

// MigrationStatus returns every step, oldest first.
func (s *Store) MigrationStatus(ctx context.Context) ([]Step, error) {
	p, err := s.provider()
	if err != nil {
		return nil, err
	}
	status, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("read schema version: %w", err)
	}
	steps := make([]Step, len(status))
	for i, m := range status {
		steps[i] = Step{Version: m.Source.Version, Name: name(m.Source), AppliedAt: m.AppliedAt}
	}
	return steps, nil
}

func (s *Store) provider() (*goose.Provider, error) {
	pool, err := s.pool()
	if err != nil {
		return nil, err
	}
	m := s.dialect.migrations()
	files, err := fs.Sub(migrationFiles, m.folder)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	// Steps of whoever extends this program have numbers above ours, and must not keep out those that come later.
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true)}
	if m.lock != nil {
		options = append(options, goose.WithSessionLocker(m.lock))
	}
	p, err := goose.NewProvider(m.dialect, pool, files, options...)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return p, nil
}

func (s *Store) refuseNewer(ctx context.Context, p *goose.Provider) error {
	applied, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	newest, err := newestVersion(s.dialect.migrations())
	if err != nil {
		return err
	}
	if applied > newest {
		return fmt.Errorf("the database is at schema version %d, newer than this program's %d: use a newer latchkey", applied, newest)
	}
	return nil
}

// newestVersion returns the version this program's migrations lead to.
func newestVersion(m migrations) (int64, error) {
	entries, err := fs.ReadDir(migrationFiles, m.folder)
	if err != nil || len(entries) == 0 {
		return 0, errors.Join(errors.New("no migrations"), err)
	}
	return goose.NumericComponent(entries[len(entries)-1].Name())
}

func name(s *goose.Source) string {
	return path.Base(s.Path)
}

// sessionLock holds an advisory lock of PostgreSQL on the connection that migrates.
type sessionLock struct{}

// The name of the lock, so that two servers in different schemas of one database do not wait for each other.
const lockID = "hashtextextended('latchkey migrations ' || current_schema(), 0)"

// SessionLock waits for the lock.
func (sessionLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock("+lockID+")")
	return err
}

// SessionUnlock gives it back.
func (sessionLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock("+lockID+")")
	return err
}
