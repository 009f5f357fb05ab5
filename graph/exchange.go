package graph

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// exchange is the context in which one request is answered. It holds the header of the answer, and ends when the time
// for the operation is over, when the client goes away, or when the answer is there.
//
// It does what context.WithTimeout and context.WithValue would, but makes a timer only when somebody waits for its
// end: most operations are over before a timer is made.
type exchange struct {
	parent   context.Context //nolint:containedctx // it is a context itself
	deadline time.Time

	headerMu sync.Mutex
	header   http.Header
	jar      jar  // only mutations use it, and they run one after the other
	vouched  bool // likewise

	timed atomic.Pointer[timed] // nil until somebody waits
}

// timed is a context with a timer.
type timed struct {
	context.Context //nolint:containedctx // it is a context itself
	cancel          context.CancelFunc
}

// exchangeKey is the key under which an exchange finds itself.
type exchangeKey struct{}

func newExchange(parent context.Context, header http.Header, timeout time.Duration) *exchange {
	deadline := time.Now().Add(timeout) //nolint:forbidigo // the deadline of a context
	if earlier, ok := parent.Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}
	return &exchange{parent: parent, header: header, deadline: deadline}
}

// Deadline implements context.Context.
func (x *exchange) Deadline() (time.Time, bool) { return x.deadline, true }

// Done implements context.Context.
func (x *exchange) Done() <-chan struct{} {
	t := x.timed.Load()
	if t == nil {
		ctx, cancel := context.WithDeadline(x.parent, x.deadline)
		t = &timed{ctx, cancel}
		if !x.timed.CompareAndSwap(nil, t) {
			cancel()
			t = x.timed.Load()
		}
	}
	return t.Done()
}

// Err implements context.Context.
func (x *exchange) Err() error {
	if t := x.timed.Load(); t != nil {
		return t.Err()
	}
	if err := x.parent.Err(); err != nil {
		return err
	}
	if !time.Now().Before(x.deadline) { //nolint:forbidigo // the deadline of a context
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	// The context with the timer is asked where there is one, so that contexts made from this one attach to it
	// directly instead of each starting a goroutine.
	if t := x.timed.Load(); t != nil {
		return t.Value(key)
	}
	return x.parent.Value(key)
}

// end releases the timer, and those who still wait.
func (x *exchange) end() {
	if t := x.timed.Load(); t != nil {
		t.cancel()
	}
}

// vouch notes that the request under way had a password or a token that is good: strangers, who have none, must not push out the
// document that it is in.
func vouch(ctx context.Context) {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		x.vouched = true
	}
}

// AddResponseHeader adds a field to the header of the HTTP answer to the request under way. It may be called by any resolver and by several at once, and does
// nothing for a context that is not of a request to NewHandler's handler. Fields that the transport sets itself
// (Content-Type, Cache-Control) cannot be changed with it.
func AddResponseHeader(ctx context.Context, name, value string) {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return
	}
	x.headerMu.Lock()
	defer x.headerMu.Unlock()
	x.header.Add(name, value)
}
