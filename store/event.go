package store

import (
	"context"
	"math"

	"gorm.io/gorm"

	"latchkey/models"
)

// CreateEvents implements models.Events.
func (s *Store) CreateEvents(ctx context.Context, list []models.Event) error {
	if len(list) == 0 {
		return nil
	}
	for i := range list {
		if list[i].Detail == nil {
			list[i].Detail = map[string]any{} // it is kept as an object
		}
	}
	return s.mapped(gorm.G[models.Event](s.write).CreateInBatches(ctx, &list, 100), "write events")
}

// EventsBefore implements models.Events.
func (s *Store) EventsBefore(ctx context.Context, id int64, limit int) ([]models.Event, error) {
	if id == 0 {
		id = math.MaxInt64
	}
	list, err := gorm.G[models.Event](s.read).Where("id < ?", id).Order("id DESC").Limit(limit).Find(ctx)
	return list, s.mapped(err, "read events")
}
