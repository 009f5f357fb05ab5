package app

import (
	"context"
	"time"
)

// maintainEvery is how often it is looked whether something is due.
const maintainEvery = time.Minute

// cleanEvery is how often what is over is deleted, in looks; the first time is a look after the start.
const cleanEvery = 60

// maintain does what is due from time to time, until ctx ends. Each node tries; the database lets one do it.
func (a *App) maintain(ctx context.Context) {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	for look := 0; ; look++ {
		if err := a.rotateKeyIfDue(ctx); err != nil && ctx.Err() == nil {
			a.Logger.ErrorContext(ctx, "key rotation failed; it is tried again", "error", err)
		}
		if look%cleanEvery == 1 {
			if err := a.Clean(ctx); err != nil && ctx.Err() == nil {
				a.Logger.ErrorContext(ctx, "not all that is over was deleted; it is tried again", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// rotateKeyIfDue lets the next signing key take over when the active one has signed for long enough, and retires those
// of an algorithm from before.
func (a *App) rotateKeyIfDue(ctx context.Context) error {
	if a.Keeper == nil {
		return nil
	}
	if err := a.Keeper.RetireFormer(ctx); err != nil || a.Settings.KeyRotation == 0 {
		return err
	}
	_, err := a.Keeper.RotateIfDue(ctx, a.Settings.KeyRotation)
	return err
}
