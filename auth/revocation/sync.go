package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"latchkey/models"
)

// How often the database is asked, and how long it may be silent before it counts as gone. However much there is to read,
// it takes as long as it takes, while something comes.
const (
	pollInterval = 250 * time.Millisecond
	pollSilence  = time.Second
	loadSilence  = 30 * time.Second
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

	mark    string
	keysDue bool      // they changed, or may have, and were not read anew yet
	polled  time.Time // the last time that succeeded; by the clock, which also goes while a machine is suspended
}

// NewSync returns a Sync.
func NewSync(o Options) *Sync {
	return &Sync{o: o, started: time.Now()} //nolint:forbidigo // the age of the feed, not a time of the product
}

// Load reads everything there is.
func (s *Sync) Load(ctx context.Context) error { return s.poll(ctx, loadSilence) }

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
		err := s.poll(ctx, pollSilence)
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

// poll reads what is new.
func (s *Sync) poll(ctx context.Context, silence time.Duration) error {
	began, now := s.elapsed(), s.o.Now()
	if !s.polled.IsZero() && now.Sub(s.polled) > keysAfter {
		s.keysDue = true
	}
	if err := s.read(ctx, silence); err != nil {
		return fmt.Errorf("read revocations: %w", err)
	}
	if s.keysDue {
		if err := s.readKeys(ctx, silence); err != nil {
			return err
		}
		s.keysDue = false
	}
	s.polled = now
	s.fresh.Store(int64(began)) // what was committed after the question is not in the answer
	return nil
}

var errSilence = errors.New("the database does not answer in time")

// read adds what is new to the Set, page by page, and goes on while pages come. Another database may have other keys.
func (s *Sync) read(ctx context.Context, silence time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := time.AfterFunc(silence, func() { cancel(errSilence) })
	defer alarm.Stop()
	next, anew, err := s.o.Feed.RevocationsSince(ctx, s.mark, func(list []models.Revocation) {
		alarm.Reset(silence)
		s.o.Set.Add(list...)
		s.keysDue = s.keysDue || slices.ContainsFunc(list, aboutKeys)
	})
	if err != nil && errors.Is(context.Cause(ctx), errSilence) {
		return errSilence
	}
	if err != nil {
		return err
	}
	s.mark, s.keysDue = next, s.keysDue || anew
	return nil
}

func aboutKeys(r models.Revocation) bool { return r.SessionID == "" && r.UserID == 0 }

func (s *Sync) readKeys(ctx context.Context, silence time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	return s.o.KeysChanged(ctx)
}
