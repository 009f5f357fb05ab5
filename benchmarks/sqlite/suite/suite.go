// Package suite holds what the measured SQLite drivers have in common: the
// tables, the rows in them, and the way a driver is opened. It does not import
// testing, so that a program linking it shows the size of the driver alone.
package suite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Driver is one candidate: a database/sql driver and the GORM dialect above it.
type Driver struct {
	// Name is the candidate's name in reports.
	Name string
	// Reader opens the pool that only reads the database file at path.
	Reader func(path string) (*sql.DB, error)
	// Writer opens the handle that writes the file at path, whose transactions
	// begin as IMMEDIATE and which waits busy for another writer.
	Writer func(path string, busy time.Duration) (*sql.DB, error)
	// Dialect is the GORM dialect over an open handle.
	Dialect func(db *sql.DB) gorm.Dialector
	// Describe says what can be learnt from an error of the driver.
	Describe func(err error) string
}

// User is the account row that a refresh and a session look-up read.
type User struct {
	ID        int64 `gorm:"primaryKey"`
	Username  string
	Email     *string
	Password  string
	Epoch     int64
	IsActive  bool
	CreatedAt time.Time
}

// Session is the row that a refresh moves one generation ahead.
type Session struct {
	ID         string `gorm:"primaryKey"`
	UserID     int64
	Generation int64
	CreatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time
	EndedAt    *time.Time
	UserAgent  string
}

// Schema makes the tables.
const Schema = `
CREATE TABLE IF NOT EXISTS users (
	id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, email TEXT, password TEXT NOT NULL,
	epoch INTEGER NOT NULL, is_active BOOLEAN NOT NULL, created_at DATETIME NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS users_email ON users (lower(email)) WHERE email IS NOT NULL;
CREATE TABLE IF NOT EXISTS sessions (
	id TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	generation INTEGER NOT NULL, created_at DATETIME NOT NULL, last_used_at DATETIME NOT NULL,
	expires_at DATETIME NOT NULL, ended_at DATETIME, user_agent TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_user ON sessions (user_id);`

// Rows is how many users and sessions Seed writes.
const Rows = 1000

// SessionID is the id of the n-th session.
func SessionID(n int) string { return fmt.Sprintf("%032x", n%Rows+1) }

// Start is the creation time of every seeded row.
func Start() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC) }

// Seed makes the tables and writes Rows users with one session each.
func Seed(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, Schema); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	at := Start()
	for n := range Rows {
		name := fmt.Sprintf("user%d", n+1)
		if _, err := tx.ExecContext(ctx, `INSERT INTO users VALUES (?, ?, ?, ?, 1, 1, ?)`,
			n+1, name, name+"@example.com", "argon2id$made-up", at); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO sessions VALUES (?, ?, 1, ?, ?, ?, NULL, ?)`,
			SessionID(n), n+1, at, at, at.Add(24*time.Hour), "Mozilla/5.0 (X11; Linux x86_64)"); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Gorm opens GORM over db without its default transaction and its log.
func Gorm(d Driver, db *sql.DB, prepare bool) (*gorm.DB, error) {
	return gorm.Open(d.Dialect(db), &gorm.Config{
		SkipDefaultTransaction: true,
		PrepareStmt:            prepare,
		Logger:                 logger.Discard,
	})
}

// OpenAndRead is the start of a server on an existing file: a writer, a reader,
// GORM over both, and a first query through GORM.
func OpenAndRead(d Driver, path string) error {
	w, err := d.Writer(path, 5*time.Second)
	if err != nil {
		return err
	}
	defer w.Close()
	r, err := d.Reader(path)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := Gorm(d, w, false); err != nil {
		return err
	}
	g, err := Gorm(d, r, false)
	if err != nil {
		return err
	}
	_, err = gorm.G[User](g).Where("id = ?", 1).Take(context.Background())
	return err
}
