package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	dialector "github.com/libtnb/sqlite"
	"github.com/pressly/goose/v3"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"latchkey/models"
)

// readConnections bounds the reading pool.
const readConnections = 8

type sqliteDialect struct{ refreshing *prepared }

// openSQLite opens a file, and makes it, for its owner alone, where it does not exist. There is one connection that
// writes, so that writers queue here and not at the file's lock, and a pool that can only read.
func openSQLite(ctx context.Context, path string, through func(driver.Connector) *sql.DB) (*Store, error) {
	if err := makeFile(path); err != nil {
		return nil, fmt.Errorf("open SQLite database: %w", err)
	}
	write, err := openPool(ctx, path, through, 1, url.Values{
		"_busy_timeout": {"5000"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"1"},
		"_txlock": {"immediate"},
	})
	if err != nil {
		return nil, err
	}
	read, err := openPool(ctx, path, through, readConnections, url.Values{
		"_busy_timeout": {"5000"}, "_foreign_keys": {"1"}, "_query_only": {"1"},
	})
	if err != nil {
		pool, _ := write.DB() // it was just opened
		return nil, errors.Join(err, pool.Close())
	}
	reading, err := read.DB()
	if err != nil {
		return nil, fmt.Errorf("open SQLite database: %w", err)
	}
	writing, err := write.DB()
	if err != nil {
		return nil, fmt.Errorf("open SQLite database: %w", err)
	}
	// What reads waits for nobody who writes, so the feed and the probe need no connections of their own.
	return &Store{
		dialect: sqliteDialect{&prepared{text: sqliteRefresh}}, read: read, write: write, feed: reading, probe: reading,
		pools: []pool{{"write", writing}, {"read", reading}},
	}, nil
}

// makeFile makes the database file, mode 0600, and its folder: it holds password hashes and addresses.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func openPool(
	ctx context.Context, path string, through func(driver.Connector) *sql.DB, size int, options url.Values,
) (*gorm.DB, error) {
	// Times are kept as microseconds since 1970: the precision of PostgreSQL, and an order that SQL can compare.
	options.Set("_time_integer_format", "unix_micro")
	options.Set("_inttotime", "1")
	options.Set("_timezone", "UTC")
	// An absolute path is "file:/a/b"; a relative one must not begin with a slash.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options.Encode()
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("open SQLite database: %w", err)
	}
	pool := through(connector)
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	if err := connect(ctx, pool); err != nil {
		return nil, errors.Join(fmt.Errorf("open SQLite database: %w", err), pool.Close())
	}
	config := settings()
	// Not for the one connection that writes: while it is busy, GORM waits for it to prepare a statement under the lock
	// that the transaction which has it needs for its own statements.
	config.PrepareStmt = size > 1
	db, err := gorm.Open(dialector.New(dialector.Config{Conn: pool}), config)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open SQLite database: %w", err), pool.Close())
	}
	return db, nil
}

// Bounds of the wait for other processes that open the same new file: the change to WAL does not heed the busy timeout.
const (
	connectTries = 100
	connectPause = 50 * time.Millisecond
)

// connect makes the first connection.
func connect(ctx context.Context, pool *sql.DB) error {
	for try := 1; ; try++ {
		err := pool.PingContext(ctx)
		e, ok := errors.AsType[*sqlite.Error](err)
		if !ok || e.Code()&0xff != sqlite3.SQLITE_BUSY || try == connectTries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(connectPause):
		}
	}
}

func (sqliteDialect) migrations() migrations {
	return migrations{dialect: goose.DialectSQLite3, folder: "migrations/sqlite"}
}

// conflict reads the column from the text, the only place where SQLite names it: "UNIQUE constraint failed:
// users.username", of an index with a condition, too.
func (sqliteDialect) conflict(err error) (string, bool) {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok || e.Code() != sqlite3.SQLITE_CONSTRAINT_UNIQUE && e.Code() != sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return "", false
	}
	_, place, ok := strings.Cut(e.Error(), "UNIQUE constraint failed: ")
	if !ok {
		return "", false
	}
	for column := range strings.FieldsFuncSeq(place, func(r rune) bool { return strings.ContainsRune(" ,'()", r) }) {
		if field, ok := uniqueColumns()[column]; ok {
			return field, true
		}
	}
	return "", false
}

// uniqueColumns tells which field a unique column of the migrations is about.
func uniqueColumns() map[string]string {
	return map[string]string{
		"users.id":               "id",
		"users.username":         "username",
		"users.username_key":     "username",
		"roles.name":             "name",
		"signing_keys.algorithm": "algorithm",
	}
}

// sqliteRefresh is the guarded UPDATE.
var sqliteRefresh = refreshUpdate(`(SELECT json_group_array(value) FROM
	(SELECT $3 AS value UNION ALL SELECT value FROM json_each(coalesce(sessions.rotations, '[]')) LIMIT 8))`,
	"limit_at + $10", sessionColumns)

// refresh is a look at the user, and then one statement. The user comes first: of one who is changed in between the epoch
// is that of before, and the access token stale. The other way round it would be as new as the change, and outlive it.
func (d sqliteDialect) refresh(ctx context.Context, s *Store, r models.Refresh) (models.Session, models.User, error) {
	user, err := s.UserByID(ctx, r.UserID)
	if err != nil {
		return models.Session{}, models.User{}, err
	}
	session, err := d.update(ctx, s, r)
	if err != nil {
		return models.Session{}, models.User{}, s.mapped(err, "refresh session")
	}
	return session, user, nil
}

func (d sqliteDialect) update(ctx context.Context, s *Store, r models.Refresh) (session models.Session, err error) {
	row, err := d.refreshing.queryRow(ctx, s.write.Statement.ConnPool, refreshArguments(r)...)
	if err == nil {
		err = row.Scan(sessionFields(&session)...)
	}
	return session, err
}

// prepared is a statement that is prepared when it is first run: when the database is opened there may be no schema.
// Nobody who waits for a connection holds a lock that another needs who has one.
type prepared struct {
	text      string
	statement atomic.Pointer[sql.Stmt]
}

// queryRow runs the statement; inside a transaction, which has the one connection that writes, as a text.
func (p *prepared) queryRow(ctx context.Context, pool gorm.ConnPool, arguments ...any) (*sql.Row, error) {
	db, ok := pool.(*sql.DB)
	if !ok {
		return pool.QueryRowContext(ctx, p.text, arguments...), nil
	}
	statement, err := p.on(ctx, db) //nolint:sqlclosecheck // it is closed with the pool
	if err != nil {
		return nil, err
	}
	return statement.QueryRowContext(ctx, arguments...), nil
}

func (p *prepared) on(ctx context.Context, pool *sql.DB) (*sql.Stmt, error) {
	if made := p.statement.Load(); made != nil {
		return made, nil
	}
	made, err := pool.PrepareContext(ctx, p.text)
	if err != nil {
		return nil, err
	}
	if !p.statement.CompareAndSwap(nil, made) { // another was first
		return p.statement.Load(), made.Close() //nolint:sqlclosecheck // there is nothing to do before
	}
	return made, nil
}

// sqliteNewest is the highest id that there ever was.
const sqliteNewest = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'revocations'"

// since goes by ids: there is one writer at a time, so they are committed in their order. Where they run backwards, an
// older state was put back.
func (sqliteDialect) since(
	ctx context.Context, s *Store, mark string, page func([]models.Revocation),
) (next string, anew bool, err error) {
	var last, newest int64
	if mark != "" {
		if last, err = strconv.ParseInt(mark, 10, 64); err != nil {
			return mark, false, err
		}
	}
	if err := s.feed.QueryRowContext(ctx, sqliteNewest).Scan(&newest); err != nil {
		return mark, false, err
	}
	if anew = newest < last; anew {
		last = 0
	}
	if newest > last {
		err = s.eachPage(ctx, page, selectRevocations+"WHERE id > ? AND id <= ?", last, newest)
	}
	if err != nil {
		return mark, false, err
	}
	return strconv.FormatInt(newest, 10), anew, nil
}

// wakeups returns nil: SQLite tells other processes nothing.
func (sqliteDialect) wakeups(context.Context) <-chan struct{} { return nil }

func (sqliteDialect) wake(context.Context, *Store) error { return nil }

// alone is true: a transaction that writes is alone.
func (sqliteDialect) alone(context.Context, *Store) (bool, error) { return true, nil }

// lockUsers does nothing: a transaction that writes is alone.
func (sqliteDialect) lockUsers(context.Context, *Store) error { return nil }

// raiseUserID does nothing: AUTOINCREMENT goes by the highest id that there ever was.
func (sqliteDialect) raiseUserID(context.Context, *Store, int64) error { return nil }

// takeChain needs no lock: a transaction that writes is alone.
func (sqliteDialect) takeChain() string { return selectChain }

// holdEvents needs no lock: a transaction that writes is alone. The next id is behind all. A place that is no number is
// above all that are, whatever it reads like.
func (sqliteDialect) holdEvents(ctx context.Context, tx *Store) error {
	return tx.write.WithContext(ctx).Exec("UPDATE events SET seq = 0 WHERE seq <> 0 AND typeof(seq) <> 'integer'").Error
}

func (d sqliteDialect) nextEventIDs(ctx context.Context, tx *Store, n int) ([]int64, error) {
	var last int64
	err := tx.read.WithContext(ctx).Raw(d.lastEventID()).Scan(&last).Error
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = last + 1 + int64(i)
	}
	return ids, err
}

func (sqliteDialect) lastEventID() string {
	return `SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0),
		coalesce((SELECT max(id) FROM events), 0))`
}

// mistypedEvent is needed, for a column takes a blob for any other type. It reads like the text or the number, but no
// condition finds it.
func (sqliteDialect) mistypedEvent() string {
	return `(typeof(id) <> 'integer' OR typeof(at) <> 'integer' OR typeof(type) <> 'text' OR typeof(actor_id) <> 'integer'
		OR typeof(actor_name) <> 'text' OR typeof(subject_id) <> 'integer' OR typeof(subject_name) <> 'text'
		OR typeof(session_id) <> 'text' OR typeof(address) <> 'text' OR typeof(user_agent) <> 'text'
		OR typeof(detail) <> 'text' OR typeof(seq) <> 'integer' OR typeof(hash) <> 'blob')`
}

func (sqliteDialect) among(column string, ids []int64) (string, any) {
	return column + " IN (SELECT value FROM json_each(?))", "[" + join(ids) + "]"
}

func (sqliteDialect) usernameOrder() string { return "username" }
