package store

import (
	"context"

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
	return s.mapped(gorm.G[models.SigningKey](s.write).Create(ctx, k), "create signing key")
}
