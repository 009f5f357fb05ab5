// Package throttle bounds how often credentials can be guessed, without a way to lock their owner out.
//
// What is counted are checks of a credential that failed or are under way, in buckets: of an account, of a network, of an
// account from a network, of an account on a device that is known. The counts are kept by a models.Attempts, which all
// nodes share. docs/throttling.md tells the design and its limits.
package throttle

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"latchkey/fault"
	"latchkey/models"
)

// recordTimeout bounds the recording of a check that was made, whose client may be gone.
const recordTimeout = 5 * time.Second

// maxFree bounds how many tries at a bucket this node may have under way that are on no record: as many as passwords are
// compared at once.
const maxFree = 4

// Options is what New is handed. All of it is required.
type Options struct {
	Attempts models.Attempts
	// Secrets are the server's secret, and behind it those from before, under which devices are still known.
	Secrets [][]byte
	Now     func() time.Time
	Random  io.Reader
}

// Throttle counts tries at credentials. It is safe for use by many goroutines.
type Throttle struct {
	attempts models.Attempts
	now      func() time.Time
	random   io.Reader
	names    []byte   // the key under which names and networks become ids
	devices  [][]byte // the keys of device tokens; the first one signs

	mu  sync.Mutex
	use map[string]*usage // of the buckets that tries on this node are about; as many as may wait for a hash
}

// usage is what this node knows of a bucket while tries are about it.
type usage struct {
	tries int   // that have begun
	free  int   // of those, how many are being checked and are on no record
	held  times // what is on record, as far as it is known here
}

// New returns a Throttle. Its keys are derived from the secrets with HKDF-SHA-256 (RFC 5869), each under a label of its
// own.
func New(o Options) (*Throttle, error) {
	if len(o.Secrets) == 0 {
		return nil, errors.New("throttle: there is no secret")
	}
	t := &Throttle{attempts: o.Attempts, now: o.Now, random: o.Random, use: map[string]*usage{}}
	var err error
	if t.names, err = hkdf.Key(sha256.New, o.Secrets[0], nil, "latchkey/attempts/v1", sha256.Size); err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	for _, secret := range o.Secrets {
		key, err := hkdf.Key(sha256.New, secret, nil, "latchkey/device/v1", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("derive key: %w", err)
		}
		t.devices = append(t.devices, key)
	}
	return t, nil
}

// Stranger returns the buckets of a try at an account from an address, whether there is such an account or not.
func (t *Throttle) Stranger(account, address string) []models.Bucket {
	id, place := t.id("account", account), network(address)
	return []models.Bucket{
		{ID: id, Steps: accountSteps()},
		{ID: id + "." + t.id("place", account, place), Steps: placeSteps()},
		{ID: t.id("network", place), Steps: networkSteps()},
	}
}

// Known returns the bucket of a try at an account by somebody who has proved to have signed in to it before: on a device
// or in a session of that name.
func (t *Throttle) Known(account, name string) []models.Bucket {
	return []models.Bucket{{ID: t.id("account", account) + "." + t.id("known", account, name), Steps: deviceSteps()}}
}

// Forget empties every bucket of an account, and returns how many held something.
func (t *Throttle) Forget(ctx context.Context, account string) (int, error) {
	return t.attempts.ForgetAttempts(ctx, t.id("account", account))
}

// ForgetNetwork empties the bucket of the network of an address, and returns whether it held something.
func (t *Throttle) ForgetNetwork(ctx context.Context, address string) (int, error) {
	return t.attempts.ForgetAttempts(ctx, t.id("network", network(address)))
}

// id returns a name that tells nobody what it is about who does not have the secret.
func (t *Throttle) id(kind string, parts ...string) string {
	mac := hmac.New(sha256.New, t.names)
	for _, part := range append([]string{kind}, parts...) {
		fmt.Fprintf(mac, "%d:%s,", len(part), part)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// network returns what counts as one place: an IPv4 address, or the /64 of an IPv6 address, which a household or a
// machine has whole. What is no address is one place.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	prefix, _ := a.Prefix(64) // it has 128 bits
	return prefix.String()
}

// Try is one try at a credential. It belongs to one goroutine.
type Try struct {
	t       *Throttle
	buckets []models.Bucket
	state   state
}

type state int

const (
	begun    state = iota
	free           // admitted, on no record
	recorded       // admitted, on record
	failed         // and it stays there
	ended
)

// Begin begins a try, which must be ended. RATE_LIMITED where a bucket has no room for it: then the credential is not to
// be looked at. Nothing is written.
func (t *Throttle) Begin(ctx context.Context, buckets []models.Bucket) (*Try, error) {
	try := &Try{t: t, buckets: buckets}
	t.mu.Lock()
	for _, b := range buckets {
		if t.use[b.ID] == nil {
			t.use[b.ID] = &usage{}
		}
		t.use[b.ID].tries++
	}
	t.mu.Unlock()
	if err := try.read(ctx); err != nil {
		try.End(ctx)
		return nil, err
	}
	t.mu.Lock()
	after := try.wait()
	t.mu.Unlock()
	if after > 0 {
		try.End(ctx)
		return nil, fault.RateLimited(after)
	}
	return try, nil
}

// read learns what is on record.
func (try *Try) read(ctx context.Context) error {
	ids := make([]string, len(try.buckets))
	for i, b := range try.buckets {
		ids[i] = b.ID
	}
	list, err := try.t.attempts.AttemptsIn(ctx, ids)
	if err != nil {
		return fmt.Errorf("read attempts: %w", err)
	}
	try.learn(list)
	return nil
}

// learn takes note of what buckets hold.
func (try *Try) learn(list []models.Attempt) {
	try.t.mu.Lock()
	defer try.t.mu.Unlock()
	for _, a := range list {
		if u := try.t.use[a.ID]; u != nil {
			for i, at := range timesOf(a) {
				u.held[i] = max(u.held[i], at) // of two answers the later one, whichever came first
			}
		}
	}
}

// wait returns how long it takes until every bucket has room; the lock is held.
func (try *Try) wait() time.Duration {
	now, longest := try.t.now(), time.Duration(0)
	for _, b := range try.buckets {
		u := try.t.use[b.ID]
		b.Held = u.free
		longest = max(longest, wait(b, u.held, now))
	}
	return longest
}

// Admit is asked right before the credential is compared, when nothing else is left to wait for. RATE_LIMITED as of
// Begin: those that were admitted meanwhile count.
//
// Where all buckets are less than half full, and few tries are under way, the try goes on no record: it is counted in the
// memory of this node until it has failed, and one that succeeds has written nothing. Else it is on record before the credential is compared, which
// holds across all nodes.
func (try *Try) Admit(ctx context.Context) error {
	t := try.t
	t.mu.Lock()
	if after := try.wait(); after > 0 {
		t.mu.Unlock()
		return fault.RateLimited(after)
	}
	if try.free() {
		try.hold(1)
		try.state = free
		t.mu.Unlock()
		return nil
	}
	guarded := make([]models.Bucket, len(try.buckets))
	for i, b := range try.buckets {
		b.Held = t.use[b.ID].free
		guarded[i] = b
	}
	t.mu.Unlock()

	held, err := t.attempts.TakeAttempt(ctx, guarded, t.now())
	if err != nil {
		return fmt.Errorf("record attempt: %w", err)
	}
	if len(held) == 0 { // another node, or another try here, was faster
		if err := try.read(ctx); err != nil {
			return err
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		return fault.RateLimited(max(try.wait(), time.Second))
	}
	try.learn(held)
	try.state = recorded
	return nil
}

// free reports whether the try need not be on record; the lock is held.
func (try *Try) free() bool {
	now := try.t.now()
	for _, b := range try.buckets {
		u := try.t.use[b.ID]
		b.Held = u.free
		if u.free >= freeTries(b) || !roomy(b, u.held, now) {
			return false
		}
	}
	return true
}

// freeTries returns how many tries at a bucket this node may have under way that are on no record: an eighth of what it
// lets through at once, and one at least. So many, of each other node, can be compared beyond the budget, and what is
// beyond makes the wait longer: with four at an account, tries at once on ten nodes would keep its owner waiting for hours.
func freeTries(b models.Bucket) int { return min(maxFree, max(1, b.Steps[0].Burst/8)) }

// hold counts the try among those on no record, or no longer; the lock is held.
func (try *Try) hold(n int) {
	for _, b := range try.buckets {
		try.t.use[b.ID].free += n
	}
}

// Fail records that the credential was wrong. It does so for a client that is gone, too: else whoever hangs up guesses
// for nothing.
func (try *Try) Fail(ctx context.Context) error {
	if try.state != free {
		try.state = failed
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	held, err := try.t.attempts.AddAttempt(ctx, try.buckets, try.t.now())
	if err != nil {
		return fmt.Errorf("record attempt: %w", err)
	}
	try.learn(held)
	return nil
}

// End ends a try. One that was admitted and has not failed is counted no longer: the credential was right, or a fault of
// the server kept it from being compared.
func (try *Try) End(ctx context.Context) {
	was := try.state
	if was == ended {
		return
	}
	try.state = ended
	returned := false
	if was == recorded {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
		defer cancel()
		// Where it fails the try counts as if it had failed, until it is forgotten.
		returned = try.t.attempts.ReturnAttempt(ctx, try.buckets) == nil
	}
	t := try.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if was == free {
		try.hold(-1)
	}
	for _, b := range try.buckets {
		u := t.use[b.ID]
		if returned {
			u.held = without(b, u.held)
		}
		if u.tries--; u.tries == 0 {
			delete(t.use, b.ID)
		}
	}
}
