package store

import (
	"context"
	"database/sql"

	"gorm.io/gorm"

	"latchkey/models"
)

// revocationPage is how many revocations a reader is handed at a time: few enough to be taken in within a fraction of a
// millisecond, while nobody else can look at them.
const revocationPage = 1000

// selectRevocations is read by eachPage. A start may read millions of them, so none passes through GORM.
const selectRevocations = "SELECT id, session_id, user_id, epoch, expires_at FROM revocations "

// RevocationsSince implements models.Revocations.
func (s *Store) RevocationsSince(
	ctx context.Context, mark string, page func([]models.Revocation),
) (next string, anew bool, err error) {
	next, anew, err = s.dialect.since(ctx, s, mark, page)
	return next, anew, s.mapped(err, "read revocations")
}

// eachPage runs a statement that begins with selectRevocations and hands over what comes, while it comes.
func (s *Store) eachPage(ctx context.Context, page func([]models.Revocation), statement string, arguments ...any) error {
	rows, err := s.feed.QueryContext(ctx, statement, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // what there is to tell rows.Err tells
	return pages(rows, page)
}

func pages(rows *sql.Rows, page func([]models.Revocation)) error {
	list := make([]models.Revocation, 0, revocationPage)
	for rows.Next() {
		var r models.Revocation
		if err := rows.Scan(&r.ID, &r.SessionID, &r.UserID, &r.Epoch, &r.ExpiresAt); err != nil {
			return err
		}
		if list = append(list, r); len(list) == revocationPage {
			page(list)
			list = list[:0]
		}
	}
	if len(list) > 0 {
		page(list)
	}
	return rows.Err()
}

// Wakeups implements models.Revocations.
func (s *Store) Wakeups(ctx context.Context) <-chan struct{} { return s.dialect.wakeups(ctx) }

// revoke writes revocations and wakes the nodes, both when the transaction commits. It must be called in one.
func (s *Store) revoke(ctx context.Context, list ...models.Revocation) error {
	if len(list) == 0 {
		return nil
	}
	if err := gorm.G[models.Revocation](s.write).CreateInBatches(ctx, &list, 100); err != nil {
		return s.mapped(err, "write revocations")
	}
	return s.mapped(s.dialect.wake(ctx, s), "wake nodes")
}
