package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/models"
)

func foreign(id string) models.ForeignToken {
	return models.ForeignToken{ID: id, ExpiresAt: moment.Add(time.Hour)}
}

func adoptOnce(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	var firsts atomic.Int32
	for _, err := range parallel(16, func() error {
		session := newSession("f", user)
		adopted, err := s.AdoptSession(context.WithoutCancel(t.Context()), &session, foreign("f"), moment)
		if adopted {
			firsts.Add(1)
		}
		return err
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	if n := firsts.Load(); n != 1 {
		t.Errorf("%d of 16 began the session", n)
	}
	got, err := s.SessionByID(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	if got.UserID != user.ID || got.Generation != 0 {
		t.Errorf("the session is %+v", got)
	}
	if seen, err := s.ForeignTokenSeen(t.Context(), "f"); err != nil || !seen {
		t.Errorf("the token was seen: %t, %v", seen, err)
	}
	// It was used: it is not revoked by its name, and once the session is gone it becomes none again.
	if first, err := s.RevokeForeignToken(t.Context(), foreign("f")); err != nil || first {
		t.Errorf("revoked after it was used: %t, %v", first, err)
	}
	// Nor a second one where the row was cleaned away before the session.
	clean(t, s, models.PerishableForeign, moment.Add(time.Hour), 10)
	again := newSession("f", user)
	again.UserAgent = "another"
	if adopted, err := s.AdoptSession(t.Context(), &again, foreign("f"), moment); err != nil || adopted {
		t.Error(adopted, err)
	}
	if now, err := s.SessionByID(t.Context(), "f"); err != nil || now.UserAgent != got.UserAgent {
		t.Errorf("the session was written over: %v", err)
	}
	clean(t, s, models.PerishableSessions, moment.Add(1000*time.Hour), 10)
	session := newSession("f", user)
	if adopted, err := s.AdoptSession(t.Context(), &session, foreign("f"), moment); err != nil || adopted {
		t.Error(adopted, err)
	}
	_, err = s.SessionByID(t.Context(), "f")
	wantErr(t, "a second session", err, models.ErrNotFound)
}

func revokeForeign(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	if seen, err := s.ForeignTokenSeen(t.Context(), "f"); err != nil || seen {
		t.Errorf("seen before: %t, %v", seen, err)
	}
	var firsts atomic.Int32
	for _, err := range parallel(16, func() error {
		first, err := s.RevokeForeignToken(context.WithoutCancel(t.Context()), foreign("f"))
		if first {
			firsts.Add(1)
		}
		return err
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	if n := firsts.Load(); n != 1 {
		t.Errorf("%d of 16 were the first", n)
	}
	session := newSession("f", user)
	if adopted, err := s.AdoptSession(t.Context(), &session, foreign("f"), moment); err != nil || adopted {
		t.Error(adopted, err)
	}
	_, err := s.SessionByID(t.Context(), "f")
	wantErr(t, "the session of a revoked token", err, models.ErrNotFound)
}

func adoptRefused(t *testing.T, s models.Store) {
	inactive, out := newUser("grace"), createUser(t, s, "ada")
	inactive.IsActive = false
	if err := s.CreateUser(t.Context(), &inactive); err != nil {
		t.Fatal(err)
	}
	if _, err := s.EndSessions(t.Context(), out.ID, "", moment, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		user   models.User
		issued time.Time
		want   error
	}{
		"an inactive user":                     {inactive, moment, models.ErrNotFound},
		"a user who is not":                    {models.User{ID: 99}, moment, models.ErrNotFound},
		"all sessions ended after it was made": {out, moment.Add(-time.Second), models.ErrNotFound},
		"all sessions ended as it was made":    {out, moment, models.ErrNotFound},
		"made after all sessions ended":        {out, moment.Add(time.Second), nil},
	} {
		session := newSession(name, c.user)
		adopted, err := s.AdoptSession(t.Context(), &session, foreign(name), c.issued)
		if !errors.Is(err, c.want) || adopted != (c.want == nil) {
			t.Errorf("%s: %t, %v, want %v", name, adopted, err, c.want)
		}
		if seen, err := s.ForeignTokenSeen(t.Context(), name); err != nil || seen != (c.want == nil) {
			t.Errorf("%s: the token was used: %t, %v", name, seen, err)
		}
	}
}
