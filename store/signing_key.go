package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"latchkey/models"
)

// SigningKeys implements models.SigningKeys.
func (s *Store) SigningKeys(ctx context.Context) ([]models.SigningKey, error) {
	list, err := gorm.G[models.SigningKey](s.read).Order("created_at, id").Find(ctx)
	return list, s.mapped(err, "read signing keys")
}

// CreateSigningKey implements models.SigningKeys.
func (s *Store) CreateSigningKey(ctx context.Context, k *models.SigningKey) error {
	return s.tx(ctx, func(tx *Store) error {
		if err := gorm.G[models.SigningKey](tx.write).Create(ctx, k); err != nil {
			return tx.mapped(err, "create signing key")
		}
		return tx.keysChanged(ctx, k.CreatedAt)
	})
}

// RotateSigningKey implements models.SigningKeys.
func (s *Store) RotateSigningKey(ctx context.Context, r models.Rotation) (rotated bool, err error) {
	err = s.tx(ctx, func(tx *Store) error {
		kept, err := gorm.G[models.Session](tx.read).Select("keep_until").Order("keep_until DESC").Limit(1).Find(ctx)
		if err != nil {
			return tx.mapped(err, "read the longest session")
		}
		if len(kept) > 0 && kept[0].KeepUntil.After(r.ExpiresAt) {
			r.ExpiresAt = kept[0].KeepUntil
		}
		n, err := gorm.G[models.SigningKey](tx.write).
			Where("id = ? AND activated_at IS NOT NULL AND retired_at IS NULL", r.From).
			Select("retired_at", "expires_at").
			Updates(ctx, models.SigningKey{RetiredAt: &r.Now, ExpiresAt: &r.ExpiresAt})
		if rotated = n == 1; err != nil || !rotated {
			return tx.mapped(err, "retire signing key")
		}
		if r.Next.ID == "" {
			return tx.keysChanged(ctx, r.Now)
		}
		n, err = gorm.G[models.SigningKey](tx.write).
			Where("id = ? AND activated_at IS NULL AND retired_at IS NULL", r.To).Update(ctx, "activated_at", r.Now)
		if err != nil {
			return tx.mapped(err, "activate signing key")
		}
		if n != 1 {
			return models.ErrNotFound
		}
		if err := gorm.G[models.SigningKey](tx.write).Create(ctx, &r.Next); err != nil {
			return tx.mapped(err, "create next signing key")
		}
		return tx.keysChanged(ctx, r.Now)
	})
	return rotated && err == nil, err
}

// ReplaceSealed implements models.SigningKeys.
func (s *Store) ReplaceSealed(ctx context.Context, id string, old, replacement []byte) (bool, error) {
	n, err := gorm.G[models.SigningKey](s.write).Where("id = ? AND sealed = ?", id, old).Update(ctx, "sealed", replacement)
	return n == 1, s.mapped(err, "replace sealed key")
}

// ExpireSigningKey implements models.SigningKeys.
func (s *Store) ExpireSigningKey(ctx context.Context, id string, now time.Time) error {
	return s.tx(ctx, func(tx *Store) error {
		result := tx.write.WithContext(ctx).Exec(`UPDATE signing_keys
			SET retired_at = coalesce(retired_at, @now), expires_at = coalesce(retired_at, @now)
			WHERE id = @id`, map[string]any{"now": now, "id": id})
		if result.Error == nil && result.RowsAffected == 0 {
			return models.ErrNotFound
		}
		if result.Error != nil {
			return tx.mapped(result.Error, "expire signing key")
		}
		return tx.keysChanged(ctx, now)
	})
}

// keysChanged tells every node to read the keys again.
func (s *Store) keysChanged(ctx context.Context, now time.Time) error {
	return s.revoke(ctx, models.Revocation{ExpiresAt: now.Add(time.Hour)})
}
