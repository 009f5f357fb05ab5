package revocation_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/auth/revocation"
	"latchkey/models"
)

// feed is a database of revocations. Its marks are how many rows were there.
type feed struct {
	mu     sync.Mutex
	rows   []models.Revocation
	bell   chan struct{}
	err    error
	frozen bool
	asked  int
	read   int           // rows that were handed over
	page   time.Duration // how long each row takes to come
}

func (f *feed) RevocationsSince(ctx context.Context, mark string, page func([]models.Revocation)) (string, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.frozen {
		f.mu.Unlock()
		<-ctx.Done()
		f.mu.Lock()
		return "", false, ctx.Err()
	}
	if f.err != nil {
		return "", false, f.err
	}
	last, _ := strconv.Atoi(mark)
	anew := last > len(f.rows) // another database: it knows nothing of such a mark
	if anew {
		last = 0
	}
	rows := f.rows
	for i := range rows[last:] {
		f.mu.Unlock()
		select {
		case <-time.After(f.page):
		case <-ctx.Done():
		}
		f.mu.Lock()
		if ctx.Err() != nil {
			return "", false, ctx.Err()
		}
		f.read++
		page(rows[last+i : last+i+1])
	}
	return strconv.Itoa(len(rows)), anew, nil
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
			if f.read != 2 {
				t.Errorf("%d rows were read, want each of the two once", f.read)
			}
		})
	})
	t.Run("has the keys read again in a database that took the place of the first, and for a change there", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{}
			for range 5 {
				f.add(models.Revocation{})
			}
			n := run(t, f)
			for i, change := range []func(){
				func() { f.set(func() { f.rows = nil }) },
				func() { f.add(models.Revocation{}) }, // with an id that was there before
			} {
				before := n.reloads.Load()
				change()
				time.Sleep(2 * time.Second)
				if got := n.reloads.Load() - before; got != 1 {
					t.Errorf("step %d: the keys were read anew %d times, want 1", i, got)
				}
			}
		})
	})
	t.Run("has the keys read again for a change that commits after a later one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{}
			n := run(t, f)
			for _, id := range []int64{2, 1} {
				before := n.reloads.Load()
				f.set(func() { f.rows = append(f.rows, models.Revocation{ID: id, ExpiresAt: time.Now().Add(time.Hour)}) })
				time.Sleep(2 * time.Second)
				if n.reloads.Load() == before {
					t.Errorf("the keys were not read anew for the row %d", id)
				}
			}
		})
	})
	t.Run("reads for as long as it takes, while something comes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{page: 10 * time.Second}
			for i := range 20 {
				f.add(models.Revocation{SessionID: sessionID(i)})
			}
			n := run(t, f)
			if !n.knows(19) {
				t.Error("it started without what was there")
			}
			f.set(func() { f.page = 900 * time.Millisecond })
			for i := range 20 {
				f.add(models.Revocation{SessionID: sessionID(20 + i)})
			}
			time.Sleep(10 * time.Second)
			if !n.knows(25) || n.knows(39) || n.Age() < 8*time.Second {
				t.Errorf("half-way it knows the first %t, the last %t, and says it is %v old", n.knows(25), n.knows(39), n.Age())
			}
			time.Sleep(10 * time.Second)
			if !n.knows(39) || n.Age() > time.Second || f.read != 40 {
				t.Errorf("after all: knows the last %t, age %v, %d rows read", n.knows(39), n.Age(), f.read)
			}
		})
	})
	t.Run("does not start on a database that falls silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{frozen: true}
			s := revocation.NewSync(revocation.Options{Set: revocation.NewSet(), Feed: f, Now: time.Now})
			began := time.Now()
			if err := s.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer in time") {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
			if waited := time.Since(began); waited != 30*time.Second {
				t.Errorf("it waited for %v", waited)
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
