package app_test

import (
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/auth/token"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

const nobodyActive = "No active account found for the given token."

// simplejwt returns a token as djangorestframework-simplejwt writes it. Claims of nil are left out.
func simplejwt(t *testing.T, s *testkit.Server, kind, jti string, user any, others map[string]any) string {
	t.Helper()
	now := s.Clock.Now().Unix()
	lifetime := map[string]int64{"access": 300, "refresh": 86400}[kind]
	claims := map[string]any{"token_type": kind, "exp": now + lifetime, "iat": now, "jti": jti, "user_id": user}
	maps.Copy(claims, others)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return signed(t, sharedSecret, "HS256", claims)
}

// jti returns the n-th jti.
func jti(n int) string { return fmt.Sprintf("%032x", n) }

// number returns a user's id as a number.
func number(t *testing.T, id string) int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(id, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAForeignRefreshTokenBecomesASession(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		ada := s.AddUser("ada")
		for name, user := range map[string]any{"its user a number": number(t, ada), "its user a string": ada} {
			t.Run(name, func(t *testing.T) {
				old := simplejwt(t, s, "refresh", jti(0xa0+len(fmt.Sprintf("%T", user))), user, nil)
				adopted := s.App.Recorder.Counts()["session_adopted"]
				first := mustRefresh(t, s, old)
				if got := s.App.Recorder.Counts()["session_adopted"]; got != adopted+1 {
					t.Errorf("it is recorded %d times", got-adopted)
				}
				wantProtected(t, s.Protected("Bearer "+first.Access))
				if got, want := sessionID(t, first.Access), sessionID(t, first.Refresh); got != want || got == "" {
					t.Errorf("the tokens are of the sessions %q and %q", got, want)
				}
				again := mustRefresh(t, s, old)
				if tokenID(t, again.Refresh) != tokenID(t, first.Refresh) {
					t.Error("sent again within the leeway it got another successor")
				}
				second := mustRefresh(t, s, first.Refresh)
				s.Clock.Advance(11 * time.Second)
				_, a := s.Refresh(old)
				a.Refused(t, tokenNotValid, "REUSED", blacklisted)
				_, a = s.Refresh(second.Refresh)
				a.Refused(t, tokenNotValid, "REVOKED", blacklisted)
			})
		}
		t.Run("which is listed, and ends", func(t *testing.T) {
			pair := mustRefresh(t, s, simplejwt(t, s, "refresh", jti(1), ada, nil))
			if got := sessionsOf(t, s, pair.Access); got != 1 {
				t.Errorf("%d sessions are listed, want 1", got)
			}
			mutate(t, s, pair.Access, "tokenRevoke")
			s.Protected("Bearer "+pair.Access).Refused(t, unauthentic, "REVOKED", notValid)
		})
		t.Run("however old the token is", func(t *testing.T) {
			old := simplejwt(t, s, "refresh", jti(2), ada, nil)
			s.Clock.Advance(24*time.Hour - time.Second)
			pair := mustRefresh(t, s, old)
			s.Clock.Advance(23 * time.Hour)
			mustClean(t, s)
			mustRefresh(t, s, pair.Refresh)
		})
		t.Run("without iat", func(t *testing.T) {
			old := simplejwt(t, s, "refresh", jti(3), ada, map[string]any{"iat": nil})
			mustRefresh(t, s, mustRefresh(t, s, old).Refresh)
		})
	}, sharing)
}

func TestWithoutRotationAForeignRefreshTokenStays(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		old := simplejwt(t, s, "refresh", jti(1), s.AddUser("ada"), nil)
		for range 3 {
			if pair := mustRefresh(t, s, old); pair.Refresh != old {
				t.Error("the refresh token changed")
			} else {
				wantProtected(t, s.Protected("Bearer "+pair.Access))
			}
			s.Clock.Advance(time.Hour)
		}
		if a := s.Query(`mutation($t: String!) { tokenVerify(token: $t) { tokenType } }`, map[string]any{"t": old}); len(a.Errors) > 0 {
			t.Errorf("verify: %s", a.Body)
		}
		s.Clock.Advance(21 * time.Hour)
		_, a := s.Refresh(old)
		a.Refused(t, tokenNotValid, "EXPIRED", "Token is expired")
	}, sharing, func(c *config.Settings) { c.RotateRefreshTokens = false })
}

// However many send it at once to however many nodes, it becomes one session.
func TestAForeignRefreshTokenBecomesOneSession(t *testing.T) {
	for _, leeway := range []time.Duration{0, 10 * time.Second} {
		t.Run(leeway.String(), func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, url string) {
				nodes := make([]*testkit.Server, 2)
				for i := range nodes {
					nodes[i] = testkit.Start(t, url, sharing, func(c *config.Settings) { c.RefreshReuseLeeway = leeway })
				}
				old := simplejwt(t, nodes[0], "refresh", jti(1), nodes[0].AddUser("ada"), nil)
				pairs, answers := make([]testkit.Pair, 16), make([]testkit.Answer, 16)
				var group sync.WaitGroup
				for i := range answers {
					group.Go(func() { pairs[i], answers[i] = nodes[i%2].Refresh(old) })
				}
				group.Wait()
				successors, won := map[string]bool{}, 0
				for i, a := range answers {
					if len(a.Errors) == 0 {
						won++
						successors[tokenID(t, pairs[i].Refresh)] = true
					} else if code := a.Errors[0].Extensions["code"]; code != tokenNotValid {
						t.Errorf("a loser got %s", a.Body)
					}
				}
				if want := map[bool]int{true: 1, false: 16}[leeway == 0]; won != want || len(successors) != 1 {
					t.Fatalf("%d of 16 were answered, with %d successors; want %d with one", won, len(successors), want)
				}
			})
		})
	}
}

func TestARevokedForeignRefreshTokenStaysRevoked(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		ada := s.AddUser("ada")
		refused := func(t *testing.T, raw, reason, message string) {
			t.Helper()
			for range 2 {
				_, a := s.Refresh(raw)
				a.Refused(t, tokenNotValid, reason, message)
				s.Query(`mutation($t: String!) { tokenVerify(token: $t) { tokenType } }`, map[string]any{"t": raw}).
					Refused(t, tokenNotValid, reason, message)
				mustClean(t, s)
			}
		}
		revoke := func(raw string) { mutate(t, s, "", fmt.Sprintf("tokenRevoke(refresh: %q)", raw)) }
		t.Run("before its first refresh", func(t *testing.T) {
			old := simplejwt(t, s, "refresh", jti(1), ada, nil)
			revoke(old)
			refused(t, old, "REVOKED", blacklisted)
			revoke(old) // which is no error
		})
		t.Run("by its name alone", func(t *testing.T) {
			revoke(simplejwt(t, s, "refresh", jti(2), ada, nil))
			refused(t, simplejwt(t, s, "refresh", jti(2), ada, map[string]any{"other": true}), "REVOKED", blacklisted)
		})
		t.Run("after its first refresh, with the session", func(t *testing.T) {
			old := simplejwt(t, s, "refresh", jti(3), ada, nil)
			pair := mustRefresh(t, s, old)
			revoke(old)
			s.Protected("Bearer "+pair.Access).Refused(t, unauthentic, "REVOKED", notValid)
			_, a := s.Refresh(pair.Refresh)
			a.Refused(t, tokenNotValid, "REVOKED", blacklisted)
		})
		t.Run("with all sessions of its user", func(t *testing.T) {
			old := simplejwt(t, s, "refresh", jti(4), ada, nil)
			s.Clock.Advance(time.Second)
			pair := s.SignIn("ada")
			mutate(t, s, pair.Access, "sessionsRevokeAll")
			refused(t, old, "REVOKED", blacklisted)
			s.Clock.Advance(time.Second)
			mustRefresh(t, s, simplejwt(t, s, "refresh", jti(5), ada, nil))
		})
		t.Run("with a change of the password", func(t *testing.T) {
			old := simplejwt(t, s, "refresh", jti(6), ada, nil)
			access := simplejwt(t, s, "access", jti(7), ada, nil)
			s.Clock.Advance(time.Second)
			mutate(t, s, s.SignIn("ada").Access, fmt.Sprintf(`passwordChange(current: %q, new: "another horse battery") { errors { code } }`, testkit.Password))
			refused(t, old, "REVOKED", blacklisted)
			s.Protected("Bearer "+access).Refused(t, unauthentic, "STALE", notValid)
			s.Clock.Advance(time.Second)
			wantProtected(t, s.Protected("Bearer "+simplejwt(t, s, "access", jti(8), ada, nil)))
		})
		grace := number(t, s.AddUser("grace"))
		t.Run("not with a change of roles", func(t *testing.T) {
			old, access := simplejwt(t, s, "refresh", jti(9), grace, nil), simplejwt(t, s, "access", jti(10), grace, nil)
			s.Clock.Advance(time.Second)
			if err := s.MakeStale(grace); err != nil {
				t.Fatal(err)
			}
			s.Protected("Bearer "+access).Refused(t, unauthentic, "STALE", notValid)
			mustRefresh(t, s, old)
		})
		t.Run("with the state of its user", func(t *testing.T) {
			old := simplejwt(t, s, "refresh", jti(11), grace, nil)
			s.Clock.Advance(time.Second)
			if err := s.App.Auth.SetActive(auth.AsOperator(t.Context()), grace, false); err != nil {
				t.Fatal(err)
			}
			refused(t, old, "STALE", nobodyActive)
			refused(t, simplejwt(t, s, "refresh", jti(12), grace, nil), "STALE", nobodyActive)
			refused(t, simplejwt(t, s, "refresh", jti(13), 999, nil), "STALE", nobodyActive)
		})
	}, sharing)
}

// A sign-out and the first refresh reach the server at the same instant: whichever is first, afterwards it is over.
func TestAForeignRefreshTokenIsRevokedWhileItIsRefreshed(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		ada := s.AddUser("ada")
		for i := range 20 {
			old := simplejwt(t, s, "refresh", jti(i), ada, nil)
			var group sync.WaitGroup
			var pair testkit.Pair
			group.Go(func() { pair, _ = s.Refresh(old) })
			group.Go(func() { mutate(t, s, "", fmt.Sprintf("tokenRevoke(refresh: %q)", old)) })
			group.Wait()
			if _, a := s.Refresh(old); len(a.Errors) == 0 {
				t.Error("it is refreshed after it was revoked")
			}
			if pair.Access != "" {
				s.Protected("Bearer "+pair.Access).Refused(t, unauthentic, "REVOKED", notValid)
			}
		}
	}, sharing)
}

func TestAForeignTokenThatNamesNobody(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		for user, value := range map[string]any{"no user": nil, "an empty name": "", "the number zero": 0} {
			old := simplejwt(t, s, "refresh", jti(1), value, nil)
			_, a := s.Refresh(old)
			a.Refused(t, tokenNotValid, "MALFORMED", "Token is invalid")
			pair, err := s.App.Auth.RefreshAny(t.Context(), old)
			if err != nil || pair.Refresh != old {
				t.Fatalf("%s: %v, the same refresh token: %t", user, err, pair.Refresh == old)
			}
			for _, name := range []string{"user_id", "sub", "sid", "roles"} {
				if got := claim(t, pair.Access, name); got != nil {
					t.Errorf("%s: the access token has %s %v", user, name, got)
				}
			}
			s.Protected("Bearer "+pair.Access).Refused(t, unauthentic, "MALFORMED", notValid)
			if a := s.Protected("Bearer " + simplejwt(t, s, "access", jti(2), value, nil)); len(a.Errors) != 1 {
				t.Errorf("%s: %s", user, a.Body)
			}
			if err := s.App.Auth.Verify(t.Context(), old); err != nil {
				t.Errorf("%s: %v", user, err)
			}
		}
		old := simplejwt(t, s, "refresh", jti(1), nil, nil)
		if revoked, err := s.App.Auth.Logout(t.Context(), &old); err != nil || !revoked {
			t.Errorf("revoked: %t, %v", revoked, err)
		}
		if _, err := s.App.Auth.RefreshAny(t.Context(), old); err == nil {
			t.Error("it is refreshed after it was revoked")
		}
		if err := s.App.Auth.Verify(t.Context(), old); err == nil {
			t.Error("it is good after it was revoked")
		}
	}, sharing)
}

// Custom claims of the foreign token travel on as far as a setting names them, and no further.
func TestCarriedClaims(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		ada := s.AddUser("ada")
		old := simplejwt(t, s, "refresh", jti(1), ada, map[string]any{
			"tenant": map[string]any{"id": 7}, "plan": "gold", "other": true, "roles": "admin", "epoch": "x",
		})
		pair := mustRefresh(t, s, old)
		for _, raw := range []string{pair.Access, pair.Refresh, mustRefresh(t, s, old).Refresh, mustRefresh(t, s, pair.Refresh).Access} {
			if got := fmt.Sprintf("%v %v %v", claim(t, raw, "tenant"), claim(t, raw, "plan"), claim(t, raw, "other")); got != "map[id:7] gold <nil>" {
				t.Errorf("the claims are %s", got)
			}
		}
		if got := fmt.Sprint(claim(t, pair.Access, "roles")); got != "[]" {
			t.Errorf("the roles are %s, as the foreign token says", got)
		}
		_, a := s.Refresh(simplejwt(t, s, "refresh", jti(2), ada, map[string]any{"plan": fmt.Sprintf("%5000s", "")}))
		a.Refused(t, tokenNotValid, "MALFORMED", "Token is invalid")
		if got := claim(t, s.SignIn("ada").Access, "plan"); got != nil {
			t.Errorf("a sign-in has the plan %v", got)
		}
	}, sharing, func(c *config.Settings) { c.CarriedClaims = []string{"tenant", "plan"} })
}

// What is made here is read there: the claims that djangorestframework-simplejwt needs are in it, under its names.
func TestTokensAreReadByDjango(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		id := s.AddUser("ada")
		pair := s.SignIn("ada")
		for kind, raw := range map[string]string{"access": pair.Access, "refresh": pair.Refresh} {
			if got := claim(t, raw, "token_type"); got != kind {
				t.Errorf("token_type is %v", got)
			}
			if got := claim(t, raw, "uid"); got != id {
				t.Errorf("uid is %v", got)
			}
			for _, name := range []string{"exp", "iat"} {
				if _, ok := claim(t, raw, name).(float64); !ok {
					t.Errorf("%s is no number", name)
				}
			}
			if _, err := token.New(token.Options{Now: s.Clock.Now, UserIDClaim: "uid"}).Parse(t.Context(), raw, s.App.Keys.Lookup); err != nil {
				t.Error(err)
			}
		}
	}, sharing, func(c *config.Settings) { c.UserIDClaim = "uid" })
}

// The rows about tokens that no session here has made, at the views.
func TestSimpleJWTForeignTokens(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		ada := s.AddUser("ada")
		n := 100
		foreign := func(t *testing.T, kind string, user any, others map[string]any) string {
			n++
			return simplejwt(t, s, kind, jti(n), user, others)
		}
		for name, user := range map[string]any{"no user_id": nil, "user_id is empty": "", "user_id is zero": 0} {
			t.Run("refresh/"+name, func(t *testing.T) {
				raw := foreign(t, "refresh", user, nil)
				for range 2 {
					got := postJSON(t, s, refreshPath, "refresh", raw).tokens(t, "access", "refresh")
					postJSON(t, s, verifyPath, "token", got["access"]).want(t, 200, `{}`)
					callRest(t, s, http.MethodGet, protectedPath, "", "Authorization", "Bearer "+got["access"]).want(t, 401, noUserBody)
				}
				postJSON(t, s, blacklistPath, "refresh", raw).want(t, 200, `{}`)
				postJSON(t, s, blacklistPath, "refresh", raw).want(t, 401, blacklistedBody)
				postJSON(t, s, refreshPath, "refresh", raw).want(t, 401, blacklistedBody)
				postJSON(t, s, verifyPath, "token", raw).want(t, 400, `{"non_field_errors":["Token is blacklisted"]}`)
			})
			t.Run("protected/"+name, func(t *testing.T) {
				callRest(t, s, http.MethodGet, protectedPath, "", "Authorization", "Bearer "+foreign(t, "access", user, nil)).
					want(t, 401, map[bool]string{true: noUserBody, false: `{"detail":"User not found","code":"user_not_found"}`}[user == nil])
			})
		}
		t.Run("refresh/user_id is null", func(t *testing.T) {
			raw := signed(t, sharedSecret, "HS256", map[string]any{
				"token_type": "refresh", "exp": s.Clock.Now().Unix() + 60, "jti": jti(1), "user_id": nil,
			})
			postJSON(t, s, refreshPath, "refresh", raw).tokens(t, "access", "refresh")
		})
		t.Run("refresh/never seen, a number or a text", func(t *testing.T) {
			for _, user := range []any{ada, number(t, ada)} {
				got := postJSON(t, s, refreshPath, "refresh", foreign(t, "refresh", user, nil)).tokens(t, "access", "refresh")
				callRest(t, s, http.MethodGet, protectedPath, "", "Authorization", "Bearer "+got["access"]).want(t, 200, `{"content":"This view is protected"}`)
			}
		})
		t.Run("refresh/user deleted", func(t *testing.T) {
			postJSON(t, s, refreshPath, "refresh", foreign(t, "refresh", 999, nil)).want(t, 401, noAccountBody)
		})
		t.Run("refresh/blacklisted", func(t *testing.T) {
			raw := foreign(t, "refresh", ada, nil)
			postJSON(t, s, blacklistPath, "refresh", raw).want(t, 200, `{}`)
			postJSON(t, s, blacklistPath, "refresh", raw).want(t, 401, blacklistedBody)
			postJSON(t, s, refreshPath, "refresh", raw).want(t, 401, blacklistedBody)
		})
		t.Run("blacklist/user deleted", func(t *testing.T) {
			postJSON(t, s, blacklistPath, "refresh", foreign(t, "refresh", 999, nil)).want(t, 200, `{}`)
		})
		t.Run("verify/any type or none", func(t *testing.T) {
			for _, kind := range []any{"access", "refresh", "sliding", nil} {
				raw := foreign(t, "access", ada, map[string]any{"token_type": kind})
				postJSON(t, s, verifyPath, "token", raw).want(t, 200, `{}`)
			}
		})
		t.Run("protected/user not in the database", func(t *testing.T) {
			callRest(t, s, http.MethodGet, protectedPath, "", "Authorization", "Bearer "+foreign(t, "access", 999, nil)).
				want(t, 401, `{"detail":"User not found","code":"user_not_found"}`)
		})
		t.Run("protected/inactive user", func(t *testing.T) {
			grace := number(t, s.AddUser("grace"))
			raw := foreign(t, "access", grace, nil)
			if err := s.App.Auth.SetActive(auth.AsOperator(t.Context()), grace, false); err != nil {
				t.Fatal(err)
			}
			callRest(t, s, http.MethodGet, protectedPath, "", "Authorization", "Bearer "+raw).
				want(t, 401, `{"detail":"User is inactive","code":"user_inactive"}`)
		})
	}, sharing)
}

const noUserBody = `{"detail":"Token contained no recognizable user identification","code":"token_not_valid"}`

// A Django project with the same key that rotates a refresh token of ours gives its successor the claims of ours.
func TestARefreshTokenComesBackFromDjango(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		rotatedThere := func(raw string, n int) string {
			return altered(t, raw, map[string]any{"jti": jti(n), "iat": s.Clock.Now().Unix()})
		}
		t.Run("it becomes a session", func(t *testing.T) {
			ours := s.SignIn("ada")
			back := rotatedThere(ours.Refresh, 1)
			postJSON(t, s, verifyPath, "token", back).want(t, 200, `{}`)
			pair := mustRefresh(t, s, back)
			wantProtected(t, s.Protected("Bearer "+pair.Access))
			wantProtected(t, s.Protected("Bearer "+altered(t, ours.Access, map[string]any{"jti": jti(2)})))
			s.Clock.Advance(11 * time.Second)
			_, a := s.Refresh(back)
			a.Refused(t, tokenNotValid, "REUSED", blacklisted)
		})
		t.Run("unless the session it comes from is over", func(t *testing.T) {
			ours := s.SignIn("ada")
			back := rotatedThere(ours.Refresh, 3)
			mutate(t, s, ours.Access, "tokenRevoke")
			_, a := s.Refresh(back)
			a.Refused(t, tokenNotValid, "REVOKED", blacklisted)
			postJSON(t, s, verifyPath, "token", back).want(t, 400, `{"non_field_errors":["Token is blacklisted"]}`)
		})
		t.Run("or it was revoked itself", func(t *testing.T) {
			back := rotatedThere(s.SignIn("ada").Refresh, 4)
			postJSON(t, s, blacklistPath, "refresh", back).want(t, 200, `{}`)
			postJSON(t, s, blacklistPath, "refresh", back).want(t, 401, blacklistedBody)
			_, a := s.Refresh(back)
			a.Refused(t, tokenNotValid, "REVOKED", blacklisted)
		})
	}, sharing)
}

// With a leeway a token is accepted after it expired: what is known of it is kept as long.
func TestForeignTokensAreRememberedForTheLeeway(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		ada := s.AddUser("ada")
		revoked, used := simplejwt(t, s, "refresh", jti(1), ada, nil), simplejwt(t, s, "refresh", jti(2), ada, nil)
		postJSON(t, s, blacklistPath, "refresh", revoked).want(t, 200, "{}")
		mustRefresh(t, s, used)
		s.Clock.Advance(24*time.Hour + time.Second) // expired, and within the leeway
		for range 2 {
			mustClean(t, s)
			postJSON(t, s, refreshPath, "refresh", revoked).want(t, 401, blacklistedBody)
			postJSON(t, s, refreshPath, "refresh", used).want(t, 401, blacklistedBody)
		}
	}, sharing, func(c *config.Settings) { c.Leeway = time.Minute })
}

func TestForeignTokensAndTheEndOfAllSessions(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		ada := s.AddUser("ada")
		access, kept := simplejwt(t, s, "access", jti(1), ada, nil), simplejwt(t, s, "refresh", jti(2), ada, nil)
		current := mustRefresh(t, s, kept)
		s.Clock.Advance(time.Second)
		mutate(t, s, current.Access, "sessionsRevokeAll")
		s.Protected("Bearer "+access).Refused(t, unauthentic, "REVOKED", notValid)
		// The session that goes on is that of the token, as verify and refresh both say.
		postJSON(t, s, verifyPath, "token", kept).want(t, 200, `{}`)
		mustRefresh(t, s, kept)
		mutate(t, s, current.Access, "sessionsRevokeAll(exceptCurrent: false)")
		postJSON(t, s, verifyPath, "token", kept).want(t, 400, `{"non_field_errors":["Token is blacklisted"]}`)
	}, sharing, func(c *config.Settings) { c.RotateRefreshTokens = false })
}
