// Package store keeps what package models promises, in SQLite or in PostgreSQL.
//
// It is the only package that imports GORM and the database drivers. Queries are in one file per model, what differs
// between the two databases is behind dialect, and driver errors become the errors of models in errors.go alone.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"latchkey/models"
)

// Store is a models.Store. It is safe for use by many goroutines.
type Store struct {
	dialect dialect
	read    *gorm.DB // inside Tx, the same as write
	write   *gorm.DB
	feed    *sql.DB // for RevocationsSince: requests that wait for each other's locks must not keep it waiting
	probe   *sql.DB // for Ready, likewise
	pools   []pool  // all of them
}

var _ models.Store = (*Store)(nil)

// dialect is what differs between the databases.
type dialect interface {
	// refresh is models.Sessions.RefreshSession, inside or outside a transaction.
	refresh(ctx context.Context, s *Store, r models.Refresh) (models.Session, models.User, error)
	// since and wakeups are models.Revocations; wake rings for those who wait, at the commit.
	since(ctx context.Context, s *Store, mark string, page func([]models.Revocation)) (next string, anew bool, err error)
	wakeups(ctx context.Context) <-chan struct{}
	wake(ctx context.Context, s *Store) error
	// alone reports whether the transaction is the only one that cleans, until it ends.
	alone(ctx context.Context, tx *Store) (bool, error)
	// lockUsers is models.Users.LockUsers; raiseUserID makes sure that the next id of a user is higher than id.
	lockUsers(ctx context.Context, tx *Store) error
	raiseUserID(ctx context.Context, tx *Store, id int64) error
	// takeChain reads the event chain and keeps others from doing so until the transaction ends; nextEventIDs draws ids for
	// as many events, in one; lastEventID reads one that none has exceeded. holdEvents keeps others from takeChain, found
	// or not, and sees to it that ids are drawn behind those there are.
	takeChain() string
	nextEventIDs(ctx context.Context, tx *Store, n int) ([]int64, error)
	lastEventID() string
	// mistypedEvent returns a condition on a row of events: a column has a value of another type than its own. Empty where
	// that cannot be.
	mistypedEvent() string
	holdEvents(ctx context.Context, tx *Store) error
	// conflict returns the column whose uniqueness the error reports, if it does.
	conflict(err error) (column string, ok bool)
	migrations() migrations

	// among returns a condition on a column, and the argument for its one placeholder: the column is one of the ids.
	among(column string, ids []int64) (condition string, argument any)
	// usernameOrder is what usernames are sorted by: code points, as an index has them.
	usernameOrder() string
}

// Open opens the database at the URL, sqlite:PATH or postgres://…, and makes sure that it answers. The schema is
// Migrate's business. Close it when done.
func Open(ctx context.Context, url string) (*Store, error) {
	return OpenThrough(ctx, url, sql.OpenDB)
}

// OpenThrough is Open for those who watch the statements: pool makes each pool of connections, as sql.OpenDB does.
func OpenThrough(ctx context.Context, url string, pool func(driver.Connector) *sql.DB) (*Store, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return openSQLite(ctx, path, pool)
	}
	return openPostgres(ctx, url, pool)
}

// settings is how GORM is kept on a leash: no transaction that was not asked for, no savepoint where one is inside another,
// no log of its own.
func settings() *gorm.Config {
	return &gorm.Config{SkipDefaultTransaction: true, DisableNestedTransaction: true, Logger: logger.Discard}
}

// Close closes the connections.
func (s *Store) Close() error {
	errs := []error{s.feed.Close(), s.probe.Close()}
	for _, db := range []*gorm.DB{s.read, s.write} {
		pool, err := db.DB()
		if err == nil {
			err = pool.Close()
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// Tx implements models.Store.
func (s *Store) Tx(ctx context.Context, fn func(models.Store) error) error {
	return s.tx(ctx, func(tx *Store) error { return fn(tx) })
}

func (s *Store) tx(ctx context.Context, fn func(*Store) error) error {
	return s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return fn(&Store{dialect: s.dialect, read: tx, write: tx, feed: s.feed, probe: s.probe})
	})
}

// Ready implements models.Store.
func (s *Store) Ready(ctx context.Context) error {
	var applied int64
	err := s.probe.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+versionTable).Scan(&applied)
	if err != nil {
		return fmt.Errorf("ask the database: %w", err)
	}
	newest, err := newestVersion(s.dialect.migrations())
	if err != nil {
		return err
	}
	if applied < newest { // a newer one is a newer node's, in the middle of an upgrade
		return fmt.Errorf("the database is at schema version %d, this program needs %d: run `latchkey migrate`", applied, newest)
	}
	return nil
}

func (s *Store) pool() (*sql.DB, error) {
	pool, err := s.write.DB()
	if err != nil {
		return nil, fmt.Errorf("database pool: %w", err)
	}
	return pool, nil
}
