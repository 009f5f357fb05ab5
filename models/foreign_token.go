package models

import "time"

// ForeignToken is a refresh token that another issuer with the same key has made, and that was used or revoked here.
type ForeignToken struct {
	ID        string    `gorm:"primaryKey"` // follows from the jti; the id of the session that the token became, if it did
	ExpiresAt time.Time // the token's own; nobody needs the row from then on
}
