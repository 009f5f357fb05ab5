package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/models"
)

// bucket is one of three tries at once, then one a second until five, then one a minute.
func bucket(id string) models.Bucket {
	return models.Bucket{ID: id, Steps: [models.Steps]models.Step{{Burst: 3, Every: time.Second}, {Burst: 5, Every: time.Minute}, {Burst: 50, Every: time.Hour}}}
}

func take(t *testing.T, s models.Store, now time.Time, buckets ...models.Bucket) bool {
	t.Helper()
	held, err := s.TakeAttempt(t.Context(), buckets, now)
	if err != nil {
		t.Fatal(err)
	}
	return len(held) > 0
}

func attemptSteps(t *testing.T, s models.Store) {
	b := bucket("a")
	var got []bool
	for _, after := range []time.Duration{0, 0, 0, 0, time.Second, 2 * time.Second, 10 * time.Second, time.Minute, time.Minute, 2 * time.Minute} {
		got = append(got, take(t, s, moment.Add(after), b))
	}
	diff(t, "passed", []bool{true, true, true, false, true, true, false, true, false, true}, got)

	b.ID, b.Held = "held", 2
	diff(t, "with two held", []bool{true, false}, []bool{take(t, s, moment, b), take(t, s, moment, b)})
	b.ID, b.Held = "full", 3
	diff(t, "with all held", false, take(t, s, moment, b))

	held, err := s.AttemptsIn(t.Context(), []string{"held", "none"})
	if err != nil {
		t.Fatal(err)
	}
	at := func(d time.Duration) int64 { return moment.Add(d).UnixMicro() }
	diff(t, "held", []models.Attempt{{
		ID: "held", Step1At: at(time.Second), Step2At: at(time.Minute), Step3At: at(time.Hour), ExpiresAt: moment.Add(51 * time.Hour),
	}}, held)
}

func attemptAllOrNone(t *testing.T, s models.Store) {
	for range 3 {
		take(t, s, moment, bucket("full"))
	}
	diff(t, "with a full one", false, take(t, s, moment, bucket("a"), bucket("full"), bucket("z")))
	left, err := s.AttemptsIn(t.Context(), []string{"a", "z"})
	if err != nil || len(left) > 0 {
		t.Errorf("the others hold %v, %v", left, err)
	}
	diff(t, "without", true, take(t, s, moment, bucket("z"), bucket("a")))
}

func attemptAddedAndReturned(t *testing.T, s models.Store) {
	for range 4 {
		held, err := s.AddAttempt(t.Context(), []models.Bucket{bucket("a"), bucket("b")}, moment)
		if err != nil || len(held) != 2 {
			t.Fatal(held, err)
		}
	}
	for _, want := range []bool{false, false, true} {
		diff(t, "passed", want, take(t, s, moment, bucket("a")))
		if err := s.ReturnAttempt(t.Context(), []models.Bucket{bucket("a"), bucket("none")}); err != nil {
			t.Fatal(err)
		}
	}
	diff(t, "the other", false, take(t, s, moment, bucket("b")))
}

func attemptsForgotten(t *testing.T, s models.Store) {
	for _, id := range []string{"ada", "ada.1", "ada.Z", "adb", "ad"} {
		take(t, s, moment, bucket(id))
	}
	n, err := s.ForgetAttempts(t.Context(), "ada")
	if err != nil || n != 3 {
		t.Errorf("forgot %d, %v; want 3", n, err)
	}
	left, err := s.AttemptsIn(t.Context(), []string{"ada", "ada.1", "ada.Z", "adb", "ad"})
	if err != nil || len(left) != 2 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func attemptRace(t *testing.T, s models.Store) {
	var passed atomic.Int64
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			// In another order for each half, which must not make them wait for each other for ever.
			buckets := []models.Bucket{bucket("a"), bucket("b")}
			if i%2 == 0 {
				buckets[0], buckets[1] = buckets[1], buckets[0]
			}
			held, err := s.TakeAttempt(t.Context(), buckets, moment)
			if err != nil {
				t.Error(err)
			}
			if len(held) > 0 {
				passed.Add(1)
			}
		})
	}
	group.Wait()
	diff(t, "passed", int64(3), passed.Load())
}

func cleanAttempts(t *testing.T, s models.Store) {
	take(t, s, moment, bucket("old"))
	take(t, s, moment.Add(time.Hour), bucket("young"))
	diff(t, "bite", models.Bite{Deleted: 1, Done: true}, clean(t, s, models.PerishableAttempts, moment.Add(51*time.Hour), 10))
	left, err := s.AttemptsIn(t.Context(), []string{"old", "young"})
	if err != nil || len(left) != 1 || left[0].ID != "young" {
		t.Errorf("left are %v, %v", left, err)
	}
}
