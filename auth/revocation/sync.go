package revocation

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"latchkey/models"
)

// How often the database is asked, and how long it may take to answer.
const (
	pollInterval = 250 * time.Millisecond
	pollTimeout  = time.Second
	sweepEvery   = 240 // polls: a minute

	// A node that was cut off for so long reads the keys anew: what told of their change may have been deleted.
	keysAfter = 10 * time.Minute
)

// Options is what NewSync is handed.
type Options struct {
	Set         *Set
	Feed        models.Revocations
	KeysChanged func(context.Context) error // called when the signing keys changed; again at the next poll where it fails
	Now         func() time.Time            // for what has expired
	Logger      *slog.Logger
}

// Sync keeps a Set equal to the database. Load it before the first token is checked.
type Sync struct {
	o       Options
	started time.Time    // the age is measured on the monotonic clock
	fresh   atomic.Int64 // when the Set was last known to be equal, since started

	mark     int64
	keysSeen int64     // the newest row that told of changed keys
	keysDue  bool      // they changed, and were not read anew yet
	polled   time.Time // the last time that succeeded; by the clock, which also goes while a machine is suspended
}

// NewSync returns a Sync.
func NewSync(o Options) *Sync {
	return &Sync{o: o, started: time.Now()} //nolint:forbidigo // the age of the feed, not a time of the product
}

// Load reads everything there is.
func (s *Sync) Load(ctx context.Context) error { return s.poll(ctx) }

// Run polls until ctx ends, and at once when the database says that there may be something new.
func (s *Sync) Run(ctx context.Context) {
	wakeups := s.o.Feed.Wakeups(ctx)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	failing := false
	for polls := 1; ; polls++ {
		select {
		case <-ctx.Done():
			return
		case <-wakeups:
		case <-tick.C:
		}
		err := s.poll(ctx)
		if failed := err != nil && ctx.Err() == nil; failed != failing {
			failing = failed
			if failing {
				s.o.Logger.ErrorContext(ctx, "revocation feed: the database does not answer", "error", err)
			} else {
				s.o.Logger.InfoContext(ctx, "revocation feed: the database answers again")
			}
		}
		if polls%sweepEvery == 0 {
			s.o.Set.Forget(s.o.Now())
		}
	}
}

// Age returns how long ago the Set was last known to be equal to the database.
func (s *Sync) Age() time.Duration { return s.elapsed() - time.Duration(s.fresh.Load()) }

func (s *Sync) elapsed() time.Duration {
	return time.Since(s.started) //nolint:forbidigo // the monotonic clock
}

// poll reads what is new. A mark that runs backwards is another database, after a failover or a restore: what was
// forgotten by it is read from the beginning.
func (s *Sync) poll(ctx context.Context) error {
	began := s.elapsed()
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	list, next, err := s.o.Feed.RevocationsSince(ctx, s.mark)
	if err == nil && next < s.mark {
		list, next, err = s.o.Feed.RevocationsSince(ctx, 0)
	}
	if err != nil {
		return fmt.Errorf("read revocations: %w", err)
	}
	s.o.Set.Add(list...)
	now := s.o.Now()
	if !s.polled.IsZero() && now.Sub(s.polled) > keysAfter {
		s.keysDue = true
	}
	for _, r := range list {
		if r.SessionID == "" && r.UserID == 0 && r.ID > s.keysSeen {
			s.keysSeen, s.keysDue = r.ID, true
		}
	}
	if s.keysDue {
		if err := s.o.KeysChanged(ctx); err != nil {
			return err
		}
		s.keysDue = false
	}
	s.mark, s.polled = next, now
	s.fresh.Store(int64(began)) // what was committed after the question is not in the answer
	return nil
}
