package app_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
	"latchkey/models"
)

func mustClean(t *testing.T, s *testkit.Server) {
	t.Helper()
	if err := s.App.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func wantSession(t *testing.T, s *testkit.Server, id string, want bool) {
	t.Helper()
	_, err := s.App.Store.SessionByID(t.Context(), id)
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		t.Fatal(err)
	}
	if (err == nil) != want {
		t.Errorf("the row of the session is there: %t, want %t", err == nil, want)
	}
}

// Whatever ended a session, cleaning brings none of its tokens back, on no node and at no time of their lives.
func TestCleaningRevivesNothing(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(t *testing.T, s *testkit.Server, pair testkit.Pair)
		// What the tokens are refused as while they would be good.
		access, refresh, message string
	}{
		{"sign-out", func(t *testing.T, s *testkit.Server, pair testkit.Pair) {
			mutate(t, s, "", fmt.Sprintf("tokenRevoke(refresh: %q)", pair.Refresh))
		}, "REVOKED", "REVOKED", blacklisted},
		{"reuse", func(t *testing.T, s *testkit.Server, pair testkit.Pair) {
			mustRefresh(t, s, pair.Refresh)
			s.Clock.Advance(11 * time.Second)
			_, a := s.Refresh(pair.Refresh)
			a.Refused(t, tokenNotValid, "REUSED", blacklisted)
		}, "REVOKED", "REVOKED", blacklisted},
		{"all sessions", func(t *testing.T, s *testkit.Server, pair testkit.Pair) {
			mutate(t, s, pair.Access, "sessionsRevokeAll(exceptCurrent: false)")
		}, "REVOKED", "REVOKED", blacklisted},
		{"deletion of the user", func(t *testing.T, s *testkit.Server, pair testkit.Pair) {
			user, err := s.App.Store.UserByUsername(t.Context(), "ada")
			if err != nil {
				t.Fatal(err)
			}
			if err := s.App.Auth.DeleteUser(auth.AsOperator(t.Context()), user.ID, ""); err != nil {
				t.Fatal(err)
			}
		}, "STALE", "STALE", nobodyActive},
	} {
		t.Run(test.name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, url string) {
				s := testkit.Start(t, url)
				s.AddUser("ada")
				pair := s.SignIn("ada")
				began := s.Clock.Now()
				test.end(t, s, pair)

				refused := func(at time.Duration, access, refresh, refreshMessage string) {
					t.Helper()
					s.Clock.Advance(began.Add(at).Sub(s.Clock.Now()))
					mustClean(t, s)
					another := testkit.Start(t, url) // it knows nothing but what the database still says
					another.Clock.Advance(s.Clock.Now().Sub(another.Clock.Now()))
					for _, node := range []*testkit.Server{s, another} {
						node.Protected("Bearer "+pair.Access).Refused(t, unauthentic, access, notValid)
						_, a := node.Refresh(pair.Refresh)
						a.Refused(t, tokenNotValid, refresh, refreshMessage)
					}
				}
				refused(20*time.Second, test.access, test.refresh, test.message)
				refused(5*time.Minute-time.Second, test.access, test.refresh, test.message)
				refused(5*time.Minute, "EXPIRED", test.refresh, test.message)
				refused(24*time.Hour-time.Second, "EXPIRED", test.refresh, test.message)
				refused(24*time.Hour, "EXPIRED", "EXPIRED", "Token is expired")
			})
		})
	}
}

func TestASessionIsKeptAsLongAsATokenOfItCanBeAccepted(t *testing.T) {
	t.Run("to the moment", func(t *testing.T) {
		testkit.Each(t, func(t *testing.T, s *testkit.Server) {
			s.AddUser("ada")
			kept, ended := s.SignIn("ada"), s.SignIn("ada")
			mutate(t, s, ended.Access, "tokenRevoke")
			s.Clock.Advance(24*time.Hour + 5*time.Minute - time.Microsecond)
			mustClean(t, s)
			wantSession(t, s, sessionID(t, kept.Access), true)
			wantSession(t, s, sessionID(t, ended.Access), true)
			s.Clock.Advance(time.Microsecond)
			mustClean(t, s)
			wantSession(t, s, sessionID(t, kept.Access), false)
			wantSession(t, s, sessionID(t, ended.Access), false)
		})
	})
	t.Run("however often it was refreshed", func(t *testing.T) {
		testkit.Each(t, func(t *testing.T, s *testkit.Server) {
			s.AddUser("ada")
			pair := s.SignIn("ada")
			for range 5 {
				s.Clock.Advance(23 * time.Hour)
				mustClean(t, s)
				pair = mustRefresh(t, s, pair.Refresh)
			}
			wantAlive(t, s, pair)
		})
	})
	t.Run("where an access token outlives the refresh token", func(t *testing.T) {
		testdb.Each(t, func(t *testing.T, url string) {
			longAccess := func(c *config.Settings) {
				c.AccessTokenLifetime, c.RefreshTokenLifetime, c.RotateRefreshTokens = time.Hour, 2*time.Hour, false
			}
			s, other := testkit.Start(t, url, longAccess), testkit.Start(t, url, longAccess)
			s.AddUser("ada")
			first := s.SignIn("ada")
			s.Clock.Advance(2*time.Hour - time.Minute)
			pair := mustRefresh(t, s, first.Refresh)
			s.Clock.Advance(time.Hour - time.Minute)
			other.Clock.Advance(3*time.Hour - 2*time.Minute)
			mustClean(t, s)
			wantProtected(t, s.Protected("Bearer "+pair.Access))
			mutate(t, s, pair.Access, "tokenRevoke") // which the other node must come to know
			began := time.Now()
			for len(other.Protected("Bearer "+pair.Access).Errors) == 0 {
				if time.Since(began) > 5*time.Second {
					t.Fatal("the other node still accepts the access token")
				}
			}
			s.Clock.Advance(2 * time.Minute)
			mustClean(t, s)
			wantSession(t, s, sessionID(t, pair.Access), false)
		})
	})
}

func TestASigningKeyIsKeptAsLongAsItVerifies(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		pair := s.SignIn("ada")
		if rotated, err := s.App.Keeper.RotateNow(t.Context()); err != nil || !rotated {
			t.Fatalf("rotate: %t, %v", rotated, err)
		}
		count := func() int {
			rows, err := s.App.Keeper.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return len(rows)
		}
		s.Clock.Advance(24*time.Hour - time.Second)
		mustClean(t, s)
		mustRefresh(t, s, pair.Refresh)
		if got := count(); got != 3 {
			t.Errorf("%d keys are left, want the retired, the active and the next", got)
		}
		s.Clock.Advance(time.Hour)
		mustClean(t, s)
		if got := count(); got != 2 {
			t.Errorf("%d keys are left, want the active and the next", got)
		}
	})
}

func TestEventsAreKeptAsLongAsTheSettingSays(t *testing.T) {
	for _, test := range []struct {
		name      string
		retention time.Duration
		after     time.Duration
		want      int
	}{
		{"a moment less", time.Hour, time.Hour - time.Microsecond, 1},
		{"so long", time.Hour, time.Hour, 0},
		{"for ever", 0, 100_000 * time.Hour, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.Each(t, func(t *testing.T, s *testkit.Server) {
				s.AddUser("ada")
				s.Clock.Advance(test.after)
				mustClean(t, s)
				rows, err := s.App.Store.EventsBefore(t.Context(), 0, 10)
				if err != nil || len(rows) != test.want {
					t.Errorf("%d events are left, %v, want %d", len(rows), err, test.want)
				}
			}, func(c *config.Settings) { c.AuditRetention = test.retention })
		})
	}
}
