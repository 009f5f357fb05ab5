package storetest

import (
	"testing"

	"latchkey/models"
)

// chained begins a chain.
func chained(t *testing.T, s models.Store) models.EventChain {
	t.Helper()
	c := models.EventChain{Sealed: []byte{1, 2}, BeforeID: 7, FirstSeq: 1, PrevHash: []byte{0}, LastHash: []byte{0}, MAC: []byte{3}}
	if made, err := s.CreateEventChain(t.Context(), c); err != nil || !made {
		t.Fatalf("begin the chain: %t, %v", made, err)
	}
	return c
}

func chainIsBegunOnce(t *testing.T, s models.Store) {
	_, err := s.EventChain(t.Context())
	wantErr(t, "EventChain", err, models.ErrNotFound)
	if key, err := s.SealedChainKey(t.Context()); err != nil || key != nil {
		t.Errorf("before: %v, %v", key, err)
	}
	c := chained(t, s)
	if made, err := s.CreateEventChain(t.Context(), models.EventChain{Sealed: []byte{9}, PrevHash: []byte{}, LastHash: []byte{}, MAC: []byte{}}); err != nil || made {
		t.Errorf("again: %t, %v", made, err)
	}
	got, err := s.EventChain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "chain", c, got)
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
	if last, err := s.LastEventID(t.Context()); err != nil || last != old[1].ID {
		t.Errorf("the last id is %d, %v; want %d", last, err, old[1].ID)
	}
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
	if count, beyond, err := s.UnchainedEvents(t.Context(), old[0].ID); err != nil || count != 1 || beyond == nil || beyond.ID != old[1].ID {
		t.Errorf("in no chain: %d, %v, %v", count, beyond, err)
	}
	if err := s.DeleteChainedEvents(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if list, err = s.ChainedEvents(t.Context(), -1, 10); err != nil || len(list) != 2 || list[0].Seq != 3 {
		t.Errorf("left are %+v, %v", list, err)
	}
	if count, beyond, err := s.UnchainedEvents(t.Context(), old[1].ID); err != nil || count != 2 || beyond != nil {
		t.Errorf("left in no chain: %d, %v, %v", count, beyond, err)
	}
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
