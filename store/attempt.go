package store

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"latchkey/models"
)

// takeAttempt is the one guarded statement of a try: it puts the try into a bucket, or does nothing where a step has no
// room. The limits say how late the tries of each step may be forgotten for another one to have room.
const takeAttempt = `INSERT INTO attempts (id, step1_at, step2_at, step3_at, expires_at)
VALUES (@id, @first1, @first2, @first3, @expires)
ON CONFLICT (id) DO UPDATE SET
	step1_at = CASE WHEN attempts.step1_at > @now THEN attempts.step1_at + @every1 ELSE excluded.step1_at END,
	step2_at = CASE WHEN attempts.step2_at > @now THEN attempts.step2_at + @every2 ELSE excluded.step2_at END,
	step3_at = CASE WHEN attempts.step3_at > @now THEN attempts.step3_at + @every3 ELSE excluded.step3_at END,
	expires_at = excluded.expires_at
WHERE attempts.step1_at <= @limit1 AND attempts.step2_at <= @limit2 AND attempts.step3_at <= @limit3
RETURNING id, step1_at, step2_at, step3_at, expires_at`

// AttemptsIn implements models.Attempts.
func (s *Store) AttemptsIn(ctx context.Context, ids []string) ([]models.Attempt, error) {
	list, err := gorm.G[models.Attempt](s.read).Where("id IN ?", ids).Find(ctx)
	return list, s.mapped(err, "read attempts")
}

// TakeAttempt implements models.Attempts.
func (s *Store) TakeAttempt(ctx context.Context, buckets []models.Bucket, now time.Time) ([]models.Attempt, error) {
	return s.putAttempt(ctx, buckets, now, true)
}

// AddAttempt implements models.Attempts.
func (s *Store) AddAttempt(ctx context.Context, buckets []models.Bucket, now time.Time) ([]models.Attempt, error) {
	return s.putAttempt(ctx, buckets, now, false)
}

// noRoom makes a transaction roll back.
type noRoom struct{}

func (noRoom) Error() string { return "no room for the try" }

// putAttempt puts a try into all of the buckets or into none: one after the other, in the order of their ids, so that
// transactions do not wait for each other in a circle.
func (s *Store) putAttempt(ctx context.Context, buckets []models.Bucket, now time.Time, guarded bool) ([]models.Attempt, error) {
	list := make([]models.Attempt, len(buckets))
	ordered := bucketsInOrder(buckets)
	put := func(tx *Store) error {
		for i, b := range ordered {
			if guarded && full(b) {
				return noRoom{}
			}
			result := tx.write.WithContext(ctx).Raw(takeAttempt, attemptArguments(b, now, guarded)).Scan(&list[i])
			if result.Error != nil {
				return result.Error
			}
			if result.RowsAffected == 0 {
				return noRoom{}
			}
		}
		return nil
	}
	var err error
	if len(buckets) == 1 {
		err = put(s)
	} else {
		err = s.tx(ctx, put)
	}
	if errors.Is(err, noRoom{}) {
		return nil, nil
	}
	if err != nil {
		return nil, s.mapped(err, "write attempt")
	}
	return list, nil
}

func bucketsInOrder(buckets []models.Bucket) []models.Bucket {
	return slices.SortedFunc(slices.Values(buckets), func(a, b models.Bucket) int { return strings.Compare(a.ID, b.ID) })
}

// full reports whether nothing at all may be put into the bucket.
func full(b models.Bucket) bool {
	return slices.ContainsFunc(b.Steps[:], func(s models.Step) bool { return s.Burst <= b.Held })
}

func attemptArguments(b models.Bucket, now time.Time, guarded bool) map[string]any {
	at := now.UnixMicro()
	longest := time.Duration(0)
	arguments := map[string]any{"id": b.ID, "now": at}
	for i, step := range b.Steps {
		number := string(rune('1' + i))
		every := step.Every.Microseconds()
		limit := int64(math.MaxInt64)
		if guarded {
			limit = at + int64(step.Burst-b.Held-1)*every
		}
		arguments["first"+number], arguments["every"+number], arguments["limit"+number] = at+every, every, limit
		longest = max(longest, time.Duration(step.Burst+1)*step.Every)
	}
	arguments["expires"] = now.UTC().Add(longest)
	return arguments
}

// ReturnAttempt implements models.Attempts.
func (s *Store) ReturnAttempt(ctx context.Context, buckets []models.Bucket) error {
	const statement = `UPDATE attempts SET step1_at = step1_at - ?, step2_at = step2_at - ?, step3_at = step3_at - ? WHERE id = ?`
	err := s.tx(ctx, func(tx *Store) error {
		for _, b := range bucketsInOrder(buckets) {
			err := tx.write.WithContext(ctx).Exec(statement, b.Steps[0].Every.Microseconds(), b.Steps[1].Every.Microseconds(),
				b.Steps[2].Every.Microseconds(), b.ID).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	return s.mapped(err, "return attempt")
}

// ForgetAttempts implements models.Attempts. Ids have no character after "~", and none that LIKE would know.
func (s *Store) ForgetAttempts(ctx context.Context, prefix string) (int, error) {
	n, err := gorm.G[models.Attempt](s.write).Where("id >= ? AND id < ?", prefix, prefix+"~").Delete(ctx)
	return n, s.mapped(err, "forget attempts")
}
