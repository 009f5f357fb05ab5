package redis_test

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/auth/throttle/redis"
	"latchkey/models"
)

const server = "127.0.0.1:6379"

// open returns an Attempts on the Redis of this machine. Without one the test is skipped, unless CI is set.
func open(t testing.TB) *redis.Attempts {
	t.Helper()
	conn, err := net.DialTimeout("tcp", server, time.Second)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no Redis server: %v", err)
		}
		t.Skipf("skipped: no Redis server at %s", server)
	}
	conn.Close() //nolint:errcheck // nothing was written
	a, err := redis.Open("redis://" + server + "/0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() }) //nolint:errcheck // the test has what it wants
	return a
}

// bucket returns one with an id of the test's own, which is emptied when the test ends.
func bucket(t testing.TB, a *redis.Attempts) models.Bucket {
	id := "test" + rand.Text()
	t.Cleanup(func() {
		if _, err := a.ForgetAttempts(context.WithoutCancel(t.Context()), id); err != nil {
			t.Error(err)
		}
	})
	return models.Bucket{ID: id, Steps: [models.Steps]models.Step{
		{Burst: 3, Every: time.Hour}, {Burst: 4, Every: 2 * time.Hour}, {Burst: 5, Every: 3 * time.Hour},
	}}
}

func times(a models.Attempt) []time.Duration {
	now := time.Now()
	var list []time.Duration
	for _, at := range []int64{a.Step1At, a.Step2At, a.Step3At} {
		list = append(list, time.UnixMicro(at).Sub(now).Round(time.Minute))
	}
	return list
}

func TestABucketHoldsWhatItHasRoomFor(t *testing.T) {
	a := open(t)
	b := bucket(t, a)
	for i := range 5 {
		held, err := a.TakeAttempt(t.Context(), []models.Bucket{b}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if passed := len(held) > 0; passed != (i < 3) {
			t.Errorf("try %d passed: %t", i+1, passed)
		}
	}
	list, err := a.AttemptsIn(t.Context(), []string{b.ID, b.ID + ".none"})
	if err != nil {
		t.Fatal(err)
	}
	if got := times(list[0]); got[0] != 3*time.Hour || got[1] != 6*time.Hour || got[2] != 9*time.Hour {
		t.Errorf("the tries are forgotten after %v", got)
	}
	if list[1].Step1At != 0 {
		t.Errorf("an empty bucket holds %v", list[1])
	}
}

func TestARefusedTryIsInNoBucket(t *testing.T) {
	a := open(t)
	b, full := bucket(t, a), bucket(t, a)
	full.Held = 3
	held, err := a.TakeAttempt(t.Context(), []models.Bucket{b, full}, time.Time{})
	if err != nil || len(held) > 0 {
		t.Fatal(held, err)
	}
	list, err := a.AttemptsIn(t.Context(), []string{b.ID})
	if err != nil || list[0].Step1At != 0 {
		t.Errorf("the bucket holds %v, %v", list, err)
	}
}

func TestTriesAreAddedReturnedAndForgotten(t *testing.T) {
	a := open(t)
	b := bucket(t, a)
	one := []models.Bucket{b}
	for range 4 {
		if _, err := a.AddAttempt(t.Context(), one, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		held, err := a.TakeAttempt(t.Context(), one, time.Time{})
		if err != nil || len(held) > 0 != (i >= 2) {
			t.Errorf("after %d returned: %v, %v", i, held, err)
		}
		for range 1 + len(held) {
			if err := a.ReturnAttempt(t.Context(), one); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := a.AddAttempt(t.Context(), one, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if n, err := a.ForgetAttempts(t.Context(), b.ID[:10]); err != nil || n != 1 {
		t.Errorf("forgot %d, %v", n, err)
	}
	if list, err := a.AttemptsIn(t.Context(), []string{b.ID}); err != nil || list[0].Step1At != 0 {
		t.Errorf("the bucket holds %v, %v", list, err)
	}
}

func TestOfManyTriesAtOnceNoMorePassThanThereIsRoomFor(t *testing.T) {
	a := open(t)
	b := bucket(t, a)
	var passed atomic.Int64
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			held, err := a.TakeAttempt(t.Context(), []models.Bucket{b}, time.Time{})
			if err != nil {
				t.Error(err)
			}
			passed.Add(int64(len(held)))
		})
	}
	group.Wait()
	if got := passed.Load(); got != 3 {
		t.Errorf("%d passed, want 3", got)
	}
}

func TestAURLIsNotShown(t *testing.T) {
	if _, err := redis.Open("http://ada:secret@host"); err == nil || err.Error() != "not a URL of a Redis, as in redis://USER:PASSWORD@HOST:PORT/0" {
		t.Error(err)
	}
}
