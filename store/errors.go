package store

import (
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"latchkey/models"
)

// mapped turns a driver's error into one of models', with what was being done for the log. It is the only place that
// looks into them.
func (s *Store) mapped(err error, doing string) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, gorm.ErrRecordNotFound) || errors.Is(err, sql.ErrNoRows) {
		return models.ErrNotFound
	}
	if column, ok := s.dialect.conflict(err); ok {
		return &models.ConflictError{Field: column}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
