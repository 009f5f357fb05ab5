package keys

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/auth/token"
)

// Bounds of what tokens with an unknown kid can make a node do.
const (
	reloadEvery   = time.Second
	reloadTimeout = 2 * time.Second
)

// Live is the ring of a node whose keys change under way. It is safe for use by many goroutines.
type Live struct {
	ring atomic.Pointer[Ring]
	load func(context.Context) (*Ring, error) // nil: the keys do not change

	mu      sync.Mutex
	tried   time.Time
	failure error // of the last reload; nil where it succeeded
}

// NewLive returns a Live that begins with ring. load reads the ring anew; nil where it never changes.
func NewLive(ring *Ring, load func(context.Context) (*Ring, error)) *Live {
	l := &Live{load: load}
	l.ring.Store(ring)
	return l
}

// Ring returns the present ring.
func (l *Live) Ring() *Ring { return l.ring.Load() }

// Reload reads the keys anew.
func (l *Live) Reload(ctx context.Context) error {
	if l.load == nil {
		return nil
	}
	ring, err := l.load(ctx)
	if err != nil {
		return err
	}
	l.ring.Store(ring)
	return nil
}

// Lookup is a token.Lookup. For a kid that is not known the keys are read anew: another node may have made it. All who
// ask meanwhile wait for the one reading, and there is one a second at most, so that made-up kids cost nothing.
func (l *Live) Lookup(ctx context.Context, kid string) (token.Key, error) {
	key, err := l.Ring().Lookup(ctx, kid)
	if l.load == nil || !errors.Is(err, token.ErrUnknownKey) {
		return key, err
	}
	if err := l.reloadForUnknown(ctx); err != nil {
		return token.Key{}, err
	}
	return l.Ring().Lookup(ctx, kid)
}

func (l *Live) reloadForUnknown(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.tried) < reloadEvery { //nolint:forbidigo // the monotonic clock
		return l.failure
	}
	// Those who wait must not fail because this caller leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadTimeout)
	defer cancel()
	l.failure = l.Reload(ctx)
	l.tried = time.Now() //nolint:forbidigo // the monotonic clock
	return l.failure
}
