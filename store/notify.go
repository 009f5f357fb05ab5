package store

import (
	"context"
	"strconv"
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

// since goes by transactions. Every transaction that was not over at the last reading has a number of at least that
// reading's mark, so none is missed, however late it commits; some rows are read twice.
func (postgresDialect) since(ctx context.Context, s *Store, mark int64) ([]models.Revocation, int64, error) {
	var rows []struct {
		models.Revocation
		Next int64
	}
	err := s.read.WithContext(ctx).Raw(`
SELECT coalesce(r.id, 0) AS id, coalesce(r.session_id, '') AS session_id, coalesce(r.user_id, 0) AS user_id,
	coalesce(r.epoch, 0) AS epoch, coalesce(r.expires_at, 'epoch') AS expires_at, snapshot.next
FROM (SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) AS next) AS snapshot
LEFT JOIN revocations AS r ON r.xid >= CAST(CAST(? AS text) AS xid8)`, strconv.FormatInt(mark, 10)).Scan(&rows).Error
	if err != nil {
		return nil, mark, s.mapped(err, "read revocations")
	}
	list := make([]models.Revocation, 0, len(rows))
	for _, row := range rows {
		if row.ID != 0 {
			list = append(list, row.Revocation)
		}
		mark = row.Next
	}
	return list, mark, nil
}
