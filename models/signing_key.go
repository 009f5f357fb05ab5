package models

import "time"

// SigningKey is a key that is kept in the database. Its private half is sealed by the store's user, never here.
type SigningKey struct {
	ID        string `gorm:"primaryKey"` // the `kid` of the tokens it signs
	Algorithm string
	Sealed    []byte // the private key or the shared secret, encrypted
	CreatedAt time.Time
	RetiredAt *time.Time // nil while it may sign
}
