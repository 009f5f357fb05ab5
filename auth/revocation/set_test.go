package revocation_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"latchkey/auth/revocation"
	"latchkey/fault"
	"latchkey/models"
)

var moment = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func sessionID(n int) string { return fmt.Sprintf("%032x", n) }

func TestProblem(t *testing.T) {
	s := revocation.NewSet()
	s.Add(
		models.Revocation{SessionID: sessionID(1), ExpiresAt: moment},
		models.Revocation{UserID: 7, Epoch: 3, ExpiresAt: moment},
		models.Revocation{UserID: 7, Epoch: 2, ExpiresAt: moment}, // comes late, and changes nothing
		models.Revocation{UserID: 8, Epoch: models.EpochOfDeleted, ExpiresAt: moment},
		models.Revocation{ExpiresAt: moment}, // the keys changed: nothing to refuse
	)
	for _, row := range []struct {
		name, session, user string
		epoch               int64
		want                fault.TokenProblem
	}{
		{"an ended session", sessionID(1), "1", 0, fault.TokenRevoked},
		{"an ended session of a changed user", sessionID(1), "7", 0, fault.TokenRevoked},
		{"another session", sessionID(2), "1", 0, ""},
		{"no session", "", "1", 0, ""},
		{"what is no session id", "zz", "1", 0, ""},
		{"a session id in capitals is the same", strings.ToUpper(sessionID(1)), "1", 0, fault.TokenRevoked},
		{"a token from before the change", sessionID(2), "7", 2, fault.TokenStale},
		{"a token without an epoch", "", "7", 0, fault.TokenStale},
		{"a token from after the change", sessionID(2), "7", 3, ""},
		{"another spelling of the user's id", sessionID(2), "007", 2, fault.TokenStale},
		{"any token of a deleted user", sessionID(2), "8", 1 << 60, fault.TokenStale},
		{"what is no user id", sessionID(2), "x", 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := s.Problem(row.session, row.user, row.epoch); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestForgetDropsWhatNoTokenNeeds(t *testing.T) {
	s := revocation.NewSet()
	s.Add(
		models.Revocation{SessionID: sessionID(1), ExpiresAt: moment},
		models.Revocation{SessionID: sessionID(2), ExpiresAt: moment.Add(time.Minute)},
		models.Revocation{UserID: 1, Epoch: 1, ExpiresAt: moment},
		models.Revocation{UserID: 2, Epoch: 1, ExpiresAt: moment.Add(time.Minute)},
	)
	s.Forget(moment)
	if s.Len() != 4 {
		t.Errorf("%d are left at the moment itself, want all 4", s.Len())
	}
	s.Forget(moment.Add(30 * time.Second))
	if s.Len() != 2 || s.Problem(sessionID(2), "1", 0) == "" || s.Problem("", "2", 0) == "" {
		t.Errorf("%d are left, want the 2 that are needed", s.Len())
	}
	s.Forget(moment.Add(time.Hour))
	if s.Len() != 0 {
		t.Errorf("%d are left", s.Len())
	}
}

// The cost of a look does not depend on how many revocations there are; memory is told in bytes an entry.
func BenchmarkProblem(b *testing.B) {
	for _, n := range []int{0, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			s := revocation.NewSet()
			for i := range n {
				s.Add(models.Revocation{SessionID: sessionID(i), ExpiresAt: moment})
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			id := sessionID(n + 1)
			b.ReportAllocs()
			for b.Loop() {
				if s.Problem(id, "1", 0) != "" {
					b.Fatal("refused")
				}
			}
			if n > 0 {
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/entry")
			}
			runtime.KeepAlive(s)
		})
	}
}
