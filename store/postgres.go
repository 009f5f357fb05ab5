package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"latchkey/models"
)

// maxConnections bounds the pool of one node: PostgreSQL's default takes 100 from all of them.
const maxConnections = 16

type postgresDialect struct {
	url         string
	connections *atomic.Int64 // how many the feed has made so far
}

// openPostgres opens a PostgreSQL database. Statements are not prepared by GORM: pgx caches them already.
func openPostgres(ctx context.Context, url string, through func(driver.Connector) *sql.DB) (*Store, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL database: %w", err)
	}
	main := through(stdlib.GetConnector(*config))
	main.SetMaxOpenConns(maxConnections)
	main.SetMaxIdleConns(maxConnections)
	if err := main.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open PostgreSQL database: %w", err), main.Close())
	}
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: main}), settings())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open PostgreSQL database: %w", err), main.Close())
	}
	d := postgresDialect{url, new(atomic.Int64)}
	feed := through(stdlib.GetConnector(*config, stdlib.OptionAfterConnect(func(context.Context, *pgx.Conn) error {
		d.connections.Add(1)
		return nil
	})))
	probe := through(stdlib.GetConnector(*config))
	for _, single := range []*sql.DB{feed, probe} { // a connection each, which is made when it is first needed
		single.SetMaxOpenConns(1)
	}
	return &Store{
		dialect: d, read: db, write: db, feed: feed, probe: probe,
		pools: []pool{{"main", main}, {"feed", feed}, {"probe", probe}},
	}, nil
}

func (postgresDialect) migrations() migrations {
	return migrations{dialect: goose.DialectPostgres, folder: "migrations/postgres", lock: sessionLock{}}
}

// conflict reads the column from the name of the constraint, which the migrations choose.
func (postgresDialect) conflict(err error) (string, bool) {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || pg.Code != "23505" {
		return "", false
	}
	column, ok := constraintColumns()[pg.ConstraintName]
	return column, ok
}

// constraintColumns tells which field a unique constraint of the migrations is about.
func constraintColumns() map[string]string {
	return map[string]string{
		"users_pkey":          "id",
		"users_username":      "username",
		"users_username_key":  "username",
		"roles_name":          "name",
		"signing_keys_active": "algorithm",
		"signing_keys_next":   "algorithm",
	}
}

// postgresRefresh is the guarded UPDATE, the user and the roles in one round trip.
var postgresRefresh = `WITH refreshed AS (` + refreshUpdate(
	`jsonb_path_query_array(to_jsonb(CAST($3 AS bigint)) || coalesce(rotations, '[]'), '$[0 to 7]')`,
	"limit_at + CAST($10 AS bigint) * interval '1 microsecond'", "*") + `)
SELECT ` + sessionColumns + `, ` + userColumns + `
FROM refreshed AS sessions JOIN users ON users.id = sessions.user_id` + userRoles

func (postgresDialect) refresh(ctx context.Context, s *Store, r models.Refresh) (session models.Session, user models.User, err error) {
	rows, err := s.write.Statement.ConnPool.QueryContext(ctx, postgresRefresh, refreshArguments(r)...)
	if err == nil {
		user, err = scanUser(rows, sessionFields(&session)...)
	}
	return session, user, s.mapped(err, "refresh session")
}

// alone takes a lock of the transaction, which also works behind a pooler, and does not wait for it. Its name keeps two
// servers in different schemas of one database apart.
func (postgresDialect) alone(ctx context.Context, tx *Store) (alone bool, err error) {
	err = tx.write.WithContext(ctx).
		Raw("SELECT pg_try_advisory_xact_lock(hashtextextended('latchkey cleaning ' || current_schema(), 0))").Scan(&alone).Error
	return alone, err
}

func (postgresDialect) lockUsers(ctx context.Context, tx *Store) error {
	return tx.write.WithContext(ctx).
		Exec("SELECT pg_advisory_xact_lock(hashtextextended('latchkey users ' || current_schema(), 0))").Error
}

// raiseUserID never lowers the sequence: only imports set it, one at a time, and who draws from it between the look and
// the change moves it by a few.
func (postgresDialect) raiseUserID(ctx context.Context, tx *Store, id int64) error {
	return tx.write.WithContext(ctx).Exec(`SELECT setval(name, ?)
		FROM (SELECT CAST(pg_get_serial_sequence('users', 'id') AS regclass) AS name) AS sequence
		WHERE coalesce(pg_sequence_last_value(name), 0) < ?`, id, id).Error
}

func (postgresDialect) takeChain() string { return selectChain + " FOR UPDATE" }

// holdEvents takes a lock that is at odds with that of FOR UPDATE on the table, which is taken without a row, too.
func (postgresDialect) holdEvents(ctx context.Context, tx *Store) error {
	if err := tx.write.WithContext(ctx).Exec("LOCK TABLE event_chain IN EXCLUSIVE MODE").Error; err != nil {
		return err
	}
	// Somebody may have put in a row by hand, with an id that is still to be drawn.
	return tx.write.WithContext(ctx).Exec("SELECT setval(" + eventIDs + ", highest) FROM (SELECT max(id) AS highest FROM events) AS ids " +
		"WHERE highest > coalesce(pg_sequence_last_value(" + eventIDs + "), 0)").Error
}

// eventIDs is the sequence of the ids of events.
const eventIDs = "CAST(pg_get_serial_sequence('events', 'id') AS regclass)"

func (postgresDialect) nextEventIDs(ctx context.Context, tx *Store, n int) (ids []int64, err error) {
	err = tx.read.WithContext(ctx).Raw("SELECT nextval("+eventIDs+") FROM generate_series(1, ?)", n).Scan(&ids).Error
	slices.Sort(ids)
	return ids, err
}

func (postgresDialect) lastEventID() string {
	return "SELECT greatest(coalesce(pg_sequence_last_value(" + eventIDs + "), 0), coalesce((SELECT max(id) FROM events), 0))"
}

func (postgresDialect) mistypedEvent() string { return "" }

func (postgresDialect) among(column string, ids []int64) (string, any) {
	return column + " = ANY (CAST(CAST(? AS text) AS bigint[]))", "{" + join(ids) + "}"
}

func (postgresDialect) usernameOrder() string { return `username COLLATE "C"` }
