package app_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

const blacklisted = "Token is blacklisted"

func mustRefresh(t *testing.T, s *testkit.Server, refresh string) testkit.Pair {
	t.Helper()
	pair, a := s.Refresh(refresh)
	if len(a.Errors) > 0 {
		t.Fatalf("refresh: %s", a.Body)
	}
	return pair
}

func TestARefreshSentAgain(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		signIn := func() (*testkit.Server, testkit.Pair) { return s, s.SignIn("ada") }

		t.Run("within the leeway gets the very same successor", func(t *testing.T) {
			s, first := signIn()
			second := mustRefresh(t, s, first.Refresh)
			for range 3 {
				s.Clock.Advance(3 * time.Second)
				again := mustRefresh(t, s, first.Refresh)
				if tokenID(t, again.Refresh) != tokenID(t, second.Refresh) || !again.RefreshExpiresAt.Equal(second.RefreshExpiresAt) {
					t.Error("it got another successor")
				}
				if again.Access == second.Access {
					t.Error("the access token is not fresh")
				}
				wantProtected(t, s.Protected("Bearer "+again.Access))
			}
			mustRefresh(t, s, second.Refresh)
		})
		t.Run("after its successor was used is refused, and the session goes on", func(t *testing.T) {
			s, first := signIn()
			second := mustRefresh(t, s, first.Refresh)
			third := mustRefresh(t, s, second.Refresh)
			_, a := s.Refresh(first.Refresh)
			a.Refused(t, tokenNotValid, "REVOKED", blacklisted)
			mustRefresh(t, s, third.Refresh)
		})
		t.Run("after the leeway ends the session", func(t *testing.T) {
			s, first := signIn()
			second := mustRefresh(t, s, first.Refresh)
			s.Clock.Advance(10*time.Second + time.Microsecond)
			_, a := s.Refresh(first.Refresh)
			a.Refused(t, tokenNotValid, "REUSED", blacklisted)
			_, a = s.Refresh(second.Refresh)
			a.Refused(t, tokenNotValid, "REVOKED", blacklisted)
		})
		t.Run("after the leeway ends the session, though others were used up since", func(t *testing.T) {
			s, first := signIn()
			newest := mustRefresh(t, s, first.Refresh)
			s.Clock.Advance(11 * time.Second)
			for range 7 {
				newest = mustRefresh(t, s, newest.Refresh)
			}
			_, a := s.Refresh(first.Refresh)
			a.Refused(t, tokenNotValid, "REUSED", blacklisted)
			_, a = s.Refresh(newest.Refresh)
			a.Refused(t, tokenNotValid, "REVOKED", blacklisted)
		})
		t.Run("after very many others within the leeway is refused, and the session goes on", func(t *testing.T) {
			s, first := signIn()
			newest := first
			for range 20 {
				newest = mustRefresh(t, s, newest.Refresh)
			}
			_, a := s.Refresh(first.Refresh)
			a.Refused(t, tokenNotValid, "REVOKED", blacklisted)
			newest = mustRefresh(t, s, newest.Refresh)
			s.Clock.Advance(11 * time.Second)
			_, a = s.Refresh(first.Refresh)
			a.Refused(t, tokenNotValid, "REUSED", blacklisted)
			_, a = s.Refresh(newest.Refresh)
			a.Refused(t, tokenNotValid, "REVOKED", blacklisted)
		})
		t.Run("after the leeway ends the session of a thief who refreshes all the time", func(t *testing.T) {
			s, first := signIn()
			newest := first
			for range 15 {
				newest = mustRefresh(t, s, newest.Refresh)
				s.Clock.Advance(time.Second)
			}
			_, a := s.Refresh(first.Refresh)
			a.Refused(t, tokenNotValid, "REUSED", blacklisted)
			_, a = s.Refresh(newest.Refresh)
			a.Refused(t, tokenNotValid, "REVOKED", blacklisted)
		})
		t.Run("ends nothing when its time is over or its signature does not hold", func(t *testing.T) {
			s, first := signIn()
			second := mustRefresh(t, s, first.Refresh)
			s.Clock.Advance(time.Minute)
			_, a := s.Refresh(first.Refresh[:len(first.Refresh)-4] + "AAAA")
			a.Refused(t, tokenNotValid, "MALFORMED", "Token is invalid")
			s.Clock.Advance(12 * time.Hour)
			third := mustRefresh(t, s, second.Refresh)
			s.Clock.Advance(12 * time.Hour)
			_, a = s.Refresh(first.Refresh)
			a.Refused(t, tokenNotValid, "EXPIRED", "Token is expired")
			mustRefresh(t, s, third.Refresh)
		})
	})
}

func TestFiftyParallelRefreshes(t *testing.T) {
	storm := func(s *testkit.Server, refresh string) ([]testkit.Pair, []testkit.Answer) {
		pairs, answers := make([]testkit.Pair, 50), make([]testkit.Answer, 50)
		var group sync.WaitGroup
		for i := range answers {
			group.Go(func() { pairs[i], answers[i] = s.Refresh(refresh) })
		}
		group.Wait()
		return pairs, answers
	}
	t.Run("with a leeway all get one successor", func(t *testing.T) {
		testkit.Each(t, func(t *testing.T, s *testkit.Server) {
			s.AddUser("ada")
			pairs, answers := storm(s, s.SignIn("ada").Refresh)
			for i, a := range answers {
				if len(a.Errors) > 0 {
					t.Errorf("refused: %s", a.Body)
				} else if tokenID(t, pairs[i].Refresh) != tokenID(t, pairs[0].Refresh) {
					t.Error("two successors")
				}
			}
			mustRefresh(t, s, pairs[0].Refresh)
		})
	})
	t.Run("without one a single one wins and the session ends", func(t *testing.T) {
		testkit.Each(t, func(t *testing.T, s *testkit.Server) {
			s.AddUser("ada")
			pairs, answers := storm(s, s.SignIn("ada").Refresh)
			var won []testkit.Pair
			for i, a := range answers {
				if len(a.Errors) == 0 {
					won = append(won, pairs[i])
				} else if code := a.Errors[0].Extensions["code"]; code != tokenNotValid {
					t.Errorf("a loser got %v", code)
				}
			}
			if len(won) != 1 {
				t.Fatalf("%d of 50 refreshes won, want 1", len(won))
			}
			_, a := s.Refresh(won[0].Refresh)
			a.Refused(t, tokenNotValid, "REVOKED", blacklisted)
		}, func(c *config.Settings) { c.RefreshReuseLeeway = 0 })
	})
}

// tokenID returns the jti of a token of the server under test.
func tokenID(t *testing.T, raw string) string {
	t.Helper()
	return claim(t, raw, "jti").(string)
}

// claim returns one claim of a token.
func claim(t *testing.T, raw, name string) any {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims[name]
}

// The tabs of one user reach different nodes: the answer is the same.
func TestFiftyParallelRefreshesOnThreeNodes(t *testing.T) {
	for _, leeway := range []time.Duration{0, 10 * time.Second} {
		t.Run(leeway.String(), func(t *testing.T) {
			url := testdb.Postgres(t)
			nodes := make([]*testkit.Server, 3)
			for i := range nodes {
				nodes[i] = testkit.Start(t, url, func(c *config.Settings) { c.RefreshReuseLeeway = leeway })
			}
			nodes[0].AddUser("ada")
			refresh := nodes[0].SignIn("ada").Refresh
			pairs, answers := make([]testkit.Pair, 50), make([]testkit.Answer, 50)
			var group sync.WaitGroup
			for i := range answers {
				group.Go(func() { pairs[i], answers[i] = nodes[i%3].Refresh(refresh) })
			}
			group.Wait()
			successors, won := map[string]bool{}, 0
			var newest string
			for i, a := range answers {
				if len(a.Errors) == 0 {
					won++
					newest = pairs[i].Refresh
					successors[tokenID(t, newest)] = true
				}
			}
			if want := map[bool]int{true: 1, false: 50}[leeway == 0]; won != want || len(successors) != 1 {
				t.Fatalf("%d of 50 were answered, with %d successors; want %d with one", won, len(successors), want)
			}
			_, a := nodes[1].Refresh(newest)
			if alive := len(a.Errors) == 0; alive != (leeway > 0) {
				t.Errorf("afterwards the session lives: %v", alive)
			}
		})
	}
}
