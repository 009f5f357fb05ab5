package chain_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/auth/chain"
	"latchkey/models"
)

var moment = time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)

func key(t testing.TB) *chain.Key {
	t.Helper()
	k, err := chain.NewKey(bytes.Repeat([]byte{7}, chain.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// linked returns a chain of events, behind three that are in none.
func linked(t testing.TB, n int) (models.EventChain, []models.ChainedEvent) {
	t.Helper()
	k := key(t)
	c := k.Begin(moment, 3, 0)
	var rows []models.ChainedEvent
	for i := range n {
		one := []models.Event{{
			ID: int64(4 + i), At: moment.Add(time.Duration(i) * time.Second), Type: "user_changed", ActorID: 1, ActorName: "root",
			SubjectID: 2, SubjectName: "ada", SessionID: "s", Address: "192.0.2.1", UserAgent: "curl/8",
			Detail: map[string]any{"email": fmt.Sprintf("ada%d@example.org", i)},
		}}
		var err error
		if c, err = k.Link(c, one); err != nil {
			t.Fatal(err)
		}
		detail, err := chain.DetailText(one[0])
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, models.ChainedEvent{Event: one[0], DetailText: detail})
	}
	return k.Seal(c), rows
}

// walk verifies the rows.
func walk(t testing.TB, c models.EventChain, rows []models.ChainedEvent, noted *chain.Mark) error {
	t.Helper()
	w, err := chain.NewWalk(key(t), c, noted)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := w.Add(row); err != nil {
			return err
		}
	}
	return w.Ended()
}

func TestAChainAsItWasWrittenIsGood(t *testing.T) {
	for _, n := range []int{0, 1, 5} {
		c, rows := linked(t, n)
		if err := walk(t, c, rows, nil); err != nil || c.LastSeq != int64(n) {
			t.Errorf("%d rows, the last is %d: %v", n, c.LastSeq, err)
		}
	}
}

func TestWhateverIsChangedIsFound(t *testing.T) {
	change := func(do func(e *models.ChainedEvent)) func(models.EventChain, []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
		return func(c models.EventChain, rows []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
			do(&rows[2])
			return c, rows
		}
	}
	mark := func(do func(c *models.EventChain)) func(models.EventChain, []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
		return func(c models.EventChain, rows []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
			do(&c)
			return c, rows
		}
	}
	for _, test := range []struct {
		name  string
		do    func(models.EventChain, []models.ChainedEvent) (models.EventChain, []models.ChainedEvent)
		seq   int64
		words string
	}{
		{"id", change(func(e *models.ChainedEvent) { e.ID++ }), 3, "row 3 was changed"},
		{"id of before", change(func(e *models.ChainedEvent) { e.ID = 2 }), 3, "from before the chain"},
		{"at", change(func(e *models.ChainedEvent) { e.At = e.At.Add(time.Microsecond) }), 3, "row 3 was changed"},
		{"type", change(func(e *models.ChainedEvent) { e.Type = "user_created" }), 3, "row 3 was changed"},
		{"actor", change(func(e *models.ChainedEvent) { e.ActorID = 9 }), 3, "row 3 was changed"},
		{"actor's name", change(func(e *models.ChainedEvent) { e.ActorName = "eve" }), 3, "row 3 was changed"},
		{"subject", change(func(e *models.ChainedEvent) { e.SubjectID = 9 }), 3, "row 3 was changed"},
		{"subject's name", change(func(e *models.ChainedEvent) { e.SubjectName = "eve" }), 3, "row 3 was changed"},
		{"session", change(func(e *models.ChainedEvent) { e.SessionID = "" }), 3, "row 3 was changed"},
		{"address", change(func(e *models.ChainedEvent) { e.Address = "192.0.2.2" }), 3, "row 3 was changed"},
		{"user agent", change(func(e *models.ChainedEvent) { e.UserAgent += " " }), 3, "row 3 was changed"},
		{"detail", change(func(e *models.ChainedEvent) { e.DetailText = strings.Replace(e.DetailText, "ada", "eve", 1) }), 3, "row 3 was changed"},
		{"detail, by a space", change(func(e *models.ChainedEvent) { e.DetailText += " " }), 3, "row 3 was changed"},
		{"hash", change(func(e *models.ChainedEvent) { e.Hash[0]++ }), 3, "row 3 was changed"},
		{"no hash", change(func(e *models.ChainedEvent) { e.Hash = nil }), 3, "row 3 was changed"},
		{"a text moved to the next column", change(func(e *models.ChainedEvent) { e.SessionID, e.Address = "s1", "92.0.2.1" }), 3, "row 3 was changed"},
		{"the first was removed", func(c models.EventChain, rows []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
			return c, rows[1:]
		}, 1, "row 1 was removed"},
		{"two in the middle were removed", func(c models.EventChain, rows []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
			return c, slices.Delete(rows, 1, 3)
		}, 2, "rows 2 to 3 were removed"},
		{"the last was removed", func(c models.EventChain, rows []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
			return c, rows[:4]
		}, 5, "row 5 was removed from the end"},
		{"all were removed", func(c models.EventChain, _ []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
			return c, nil
		}, 1, "rows 1 to 5 were removed from the end"},
		{"two changed places", func(c models.EventChain, rows []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
			rows[1], rows[2] = rows[2], rows[1]
			rows[1].Seq, rows[2].Seq = 2, 3
			return c, rows
		}, 2, "row 2 was changed, or put in the place of another"},
		{"one was inserted, with the number of another", func(c models.EventChain, rows []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
			return c, slices.Insert(rows, 3, rows[2])
		}, 3, "row 3 stands where none can be"},
		{"one was inserted in front", func(c models.EventChain, rows []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
			first := rows[0]
			first.Seq = -4
			return c, slices.Insert(rows, 0, first)
		}, -4, "row -4 stands where none can be"},
		{"one was inserted behind the end", func(c models.EventChain, rows []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
			last := rows[4]
			last.Seq++
			return c, append(rows, last)
		}, 6, "row 6 stands behind the end of the chain, 5"},
		{"the end was moved", mark(func(c *models.EventChain) { c.LastSeq = 4 }), 0, "event_chain"},
		{"the last hash is another", mark(func(c *models.EventChain) { c.LastHash[3]++ }), 0, "event_chain"},
		{"the beginning was moved", mark(func(c *models.EventChain) { c.FirstSeq = 2 }), 0, "event_chain"},
		{"the hash before the beginning is another", mark(func(c *models.EventChain) { c.PrevHash = []byte{1} }), 0, "event_chain"},
		{"more is from before the chain", mark(func(c *models.EventChain) { c.BeforeID = 9 }), 0, "event_chain"},
		{"it began at another time", mark(func(c *models.EventChain) { c.BegunAt = c.BegunAt.Add(-time.Hour) }), 0, "event_chain"},
		{"it does not say when it began", mark(func(c *models.EventChain) { c.BegunAt = time.Time{} }), 0, "event_chain"},
		{"it began in another place", mark(func(c *models.EventChain) { c.BegunSeq = 2 }), 0, "event_chain"},
		{"no MAC", mark(func(c *models.EventChain) { c.MAC = nil }), 0, "event_chain"},
		{"a MAC of another key", func(c models.EventChain, rows []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
			other, err := chain.NewKey(make([]byte, chain.KeySize))
			if err != nil {
				t.Fatal(err)
			}
			return other.Seal(c), rows
		}, 0, "event_chain"},
		{"the hash of a row as the MAC", mark(func(c *models.EventChain) { c.MAC = c.LastHash }), 0, "event_chain"},
		{"an older end was put back", func(_ models.EventChain, rows []models.ChainedEvent) (models.EventChain, []models.ChainedEvent) {
			older, _ := linked(t, 3)
			return older, rows
		}, 4, "row 4 stands behind the end of the chain, 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, rows := test.do(linked(t, 5))
			broken, ok := chain.IsBroken(walk(t, c, rows, nil))
			if !ok || broken.Seq != test.seq || !strings.Contains(broken.Error(), test.words) {
				t.Errorf("got %+v, want %q at %d", broken, test.words, test.seq)
			}
		})
	}
}

// An older state of the whole is good by itself: it takes a mark that was noted to find it.
func TestAnOlderStateIsFoundByANotedMark(t *testing.T) {
	c, rows := linked(t, 5)
	older, _ := linked(t, 3)
	noted := &chain.Mark{Seq: c.LastSeq, Hash: c.LastHash}
	if err := walk(t, older, rows[:3], nil); err != nil {
		t.Fatalf("by itself: %v", err)
	}
	if broken, ok := chain.IsBroken(walk(t, older, rows[:3], noted)); !ok || broken.Seq != 4 {
		t.Errorf("an older state: %v", broken)
	}
	if err := walk(t, c, rows, noted); err != nil {
		t.Errorf("the chain itself: %v", err)
	}
	if err := walk(t, c, rows, &chain.Mark{Seq: 3, Hash: rows[2].Hash}); err != nil {
		t.Errorf("the chain, grown since: %v", err)
	}
	if broken, ok := chain.IsBroken(walk(t, c, rows, &chain.Mark{Seq: 3, Hash: rows[1].Hash})); !ok || broken.Seq != 3 {
		t.Errorf("another chain: %v", broken)
	}
}

func TestTheBeginningIsCutOffWhereItIsOver(t *testing.T) {
	c, rows := linked(t, 5)
	until := func(at time.Time) func(models.Event) bool {
		return func(e models.Event) bool { return !e.At.After(at) }
	}
	cut, n, err := key(t).Cut(c, rows, until(moment.Add(2*time.Second)))
	if err != nil || n != 3 || cut.FirstSeq != 4 || cut.LastSeq != 5 {
		t.Fatalf("%d were cut off, %v: %+v", n, err, cut)
	}
	if err := walk(t, cut, rows[3:], nil); err != nil {
		t.Errorf("the rest: %v", err)
	}
	if broken, ok := chain.IsBroken(walk(t, cut, rows[4:], nil)); !ok || broken.Seq != 4 {
		t.Errorf("one more is missing: %v", broken)
	}
	if broken, ok := chain.IsBroken(walk(t, cut, rows[2:], nil)); !ok || broken.Seq != 3 {
		t.Errorf("one is back: %v", broken)
	}
	if all, n, err := key(t).Cut(cut, rows[3:], until(moment.Add(time.Hour))); err != nil || n != 2 || walk(t, all, nil, nil) != nil {
		t.Errorf("the rest was cut off: %d, %v, %+v", n, err, all)
	}
	rows[1].At = moment // so that it would be over sooner
	if _, _, err := key(t).Cut(c, rows, until(moment)); err == nil {
		t.Error("a row was let go that is not as it was written")
	}
}

// A younger row keeps the older ones behind it: they go when it does.
func TestAYoungerRowInFrontIsWaitedFor(t *testing.T) {
	c, rows := linked(t, 2)
	if _, n, err := key(t).Cut(c, rows, func(e models.Event) bool { return e.Seq == 2 }); err != nil || n != 0 {
		t.Errorf("%d were cut off, %v", n, err)
	}
}

func TestAKeyHasItsLength(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := chain.NewKey(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes", n)
		}
	}
}

// FuzzEncode looks for two events with one encoding.
func FuzzEncode(f *testing.F) {
	f.Add("a", "b", "c", "d", "e", "f", "{}", int64(1), int64(2), int64(3), int64(4), []byte{1}, uint8(3), "x")
	f.Add("", "", "", "", "", "", "", int64(0), int64(-1), int64(0), int64(0), []byte{}, uint8(12), "\x00")
	f.Fuzz(func(t *testing.T, kind, actorName, subjectName, session, address, agent, detail string,
		id, at, actor, subject int64, before []byte, column uint8, other string,
	) {
		one := models.ChainedEvent{Event: models.Event{
			ID: id, At: time.UnixMicro(at), Type: kind, ActorID: actor, ActorName: actorName, SubjectID: subject,
			SubjectName: subjectName, SessionID: session, Address: address, UserAgent: agent, Seq: 7,
		}, DetailText: detail}
		two := one
		texts := []*string{
			&two.Type, &two.ActorName, &two.SubjectName, &two.SessionID, &two.Address, &two.UserAgent, &two.DetailText,
		}
		numbers := []*int64{&two.ID, &two.ActorID, &two.SubjectID, &two.Seq}
		i := int(column) % (len(texts) + len(numbers))
		if i < len(texts) {
			// A part of one column goes to the next.
			next := texts[(i+1)%len(texts)]
			*next = *texts[i] + *next
			*texts[i] = other
		} else {
			*numbers[i-len(texts)] += int64(len(other))
		}
		same := fmt.Sprintf("%#v", one) == fmt.Sprintf("%#v", two)
		if got := bytes.Equal(chain.Encode(before, one), chain.Encode(before, two)); got != same {
			t.Errorf("the same encoding: %t, the same events: %t\n%#v\n%#v", got, same, one, two)
		}
	})
}

func BenchmarkLink(b *testing.B) {
	k := key(b)
	c := k.Begin(moment, 0, 0)
	event := []models.Event{{
		ID: 4, At: moment, Type: "signed_in", ActorID: 1, ActorName: "ada", SubjectID: 1, SubjectName: "ada",
		SessionID: strings.Repeat("a", 32), Address: "192.0.2.1", UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
	}}
	for b.Loop() {
		moved, err := k.Link(c, event)
		if err != nil {
			b.Fatal(err)
		}
		c = k.Seal(moved)
	}
}

func BenchmarkVerify(b *testing.B) {
	_, rows := linked(b, 1)
	k := key(b)
	for b.Loop() {
		c := k.Seal(models.EventChain{BeforeID: 3, FirstSeq: 1, PrevHash: make([]byte, 32), LastSeq: 1, LastHash: rows[0].Hash})
		w, err := chain.NewWalk(k, c, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Add(rows[0]); err != nil {
			b.Fatal(err)
		}
	}
}
