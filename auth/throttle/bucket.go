package throttle

import (
	"math"
	"time"

	"latchkey/models"
)

// steps are the steps of a kind of bucket.
type steps = [models.Steps]models.Step

// The kinds. The first step of each is for a person who mistypes; the last one bounds what a day of guessing brings:
// Burst, and one more in each Every.
func accountSteps() steps {
	return steps{{Burst: 15, Every: 30 * time.Second}, {Burst: 20, Every: 2 * time.Minute}, {Burst: 30, Every: 12 * time.Minute}}
}

func placeSteps() steps {
	return steps{{Burst: 5, Every: 15 * time.Second}, {Burst: 10, Every: 2 * time.Minute}, {Burst: 15, Every: 10 * time.Minute}}
}

func networkSteps() steps {
	return steps{{Burst: 60, Every: 5 * time.Second}, {Burst: 150, Every: time.Minute}, {Burst: 300, Every: 5 * time.Minute}}
}

func deviceSteps() steps {
	return steps{{Burst: 10, Every: 5 * time.Second}, {Burst: 20, Every: time.Minute}, {Burst: 30, Every: 10 * time.Minute}}
}

// times are the times of an Attempt, step by step.
type times [models.Steps]int64

func timesOf(a models.Attempt) times { return times{a.Step1At, a.Step2At, a.Step3At} }

// wait returns how long it takes until the bucket has room for a try, beside those held; 0 where it has.
func wait(b models.Bucket, held times, now time.Time) time.Duration {
	longest := time.Duration(0)
	for i, step := range b.Steps {
		room := time.Duration(step.Burst-b.Held-1) * step.Every
		if step.Burst <= b.Held {
			longest = max(longest, step.Every) // until one of those under way has ended
			continue
		}
		longest = max(longest, time.UnixMicro(held[i]).Add(-room).Sub(now))
	}
	return longest
}

// roomy reports whether less than half of each step is used, those held included.
func roomy(b models.Bucket, held times, now time.Time) bool {
	for i := range b.Steps {
		b.Steps[i].Burst /= 2
	}
	return wait(b, held, now) == 0
}

// put returns what the bucket holds with one more try.
func put(b models.Bucket, held times, now time.Time) times {
	for i, step := range b.Steps {
		held[i] = max(held[i], now.UnixMicro()) + step.Every.Microseconds()
	}
	return held
}

// without returns what the bucket holds with one try less.
func without(b models.Bucket, held times) times {
	for i, step := range b.Steps {
		held[i] = max(held[i]-step.Every.Microseconds(), math.MinInt64/2)
	}
	return held
}

// attempt returns the record of what a bucket holds.
func attempt(id string, held times) models.Attempt {
	return models.Attempt{ID: id, Step1At: held[0], Step2At: held[1], Step3At: held[2]}
}
