package auth

import (
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
// events that there are.
func EventChainKey(ctx context.Context, k *keys.Keeper) (*chain.Key, error) {
	secret, err := k.ChainKey(ctx, func(kept models.SealedKeys, sealed, secret []byte) error {
		key, err := chain.NewKey(secret)
		if err != nil {
			return err
		}
		last, err := kept.LastEventID(ctx)
		if err != nil {
			return err
		}
		c := key.Begin(last)
		c.Sealed = sealed
		_, err = kept.CreateEventChain(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return chain.NewKey(secret)
}

// OpenChain reads the key of the chain of events, and begins the chain where there is none. Where it is not called, the
// first event does.
func (r *Recorder) OpenChain(ctx context.Context) error {
	if r.o.ChainKey == nil || r.chainKey.Load() != nil {
		return nil
	}
	key, err := r.o.ChainKey(ctx)
	if err != nil {
		return err
	}
	r.chainKey.Store(key)
	return nil
}

// create writes events at the end of the chain, in a transaction, last of all that it does. What is wrong with the chain
// keeps nobody from signing in: then it is said in the log, and the chain is not mended, so that a verification finds it.
func (r *Recorder) create(ctx context.Context, tx models.Store, rows []models.Event) error {
	if len(rows) == 0 {
		return nil
	}
	if err := r.name(ctx, tx, rows); err != nil {
		return err
	}
	key := r.chainKey.Load()
	if key == nil {
		return tx.CreateEvents(ctx, rows)
	}
	c, ids, err := tx.TakeEventChain(ctx, len(rows))
	if errors.Is(err, models.ErrNotFound) {
		r.complain(ctx, "the row of event_chain is gone, events are written in no chain")
		return tx.CreateEvents(ctx, rows)
	}
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].ID = ids[i]
	}
	moved, err := key.Link(c, rows)
	if err != nil {
		return err
	}
	if key.Authentic(c) {
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
// one before them, and moves the beginning of the chain. A *chain.Broken where one is not as it was written: then nothing
// is deleted, for it would be gone with what proves it. Another process may be at it: Busy.
func (r *Recorder) Clean(ctx context.Context, over time.Time, limit int) (models.Bite, error) {
	if err := r.OpenChain(ctx); err != nil {
		return models.Bite{}, err
	}
	kept, key := r.o.Store, r.chainKey.Load()
	c, err := kept.EventChain(ctx)
	if errors.Is(err, models.ErrNotFound) || key == nil {
		return models.Bite{Done: true}, nil
	}
	if err != nil {
		return models.Bite{}, err
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
		if err := tx.DeleteChainedEvents(ctx, now.FirstSeq); err != nil {
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
	Begun  bool       // whether there is a chain
	Rows   int64      // in the chain
	Before int64      // from before the chain, about which nothing can be said
	Gone   int64      // of the chain, deleted when their time was over
	End    chain.Mark // where the chain ends
	Passed bool       // whether the noted mark was found in the chain
}

// VerifyEvents goes along the chain of events from its beginning to its end, page by page, while others write and delete.
// A *chain.Broken says where the first row is that was changed, inserted or removed. noted is the end of the chain as it
// was noted before; nil: it was not. key is not asked where there is no chain.
func VerifyEvents(ctx context.Context, kept models.Events, key *chain.Key, noted *chain.Mark) (ChainReport, error) {
	c, err := kept.EventChain(ctx)
	if errors.Is(err, models.ErrNotFound) {
		return noChain(ctx, kept, noted)
	}
	if err != nil {
		return ChainReport{}, err
	}
	w, err := chain.NewWalk(key, c, noted)
	if err != nil {
		return ChainReport{}, err
	}
	v := verification{kept: kept, walk: w, from: math.MinInt64}
	for !v.done {
		if err := v.page(ctx); err != nil {
			return ChainReport{}, err
		}
	}
	c = w.Chain()
	before, stray, err := kept.UnchainedEvents(ctx, c.BeforeID)
	if err != nil {
		return ChainReport{}, err
	}
	if stray != nil {
		return ChainReport{}, chain.Stray(stray)
	}
	return ChainReport{
		Begun: true, Rows: v.rows, Before: before, Gone: c.FirstSeq - 1, End: chain.Mark{Seq: c.LastSeq, Hash: c.LastHash},
		Passed: w.Passed(),
	}, nil
}

// noChain reports on a database without the row that says where the chain begins and ends.
func noChain(ctx context.Context, kept models.Events, noted *chain.Mark) (ChainReport, error) {
	rows, err := kept.ChainedEvents(ctx, math.MinInt64, 1)
	if err != nil {
		return ChainReport{}, err
	}
	if len(rows) > 0 || noted != nil {
		return ChainReport{}, &chain.Broken{What: "the row of event_chain, which says where the chain begins and ends, was removed"}
	}
	before, _, err := kept.UnchainedEvents(ctx, math.MaxInt64)
	return ChainReport{Before: before}, err
}

// verification is a walk along a chain that goes on meanwhile.
type verification struct {
	kept models.Events
	walk *chain.Walk
	from int64
	rows int64
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
