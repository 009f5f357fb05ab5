package password

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrBusy is what errors.Is finds in an error that means: too many hashes are
// running and waiting. Such an error is a *BusyError.
var ErrBusy = errors.New("password: too many passwords are being hashed")

// BusyError says that no slot could be had, and when to try again.
type BusyError struct {
	// RetryAfter is how long to wait before the next try. By then everybody
	// who waits now has been served or turned away.
	RetryAfter time.Duration
}

// Error implements error.
func (e *BusyError) Error() string {
	return fmt.Sprintf("%v, try again in %v", ErrBusy, e.RetryAfter)
}

// Is makes errors.Is(err, ErrBusy) true.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// gate lets a bounded number of callers through at a time, makes a bounded
// number wait for a bounded time, and turns the others away. Who came first
// goes first, since a channel serves its blocked senders in their order.
type gate struct {
	places  chan struct{} // one value for each caller inside, running or waiting
	slots   chan struct{} // one value for each caller running
	timeout time.Duration
	refused atomic.Uint64 // how many were turned away
}

func newGate(slots, queue int, timeout time.Duration) *gate {
	return &gate{
		places:  make(chan struct{}, slots+queue),
		slots:   make(chan struct{}, slots),
		timeout: timeout,
	}
}

// enter waits for a slot and returns the function that gives it back. It fails
// with a *BusyError or with ctx's error.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	select {
	case g.places <- struct{}{}:
	default:
		return nil, g.busy()
	}
	if err := g.wait(ctx); err != nil {
		<-g.places
		return nil, err
	}
	return func() {
		<-g.slots
		<-g.places
	}, nil
}

func (g *gate) wait(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}

	timer := time.NewTimer(g.timeout)
	defer timer.Stop()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("password: waiting to hash: %w", ctx.Err())
	case <-timer.C:
		return g.busy()
	}
}

func (g *gate) busy() error {
	g.refused.Add(1)
	return &BusyError{RetryAfter: g.timeout}
}
