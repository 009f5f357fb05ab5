package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/models"
)

// eventStore keeps events, or is away.
type eventStore struct {
	models.Store // nil: nothing else is asked of it

	mu     sync.Mutex
	rows   []models.Event
	away   bool
	frozen bool
}

func (s *eventStore) CreateEvents(ctx context.Context, list []models.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen {
		<-ctx.Done()
		return ctx.Err()
	}
	if s.away {
		return errors.New("made up: the database is away")
	}
	s.rows = append(s.rows, list...)
	return nil
}

func (s *eventStore) Tx(_ context.Context, fn func(models.Store) error) error { return fn(s) }

func (s *eventStore) UsernamesOf(context.Context, []int64) (map[int64]string, error) {
	return map[int64]string{}, nil
}

func (s *eventStore) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// told returns how many failures the rows tell of.
func told(rows []models.Event) int {
	sum := 0
	for _, row := range rows {
		if n, ok := row.Detail["count"].(int); ok {
			sum += n
		} else {
			sum++
		}
	}
	return sum
}

func newTestRecorder(s *eventStore, log *strings.Builder) *Recorder {
	logger := slog.New(slog.DiscardHandler)
	if log != nil {
		logger = slog.New(slog.NewTextHandler(log, nil))
	}
	return NewRecorder(RecorderOptions{Store: s, Logger: logger, Now: time.Now})
}

func from(t *testing.T, address string) context.Context {
	t.Helper()
	return WithClient(t.Context(), Client{IPAddress: address, UserAgent: "made up"})
}

func TestFailuresThatAreAlikeAreOneRow(t *testing.T) {
	store := &eventStore{}
	r := newTestRecorder(store, nil)
	for range 3 {
		r.fail(from(t, "192.0.2.1"), event{name: EventSignInFailed, subject: 7}, "wrong_password")
	}
	r.fail(from(t, "192.0.2.2"), event{name: EventSignInFailed, subject: 7}, "wrong_password")
	r.fail(from(t, "192.0.2.1"), event{name: EventSignInFailed, subject: 8}, "wrong_password")
	r.fail(from(t, "192.0.2.1"), event{name: EventSignInFailed, subject: 7}, "inactive")
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range store.rows {
		got = append(got, fmt.Sprint(row.SubjectID, row.Address, row.Detail))
	}
	want := []string{
		"7192.0.2.1map[count:3 reason:wrong_password]", "7192.0.2.2map[reason:wrong_password]",
		"8192.0.2.1map[reason:wrong_password]", "7192.0.2.1map[reason:inactive]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A botnet tries a million names from as many addresses within an hour.
func TestAMillionFailuresAreRationed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, log := &eventStore{}, &strings.Builder{}
		r := newTestRecorder(store, log)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Run(ctx)
		}()
		const failures = 1_000_000
		for i := range failures {
			r.fail(from(t, fmt.Sprint(i)), event{name: EventSignInFailed}, "unknown_user")
			if i%1000 == 0 {
				<-time.After(3600 * time.Millisecond) // of the bubble
			}
		}
		// Amid them somebody who exists is guessed at, and that is told.
		r.fail(from(t, "192.0.2.1"), event{name: EventSignInFailed, subject: 7}, "wrong_password")
		stop()
		<-done
		if got, most := len(store.rows), failureBurst+int(time.Hour/failureEvery)+3; got > most {
			t.Errorf("%d rows were written, want %d at most", got, most)
		}
		if got := told(store.rows); got != failures+1 {
			t.Errorf("the rows tell of %d failures, want %d", got, failures+1)
		}
		if got := r.Counts()[EventSignInFailed]; got != failures+1 {
			t.Errorf("%d were counted", got)
		}
		found := false
		for _, row := range store.rows {
			found = found || row.SubjectID == 7
		}
		if !found {
			t.Error("the guess at a user who exists is hidden by the others")
		}
		if lines := strings.Count(log.String(), "\n"); lines > 2*len(store.rows) {
			t.Errorf("%d lines for %d rows", lines, len(store.rows))
		}
	})
}

func TestFailuresWaitWhileTheDatabaseIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &eventStore{away: true}
		r := newTestRecorder(store, nil)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Run(ctx)
		}()
		const failures = 5000
		for i := range failures {
			r.fail(from(t, fmt.Sprint(i)), event{name: EventRefreshRefused, subject: int64(i % 2)}, "MALFORMED")
			<-time.After(time.Second)
		}
		synctest.Wait() // for the write of this very second, which holds the rows as long as it takes
		r.mu.Lock()
		if len(r.waiting) > failureKeys+1 || len(r.waiting) < failureBurst {
			t.Errorf("%d rows wait", len(r.waiting))
		}
		r.mu.Unlock()
		store.set(func() { store.away = false })
		<-time.After(2 * writeEvery)
		stop()
		<-done
		if got := told(store.rows); got != failures {
			t.Errorf("the rows tell of %d failures, want %d", got, failures)
		}
	})
}

func TestTheLastFailuresAreWrittenAtTheEndAndNotWaitedForLong(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		t.Run(fmt.Sprintf("where the database is frozen: %t", frozen), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &eventStore{frozen: frozen}
				r := newTestRecorder(store, nil)
				r.fail(from(t, "192.0.2.1"), event{name: EventSignInFailed}, "unknown_user")
				ctx, stop := context.WithCancel(t.Context())
				stop()
				began := time.Now()
				r.Run(ctx)
				if took := time.Since(began); took > writeLastWait {
					t.Errorf("the end took %v", took)
				}
				if frozen == (len(store.rows) == 1) {
					t.Errorf("%d rows were written", len(store.rows))
				}
			})
		})
	}
}

// Whoever is refused many things hides nobody else's tries by it, nor their own.
func TestTheRationIsThatOfWhoIsSignedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &eventStore{}
		r := newTestRecorder(store, nil)
		ctx := from(t, "192.0.2.1")
		for subject := range int64(3 * failureBurst) {
			r.fail(ctx, event{name: EventPermissionDenied, actor: 1, subject: 100 + subject, session: "one"}, ruleAbove)
		}
		r.fail(ctx, event{name: EventPermissionDenied, actor: 2, subject: 9, session: "two"}, ruleSuperuser)
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows := map[int64]int{}
		for _, row := range store.rows {
			if rows[row.ActorID]++; row.Detail["summary"] != nil && row.ActorID != 1 {
				t.Errorf("a summary says nothing of whom it is about: %+v", row)
			}
		}
		if diff := cmp.Diff(map[int64]int{1: failureBurst + 1, 2: 1}, rows); diff != "" {
			t.Errorf("rows by actor: -want +got:\n%s", diff)
		}
		<-time.After(failureBurst * failureEvery)
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(r.rations); n != 0 {
			t.Errorf("%d rations are remembered that nobody has touched", n)
		}
	})
}

// A token without a session, as another issuer makes it, does not make one user's failure another's.
func TestFailuresOfTwoUsersAreNotAlike(t *testing.T) {
	store := &eventStore{}
	r := newTestRecorder(store, nil)
	for actor := range int64(2) {
		r.fail(from(t, "192.0.2.1"), event{name: EventPermissionDenied, actor: 1 + actor}, models.PermUsersRead)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(store.rows) != 2 || store.rows[0].ActorID == store.rows[1].ActorID {
		t.Errorf("got %+v", store.rows)
	}
}
