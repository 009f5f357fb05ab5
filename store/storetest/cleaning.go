package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"latchkey/models"
)

// clean takes one bite.
func clean(t *testing.T, s models.Store, kind models.Perishable, over time.Time, limit int) models.Bite {
	t.Helper()
	bite, err := s.Clean(t.Context(), kind, over, limit)
	if err != nil {
		t.Fatalf("Clean(%s): %v", kind, err)
	}
	return bite
}

func cleanSessions(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	open := startSession(t, s, "open", user)
	startSession(t, s, "ended", user)
	if _, err := s.EndSession(t.Context(), "ended", moment, moment.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	young := newSession("young", user)
	young.KeepUntil = open.KeepUntil.Add(time.Microsecond)
	if err := s.StartSession(t.Context(), &young, user.Epoch, false); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		over time.Time
		want models.Bite
		left []string
	}{
		{"before", open.KeepUntil.Add(-time.Microsecond), models.Bite{Done: true}, []string{"open", "ended", "young"}},
		{"at the very moment", open.KeepUntil, models.Bite{Deleted: 2, Done: true}, []string{"young"}},
		{"again", open.KeepUntil, models.Bite{Done: true}, []string{"young"}},
		{"a microsecond later", young.KeepUntil, models.Bite{Deleted: 1, Done: true}, nil},
	} {
		diff(t, step.name, step.want, clean(t, s, models.PerishableSessions, step.over, 10))
		var left []string
		for _, id := range []string{"open", "ended", "young"} {
			_, err := s.SessionByID(t.Context(), id)
			if err == nil {
				left = append(left, id)
			} else {
				wantErr(t, id, err, models.ErrNotFound)
			}
		}
		diff(t, "left "+step.name, step.left, left)
	}
	if _, err := s.UserByID(t.Context(), user.ID); err != nil {
		t.Errorf("the user of the sessions: %v", err)
	}
}

func cleanRefreshed(t *testing.T, s models.Store) {
	session := startSession(t, s, "a", createUser(t, s, "ada"))
	r := rotation(session)
	if _, _, err := s.RefreshSession(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	// It is due by the time it began with, and is not over by that of the refresh.
	diff(t, "due", models.Bite{}, clean(t, s, models.PerishableSessions, session.KeepUntil, 1))
	kept, err := s.SessionByID(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "looked at again", r.KeepUntil, kept.SweepAt)
	diff(t, "not due", models.Bite{Done: true}, clean(t, s, models.PerishableSessions, r.KeepUntil.Add(-time.Microsecond), 1))
	diff(t, "over", models.Bite{Deleted: 1}, clean(t, s, models.PerishableSessions, r.KeepUntil, 1))
}

func cleanBites(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	for i := range 7 {
		session := newSession(string(rune('a'+i)), user)
		session.KeepUntil = moment.Add(time.Duration(i) * time.Minute)
		if err := s.StartSession(t.Context(), &session, user.Epoch, false); err != nil {
			t.Fatal(err)
		}
	}
	var got []models.Bite
	for range 3 {
		got = append(got, clean(t, s, models.PerishableSessions, moment.Add(time.Hour), 3))
		if len(got) == 1 {
			if _, err := s.SessionByID(t.Context(), "d"); err != nil {
				t.Errorf("a younger one went before an older one: %v", err)
			}
		}
	}
	diff(t, "bites", []models.Bite{{Deleted: 3}, {Deleted: 3}, {Deleted: 1, Done: true}}, got)
	if _, err := s.Clean(t.Context(), "users", moment, 3); err == nil {
		t.Error("users were cleaned away")
	}
}

func cleanForeign(t *testing.T, s models.Store) {
	for i := range 3 {
		f := models.ForeignToken{ID: string(rune('a' + i)), ExpiresAt: moment.Add(time.Duration(i) * time.Second)}
		if _, err := s.RevokeForeignToken(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	diff(t, "bite", models.Bite{Deleted: 2, Done: true}, clean(t, s, models.PerishableForeign, moment.Add(time.Second), 10))
	for id, want := range map[string]bool{"a": false, "b": false, "c": true} {
		if seen, err := s.ForeignTokenSeen(t.Context(), id); err != nil || seen != want {
			t.Errorf("%s is there: %t, %v; want %t", id, seen, err, want)
		}
	}
}

func cleanRevocations(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	for i := range 3 {
		if _, err := s.RaiseEpoch(t.Context(), user.ID, moment, moment.Add(time.Duration(i)*time.Microsecond)); err != nil {
			t.Fatal(err)
		}
	}
	diff(t, "bite", models.Bite{Deleted: 2, Done: true},
		clean(t, s, models.PerishableRevocations, moment.Add(time.Microsecond), 10))
	left, mark := since(t, s, "")
	if len(left) != 1 || left[0].Epoch != user.Epoch+3 {
		t.Errorf("left are %v; want the last", left)
	}
	diff(t, "all", models.Bite{Deleted: 1, Done: true},
		clean(t, s, models.PerishableRevocations, moment.Add(time.Minute), 10))

	// A reader that has read all before goes on where it was.
	if _, err := s.RaiseEpoch(t.Context(), user.ID, moment, moment.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if after, _ := since(t, s, mark); len(after) != 1 || after[0].Epoch != user.Epoch+4 {
		t.Errorf("after the cleaning: %v", after)
	}
}

func cleanKeys(t *testing.T, s models.Store) {
	over, later := moment, moment.Add(time.Microsecond)
	for _, k := range []models.SigningKey{
		{ID: "over", ActivatedAt: &moment, RetiredAt: &moment, ExpiresAt: &over},
		{ID: "retired", ActivatedAt: &moment, RetiredAt: &moment, ExpiresAt: &later},
		{ID: "active", ActivatedAt: &moment},
		{ID: "next"},
	} {
		k.Algorithm, k.Sealed, k.CreatedAt = "ES256", []byte{1}, moment.Add(-time.Hour)
		if err := s.CreateSigningKey(t.Context(), &k); err != nil {
			t.Fatal(err)
		}
	}
	diff(t, "bite", models.Bite{Deleted: 1, Done: true}, clean(t, s, models.PerishableKeys, moment, 10))
	diff(t, "bite", models.Bite{Deleted: 1, Done: true}, clean(t, s, models.PerishableKeys, moment.Add(1000*time.Hour), 10))
	keys, err := s.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, k := range keys {
		left = append(left, k.ID)
	}
	slices.Sort(left)
	diff(t, "left", []string{"active", "next"}, left)
}

func cleanEvents(t *testing.T, s models.Store) {
	for i := range 3 {
		e := models.Event{At: moment.Add(time.Duration(i) * time.Microsecond), Type: "made_up"}
		if err := s.CreateEvents(t.Context(), []models.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	diff(t, "bite", models.Bite{Deleted: 2, Done: true}, clean(t, s, models.PerishableEvents, moment.Add(time.Microsecond), 10))
	left, err := s.EventsBefore(t.Context(), 0, 10)
	if err != nil || len(left) != 1 || !left[0].At.Equal(moment.Add(2*time.Microsecond)) {
		t.Fatalf("left are %v, %v; want the youngest", left, err)
	}
	clean(t, s, models.PerishableEvents, moment.Add(time.Minute), 10)
	again := []models.Event{{At: moment, Type: "made_up"}}
	if err := s.CreateEvents(t.Context(), again); err != nil || again[0].ID <= left[0].ID {
		t.Errorf("the id %d was given after %d, %v", again[0].ID, left[0].ID, err)
	}
}

func cleanRace(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	const sessions = 40
	for i := range sessions {
		startSession(t, s, fmt.Sprint(i), user)
	}
	var mu sync.Mutex
	deleted := 0
	for _, err := range parallel(8, func() error {
		for {
			bite, err := s.Clean(context.WithoutCancel(t.Context()), models.PerishableSessions, moment.Add(time.Hour), 3)
			mu.Lock()
			deleted += bite.Deleted
			mu.Unlock()
			if err != nil || bite.Done {
				return err
			}
		}
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	if deleted != sessions {
		t.Errorf("%d rows were counted as deleted, there were %d", deleted, sessions)
	}
}

func eventRoundTrip(t *testing.T, s models.Store) {
	list := []models.Event{
		{
			At: moment, Type: "signed_in", ActorID: 7, ActorName: "ada", SubjectID: 7, SubjectName: "ada", SessionID: "a",
			Address: "2001:db8::1", UserAgent: "curl/8", Seq: 1, Hash: []byte{1, 0, 2}, Detail: map[string]any{"text": "\u2028 \"x\" <&>", "list": []any{"a", "b"}, "count": 3.0},
		},
		{At: moment.Add(-time.Hour), Type: "user_created", SubjectID: 99, Seq: 2, Hash: []byte{3}},
	}
	if err := s.CreateEvents(t.Context(), nil); err != nil {
		t.Errorf("no events: %v", err)
	}
	if err := s.CreateEvents(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	if list[0].ID <= 0 || list[1].ID <= list[0].ID {
		t.Errorf("the ids are %d and %d, want them to rise", list[0].ID, list[1].ID)
	}
	got, err := s.EventsBefore(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "events", []models.Event{list[1], list[0]}, got)
	if got, err = s.EventsBefore(t.Context(), 0, 1); err != nil || len(got) != 1 || got[0].ID != list[1].ID {
		t.Errorf("the newest is %v, %v", got, err)
	}
	if got, err = s.EventsBefore(t.Context(), list[1].ID, 10); err != nil || len(got) != 1 || got[0].ID != list[0].ID {
		t.Errorf("those before it are %v, %v", got, err)
	}
}

func eventRollsBack(t *testing.T, s models.Store) {
	failure := errors.New("made up")
	err := s.Tx(t.Context(), func(tx models.Store) error {
		if err := tx.CreateEvents(t.Context(), []models.Event{{At: moment, Type: "signed_in"}}); err != nil {
			return err
		}
		return failure
	})
	wantErr(t, "Tx", err, failure)
	if got, err := s.EventsBefore(t.Context(), 0, 10); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v, want none", got, err)
	}
}
