package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/models"
)

// channel is the name of this schema's channel: those of PostgreSQL are shared by a whole database.
const channel = "'latchkey ' || current_schema()"

// Bounds of the pause before a listener that lost its connection tries again.
const (
	minReconnect = 100 * time.Millisecond
	maxReconnect = 5 * time.Second
)

// wake rings the bell at the commit. The bell says nothing: what is true is what a reader finds.
func (postgresDialect) wake(ctx context.Context, s *Store) error {
	return s.write.WithContext(ctx).Exec("SELECT pg_notify(" + channel + ", '')").Error
}

// wakeups listens until ctx ends. A lost connection is made anew, and rings once, for what may have been missed.
func (d postgresDialect) wakeups(ctx context.Context) <-chan struct{} {
	bell := make(chan struct{}, 1)
	go func() {
		pause := minReconnect
		for ctx.Err() == nil {
			if d.listen(ctx, bell) {
				pause = minReconnect
			}
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, maxReconnect)
		}
	}()
	return bell
}

// listen rings the bell for each notification until the connection or ctx ends, and reports whether it ever listened.
func (d postgresDialect) listen(ctx context.Context, bell chan<- struct{}) bool {
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return false
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it may be broken already
	var name string
	if err := conn.QueryRow(ctx, "SELECT "+channel).Scan(&name); err != nil {
		return false
	}
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{name}.Sanitize()); err != nil {
		return false
	}
	for {
		select {
		case bell <- struct{}{}:
		default: // it rings already
		}
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return true
		}
	}
}

// postgresNow is the present snapshot, and what tells the table from one that took its place: another server, one that
// was started anew, one where the table was filled anew.
const postgresNow = `SELECT CAST(pg_current_snapshot() AS text), concat(
	extract(epoch FROM pg_postmaster_start_time()), '/', pg_relation_filenode(CAST('revocations' AS regclass)))`

// postgresSince is what has become visible between two snapshots: of transactions that began after the first, and of
// those that were under way then. Rows that a dump has brought along with numbers from the future count for neither.
const postgresSince = selectRevocations + `
WHERE xid >= pg_snapshot_xmax(CAST($1 AS pg_snapshot)) AND xid < pg_snapshot_xmax(CAST($2 AS pg_snapshot))
UNION ALL ` + selectRevocations + `
WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip(CAST($1 AS pg_snapshot))))`

// since goes by snapshots. The mark is one that was taken before the rows were read, so what commits in between is read
// at the next reading. A transaction that is held open, in whichever database, costs a look into the index and no more.
//
// A server that crashed may give numbers again that it had given before, and so may one that took over from it; both
// end every connection. So a mark is good for the connection that it was read through.
func (d postgresDialect) since(
	ctx context.Context, s *Store, mark string, page func([]models.Revocation),
) (next string, anew bool, err error) {
	var snapshot, source string
	if err := s.feed.QueryRowContext(ctx, postgresNow).Scan(&snapshot, &source); err != nil {
		return mark, false, err
	}
	source = fmt.Sprintf("%d/%s", d.connections.Load(), source)
	next = source + " " + snapshot
	before, last, _ := strings.Cut(mark, " ")
	switch {
	case mark == next:
		return next, false, nil
	case before == source:
		err = s.eachPage(ctx, page, postgresSince, last, snapshot)
	default:
		anew = mark != ""
		err = s.eachPage(ctx, page, selectRevocations)
	}
	if err != nil {
		return mark, false, err
	}
	return next, anew, nil
}
