package store_test

import (
	"testing"

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
