// Package gormio is the candidate modernc.org/sqlite under GORM's own SQLite
// dialect, built without cgo so that the C driver it imports is left out.
package gormio

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	dialect "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"modernc.org/sqlite"

	"latchkey/benchmarks/sqlite/suite"
)

const common = "&_busy_timeout=%d&_foreign_keys=1&_time_format=sqlite&_timezone=UTC"

// Driver stores times as text.
func Driver() suite.Driver {
	return suite.Driver{
		Name: "modernc, gorm.io dialect",
		Reader: func(path string) (*sql.DB, error) {
			return sql.Open("sqlite", "file:"+path+fmt.Sprintf("?_query_only=1"+common, 5000))
		},
		Writer: func(path string, busy time.Duration) (*sql.DB, error) {
			db, err := sql.Open("sqlite", "file:"+path+fmt.Sprintf(
				"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate"+common, busy.Milliseconds()))
			if err == nil {
				db.SetMaxOpenConns(1)
			}
			return db, err
		},
		Dialect: func(db *sql.DB) gorm.Dialector { return dialect.New(dialect.Config{Conn: db}) },
		Describe: func(err error) string {
			var e *sqlite.Error
			if errors.As(err, &e) {
				return fmt.Sprintf("%T code %d: %s", e, e.Code(), e.Error())
			}
			return fmt.Sprintf("%T: %v", err, err)
		},
	}
}
