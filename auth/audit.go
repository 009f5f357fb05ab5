package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"latchkey/auth/chain"
	"latchkey/auth/keys"
	"latchkey/models"
)

// verifyPage is how many rows of a chain are in memory at once.
const verifyPage = 1000

// ChainKeeper returns a keeper for the key of the chain of events: its changes are not recorded.
func ChainKeeper(kept models.Store) keys.Kept { return plainKeys{kept} }

type plainKeys struct{ models.Store }

// Alone implements keys.Kept.
func (k plainKeys) Alone(ctx context.Context, fn func(models.SealedKeys) error) error {
	return k.Tx(ctx, func(tx models.Store) error { return fn(tx) })
}

// EventChainKey returns the key of the chain of events of the keeper. Where there is no chain it begins one, behind the
// events that there are; a *chain.Broken where there was one: nobody but an operator goes on then, by RestartEventChain.
func EventChainKey(ctx context.Context, k *keys.Keeper) (*chain.Key, error) {
	secret, err := k.ChainKey(ctx, func(kept models.SealedKeys, sealed, secret []byte) error {
		key, err := chain.NewKey(secret)
		if err != nil {
			return err
		}
		lastID, lastSeq, err := kept.HoldEvents(ctx)
		if err != nil {
			return err
		}
		if there, err := kept.SealedChainKey(ctx); err != nil || there != nil {
			return err // another node was first
		}
		if lastSeq > 0 {
			return chain.Removed()
		}
		return beginChain(ctx, kept, key, key.Begin(microseconds(k.Now()), lastID, 0), sealed, nil)
	})
	if err != nil {
		return nil, err
	}
	return chain.NewKey(secret)
}

// beginChain writes a chain and its first events, in a transaction that holds the events.
func beginChain(ctx context.Context, tx models.ChainKey, key *chain.Key, c models.EventChain, sealed []byte, first []models.Event) error {
	c.Sealed = sealed
	if err := tx.PutEventChain(ctx, c); err != nil || len(first) == 0 {
		return err
	}
	c, ids, err := tx.TakeEventChain(ctx, len(first))
	if err != nil {
		return err
	}
	for i := range first {
		first[i].ID = ids[i]
	}
	if c, err = key.Link(c, first); err != nil {
		return err
	}
	if err := tx.CreateEvents(ctx, first); err != nil {
		return err
	}
	return tx.MoveEventChain(ctx, key.Seal(c))
}

func microseconds(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// openedChain is what a Recorder writes the chain with.
type openedChain struct {
	key   *chain.Key // nil: the row of event_chain is gone, and its key with it
	tried []byte     // the sealed key that was opened last because of a chain that key does not authenticate
}

// OpenChain reads the key of the chain of events, and begins the chain where there is none. Where it is not called, the
// first event does. Where the row of the chain was removed it says so in the log, and goes on.
func (r *Recorder) OpenChain(ctx context.Context) error {
	if r.o.ChainKey == nil || r.chain.Load() != nil {
		return nil
	}
	key, err := r.o.ChainKey(ctx, r.o.Store)
	if _, ok := chain.IsBroken(err); ok {
		r.complain(ctx, rowGone)
	} else if err != nil {
		return err
	}
	r.chain.Store(&openedChain{key: key})
	return nil
}

// keyOf returns the key to write the chain with, which is read from kept where an operator began another chain since. nil
// where there is none. It reports whether the key authenticates the chain.
func (r *Recorder) keyOf(ctx context.Context, kept models.Store, c models.EventChain) (*chain.Key, bool, error) {
	opened := r.chain.Load()
	authentic := opened.key != nil && opened.key.Authentic(c)
	if authentic || bytes.Equal(opened.tried, c.Sealed) {
		return opened.key, authentic, nil
	}
	key, err := r.o.ChainKey(ctx, kept)
	_, broken := chain.IsBroken(err)
	if broken || errors.Is(err, keys.ErrWrongSecret) {
		key, err = opened.key, nil
	}
	if err != nil {
		return nil, false, err
	}
	r.chain.Store(&openedChain{key, c.Sealed})
	return key, key != nil && key.Authentic(c), nil
}

// rowGone is what is wrong where the row of event_chain was removed.
const rowGone = "the row of event_chain was removed, events are written in no chain until `latchkey audit restart`"

// create writes events at the end of the chain, in a transaction, last of all that it does. What is wrong with the chain
// keeps nobody from signing in: then it is said in the log, and the chain is not mended, so that a verification finds it.
func (r *Recorder) create(ctx context.Context, tx models.Store, rows []models.Event) error {
	if len(rows) == 0 {
		return nil
	}
	if err := r.name(ctx, tx, rows); err != nil {
		return err
	}
	if r.chain.Load() == nil {
		return tx.CreateEvents(ctx, rows)
	}
	c, ids, err := tx.TakeEventChain(ctx, len(rows))
	if errors.Is(err, models.ErrNotFound) {
		r.complain(ctx, rowGone)
		return tx.CreateEvents(ctx, rows)
	}
	if err != nil {
		return err
	}
	key, authentic, err := r.keyOf(ctx, tx, c)
	if err != nil {
		return err
	}
	if key == nil {
		r.complain(ctx, "the secret does not open the key in event_chain, events are written in no chain")
		return tx.CreateEvents(ctx, rows)
	}
	for i := range rows {
		rows[i].ID = ids[i]
	}
	moved, err := key.Link(c, rows)
	if err != nil {
		return err
	}
	if authentic {
		moved = key.Seal(moved)
		r.complain(ctx, "")
	} else {
		moved.MAC = []byte{}
		r.complain(ctx, "the row of event_chain was changed")
	}
	if err := tx.CreateEvents(ctx, rows); err != nil {
		return err
	}
	return tx.MoveEventChain(ctx, moved)
}

// complain says once that something is wrong with the chain; an empty text: nothing is.
func (r *Recorder) complain(ctx context.Context, wrong string) {
	r.mu.Lock()
	before := r.complaint
	r.complaint = wrong
	r.mu.Unlock()
	if wrong != "" && wrong != before {
		r.o.Logger.ErrorContext(ctx, "audit chain: "+wrong+"; `latchkey audit verify` tells more")
	}
}

// name fills in the usernames.
func (r *Recorder) name(ctx context.Context, tx models.Store, rows []models.Event) error {
	var ids []int64
	for _, row := range rows {
		for _, id := range []int64{row.ActorID, row.SubjectID} {
			if id != 0 {
				ids = append(ids, id)
			}
		}
	}
	names, err := tx.UsernamesOf(ctx, ids)
	if err != nil {
		return err
	}
	for i := range rows {
		row := &rows[i]
		if row.ActorName == "" {
			row.ActorName = names[row.ActorID]
		}
		if row.SubjectName == "" {
			row.SubjectName = names[row.SubjectID]
		}
	}
	return nil
}

// Clean deletes the oldest events of the chain, of limit rows those that were over at the time given and have no younger
// one before them, and moves the beginning of the chain; before them, those of former chains that are over. A
// *chain.Broken where one of the chain is not as it was written: then nothing of it is deleted, for it would be gone with
// what proves it. Another process may be at it: Busy.
func (r *Recorder) Clean(ctx context.Context, over time.Time, limit int) (models.Bite, error) {
	if err := r.OpenChain(ctx); err != nil {
		return models.Bite{}, err
	}
	kept := r.o.Store
	c, err := kept.EventChain(ctx)
	if errors.Is(err, models.ErrNotFound) || r.chain.Load() == nil {
		return models.Bite{Done: true}, nil
	}
	if err != nil {
		return models.Bite{}, err
	}
	key, authentic, err := r.keyOf(ctx, kept, c)
	if err != nil || key == nil {
		return models.Bite{Done: true}, err
	}
	if authentic && c.BegunSeq > 1 {
		n, err := kept.DeleteFormerEvents(ctx, c.BegunSeq, over, limit)
		if err != nil || n > 0 {
			return models.Bite{Deleted: n}, err
		}
	}
	rows, err := kept.ChainedEvents(ctx, c.FirstSeq, limit)
	if err != nil {
		return models.Bite{}, err
	}
	cut, n, err := key.Cut(c, rows, func(e models.Event) bool { return !e.At.After(over) })
	if err != nil {
		return models.Bite{}, fmt.Errorf("audit chain: %w", err)
	}
	if n == 0 {
		return models.Bite{Done: true}, nil
	}
	bite := models.Bite{Deleted: n, Done: n < limit}
	err = kept.Tx(ctx, func(tx models.Store) error {
		now, _, err := tx.TakeEventChain(ctx, 0)
		if err != nil {
			return err
		}
		if now.FirstSeq != c.FirstSeq || !key.Authentic(now) {
			bite = models.Bite{Busy: true}
			return nil
		}
		now.FirstSeq, now.PrevHash = cut.FirstSeq, cut.PrevHash
		if err := tx.DeleteChainedEvents(ctx, c.FirstSeq, now.FirstSeq); err != nil {
			return err
		}
		return tx.MoveEventChain(ctx, key.Seal(now))
	})
	if err != nil {
		return models.Bite{}, err
	}
	return bite, nil
}

// ChainReport is what a verification found good.
type ChainReport struct {
	Begun   bool       // whether there is a chain
	BegunAt time.Time  // when; zero: an older version began it, and did not say
	Former  bool       // whether there was another chain, which was given up
	Why     string     // what was wrong with that; empty: the event that tells was deleted when its time was over
	Rows    int64      // in the chain
	Before  int64      // from before the chain, about which nothing can be said
	Gone    int64      // of the chain, deleted when their time was over
	End     chain.Mark // where the chain ends
	Passed  bool       // whether the noted mark was found in the chain
	// NotedFormer says that the noted mark is of a chain before this one.
	NotedFormer bool
}

// VerifyEvents goes along the chain of events from its beginning to its end, page by page, while others write and delete.
// A *chain.Broken says where the first row is that was changed, inserted or removed. noted is the end of the chain as it
// was noted before; nil: it was not. key is not asked where there is no chain. chain.ErrOther where another chain, maybe
// with another key, was begun meanwhile.
func VerifyEvents(ctx context.Context, kept models.Events, key *chain.Key, noted *chain.Mark) (ChainReport, error) {
	c, err := kept.EventChain(ctx)
	if errors.Is(err, models.ErrNotFound) {
		return noChain(ctx, kept, noted)
	}
	if err != nil {
		return ChainReport{}, err
	}
	if key == nil {
		return ChainReport{}, chain.ErrOther // it was begun just now
	}
	w, err := chain.NewWalk(key, c, noted)
	if err != nil {
		return ChainReport{}, err
	}
	v := verification{kept: kept, walk: w, from: c.FirstSeq}
	for !v.done {
		if err := v.page(ctx); err != nil {
			return ChainReport{}, err
		}
	}
	c = w.Chain()
	before, stray, err := kept.EventsBeforeChain(ctx, c)
	if err != nil {
		return ChainReport{}, err
	}
	if stray != nil {
		if err := v.goOn(ctx); err != nil { // it may be in a chain that was given up just now
			return ChainReport{}, err
		}
		return ChainReport{}, chain.Stray(stray)
	}
	return ChainReport{
		Begun: true, BegunAt: c.BegunAt, Former: c.BegunSeq > 1, Why: v.why,
		Rows: v.rows, Before: before, Gone: c.FirstSeq - c.BegunSeq, End: chain.Mark{Seq: c.LastSeq, Hash: c.LastHash},
		Passed: w.Passed(), NotedFormer: noted != nil && c.BegunSeq > 1 && noted.Seq < c.BegunSeq,
	}, nil
}

// noChain reports on a database without the row that says where the chain begins and ends.
func noChain(ctx context.Context, kept models.Events, noted *chain.Mark) (ChainReport, error) {
	rows, err := kept.ChainedEvents(ctx, math.MinInt64, 1)
	if err != nil {
		return ChainReport{}, err
	}
	if len(rows) > 0 || noted != nil {
		return ChainReport{}, chain.Removed()
	}
	before, _, err := kept.EventsBeforeChain(ctx, models.EventChain{BeforeID: math.MaxInt64})
	return ChainReport{Before: before}, err
}

// verification is a walk along a chain that goes on meanwhile.
type verification struct {
	kept models.Events
	walk *chain.Walk
	from int64
	rows int64
	why  string // what was wrong with the chain before, as the first row tells
	done bool
}

// page goes along the rows of the next page.
func (v *verification) page(ctx context.Context) error {
	rows, err := v.kept.ChainedEvents(ctx, v.from, verifyPage)
	if err != nil {
		return err
	}
	known := true // the end of the chain was read before the rows: all up to there are among them
	for _, row := range rows {
		if row.Seq > v.walk.Chain().LastSeq {
			known = false
			if err := v.goOn(ctx); err != nil {
				return err
			}
		}
		if err := v.walk.Add(row); err != nil {
			return v.unlessDeleted(ctx, err)
		}
		v.rows++
		if wrong, ok := row.Detail["wrong"].(string); ok && row.Seq == v.walk.Chain().BegunSeq && row.Type == string(EventAuditRestarted) {
			v.why = wrong
		}
	}
	v.from = v.walk.Next()
	if len(rows) == verifyPage || !known {
		return nil
	}
	if err := v.walk.Ended(); err != nil {
		return v.unlessDeleted(ctx, err)
	}
	v.done = true
	return nil
}

func (v *verification) goOn(ctx context.Context) error {
	c, err := v.kept.EventChain(ctx)
	if errors.Is(err, models.ErrNotFound) {
		return chain.Removed()
	}
	if err != nil {
		return err
	}
	return v.walk.GoOn(c)
}

// unlessDeleted returns what is wrong, unless it is that rows are missing whose time was over meanwhile.
func (v *verification) unlessDeleted(ctx context.Context, wrong error) error {
	next := v.walk.Next()
	if err := v.goOn(ctx); err != nil {
		return err
	}
	if v.walk.Next() == next {
		return wrong
	}
	v.from = v.walk.Next()
	return nil
}
