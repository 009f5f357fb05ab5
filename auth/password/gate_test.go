package password_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth/password"
)

const timeout = 5 * time.Second

// press is a Hasher whose hashes last until they are released one by one.
type press struct {
	*password.Hasher
	release chan struct{}
	running atomic.Int32

	mu    sync.Mutex
	order []string // the passwords, in the order their hashes began
}

func newPress(t *testing.T, slots, queue int) *press {
	t.Helper()
	o := cheap()
	o.Slots, o.Queue, o.QueueTimeout = slots, queue, timeout
	p := &press{Hasher: newHasher(t, o), release: make(chan struct{})}
	p.SetDerive(func(plain, _ []byte, _, _ uint32, _ uint8, length uint32) []byte {
		p.mu.Lock()
		p.order = append(p.order, string(plain))
		p.mu.Unlock()
		p.running.Add(1)
		<-p.release
		p.running.Add(-1)
		return make([]byte, length)
	})
	return p
}

// start begins a hash and returns where its outcome will be. When start
// returns, the hash runs, waits or is over.
func (p *press) start(ctx context.Context, plain string) <-chan error {
	done := make(chan error, 1)
	go func() { done <- p.VerifyNothing(ctx, plain) }()
	synctest.Wait()
	return done
}

// finish lets one running hash end.
func (p *press) finish() {
	p.release <- struct{}{}
	synctest.Wait()
}

// outcome returns the outcome of a hash that must be over.
func outcome(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	default:
		t.Fatal("the hash is not over")
		return nil
	}
}

func TestNoMoreHashesRunThanThereAreSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots, callers = 3, 60
		p := newPress(t, slots, callers)
		var failed atomic.Int32
		for i := range callers {
			go func() {
				var err error
				switch i % 3 {
				case 0:
					_, err = p.Hash(t.Context(), "open sesame")
				case 1:
					_, err = p.Verify(t.Context(), "open sesame", referenceHashes[0].encoded)
				case 2:
					err = p.VerifyNothing(t.Context(), "open sesame")
				}
				if err != nil {
					failed.Add(1)
				}
			}()
		}
		for left := callers; left > 0; left-- {
			synctest.Wait()
			if got, want := int(p.running.Load()), min(slots, left); got != want {
				t.Errorf("with %d to go: %d hashes run, want %d", left, got, want)
			}
			p.finish()
		}
		if n := failed.Load(); n > 0 {
			t.Errorf("%d hashes failed", n)
		}
	})
}

func TestWhoComesFirstIsServedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPress(t, 1, 8)
		var want []string
		for i := range 9 {
			want = append(want, fmt.Sprint(i))
			p.start(t.Context(), want[i])
		}
		for range want {
			p.finish()
		}
		if diff := cmp.Diff(want, p.order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

func TestBeyondTheQueueIsBusyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPress(t, 2, 3)
		var inside []<-chan error
		for range 5 {
			inside = append(inside, p.start(t.Context(), "in time"))
		}

		began := time.Now()
		err := outcome(t, p.start(t.Context(), "too late"))
		if !errors.Is(err, password.ErrBusy) {
			t.Fatalf("error = %v, want ErrBusy", err)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("turned away after %v, want at once", waited)
		}
		var busy *password.BusyError
		if !errors.As(err, &busy) || busy.RetryAfter != timeout {
			t.Errorf("error = %#v, want a BusyError that says to wait %v", err, timeout)
		}

		for range inside {
			p.finish()
		}
		for _, done := range inside {
			if err := outcome(t, done); err != nil {
				t.Errorf("a hash inside failed: %v", err)
			}
		}
		if slices.Contains(p.order, "too late") {
			t.Error("what was turned away was hashed")
		}
	})
}

func TestNobodyWaitsInAQueueOfNegativeLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPress(t, 1, -1)
		first := p.start(t.Context(), "first")
		if err := outcome(t, p.start(t.Context(), "second")); !errors.Is(err, password.ErrBusy) {
			t.Errorf("error = %v, want ErrBusy", err)
		}
		p.finish()
		if err := outcome(t, first); err != nil {
			t.Errorf("the one in the slot failed: %v", err)
		}
	})
}

func TestAWaiterIsBusyAfterTheTimeoutAndLeavesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPress(t, 1, 1)
		first := p.start(t.Context(), "first")

		began := time.Now()
		if err := p.VerifyNothing(t.Context(), "second"); !errors.Is(err, password.ErrBusy) {
			t.Errorf("error = %v, want ErrBusy", err)
		}
		if waited := time.Since(began); waited != timeout {
			t.Errorf("it waited %v, want %v", waited, timeout)
		}

		third := p.start(t.Context(), "third")
		p.finish()
		p.finish()
		for name, done := range map[string]<-chan error{"first": first, "third": third} {
			if err := outcome(t, done); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestACancelledWaiterLeavesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPress(t, 1, 1)
		first := p.start(t.Context(), "first")
		ctx, cancel := context.WithCancel(t.Context())
		second := p.start(ctx, "second")
		if err := outcome(t, p.start(t.Context(), "no place")); !errors.Is(err, password.ErrBusy) {
			t.Fatalf("error = %v, want ErrBusy", err)
		}

		cancel()
		synctest.Wait()
		if err := outcome(t, second); !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v, want context.Canceled", err)
		}

		third := p.start(t.Context(), "third")
		p.finish()
		p.finish()
		for name, done := range map[string]<-chan error{"first": first, "third": third} {
			if err := outcome(t, done); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if diff := cmp.Diff([]string{"first", "third"}, p.order); diff != "" {
			t.Errorf("hashed (-want +got):\n%s", diff)
		}
	})
}

func TestNothingIsHashedForACallerWhoHasGone(t *testing.T) {
	h := newHasher(t, cheap())
	h.SetDerive(func(_, _ []byte, _, _ uint32, _ uint8, length uint32) []byte {
		t.Error("it was hashed")
		return make([]byte, length)
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "open sesame"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash error = %v, want context.Canceled", err)
	}
	if _, err := h.Verify(ctx, "open sesame", referenceHashes[0].encoded); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify error = %v, want context.Canceled", err)
	}
	if err := h.VerifyNothing(ctx, "open sesame"); !errors.Is(err, context.Canceled) {
		t.Errorf("VerifyNothing error = %v, want context.Canceled", err)
	}
}

func TestASlotIsGivenBackWhenAHashPanics(t *testing.T) {
	o := cheap()
	o.Slots, o.Queue = 1, -1
	h := newHasher(t, o)
	func() {
		defer func() { _ = recover() }()
		h.SetDerive(func([]byte, []byte, uint32, uint32, uint8, uint32) []byte { panic("out of memory") })
		_ = h.VerifyNothing(t.Context(), "open sesame")
	}()
	h.SetDerive(func(_, _ []byte, _, _ uint32, _ uint8, length uint32) []byte { return make([]byte, length) })
	if err := h.VerifyNothing(t.Context(), "open sesame"); err != nil {
		t.Errorf("the next hash: %v", err)
	}
}
