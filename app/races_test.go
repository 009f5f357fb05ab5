package app_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/app"
	"latchkey/auth"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
	"latchkey/models"
)

// A refresh that is under way while its session ends gives no access token that goes on living.
func TestARefreshDoesNotOutliveWhatEndsIt(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s := testkit.Start(t, url)
		id := number(t, s.AddUser("ada"))
		// Other requests read meanwhile, so that whatever reads has to wait for its turn.
		busy, stop := context.WithCancel(t.Context())
		var readers sync.WaitGroup
		for range 32 {
			readers.Go(func() {
				for busy.Err() == nil {
					_, _ = s.App.Store.UserByID(busy, id)
				}
			})
		}
		defer readers.Wait()
		defer stop()
		for range 40 {
			pair, err := s.App.Auth.Login(t.Context(), "ada", testkit.Password)
			if err != nil {
				t.Fatal(err)
			}
			var group sync.WaitGroup
			var got auth.Pair
			var refused error
			group.Go(func() { got, refused = s.App.Auth.Refresh(t.Context(), pair.Refresh) })
			group.Go(func() {
				if err := s.App.Auth.SetActive(auth.AsOperator(t.Context()), id, false); err != nil {
					t.Error(err)
				}
			})
			group.Wait()
			if refused == nil {
				if _, err := s.App.Auth.VerifyAccess(t.Context(), got.Access); err == nil {
					t.Fatal("the access token of an inactive user is accepted")
				}
			}
			if err := s.App.Auth.SetActive(auth.AsOperator(t.Context()), id, true); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// between is a store that does something once, after a user was read.
type between struct {
	models.Store
	once *atomic.Bool
	act  func()
}

func (b between) UserByID(ctx context.Context, id int64) (models.User, error) {
	u, err := b.Store.UserByID(ctx, id)
	if b.once.CompareAndSwap(false, true) {
		b.act()
	}
	return u, err
}

// A change of the password hashes two of them: roles that are taken meanwhile are not in the access token that follows.
func TestAPasswordChangeGivesNoRolesThatWereTakenMeanwhile(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s := testkit.Start(t, url)
		id := number(t, s.AddUser("ada"))
		if err := s.App.Store.SaveRole(t.Context(), &models.Role{Name: "admin", Permissions: []string{"users:write"}}); err != nil {
			t.Fatal(err)
		}
		if err := s.App.Auth.SetRoles(auth.AsOperator(t.Context()), id, []string{"admin"}); err != nil {
			t.Fatal(err)
		}
		caller, err := s.App.Auth.VerifyAccess(t.Context(), s.SignIn("ada").Access)
		if err != nil {
			t.Fatal(err)
		}
		other, _ := testkit.Open(t, url)
		s.App.Auth.Store = between{s.App.Store, new(atomic.Bool), func() {
			if err := other.Auth.SetRoles(auth.AsOperator(t.Context()), id, nil); err != nil {
				t.Error(err)
			}
		}}
		got, err := s.App.Auth.ChangePassword(auth.WithCaller(t.Context(), caller), testkit.Password, "another horse battery")
		if err != nil {
			t.Fatal(err)
		}
		if after, err := s.App.Auth.VerifyAccess(t.Context(), got.Access); err == nil && after.HasRole("admin") {
			t.Error("the token names the role and is not stale")
		}
	})
}

// While the lifetime of access tokens is being changed, one node gives longer ones than another, which ends a session.
func TestARevocationIsKeptForTheLifetimeOfAnotherNode(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		long := func(c *config.Settings) { c.AccessTokenLifetime = time.Hour }
		one, two := testkit.Start(t, url, long), testkit.Start(t, url)
		one.AddUser("ada")
		pair := one.SignIn("ada")
		mutate(t, two, "", `tokenRevoke(refresh: "`+pair.Refresh+`")`)
		now := one.Clock.Now().Add(59 * time.Minute)
		if _, err := app.CleanTokens(t.Context(), two.App.Store, now); err != nil {
			t.Fatal(err)
		}
		settings := testkit.Settings(t, url)
		long(settings)
		again, err := app.Open(t.Context(), app.Options{
			Settings: settings, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close() //nolint:errcheck // the test ends
		if _, err := again.Auth.VerifyAccess(t.Context(), pair.Access); err == nil {
			t.Error("an hour later, after a restart, the access token of the ended session is accepted")
		}
	})
}

// The user of a foreign access token is read from the database, and not for longer than a moment: a public field is none
// of its business.
func TestAForeignAccessTokenDoesNotWaitForTheDatabase(t *testing.T) {
	w, url := newWire(t, testdb.Postgres(t))
	s := testkit.Start(t, url, sharing)
	access := simplejwt(t, s, "access", jti(1), s.AddUser("ada"), nil)
	w.freeze()
	defer w.thaw()
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/graphql", strings.NewReader(`{"query":"{ __typename }"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+access)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
	} else if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
}

func TestExpiresInIsNeverNegative(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		pair := s.SignIn("ada")
		s.Clock.Advance(time.Hour + 10*time.Second) // past the session's limit, within the leeway
		if next := mustRefresh(t, s, pair.Refresh); next.AccessExpiresIn != 0 {
			t.Errorf("accessExpiresIn is %d", next.AccessExpiresIn)
		}
	}, func(c *config.Settings) { c.Leeway, c.SessionLifetime = time.Minute, time.Hour })
}
