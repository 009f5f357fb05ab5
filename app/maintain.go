package app

import (
	"context"
	"time"
)

// maintainEvery is how often it is looked whether something is due.
const maintainEvery = time.Minute

// maintain does what is due from time to time, until ctx ends. Each node tries; the database lets one do it.
func (a *App) maintain(ctx context.Context) {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	for {
		if err := a.rotateKeyIfDue(ctx); err != nil && ctx.Err() == nil {
			a.Logger.ErrorContext(ctx, "key rotation failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// rotateKeyIfDue lets the next signing key take over when the active one has signed for long enough.
func (a *App) rotateKeyIfDue(ctx context.Context) error {
	if a.Keeper == nil || a.Settings.KeyRotation == 0 {
		return nil
	}
	rotated, err := a.Keeper.RotateIfDue(ctx, a.Settings.KeyRotation)
	if rotated {
		a.Logger.InfoContext(ctx, "signing key rotated")
	}
	return err
}
