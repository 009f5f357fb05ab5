package store

import (
	"context"

	"gorm.io/gorm"

	"latchkey/models"
)

// RevocationsSince implements models.Revocations.
func (s *Store) RevocationsSince(ctx context.Context, mark int64) ([]models.Revocation, int64, error) {
	return s.dialect.since(ctx, s, mark)
}

// Wakeups implements models.Revocations.
func (s *Store) Wakeups(ctx context.Context) <-chan struct{} { return s.dialect.wakeups(ctx) }

// revoke writes revocations and wakes the nodes, both when the transaction commits. It must be called in one.
func (s *Store) revoke(ctx context.Context, list ...models.Revocation) error {
	if len(list) == 0 {
		return nil
	}
	if err := gorm.G[models.Revocation](s.write).CreateInBatches(ctx, &list, 100); err != nil {
		return s.mapped(err, "write revocations")
	}
	return s.mapped(s.dialect.wake(ctx, s), "wake nodes")
}
