// Package redis keeps the tries at credentials in a Redis, instead of the database. It is the only importer of the Redis
// client and its rate limiter.
package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"latchkey/models"
)

// The bounds of a question: a Redis that is away must not keep a sign-in waiting.
const (
	dialTimeout = 500 * time.Millisecond
	ioTimeout   = 500 * time.Millisecond
)

// prefix begins every key, before the limiter's own: "rate:" + prefix + id.
const (
	limiterPrefix = "rate:"
	prefix        = "latchkey:attempts:"
)

// Attempts is a models.Attempts in Redis. Each step of a bucket is a limit of its own; it goes by the clock of the Redis
// server, whatever time the caller says it is. It is safe for use by many goroutines.
type Attempts struct {
	client  *redis.Client
	limiter *redis_rate.Limiter
}

var _ models.Attempts = (*Attempts)(nil)

// Open returns an Attempts for the URL, redis://…, rediss://… for TLS, or unix://…. It does not connect yet. Close it when
// done.
func Open(url string) (*Attempts, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("not a URL of a Redis, as in redis://USER:PASSWORD@HOST:PORT/0") // err may have the password in it
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = dialTimeout, ioTimeout, ioTimeout, ioTimeout
	o.MaxRetries, o.DialerRetries = -1, 1 // what was counted must not be counted again
	o.ContextTimeoutEnabled = true
	logging.Disable() // its lines on standard error are not those of the log, and say nothing that the errors do not
	client := redis.NewClient(o)
	return &Attempts{client: client, limiter: redis_rate.NewLimiter(client)}, nil
}

// Close closes the connections.
func (a *Attempts) Close() error { return a.client.Close() }

func key(id string, step int) string { return prefix + id + ":" + strconv.Itoa(step+1) }

// unguarded is a burst that is never used up.
const unguarded = 1 << 30

// put moves one step of a bucket on by n tries, where it has room, and returns when its tries are forgotten.
func (a *Attempts) put(ctx context.Context, id string, step int, s models.Step, burst, n int) (at int64, ok bool, err error) {
	result, err := a.limiter.AllowN(ctx, key(id, step), redis_rate.Limit{Rate: 1, Period: s.Every, Burst: burst}, n)
	if err != nil {
		return 0, false, fmt.Errorf("ask Redis: %w", err)
	}
	if n < 0 && result.ResetAfter <= 0 { // the limiter writes no empty limit
		err = a.limiter.Reset(ctx, key(id, step))
	}
	return time.Now().Add(result.ResetAfter).UnixMicro(), result.RetryAfter < 0, err //nolint:forbidigo // the limiter has no other clock
}

// AttemptsIn implements models.Attempts.
func (a *Attempts) AttemptsIn(ctx context.Context, ids []string) ([]models.Attempt, error) {
	keys := make([]string, 0, len(ids)*models.Steps)
	for _, id := range ids {
		for step := range models.Steps {
			keys = append(keys, limiterPrefix+key(id, step))
		}
	}
	pipe := a.client.Pipeline()
	clock, kept := pipe.Time(ctx), pipe.MGet(ctx, keys...)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("ask Redis: %w", err)
	}
	ahead := time.Now().UnixMicro() - clock.Val().UnixMicro() //nolint:forbidigo // against the server's clock
	values := kept.Val()
	list := make([]models.Attempt, len(ids))
	for i, id := range ids {
		var at [models.Steps]int64
		for step := range at {
			if text, ok := values[i*models.Steps+step].(string); ok {
				until, err := limiterTime(text)
				if err != nil {
					return nil, err
				}
				at[step] = until + ahead
			}
		}
		list[i] = attempt(id, at)
	}
	return list, nil
}

// limiterEpoch is where the limiter's times begin: 1 January 2017, in seconds since 1970.
const limiterEpoch = 1483228800

// limiterTime reads what the limiter keeps: when the tries of a limit are forgotten, in seconds. Asking the limiter itself
// would be a call for each; a test holds this to what it answers.
func limiterTime(text string) (int64, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, errors.New("read Redis: a key of latchkey holds something else")
	}
	return int64((seconds + limiterEpoch) * 1e6), nil
}

func attempt(id string, at [models.Steps]int64) models.Attempt {
	return models.Attempt{ID: id, Step1At: at[0], Step2At: at[1], Step3At: at[2]}
}

// TakeAttempt implements models.Attempts. What was put into some steps is taken out again where another has no room, so
// that a try at the same moment may be refused for nothing, and never let through.
func (a *Attempts) TakeAttempt(ctx context.Context, buckets []models.Bucket, _ time.Time) ([]models.Attempt, error) {
	var undo []func(context.Context) error
	list := make([]models.Attempt, len(buckets))
	for i, b := range buckets {
		var at [models.Steps]int64
		for step, s := range b.Steps {
			until, ok, err := int64(0), false, error(nil)
			if s.Burst > b.Held {
				until, ok, err = a.put(ctx, b.ID, step, s, s.Burst-b.Held, 1)
			}
			if err != nil || !ok {
				for _, back := range undo {
					err = errors.Join(err, back(context.WithoutCancel(ctx)))
				}
				return nil, err
			}
			at[step] = until
			undo = append(undo, func(ctx context.Context) error {
				_, _, err := a.put(ctx, b.ID, step, s, unguarded, -1)
				return err
			})
		}
		list[i] = attempt(b.ID, at)
	}
	return list, nil
}

// AddAttempt implements models.Attempts.
func (a *Attempts) AddAttempt(ctx context.Context, buckets []models.Bucket, _ time.Time) ([]models.Attempt, error) {
	return a.move(ctx, buckets, 1)
}

// ReturnAttempt implements models.Attempts.
func (a *Attempts) ReturnAttempt(ctx context.Context, buckets []models.Bucket) error {
	_, err := a.move(ctx, buckets, -1)
	return err
}

func (a *Attempts) move(ctx context.Context, buckets []models.Bucket, n int) ([]models.Attempt, error) {
	list := make([]models.Attempt, len(buckets))
	for i, b := range buckets {
		var at [models.Steps]int64
		for step, s := range b.Steps {
			var err error
			if at[step], _, err = a.put(ctx, b.ID, step, s, unguarded, n); err != nil {
				return nil, err
			}
		}
		list[i] = attempt(b.ID, at)
	}
	return list, nil
}

// ForgetAttempts implements models.Attempts.
func (a *Attempts) ForgetAttempts(ctx context.Context, start string) (int, error) {
	forgotten := map[string]bool{}
	keys := a.client.Scan(ctx, 0, limiterPrefix+prefix+start+"*", 1000).Iterator()
	for keys.Next(ctx) {
		name := keys.Val()
		if err := a.client.Del(ctx, name).Err(); err != nil {
			return len(forgotten), fmt.Errorf("ask Redis: %w", err)
		}
		forgotten[name[:len(name)-len(":1")]] = true
	}
	if err := keys.Err(); err != nil {
		return len(forgotten), fmt.Errorf("ask Redis: %w", err)
	}
	return len(forgotten), nil
}
