package revocation_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/auth/revocation"
	"latchkey/models"
)

// feed is a database of revocations.
type feed struct {
	mu     sync.Mutex
	rows   []models.Revocation
	bell   chan struct{}
	err    error
	frozen bool
	asked  int
}

func (f *feed) RevocationsSince(ctx context.Context, mark int64) ([]models.Revocation, int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.frozen {
		f.mu.Unlock()
		<-ctx.Done()
		f.mu.Lock()
		return nil, 0, ctx.Err()
	}
	if f.err != nil {
		return nil, 0, f.err
	}
	if mark > int64(len(f.rows)) { // another database: it knows nothing of such a mark
		return nil, int64(len(f.rows)), nil
	}
	return f.rows[mark:], int64(len(f.rows)), nil
}

func (f *feed) Wakeups(context.Context) <-chan struct{} { return f.bell }

func (f *feed) add(r models.Revocation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.ID, r.ExpiresAt = int64(len(f.rows)+1), time.Now().Add(time.Hour)
	f.rows = append(f.rows, r)
}

func (f *feed) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

type node struct {
	*revocation.Sync
	set     *revocation.Set
	reloads atomic.Int64
	failing atomic.Bool // the keys cannot be read
}

func run(t *testing.T, f *feed) *node {
	t.Helper()
	n := &node{set: revocation.NewSet()}
	n.Sync = revocation.NewSync(revocation.Options{
		Set: n.set, Feed: f, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		KeysChanged: func(context.Context) error {
			n.reloads.Add(1)
			if n.failing.Load() {
				return errors.New("made up")
			}
			return nil
		},
	})
	if err := n.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return n
}

func (n *node) knows(i int) bool { return n.set.Problem(sessionID(i), "1", 0) != "" }

func TestSync(t *testing.T) {
	t.Run("loads what is there before anything else", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{}
			f.add(models.Revocation{SessionID: sessionID(1)})
			if n := run(t, f); !n.knows(1) {
				t.Error("it does not know what was there")
			}
		})
	})
	t.Run("sees what is new by looking, and at once when it is woken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{bell: make(chan struct{}, 1)}
			n := run(t, f)
			f.add(models.Revocation{SessionID: sessionID(1)})
			f.bell <- struct{}{}
			synctest.Wait()
			if !n.knows(1) {
				t.Error("it was woken and did not look")
			}
			f.add(models.Revocation{SessionID: sessionID(2)})
			time.Sleep(300 * time.Millisecond) // of the bubble
			synctest.Wait()
			if !n.knows(2) {
				t.Error("it did not look by itself")
			}
		})
	})
	t.Run("knows how old its knowledge is, and recovers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{}
			n := run(t, f)
			for name, fault := range map[string]func(bool){
				"gone":   func(on bool) { f.err = map[bool]error{true: errors.New("made up")}[on] },
				"frozen": func(on bool) { f.frozen = on },
			} {
				f.set(func() { fault(true) })
				time.Sleep(10 * time.Second)
				if age := n.Age(); age < 8*time.Second || age > 12*time.Second {
					t.Errorf("%s: the age is %v after ten seconds", name, age)
				}
				f.add(models.Revocation{SessionID: sessionID(3)})
				f.set(func() { fault(false) })
				time.Sleep(2 * time.Second)
				if age := n.Age(); age > time.Second || !n.knows(3) {
					t.Errorf("%s: the age is %v after the recovery", name, age)
				}
			}
		})
	})
	t.Run("reads everything again when the mark runs backwards", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{}
			for i := range 5 {
				f.add(models.Revocation{SessionID: sessionID(i)})
			}
			n := run(t, f)
			f.set(func() { f.rows = nil })
			f.add(models.Revocation{SessionID: sessionID(77)})
			time.Sleep(time.Second)
			if !n.knows(77) || !n.knows(4) {
				t.Error("after a failover it lacks what is new, or forgot what it knew")
			}
		})
	})
	t.Run("has the keys read again once for each change, and again where that fails", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{}
			n := run(t, f)
			f.add(models.Revocation{})
			time.Sleep(2 * time.Second)
			if got := n.reloads.Load(); got != 1 {
				t.Errorf("%d reloads after one change", got)
			}
			n.failing.Store(true)
			f.add(models.Revocation{})
			time.Sleep(2 * time.Second)
			if got := n.reloads.Load(); got < 4 || n.Age() < time.Second {
				t.Errorf("%d reloads, age %v, while reading the keys fails", got, n.Age())
			}
			n.failing.Store(false)
			time.Sleep(2 * time.Second)
			if n.Age() > time.Second {
				t.Errorf("age %v after the keys could be read", n.Age())
			}
		})
	})
	t.Run("drops what has expired", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{}
			f.add(models.Revocation{SessionID: sessionID(1)})
			n := run(t, f)
			time.Sleep(90 * time.Minute)
			if n.set.Len() != 0 {
				t.Errorf("%d entries are left", n.set.Len())
			}
		})
	})
}
