package chain

import (
	"bytes"
	"crypto/hmac"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/models"
)

// Broken says where a chain was broken first, and how.
type Broken struct {
	Seq   int64         // the place of the first row that is wrong or missing; 0 where it is the mark, or in no place
	Event *models.Event // the row that is wrong, or the first one after those that are missing; nil where there is none
	What  string        // a sentence without the full stop
}

// Error says where and how.
func (b *Broken) Error() string {
	text := b.What
	if b.Event != nil {
		text += fmt.Sprintf(" (event %d, %s, %s)", b.Event.ID, b.Event.At.UTC().Format(time.RFC3339Nano), typeText(b.Event.Type))
	}
	return text
}

// typeText returns the type of an event that anybody may have written, for a terminal.
func typeText(text string) string {
	if len(text) > 64 || strings.ContainsFunc(text, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
		return fmt.Sprintf("%.64q", text)
	}
	return text
}

// ErrOther is that another chain was begun meanwhile.
var ErrOther = errors.New("another chain of events was begun meanwhile")

// Removed returns what is wrong where there were events in a chain, and event_chain has no row.
func Removed() *Broken {
	return &Broken{What: "the chain's row was removed, which stood in event_chain and says where the chain begins and ends"}
}

// Walk goes along a chain, from its beginning to its end.
type Walk struct {
	key   *Key
	chain models.EventChain
	next  int64  // the place that comes next
	prev  []byte // the hash that it follows
	seen  bool   // whether the noted mark was passed
	noted *Mark
}

// Mark is the end of a chain at some time, as it can be noted elsewhere.
type Mark struct {
	Seq  int64
	Hash []byte
}

// NewWalk begins at the beginning of a chain. A *Broken where the mark is not authentic, or where the chain ends before
// the noted one; nil: none was noted. One of a former chain is not compared.
func NewWalk(key *Key, c models.EventChain, noted *Mark) (*Walk, error) {
	if !key.Authentic(c) {
		return nil, &Broken{What: "the row of event_chain, which says where the chain begins and ends, was changed"}
	}
	if noted != nil && noted.Seq > c.LastSeq {
		return nil, &Broken{Seq: c.LastSeq + 1, What: fmt.Sprintf(
			"the chain ends at %d, before the one that was noted, %d: an older state was put back", c.LastSeq, noted.Seq)}
	}
	w := &Walk{key: key, chain: c, next: c.FirstSeq, prev: c.PrevHash, noted: noted}
	if noted != nil && noted.Seq < c.BegunSeq && c.BegunSeq > 1 {
		w.noted = nil
	}
	return w, w.passed(c.FirstSeq-1, c.PrevHash)
}

// passed compares a place with the noted one.
func (w *Walk) passed(seq int64, hash []byte) error {
	if w.noted == nil || seq != w.noted.Seq {
		return nil
	}
	w.seen = true
	if !hmac.Equal(hash, w.noted.Hash) {
		return &Broken{Seq: seq, What: fmt.Sprintf("the chain is another than the one that was noted at %d", seq)}
	}
	return nil
}

// Next returns the place from which the next rows are wanted.
func (w *Walk) Next() int64 { return w.next }

// Chain returns the chain as it was when it was last read.
func (w *Walk) Chain() models.EventChain { return w.chain }

// Add takes the next row. A *Broken where it is not the one that follows, or is not as it was written.
func (w *Walk) Add(e models.ChainedEvent) error {
	switch {
	case e.Seq > w.chain.LastSeq:
		return &Broken{e.Seq, &e.Event, fmt.Sprintf("row %d stands behind the end of the chain, %d: it was inserted", e.Seq, w.chain.LastSeq)}
	case e.Seq > w.next:
		return &Broken{w.next, &e.Event, missing(w.next, e.Seq-1) + " removed; this one follows"}
	case e.Seq < w.next:
		return &Broken{e.Seq, &e.Event, fmt.Sprintf("row %d stands where none can be: it was inserted", e.Seq)}
	case e.Mistyped:
		return &Broken{Seq: e.Seq, What: fmt.Sprintf("row %d was changed: a column of event %d has a value of another type", e.Seq, e.ID)}
	case e.ID <= w.chain.BeforeID:
		return &Broken{e.Seq, &e.Event, fmt.Sprintf("row %d has the id of one from before the chain", e.Seq)}
	}
	hash := w.key.Hash(w.prev, e)
	if !hmac.Equal(hash, e.Hash) {
		return &Broken{e.Seq, &e.Event, fmt.Sprintf("row %d was changed, or put in the place of another", e.Seq)}
	}
	w.next, w.prev = e.Seq+1, hash
	return w.passed(e.Seq, hash)
}

// Ended finds out whether the rows went on to the end of the chain, as it was last read. A *Broken where they did not.
func (w *Walk) Ended() error {
	if w.next <= w.chain.LastSeq {
		return &Broken{Seq: w.next, What: missing(w.next, w.chain.LastSeq) + " removed from the end of the chain"}
	}
	if !bytes.Equal(w.prev, w.chain.LastHash) {
		return &Broken{Seq: w.chain.LastSeq, What: "the last row is another than the one that the row of event_chain names"}
	}
	return nil
}

// GoOn goes on with the chain as it is now. ErrOther where it is another one: its key may be, too. A *Broken where its mark
// is not authentic, or it ends earlier than before.
func (w *Walk) GoOn(c models.EventChain) error {
	if !w.key.Authentic(c) {
		if c.BegunSeq > w.chain.LastSeq && !bytes.Equal(c.Sealed, w.chain.Sealed) {
			return ErrOther
		}
		return &Broken{What: "the row of event_chain, which says where the chain begins and ends, was changed"}
	}
	if c.BegunSeq > w.chain.LastSeq && c.BegunSeq > w.chain.BegunSeq {
		return ErrOther
	}
	if c.LastSeq < w.chain.LastSeq || c.FirstSeq < w.chain.FirstSeq || c.BeforeID != w.chain.BeforeID || c.BegunSeq != w.chain.BegunSeq {
		return &Broken{What: "an older state of the row of event_chain was put back meanwhile"}
	}
	w.chain = c
	if c.FirstSeq > w.next { // what stood before was deleted, its time was over
		w.next, w.prev = c.FirstSeq, c.PrevHash
	}
	return nil
}

// Passed reports whether the noted mark was found to be in the chain. It is not where the rows up to there are deleted.
func (w *Walk) Passed() bool { return w.seen }

// Stray returns what is wrong with a row that is in no chain and not from before it.
func Stray(e *models.Event) *Broken {
	if e.Seq != 0 {
		return &Broken{e.Seq, e, fmt.Sprintf("row %d stands where none can be: it was inserted", e.Seq)}
	}
	return &Broken{0, e, "a row is in no chain: it was inserted, or written by a node of an older version, or while the chain's row was gone"}
}

// Cut moves the beginning of the chain behind those of the rows, which are its first in their order, that stand before the
// first one that is not over. It returns how many that are. A *Broken where one of them is not as
// it was written: nothing that was tampered with is let go.
func (k *Key) Cut(c models.EventChain, rows []models.ChainedEvent, over func(models.Event) bool) (models.EventChain, int, error) {
	w, err := NewWalk(k, c, nil)
	if err != nil {
		return c, 0, err
	}
	n := 0
	for _, row := range rows {
		if row.Seq > c.LastSeq || !over(row.Event) {
			break
		}
		if err := w.Add(row); err != nil {
			return c, 0, err
		}
		n++
	}
	c.FirstSeq, c.PrevHash = w.next, w.prev
	return k.Seal(c), n, nil
}

// IsBroken reports whether an error says that a chain was broken, and where.
func IsBroken(err error) (*Broken, bool) { return errors.AsType[*Broken](err) }

func missing(from, to int64) string {
	if from == to {
		return fmt.Sprintf("row %d was", from)
	}
	return fmt.Sprintf("rows %d to %d were", from, to)
}
