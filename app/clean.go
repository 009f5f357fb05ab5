package app

import (
	"context"
	"time"

	"latchkey/models"
)

// How what is over is deleted: in bites, and between two of them whoever signs in has the database to themselves.
const (
	cleanBite  = 500 // rows
	cleanPause = 50 * time.Millisecond
)

// Cleaned is how many rows of a kind were deleted.
type Cleaned struct {
	Kind    models.Perishable
	Deleted int
}

// CleanTokens deletes the sessions, revocations and signing keys that no token needs any more at the time given, and the tries that
// are forgotten by then. It
// needs no setting: each row says until when it is needed. Where another process is at it, it takes turns with it. It
// returns how far it came, with an error, too.
func CleanTokens(ctx context.Context, db models.Cleaning, now time.Time) ([]Cleaned, error) {
	var list []Cleaned
	for _, kind := range tokenKinds() {
		deleted, _, err := clean(ctx, db, kind, now, true)
		list = append(list, Cleaned{kind, deleted})
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

func tokenKinds() []models.Perishable {
	return []models.Perishable{
		models.PerishableSessions, models.PerishableRevocations, models.PerishableForeign, models.PerishableKeys, models.PerishableAttempts,
	}
}

// clean takes bites until nothing is left that is over, and returns how many rows went. Where another process is at it,
// it waits for its turn, or stops, which busy tells.
func clean(ctx context.Context, db models.Cleaning, kind models.Perishable, over time.Time, wait bool) (deleted int, busy bool, err error) {
	for {
		bite, err := db.Clean(ctx, kind, over, cleanBite)
		deleted += bite.Deleted
		if err != nil || bite.Done || bite.Busy && !wait {
			return deleted, bite.Busy, err
		}
		select {
		case <-ctx.Done():
			return deleted, false, ctx.Err()
		case <-time.After(cleanPause):
		}
	}
}

// Clean deletes what is over now, events too, on one node at a time: another finds it busy and leaves it alone until the
// next time. Follow does it once an hour.
func (a *App) Clean(ctx context.Context) error {
	now, kinds := a.now().UTC(), tokenKinds()
	if a.Settings.AuditRetention > 0 {
		kinds = append(kinds, models.PerishableEvents)
	}
	for _, kind := range kinds {
		over := now
		if kind == models.PerishableEvents {
			over = now.Add(-a.Settings.AuditRetention)
		}
		deleted, busy, err := clean(ctx, a.Store, kind, over, false)
		if kind == models.PerishableEvents && err == nil && !busy {
			var chained int
			chained, busy, err = clean(ctx, cleanChain{a.Recorder}, kind, over, false)
			deleted += chained
		}
		if deleted > 0 {
			a.Logger.InfoContext(ctx, "deleted what is over", "kind", string(kind), "rows", deleted)
		}
		if err != nil || busy {
			return err
		}
	}
	return nil
}
