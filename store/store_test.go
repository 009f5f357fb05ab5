package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"latchkey/internal/testdb"
	"latchkey/models"
	"latchkey/store"
	"latchkey/store/storetest"
)

func open(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func migrated(t *testing.T, url string) *store.Store {
	t.Helper()
	s := open(t, url)
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContractSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) models.Store { return migrated(t, testdb.SQLite(t)) })
}

func TestContractPostgres(t *testing.T) {
	storetest.Run(t, func(t *testing.T) models.Store { return migrated(t, testdb.Postgres(t)) })
}

// While one process cleans, another is told so and does not wait, and neither do a row's users for the cleaning.
func TestOneProcessCleansAtATime(t *testing.T) {
	url := testdb.Postgres(t)
	one, two := migrated(t, url), open(t, url)
	far := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	err := one.Tx(t.Context(), func(tx models.Store) error {
		if bite, err := tx.Clean(t.Context(), models.PerishableSessions, far, 10); err != nil || bite.Busy {
			t.Errorf("the first: %+v, %v", bite, err)
		}
		bite, err := two.Clean(t.Context(), models.PerishableRevocations, far, 10)
		if want := (models.Bite{Busy: true}); err != nil || bite != want {
			t.Errorf("the second meanwhile: %+v, %v, want %+v", bite, err, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if bite, err := two.Clean(t.Context(), models.PerishableSessions, far, 10); err != nil || bite.Busy {
		t.Errorf("the second afterwards: %+v, %v", bite, err)
	}
}

// A session that somebody is changing is not waited for.
func TestCleaningLeavesARowThatIsBeingChanged(t *testing.T) {
	s := migrated(t, testdb.Postgres(t))
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	user := models.User{Username: "ada", UsernameKey: "ada", IsActive: true, DateJoined: at}
	if err := s.CreateUser(t.Context(), &user); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"held", "free"} {
		session := models.Session{ID: id, UserID: user.ID, CreatedAt: at, LastUsedAt: at, ExpiresAt: at, KeepUntil: at}
		if err := s.StartSession(t.Context(), &session, 0, false); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Tx(t.Context(), func(tx models.Store) error {
		if _, err := tx.EndSession(t.Context(), "held", at, at); err != nil {
			return err
		}
		bite, err := s.Clean(t.Context(), models.PerishableSessions, at, 10)
		if want := (models.Bite{Deleted: 1, Done: true}); err != nil || bite != want {
			t.Errorf("meanwhile: %+v, %v, want %+v", bite, err, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SessionByID(t.Context(), "held"); err != nil {
		t.Errorf("the one that was being changed: %v", err)
	}
}

// A transaction goes on while others wait for the one connection that writes to SQLite, each with a statement that was
// not run before.
func TestATransactionIsNotHeldUpByThoseWhoWaitForIt(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var waiting sync.WaitGroup
		err := s.Tx(ctx, func(tx models.Store) error {
			for range 4 {
				waiting.Go(func() { _, _, _ = s.RefreshSession(ctx, models.Refresh{SessionID: "none"}) }) // it is refused, in the end
			}
			<-time.After(100 * time.Millisecond) // so that they do wait
			return tx.CreateEvents(ctx, []models.Event{{Type: "made_up"}})
		})
		if err != nil {
			t.Error(err)
		}
		waiting.Wait()
	})
}
