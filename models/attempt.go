package models

import (
	"context"
	"time"
)

// Steps is how many steps a Bucket has.
const Steps = 3

// Step lets Burst tries through at once, and forgets one in each Every.
type Step struct {
	Burst int
	Every time.Duration
}

// Bucket holds tries at a credential. A try is let through where every step has room for it, so that the steps make the
// wait grow with the number of tries.
type Bucket struct {
	ID    string
	Steps [Steps]Step
	// Held is how much of each Burst is not to be given away: to tries under way that are on no record.
	Held int
}

// Attempt is what a Bucket holds: for each step when its tries are forgotten, in microseconds since 1970. A time that has
// passed is an empty step.
type Attempt struct {
	ID        string `gorm:"primaryKey"`
	Step1At   int64
	Step2At   int64
	Step3At   int64
	ExpiresAt time.Time // the row may go
}

// Attempts keeps the tries at credentials.
type Attempts interface {
	// AttemptsIn returns what the buckets of those ids hold; an empty one may be left out.
	AttemptsIn(ctx context.Context, ids []string) ([]Attempt, error)
	// TakeAttempt puts a try into each of the buckets, or into none where one has no room for it, and returns what they
	// hold then; nothing where there was no room. Of any number of calls no more succeed than there is room for.
	TakeAttempt(ctx context.Context, buckets []Bucket, now time.Time) ([]Attempt, error)
	// AddAttempt puts a try into each of the buckets, room or none, and returns what they hold then.
	AddAttempt(ctx context.Context, buckets []Bucket, now time.Time) ([]Attempt, error)
	// ReturnAttempt takes a try out of each of the buckets.
	ReturnAttempt(ctx context.Context, buckets []Bucket) error
	// ForgetAttempts empties the buckets whose ids begin with the prefix, and returns how many held something.
	ForgetAttempts(ctx context.Context, prefix string) (int, error)
}
