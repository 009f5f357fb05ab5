package models

import "time"

// SigningKey is a key that is kept in the database. Its private half is sealed by the store's user, never here.
//
// It is next while it waits, active while it signs, retired when another signs. It verifies in each of these states, a
// retired one until ExpiresAt, unless it was ended.
type SigningKey struct {
	ID          string `gorm:"primaryKey"` // the `kid` of the tokens it signs
	Algorithm   string
	Sealed      []byte // the private key or the shared secret, encrypted
	CreatedAt   time.Time
	ActivatedAt *time.Time // nil: next
	RetiredAt   *time.Time // nil: next or active
	ExpiresAt   *time.Time // nil: not retired
}

// KeyState is where a key is in its life.
type KeyState string

// The states of a key.
const (
	KeyNext    KeyState = "next"
	KeyActive  KeyState = "active"
	KeyRetired KeyState = "retired"
)

// State returns the state of the key.
func (k SigningKey) State() KeyState {
	switch {
	case k.RetiredAt != nil:
		return KeyRetired
	case k.ActivatedAt != nil:
		return KeyActive
	default:
		return KeyNext
	}
}

// Ended reports whether the key was ended by hand: it expired when it was retired, or before. Such a key verifies
// nothing, whatever a node's clock says.
func (k SigningKey) Ended() bool {
	return k.RetiredAt != nil && k.ExpiresAt != nil && !k.ExpiresAt.After(*k.RetiredAt)
}
