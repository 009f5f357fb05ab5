// Package modernc is the candidate modernc.org/sqlite under the GORM dialect
// github.com/libtnb/sqlite, which is given an open handle.
package modernc

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	dialect "github.com/libtnb/sqlite"
	"gorm.io/gorm"
	"modernc.org/sqlite"

	"latchkey/benchmarks/sqlite/suite"
)

// Driver stores times as text, or with micros as integers, microseconds since 1970.
func Driver(micros bool) suite.Driver {
	format := url.Values{"_time_format": {"sqlite"}, "_timezone": {"UTC"}}
	name := "modernc, text times"
	if micros {
		format = url.Values{"_time_integer_format": {"unix_micro"}, "_inttotime": {"1"}, "_timezone": {"UTC"}}
		name = "modernc, integer times"
	}
	open := func(path string, q url.Values) (*sql.DB, error) {
		for k, v := range format {
			q[k] = v
		}
		return sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String())
	}
	return suite.Driver{
		Name: name,
		Reader: func(path string) (*sql.DB, error) {
			return open(path, url.Values{"_busy_timeout": {"5000"}, "_query_only": {"1"}, "_foreign_keys": {"1"}})
		},
		Writer: func(path string, busy time.Duration) (*sql.DB, error) {
			db, err := open(path, url.Values{
				"_busy_timeout": {strconv.FormatInt(busy.Milliseconds(), 10)}, "_journal_mode": {"WAL"},
				"_synchronous": {"FULL"}, "_foreign_keys": {"1"}, "_txlock": {"immediate"},
			})
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
