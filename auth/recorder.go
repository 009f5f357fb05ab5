package auth

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/auth/chain"
	"latchkey/models"
)

// How failures are bounded: whoever makes millions of them writes a few rows a minute, which say how many there were.
const (
	failureBurst  = 50               // rows of one kind at once
	failureEvery  = 10 * time.Second // and then one in this time
	failureKeys   = 1000             // rows that wait in memory, where the database is away
	writeEvery    = 5 * time.Second  // how often those that wait are written
	writeTimeout  = 5 * time.Second
	writeLastWait = 2 * time.Second // at the end of the process
)

// Counts tells how often each event happened in this process. A *Recorder does.
type Counts interface {
	// Counts returns the numbers by name; every name is there.
	Counts() map[EventType]uint64
}

// RecorderOptions is what NewRecorder is handed. All of it is required but where a comment says otherwise.
type RecorderOptions struct {
	Store     models.Store
	Logger    *slog.Logger
	Now       func() time.Time
	RequestID func(context.Context) string // the id of the request under way, for the log; nil: there are none
	// ChainKey returns the key of the chain of events in the store given, which is there then; a *chain.Broken where the row
	// of the chain was removed. nil: events are written in no chain.
	ChainKey func(context.Context, models.Store) (*chain.Key, error)
}

// Recorder records what happens: a row, a log line and a counter for each event. It is safe for use by many goroutines.
//
// The row of a change is written in the transaction of the change, its line and its number follow the commit. Failures
// have no transaction. They wait in memory and are written a few seconds later, so that none makes an answer fail or
// slow, or tells by its time whether there is such a user. Alike ones are one row with their number, and the rows are
// rationed.
type Recorder struct {
	o RecorderOptions

	mu       sync.Mutex
	counts   map[EventType]uint64
	waiting  map[failure]*waitingFailure
	order    []failure // the keys of waiting, oldest first
	rations  map[failureKind]*ration
	overflow map[failureKind]*waitingFailure // what there was no ration for, with nothing said but the actor

	chain     atomic.Pointer[openedChain] // nil: it was not needed yet
	complaint string                      // what is wrong with the chain; empty: nothing that was noticed
	unwritten atomic.Uint64               // tries to write what waits that failed
}

var _ Counts = (*Recorder)(nil)

// failure is what failures have in common that are told as one.
type failure struct {
	name            EventType
	actor, subject  int64
	session, reason string
	address         string
}

// failureKind is what has a ration of its own: guesses at names that do not exist do not hide those at ones that do, and
// whoever is signed in hides nobody's tries but their own.
type failureKind struct {
	name  EventType
	actor int64
	known bool // the subject
}

type waitingFailure struct {
	row   models.Event // of the first
	count int
}

// ration is a token bucket: how many rows may still be written.
type ration struct {
	left float64
	at   time.Time
}

// NewRecorder returns a Recorder. Run it, or Flush it at the end.
func NewRecorder(o RecorderOptions) *Recorder {
	if o.RequestID == nil {
		o.RequestID = func(context.Context) string { return "" }
	}
	r := &Recorder{
		o: o, counts: map[EventType]uint64{}, waiting: map[failure]*waitingFailure{},
		rations: map[failureKind]*ration{}, overflow: map[failureKind]*waitingFailure{},
	}
	for _, name := range EventTypes() {
		r.counts[name] = 0
	}
	return r
}

// Counts implements the interface.
func (r *Recorder) Counts() map[EventType]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := make(map[EventType]uint64, len(r.counts))
	maps.Copy(counts, r.counts)
	return counts
}

// change runs write in a transaction and records the events that it returns: their rows with what it wrote, or nothing
// of either. Where it returns none nothing happened.
func (r *Recorder) change(ctx context.Context, write func(models.Store) ([]event, error)) error {
	if err := r.OpenChain(ctx); err != nil {
		return err
	}
	var rows []models.Event
	err := r.o.Store.Tx(ctx, func(tx models.Store) error {
		events, err := write(tx)
		if err != nil {
			return err
		}
		rows = rows[:0]
		for _, e := range events {
			rows = append(rows, r.row(ctx, e))
		}
		return r.create(ctx, tx, rows)
	})
	if err != nil {
		return err
	}
	for _, row := range rows {
		r.count(EventType(row.Type))
		r.log(ctx, row)
	}
	return nil
}

// row returns the row of an event that happens now, in the request of ctx.
func (r *Recorder) row(ctx context.Context, e event) models.Event {
	client := ClientFrom(ctx)
	return models.Event{
		At: microseconds(r.o.Now()), Type: string(e.name),
		ActorID: e.actor, SubjectID: e.subject, SubjectName: e.subjectName, SessionID: e.session,
		Address: client.IPAddress, UserAgent: client.UserAgent, Detail: e.detail,
	}
}

func (r *Recorder) count(name EventType) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[name]++
}

func (r *Recorder) log(ctx context.Context, row models.Event) {
	level := slog.LevelInfo
	if EventType(row.Type) == EventRefreshReused {
		level = slog.LevelWarn
	}
	r.o.Logger.LogAttrs(ctx, level, row.Type, attrs(row, r.o.RequestID(ctx))...)
}

// fail records a failure. It does no I/O but the log line, which only the first of those that are alike has.
func (r *Recorder) fail(ctx context.Context, e event, reason string) {
	if reason != "" {
		e.detail = map[string]any{"reason": reason}
	}
	row := r.row(ctx, e)
	key := failure{name: e.name, actor: e.actor, subject: e.subject, session: e.session, reason: reason, address: row.Address}
	if r.admit(key, row) {
		r.log(ctx, row)
	}
}

// admit counts the failure and makes it wait; it reports whether it is the first of its like that does.
func (r *Recorder) admit(key failure, row models.Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[key.name]++
	if alike, ok := r.waiting[key]; ok {
		alike.count++
		return false
	}
	if len(r.waiting) >= failureKeys || !r.spend(failureKind{key.name, key.actor, key.subject != 0}, row.At) {
		kind := failureKind{name: key.name, actor: key.actor}
		if _, ok := r.overflow[kind]; !ok && len(r.overflow) >= failureKeys {
			kind.actor = 0
		}
		rest, ok := r.overflow[kind]
		if !ok {
			rest = &waitingFailure{row: models.Event{
				At: row.At, Type: row.Type, ActorID: kind.actor, Detail: map[string]any{"summary": true},
			}}
			r.overflow[kind] = rest
		}
		rest.count++
		return false
	}
	r.waiting[key] = &waitingFailure{row, 1}
	r.order = append(r.order, key)
	return true
}

// spend takes a row from the ration and reports whether there was one.
func (r *Recorder) spend(kind failureKind, now time.Time) bool {
	left, ok := r.rations[kind]
	if !ok {
		left = &ration{failureBurst, now}
		r.rations[kind] = left
	}
	if passed := now.Sub(left.at); passed > 0 {
		left.left = min(failureBurst, left.left+float64(passed)/float64(failureEvery))
		left.at = now
	}
	if left.left < 1 {
		return false
	}
	left.left--
	return true
}

// forget drops the rations that are whole again.
func (r *Recorder) forget(now time.Time) {
	maps.DeleteFunc(r.rations, func(_ failureKind, left *ration) bool {
		return left.left+float64(now.Sub(left.at))/float64(failureEvery) >= failureBurst
	})
}

// Run writes the failures that wait, now and then, until ctx ends, and then the last of them.
func (r *Recorder) Run(ctx context.Context) {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLastWait)
			defer cancel()
			if err := r.Flush(last); err != nil {
				r.o.Logger.ErrorContext(ctx, "some failures were not recorded", "error", err)
			}
			return
		case <-tick.C:
		}
		writing, cancel := context.WithTimeout(ctx, writeTimeout)
		err := r.write(writing, false)
		cancel()
		if failed := err != nil && ctx.Err() == nil; failed != failing {
			if failing = failed; failing {
				r.o.Logger.ErrorContext(ctx, "failures are not recorded for now; they wait", "error", err)
			}
		}
	}
}

// Flush writes all failures that wait.
func (r *Recorder) Flush(ctx context.Context) error { return r.write(ctx, true) }

// write writes the failures that wait. What there was no ration for is written when there is one again, or with all.
func (r *Recorder) write(ctx context.Context, all bool) error {
	batch, again := r.take(all)
	if len(batch) == 0 {
		return nil
	}
	rows := make([]models.Event, len(batch))
	for i, w := range batch {
		rows[i] = w.row
		if _, summary := w.row.Detail["summary"]; summary || w.count > 1 {
			rows[i].Detail = withCount(w.row.Detail, w.count)
		}
	}
	err := r.OpenChain(ctx)
	if err == nil {
		err = r.o.Store.Tx(ctx, func(tx models.Store) error { return r.create(ctx, tx, rows) })
	}
	if err != nil {
		again()
		r.unwritten.Add(1)
		return err
	}
	for _, row := range rows {
		if _, several := row.Detail["count"]; several {
			r.o.Logger.LogAttrs(ctx, slog.LevelInfo, row.Type, attrs(row, "")...)
		}
	}
	return nil
}

// take takes what is to be written. again puts it back, where it could not be.
func (r *Recorder) take(all bool) (batch []*waitingFailure, again func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting, order, overflow := r.waiting, r.order, map[failureKind]*waitingFailure{}
	for _, key := range order {
		batch = append(batch, waiting[key])
	}
	now := r.o.Now()
	r.forget(now)
	for kind, rest := range r.overflow {
		if all || r.spend(kind, now) {
			batch = append(batch, rest)
			overflow[kind] = rest
			delete(r.overflow, kind)
		}
	}
	r.waiting, r.order = map[failure]*waitingFailure{}, nil
	return batch, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.putBack(waiting, order, overflow)
	}
}

// putBack joins what was taken with what came since.
func (r *Recorder) putBack(waiting map[failure]*waitingFailure, order []failure, overflow map[failureKind]*waitingFailure) {
	for _, key := range r.order {
		if older, ok := waiting[key]; ok {
			older.count += r.waiting[key].count
			continue
		}
		waiting[key] = r.waiting[key]
		order = append(order, key)
	}
	r.waiting, r.order = waiting, order
	for kind, older := range overflow {
		if newer, ok := r.overflow[kind]; ok {
			older.count += newer.count
		}
		r.overflow[kind] = older
	}
}

func withCount(detail map[string]any, count int) map[string]any {
	out := map[string]any{"count": count}
	maps.Copy(out, detail)
	return out
}
