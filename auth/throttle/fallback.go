package throttle

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"latchkey/models"
)

// fallbackPause is how long a store that failed is left alone.
const fallbackPause = 5 * time.Second

// Fallback is a models.Attempts whose store may be away: meanwhile it counts in the memory of this process, so that
// guessing is neither free nor is nobody let in. It is safe for use by many goroutines.
type Fallback struct {
	store  models.Attempts
	memory *Memory
	logger *slog.Logger
	now    func() time.Time
	until  atomic.Int64 // when the store is tried again, in microseconds since 1970; 0: it is in use
}

var _ models.Attempts = (*Fallback)(nil)

// NewFallback returns a Fallback.
func NewFallback(store models.Attempts, memory *Memory, logger *slog.Logger, now func() time.Time) *Fallback {
	return &Fallback{store: store, memory: memory, logger: logger, now: now}
}

// either asks the store, or the memory where it is away.
func either[T any](ctx context.Context, f *Fallback, ask func(models.Attempts) (T, error)) (T, error) {
	until := f.until.Load()
	if until > f.now().UnixMicro() {
		return ask(f.memory)
	}
	answer, err := ask(f.store)
	if err == nil {
		if until != 0 && f.until.CompareAndSwap(until, 0) {
			f.logger.InfoContext(ctx, "the store of attempts is back")
		}
		return answer, nil
	}
	if ctx.Err() != nil { // it is the client who is away
		return answer, err
	}
	f.until.Store(f.now().Add(fallbackPause).UnixMicro())
	if until == 0 {
		f.logger.ErrorContext(ctx, "the store of attempts is away; this node counts for itself until it is back", "error", err)
	}
	return ask(f.memory)
}

// AttemptsIn implements models.Attempts.
func (f *Fallback) AttemptsIn(ctx context.Context, ids []string) ([]models.Attempt, error) {
	return either(ctx, f, func(a models.Attempts) ([]models.Attempt, error) { return a.AttemptsIn(ctx, ids) })
}

// TakeAttempt implements models.Attempts.
func (f *Fallback) TakeAttempt(ctx context.Context, buckets []models.Bucket, now time.Time) ([]models.Attempt, error) {
	return either(ctx, f, func(a models.Attempts) ([]models.Attempt, error) { return a.TakeAttempt(ctx, buckets, now) })
}

// AddAttempt implements models.Attempts.
func (f *Fallback) AddAttempt(ctx context.Context, buckets []models.Bucket, now time.Time) ([]models.Attempt, error) {
	return either(ctx, f, func(a models.Attempts) ([]models.Attempt, error) { return a.AddAttempt(ctx, buckets, now) })
}

// ReturnAttempt implements models.Attempts.
func (f *Fallback) ReturnAttempt(ctx context.Context, buckets []models.Bucket) error {
	_, err := either(ctx, f, func(a models.Attempts) (struct{}, error) { return struct{}{}, a.ReturnAttempt(ctx, buckets) })
	return err
}

// ForgetAttempts implements models.Attempts. It does not fall back: whoever asks is to know that it did not happen.
func (f *Fallback) ForgetAttempts(ctx context.Context, prefix string) (int, error) {
	return f.store.ForgetAttempts(ctx, prefix)
}
