// Package ncruces is the candidate github.com/ncruces/go-sqlite3 under its
// gormlite dialect.
package ncruces

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/gormlite"
	"gorm.io/gorm"

	"latchkey/benchmarks/sqlite/suite"
)

// Driver stores times as the driver does by itself, RFC 3339 text.
func Driver() suite.Driver {
	return suite.Driver{
		Name: "ncruces",
		Reader: func(path string) (*sql.DB, error) {
			return sql.Open("sqlite3", "file:"+path+
				"?_pragma=busy_timeout(5000)&_pragma=query_only(1)&_pragma=foreign_keys(1)&_txlock=deferred")
		},
		Writer: func(path string, busy time.Duration) (*sql.DB, error) {
			db, err := sql.Open("sqlite3", "file:"+path+fmt.Sprintf(
				"?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"+
					"&_pragma=foreign_keys(1)&_txlock=immediate", busy.Milliseconds()))
			if err == nil {
				db.SetMaxOpenConns(1)
			}
			return db, err
		},
		Dialect: func(db *sql.DB) gorm.Dialector { return gormlite.OpenDB(db) },
		Describe: func(err error) string {
			var e *sqlite3.Error
			if errors.As(err, &e) {
				return fmt.Sprintf("%T code %d: %s", e, e.ExtendedCode(), e.Error())
			}
			return fmt.Sprintf("%T: %v", err, err)
		},
	}
}
