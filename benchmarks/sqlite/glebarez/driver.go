// Package glebarez is the candidate github.com/glebarez/sqlite: its dialect
// over its own database/sql driver, both above modernc.org/sqlite/lib.
package glebarez

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	driver "github.com/glebarez/go-sqlite"
	dialect "github.com/glebarez/sqlite"
	"gorm.io/gorm"

	"latchkey/benchmarks/sqlite/suite"
)

const common = "&_pragma=foreign_keys(1)&_time_format=sqlite"

// Driver stores times as text.
func Driver() suite.Driver {
	return suite.Driver{
		Name: "glebarez",
		Reader: func(path string) (*sql.DB, error) {
			return sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)"+common)
		},
		Writer: func(path string, busy time.Duration) (*sql.DB, error) {
			db, err := sql.Open("sqlite", "file:"+path+fmt.Sprintf(
				"?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"+common,
				busy.Milliseconds()))
			if err == nil {
				db.SetMaxOpenConns(1)
			}
			return db, err
		},
		Dialect: func(db *sql.DB) gorm.Dialector { return dialect.Dialector{Conn: db} },
		Describe: func(err error) string {
			var e *driver.Error
			if errors.As(err, &e) {
				return fmt.Sprintf("%T code %d: %s", e, e.Code(), e.Error())
			}
			return fmt.Sprintf("%T: %v", err, err)
		},
	}
}
