package throttle_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/auth/throttle"
	"latchkey/fault"
	"latchkey/models"
)

const secret = "a secret key that only tests have, made of words"

type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(d.Microseconds()) }

func memory(t *testing.T) *throttle.Memory {
	t.Helper()
	m, err := throttle.NewMemory(1000)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func throttled(t *testing.T, attempts models.Attempts, c *clock, secrets ...string) *throttle.Throttle {
	t.Helper()
	var all [][]byte
	for _, s := range append(secrets, secret) {
		all = append(all, []byte(s))
	}
	h, err := throttle.New(throttle.Options{Attempts: attempts, Secrets: all, Now: c.now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// guess tries a wrong password, or the right one, and returns how long it has to wait; 0 where the password was compared.
func guess(t testing.TB, h *throttle.Throttle, buckets []models.Bucket, right bool) time.Duration {
	t.Helper()
	try, err := h.Begin(t.Context(), buckets)
	if err == nil {
		defer try.End(t.Context())
		err = try.Admit(t.Context())
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.KindRateLimited {
		return f.RetryAfter
	}
	if err != nil {
		t.Fatal(err)
	}
	if !right {
		if err := try.Fail(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return 0
}

func TestTheWaitGrows(t *testing.T) {
	c := newClock()
	h := throttled(t, memory(t), c)
	from := h.Stranger("ada", "192.0.2.1")
	var waits []time.Duration
	for range 18 {
		wait := guess(t, h, from, false)
		if c.advance(wait); wait > 0 && guess(t, h, from, false) != 0 {
			t.Fatal("the wait was not long enough")
		}
		waits = append(waits, wait.Round(time.Second))
	}
	for i, wait := range waits[5:] {
		if i > 0 && wait < waits[5+i-1] {
			t.Errorf("the waits are %v", waits)
		}
	}
	if waits[4] != 0 || waits[5] != 15*time.Second || waits[17] != 10*time.Minute {
		t.Errorf("the waits are %v", waits)
	}
}

func TestWhatIsTriedTooEarlyChangesNothing(t *testing.T) {
	c := newClock()
	h := throttled(t, memory(t), c)
	from := h.Stranger("ada", "192.0.2.1")
	for range 5 {
		guess(t, h, from, false)
	}
	for range 100 {
		if wait := guess(t, h, from, true); wait != 15*time.Second {
			t.Fatalf("the wait is %v", wait)
		}
	}
	c.advance(15 * time.Second)
	if wait := guess(t, h, from, true); wait != 0 {
		t.Errorf("and then %v", wait)
	}
}

func TestASuccessTakesNothingBackButItself(t *testing.T) {
	h := throttled(t, memory(t), newClock())
	from := func(account string) []models.Bucket { return h.Stranger(account, "192.0.2.1") }
	compared := 0
	for i := range 200 { // an attacker who signs in to an account of their own in between
		if guess(t, h, from(fmt.Sprint("victim", i)), false) == 0 {
			compared++
		}
		guess(t, h, from("mallory"), true)
	}
	if compared != 60 {
		t.Errorf("%d guesses were compared, want 60", compared)
	}
}

func TestNetworksAreAddressesOfIPv4AndHalvesOfIPv6(t *testing.T) {
	h := throttled(t, memory(t), newClock())
	place := func(address string) string { return h.Stranger("ada", address)[2].ID }
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::1", true},
		{"", "nonsense", true},
	} {
		if got := place(c.a) == place(c.b); got != c.same {
			t.Errorf("%q and %q are one network: %t", c.a, c.b, got)
		}
	}
}

func TestIDsTellNothingWithoutTheSecret(t *testing.T) {
	c := newClock()
	mine, others := throttled(t, memory(t), c), throttled(t, memory(t), c, "another secret that only tests have, also of words")
	for i, b := range mine.Stranger("ada", "192.0.2.1") {
		if strings.Contains(b.ID, "ada") || b.ID == others.Stranger("ada", "192.0.2.1")[i].ID {
			t.Errorf("the id is %s", b.ID)
		}
	}
}

// Of tries at once, those that are being compared count, on one node exactly.
func TestTriesAtOnceShareTheBudget(t *testing.T) {
	h := throttled(t, memory(t), newClock())
	var compared atomic.Int64
	var begun, group sync.WaitGroup
	begun.Add(64)
	for i := range 64 {
		group.Go(func() {
			try, err := h.Begin(t.Context(), h.Stranger("ada", fmt.Sprintf("192.0.2.%d", i)))
			begun.Done()
			if err != nil {
				return
			}
			defer try.End(t.Context())
			begun.Wait() // all have seen an empty bucket
			if try.Admit(t.Context()) != nil {
				return
			}
			compared.Add(1)
			if err := try.Fail(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := compared.Load(); got > 15 {
		t.Errorf("%d guesses were compared, want 15 at most", got)
	}
}

func TestATryThatEndsWithoutAResultIsNotCounted(t *testing.T) {
	h := throttled(t, memory(t), newClock())
	for range 100 {
		try, err := h.Begin(t.Context(), h.Stranger("ada", "192.0.2.1"))
		if err != nil {
			t.Fatal(err)
		}
		if err := try.Admit(t.Context()); err != nil {
			t.Fatal(err)
		}
		try.End(t.Context())
		try.End(t.Context())
	}
}

func TestAFailureOfAClientThatHangsUpIsRecorded(t *testing.T) {
	h := throttled(t, memory(t), newClock())
	from := h.Stranger("ada", "192.0.2.1")
	for range 5 {
		ctx, hangUp := context.WithCancel(t.Context())
		try, err := h.Begin(ctx, from)
		if err != nil {
			t.Fatal(err)
		}
		if err := try.Admit(ctx); err != nil {
			t.Fatal(err)
		}
		hangUp()
		if err := try.Fail(ctx); err != nil {
			t.Error(err)
		}
		try.End(ctx)
	}
	if guess(t, h, from, true) == 0 {
		t.Error("five guesses left no trace")
	}
}

func TestAnAccountIsForgotten(t *testing.T) {
	h := throttled(t, memory(t), newClock())
	for range 5 {
		guess(t, h, h.Stranger("ada", "192.0.2.1"), false)
		guess(t, h, h.Stranger("bob", "192.0.2.1"), false)
	}
	n, err := h.Forget(t.Context(), "ada")
	if err != nil || n != 2 {
		t.Errorf("forgot %d, %v", n, err)
	}
	if guess(t, h, h.Stranger("ada", "192.0.2.1"), true) != 0 || guess(t, h, h.Stranger("bob", "192.0.2.1"), true) == 0 {
		t.Error("ada must be free, and bob not")
	}
}

func TestDevices(t *testing.T) {
	c := newClock()
	h := throttled(t, memory(t), c)
	mark := func(h *throttle.Throttle, cookie string, user int64, hash string) string {
		t.Helper()
		value, err := h.MarkDevice(cookie, user, hash)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	cookie := mark(h, "", 7, "hash")
	name := h.KnownDevice(cookie, 7, "hash")
	if name == "" {
		t.Fatal("the device is not known")
	}
	changed := []byte(cookie)
	changed[20] ^= 1
	other := throttled(t, memory(t), c, "another secret that only tests have, also of words")
	for what, got := range map[string]string{
		"of another user":            h.KnownDevice(cookie, 8, "hash"),
		"after a change of password": h.KnownDevice(cookie, 7, "another hash"),
		"changed":                    h.KnownDevice(string(changed), 7, "hash"),
		"cut":                        h.KnownDevice(cookie[:40], 7, "hash"),
		"made elsewhere":             h.KnownDevice(mark(other, "", 7, "hash"), 7, "hash"),
		"nothing":                    h.KnownDevice("", 7, "hash"),
	} {
		if got != "" {
			t.Errorf("a cookie %s is accepted", what)
		}
	}
	if other.KnownDevice(cookie, 7, "hash") != name {
		t.Error("a secret from before no longer counts")
	}

	shared := mark(h, cookie, 8, "hash of bob")
	again := mark(h, shared, 7, "hash")
	if h.KnownDevice(again, 7, "hash") != name || h.KnownDevice(again, 8, "hash of bob") == "" {
		t.Error("a device of two users forgot one of them")
	}
	for user := range int64(20) {
		again = mark(h, again, 100+user, "hash")
	}
	if len(again) > 400 {
		t.Errorf("the cookie grew to %d bytes", len(again))
	}

	c.advance(throttle.DeviceLifetime)
	if h.KnownDevice(cookie, 7, "hash") != "" {
		t.Error("the device is known for ever")
	}
}

func FuzzDeviceCookie(f *testing.F) {
	c := newClock()
	m, err := throttle.NewMemory(10)
	if err != nil {
		f.Fatal(err)
	}
	h, err := throttle.New(throttle.Options{Attempts: m, Secrets: [][]byte{[]byte(secret)}, Now: c.now, Random: rand.Reader})
	if err != nil {
		f.Fatal(err)
	}
	good, err := h.MarkDevice("", 7, "hash")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good + "." + good)
	f.Add("....")
	f.Fuzz(func(t *testing.T, cookie string) {
		if h.KnownDevice(cookie, 7, "hash") != "" && !strings.Contains(cookie, good) {
			t.Error("a forged cookie is accepted")
		}
		marked, err := h.MarkDevice(cookie, 9, "other")
		if err != nil || h.KnownDevice(marked, 9, "other") == "" || len(marked) > 400 {
			t.Errorf("%q, %v", marked, err)
		}
	})
}

// broken is a store that is away.
type broken struct {
	models.Attempts
	away atomic.Bool
	asks atomic.Int64
}

func (b *broken) AttemptsIn(ctx context.Context, ids []string) ([]models.Attempt, error) {
	b.asks.Add(1)
	if b.away.Load() {
		return nil, errors.New("away")
	}
	return b.Attempts.AttemptsIn(ctx, ids)
}

func TestWhileTheStoreIsAwayTheNodeCounts(t *testing.T) {
	c := newClock()
	store := &broken{Attempts: memory(t)}
	h := throttled(t, throttle.NewFallback(store, memory(t), slog.New(slog.DiscardHandler), c.now), c)
	from := h.Stranger("ada", "192.0.2.1")
	store.away.Store(true)
	for i := range 7 {
		if compared := guess(t, h, from, false) == 0; compared != (i < 5) {
			t.Errorf("guess %d was compared: %t", i+1, compared)
		}
	}
	if n := store.asks.Load(); n != 1 {
		t.Errorf("a store that is away was asked %d times", n)
	}
	store.away.Store(false)
	c.advance(5 * time.Second)
	if guess(t, h, from, true) != 0 || store.asks.Load() == 1 {
		t.Error("a store that is back is not used")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m, err := throttle.NewMemory(10)
	if err != nil {
		t.Fatal(err)
	}
	h := throttled(t, m, newClock())
	for i := range 1000 {
		guess(t, h, h.Stranger(fmt.Sprint(i), fmt.Sprintf("2001:db8:0:%x::1", i)), false)
	}
	if n, err := m.ForgetAttempts(t.Context(), ""); err != nil || n != 10 {
		t.Errorf("%d buckets were kept, %v", n, err)
	}
}

func TestAnonymous(t *testing.T) {
	c := newClock()
	a, err := throttle.NewAnonymous(2, c.now)
	if err != nil {
		t.Fatal(err)
	}
	let := func(address string) int {
		n := 0
		for ; a.Wait(address) == 0 && n < 1000; n++ {
			a.Count(address)
		}
		return n
	}
	if n := let("192.0.2.1"); n != 20 {
		t.Errorf("%d requests at once, want 20", n)
	}
	if wait := a.Wait("192.0.2.1"); wait != 500*time.Millisecond {
		t.Errorf("the wait is %v, want half a second", wait)
	}
	if n := let("192.0.2.2"); n != 20 {
		t.Errorf("%d requests of another, want 20", n)
	}
	c.advance(3 * time.Second)
	if n := let("192.0.2.1"); n != 6 {
		t.Errorf("%d requests after three seconds, want 6", n)
	}
}

// Tries that are on no record, on many nodes at once, must not fill a bucket so far that the owner waits for hours: not
// from an empty bucket, and not from one that others have filled.
func TestTriesAtOnceOnManyNodesLockNobodyOut(t *testing.T) {
	for before := range 15 {
		c, store := newClock(), memory(t)
		h := throttled(t, store, c)
		compared := 0
		stranger := func() []models.Bucket { return h.Stranger("ada", fmt.Sprintf("192.0.2.%d", compared)) }
		for ; compared < before; compared++ {
			guess(t, h, stranger(), false)
		}
		var nodes [10]*throttle.Throttle
		for i := range nodes {
			nodes[i] = throttled(t, store, c)
		}
		var admitted []*throttle.Try
		for range 4 {
			for _, node := range nodes {
				try, err := node.Begin(t.Context(), stranger())
				if err == nil && try.Admit(t.Context()) == nil {
					admitted = append(admitted, try)
					compared++
				}
			}
		}
		for _, try := range admitted {
			if err := try.Fail(t.Context()); err != nil {
				t.Error(err)
			}
			try.End(t.Context())
		}
		wait := guess(t, h, h.Stranger("ada", "198.51.100.1"), true)
		if compared > 15+len(nodes) || wait > 12*time.Minute {
			t.Errorf("after %d tries, %d were compared, and the owner waits for %v", before, compared, wait)
		}
	}
}
