package auth

import (
	"context"
	"errors"
	"fmt"
	"math"

	"latchkey/auth/chain"
	"latchkey/auth/keys"
	"latchkey/models"
)

// ErrChainWhole is that there is no reason to begin a new chain.
var ErrChainWhole = errors.New("the audit is as it was written")

// maxSeq is the highest place behind which a chain can begin; no server comes that far.
const maxSeq = math.MaxInt64 / 2

// ChainRestart is what RestartEventChain did.
type ChainRestart struct {
	Wrong    string // what was wrong
	Begun    models.Event
	LastSeq  int64 // the highest place of an event from before; 0 where there is none
	LastID   int64 // the highest id of an event from before
	Replaced bool  // whether the key was lost with the row of event_chain, and the chain has a new one
}

// RestartEventChain verifies the chain of events and, where it is broken, begins a new one behind all events that there
// are, which stay as they are. Its first event says what was wrong. Others may write, verify and do the same meanwhile.
// ErrChainWhole where nothing is wrong, or there is no chain yet.
func RestartEventChain(ctx context.Context, kept models.Store, k *keys.Keeper) (ChainRestart, error) {
	for {
		done, err := restartChain(ctx, kept, k)
		if !errors.Is(err, chain.ErrOther) { // somebody else was first: all is to be looked at again
			return done, err
		}
	}
}

func restartChain(ctx context.Context, kept models.Store, k *keys.Keeper) (done ChainRestart, err error) {
	secret, err := k.ChainKey(ctx, func(tx models.SealedKeys, sealed, secret []byte) error {
		done = ChainRestart{Wrong: chain.Removed().Error(), Replaced: true}
		lastSeq, err := done.hold(ctx, tx)
		if err != nil {
			return err
		}
		if there, err := tx.SealedChainKey(ctx); err != nil || there != nil {
			return errors.Join(err, chain.ErrOther)
		}
		if lastSeq == 0 {
			return ErrChainWhole
		}
		return done.begin(ctx, tx, k, secret, sealed, nil)
	})
	if err != nil || done.Replaced {
		return done, err
	}
	seen, err := kept.EventChain(ctx)
	if err != nil {
		return done, otherIfGone(err)
	}
	key, err := chain.NewKey(secret)
	if err != nil {
		return done, err
	}
	_, err = VerifyEvents(ctx, kept, key, nil)
	broken, ok := chain.IsBroken(err)
	if err == nil {
		return done, ErrChainWhole
	}
	if !ok {
		return done, err
	}
	err = kept.Tx(ctx, func(tx models.Store) error {
		done = ChainRestart{Wrong: broken.Error()}
		lastSeq, err := done.hold(ctx, tx)
		if err != nil {
			return err
		}
		now, err := tx.EventChain(ctx)
		if err != nil {
			return otherIfGone(err)
		}
		// What is authentic has another BeforeID where it is another chain; of what is not, nobody moves the beginning.
		if now.BeforeID != seen.BeforeID || now.BegunSeq != seen.BegunSeq || now.FirstSeq != seen.FirstSeq && !key.Authentic(seen) {
			return chain.ErrOther
		}
		if key.Authentic(now) {
			done.LastSeq = max(lastSeq, now.LastSeq)
		}
		return done.begin(ctx, tx, k, secret, now.Sealed, &now)
	})
	return done, err
}

// otherIfGone is chain.ErrOther where the row of event_chain was removed meanwhile.
func otherIfGone(err error) error {
	if errors.Is(err, models.ErrNotFound) {
		return chain.ErrOther
	}
	return err
}

// hold keeps others from writing events, and returns the highest place of an event.
func (d *ChainRestart) hold(ctx context.Context, tx models.ChainKey) (int64, error) {
	var err error
	if d.LastID, d.LastSeq, err = tx.HoldEvents(ctx); err != nil {
		return 0, err
	}
	if d.LastSeq > maxSeq {
		return 0, fmt.Errorf("a row was put in the place %d, behind which no chain has room: give it none, by UPDATE events "+
			"SET seq = 0 WHERE seq = %[1]d, and run this again", d.LastSeq)
	}
	return d.LastSeq, nil
}

// begin begins the new chain. before is the one that is given up; nil: its row is gone.
func (d *ChainRestart) begin(ctx context.Context, tx models.ChainKey, k *keys.Keeper, secret, sealed []byte, before *models.EventChain) error {
	key, err := chain.NewKey(secret)
	if err != nil {
		return err
	}
	now := microseconds(k.Now())
	detail := map[string]any{"wrong": d.Wrong, "last_row": d.LastSeq, "last_event": d.LastID}
	if before != nil {
		detail["head"] = fmt.Sprintf("%d:%x", before.LastSeq, before.LastHash)
	}
	first := []models.Event{{At: now, Type: string(EventAuditRestarted), Detail: detail}}
	if err := beginChain(ctx, tx, key, key.Begin(now, d.LastID, d.LastSeq), sealed, first); err != nil {
		return err
	}
	d.Begun = first[0]
	return nil
}
