package app_test

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// While the keys are rotated, not one request fails on either of two nodes: not with a token from before, not with one
// from the other node a moment ago.
func TestKeysRotateUnderLoad(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		one, two := testkit.Start(t, url), testkit.Start(t, url)
		one.AddUser("ada")
		old := one.SignIn("ada")
		var group sync.WaitGroup
		done := make(chan struct{})
		for i := range 4 {
			group.Go(func() {
				here, there := one, two
				if i%2 == 1 {
					here, there = two, one
				}
				for {
					select {
					case <-done:
						return
					default:
					}
					pair := here.SignIn("ada")
					wantProtected(t, there.Protected("Bearer "+pair.Access))
					wantProtected(t, there.Protected("Bearer "+old.Access))
					next := mustRefresh(t, there, pair.Refresh)
					wantProtected(t, here.Protected("Bearer "+next.Access))
				}
			})
		}
		first := one.App.Keys.Ring().Signing().ID
		for range 3 {
			published := string(body(t, two, "/.well-known/jwks.json"))
			rotated, err := one.App.Keeper.RotateNow(t.Context())
			if err != nil || !rotated {
				t.Errorf("rotate: %v, %v", rotated, err)
			}
			began := time.Now()
			for one.App.Keys.Ring().Signing().ID == first || two.App.Keys.Ring().Signing().ID != one.App.Keys.Ring().Signing().ID {
				if time.Since(began) > 5*time.Second {
					t.Fatal("the nodes did not take up the new key")
				}
			}
			first = one.App.Keys.Ring().Signing().ID
			if !strings.Contains(published, first) {
				t.Error("the key that signs now was not published before")
			}
		}
		close(done)
		group.Wait()
	})
}

func body(t *testing.T, s *testkit.Server, path string) []byte {
	t.Helper()
	b, err := io.ReadAll(s.Get(path).Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A key that others may know is ended: its tokens are refused at once, and new ones go on.
func TestRetiringAKeyEndsItsTokens(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		before := s.SignIn("ada")
		wantProtected(t, s.Protected("Bearer "+before.Access)) // and the server remembers that it verified
		kid := s.App.Keys.Ring().Signing().ID
		if err := s.App.Keeper.Retire(t.Context(), kid); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for len(s.Protected("Bearer "+before.Access).Errors) == 0 {
			if time.Since(began) > 5*time.Second {
				t.Fatal("a token of the retired key is still accepted")
			}
		}
		s.Protected("Bearer "+before.Access).Refused(t, unauthentic, "MALFORMED", notValid)
		_, a := s.Refresh(before.Refresh)
		a.Refused(t, tokenNotValid, "MALFORMED", "Token is invalid")
		wantAlive(t, s, s.SignIn("ada"))
	})
}

// The process that ends the key may have another clock than the server.
func TestARetiredKeyIsRefusedByANodeWhoseClockIsBehind(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		node := testkit.Start(t, url)
		node.AddUser("ada")
		pair := node.SignIn("ada")
		command, clock := testkit.Open(t, url)
		clock.Advance(50 * time.Millisecond)
		if err := command.Keeper.Retire(t.Context(), command.Keys.Ring().Signing().ID); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for len(node.Protected("Bearer "+pair.Access).Errors) == 0 {
			if time.Since(began) > 5*time.Second {
				t.Fatal("a token of the retired key is still accepted")
			}
		}
		node.Protected("Bearer "+pair.Access).Refused(t, unauthentic, "MALFORMED", notValid)
	})
}
