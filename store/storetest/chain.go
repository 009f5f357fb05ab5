package storetest

import (
	"testing"
	"time"

	"latchkey/models"
)

// chained begins a chain.
func chained(t *testing.T, s models.Store) models.EventChain {
	t.Helper()
	c := models.EventChain{
		Sealed: []byte{1, 2}, BegunAt: moment, BegunSeq: 1, BeforeID: 7, FirstSeq: 1, PrevHash: []byte{0}, LastHash: []byte{0}, MAC: []byte{3},
	}
	putChain(t, s, c)
	return c
}

func putChain(t *testing.T, s models.Store, c models.EventChain) {
	t.Helper()
	err := s.Tx(t.Context(), func(tx models.Store) error {
		if _, _, err := tx.HoldEvents(t.Context()); err != nil {
			return err
		}
		return tx.PutEventChain(t.Context(), c)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func chainIsBegun(t *testing.T, s models.Store) {
	_, err := s.EventChain(t.Context())
	wantErr(t, "EventChain", err, models.ErrNotFound)
	if key, err := s.SealedChainKey(t.Context()); err != nil || key != nil {
		t.Errorf("before: %v, %v", key, err)
	}
	c := chained(t, s)
	got, err := s.EventChain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "chain", c, got)
	c = models.EventChain{
		Sealed: []byte{1, 2}, BegunSeq: 4, BeforeID: 8, FirstSeq: 5, PrevHash: []byte{1}, LastSeq: 6, LastHash: []byte{2}, MAC: []byte{5},
	}
	putChain(t, s, c)
	if got, err = s.EventChain(t.Context()); err != nil {
		t.Fatal(err)
	}
	diff(t, "chain in its place", c, got)
	if replaced, err := s.ReplaceChainKey(t.Context(), []byte{9}, []byte{4}); err != nil || replaced {
		t.Errorf("another key was replaced: %t, %v", replaced, err)
	}
	if replaced, err := s.ReplaceChainKey(t.Context(), []byte{1, 2}, []byte{4}); err != nil || !replaced {
		t.Errorf("replace the key: %t, %v", replaced, err)
	}
	if key, err := s.SealedChainKey(t.Context()); err != nil || len(key) != 1 || key[0] != 4 {
		t.Errorf("afterwards: %v, %v", key, err)
	}
}

func chainGrows(t *testing.T, s models.Store) {
	c := chained(t, s)
	old := []models.Event{{At: moment, Type: "made_up"}, {At: moment, Type: "made_up"}}
	if err := s.CreateEvents(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	wantLast := func(id, seq int64) {
		t.Helper()
		err := s.Tx(t.Context(), func(tx models.Store) error {
			if lastID, lastSeq, err := tx.HoldEvents(t.Context()); err != nil || lastID != id || lastSeq != seq {
				t.Errorf("the last id is %d, and the last place %d, %v; want %d and %d", lastID, lastSeq, err, id, seq)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	wantLast(old[1].ID, 0)
	for _, n := range []int{1, 3} {
		err := s.Tx(t.Context(), func(tx models.Store) error {
			at, ids, err := tx.TakeEventChain(t.Context(), n)
			if err != nil {
				return err
			}
			var list []models.Event
			for _, id := range ids {
				at.LastSeq++
				list = append(list, models.Event{ID: id, At: moment, Type: "made_up", Seq: at.LastSeq, Hash: []byte{1}})
			}
			at.LastHash, at.MAC, at.Sealed, at.BeforeID = []byte{5}, []byte{6}, []byte{7}, 8
			if err := tx.CreateEvents(t.Context(), list); err != nil {
				return err
			}
			return tx.MoveEventChain(t.Context(), at)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c.LastSeq, c.LastHash, c.MAC = 4, []byte{5}, []byte{6}
	got, err := s.EventChain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "chain", c, got) // the key and the id of before stay
	list, err := s.ChainedEvents(t.Context(), 2, 2)
	if err != nil || len(list) != 2 || list[0].Seq != 2 || list[1].Seq != 3 || list[0].DetailText != "{}" || list[0].ID <= old[1].ID || list[1].ID <= list[0].ID {
		t.Errorf("%+v, %v", list, err)
	}
	wantLast(old[1].ID+4, 4)
	wantBefore := func(c models.EventChain, want, strayID int64) {
		t.Helper()
		count, stray, err := s.EventsBeforeChain(t.Context(), c)
		if err != nil || count != want || (stray == nil) != (strayID == 0) || stray != nil && stray.ID != strayID {
			t.Errorf("from before: %d, and %v, %v; want %d, and %d", count, stray, err, want, strayID)
		}
	}
	wantBefore(models.EventChain{BegunSeq: 1, FirstSeq: 1, BeforeID: old[0].ID}, 1, old[1].ID)
	wantBefore(models.EventChain{BegunSeq: 1, FirstSeq: 1, BeforeID: old[1].ID}, 2, 0)
	wantBefore(models.EventChain{BegunSeq: 1, FirstSeq: 2, BeforeID: old[1].ID}, 2, list[0].ID-1)
	wantBefore(models.EventChain{BegunSeq: 3, FirstSeq: 4, BeforeID: list[0].ID}, 4, list[1].ID)
	wantBefore(models.EventChain{BegunSeq: 4, FirstSeq: 4, BeforeID: list[0].ID}, 4, list[1].ID)
	wantBefore(models.EventChain{BegunSeq: 4, FirstSeq: 4, BeforeID: list[1].ID}, 5, 0)
	if err := s.DeleteChainedEvents(t.Context(), 2, 3); err != nil {
		t.Fatal(err)
	}
	if list, err = s.ChainedEvents(t.Context(), -1, 10); err != nil || len(list) != 3 || list[0].Seq != 1 || list[1].Seq != 3 {
		t.Errorf("left are %+v, %v", list, err)
	}
	for _, test := range []struct {
		below     int64
		over      time.Time
		limit, at int
	}{{3, moment.Add(-time.Second), 9, 0}, {1, moment, 9, 0}, {4, moment, 0, 0}, {3, moment, 9, 1}, {3, moment, 9, 0}} {
		if n, err := s.DeleteFormerEvents(t.Context(), test.below, test.over, test.limit); err != nil || n != test.at {
			t.Errorf("%+v: %d were deleted, %v", test, n, err)
		}
	}
	if list, err = s.ChainedEvents(t.Context(), -1, 10); err != nil || len(list) != 2 || list[0].Seq != 3 {
		t.Errorf("left are %+v, %v", list, err)
	}
	wantBefore(models.EventChain{BegunSeq: 1, FirstSeq: 3, BeforeID: old[1].ID}, 2, 0)
}

func usersByID(t *testing.T, s models.Store) {
	ada, grace := createUser(t, s, "ada"), createUser(t, s, "grace")
	ids := []int64{ada.ID, grace.ID, 999, ada.ID}
	names, err := s.UsernamesOf(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "names", map[int64]string{ada.ID: "ada", grace.ID: "grace"}, names)
	users, err := s.UsersByID(t.Context(), ids)
	if err != nil || len(users) != 2 || users[ada.ID].Username != "ada" || users[grace.ID].Username != "grace" {
		t.Errorf("%v, %v", users, err)
	}
	if none, err := s.UsersByID(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("of nobody: %v, %v", none, err)
	}
}
