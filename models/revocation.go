package models

import (
	"math"
	"time"
)

// Revocation tells every node to refuse access tokens that are still good by themselves: those of a session that ended,
// or those of a user from before a change. It need not outlive the tokens it refuses. One of neither session nor user
// says that the signing keys changed.
type Revocation struct {
	ID        int64  `gorm:"primaryKey"`
	SessionID string // the session that ended; empty where it is about a user
	UserID    int64  // the user that changed; 0 where it is about a session
	Epoch     int64  // the user's new epoch: tokens from before are stale
	ExpiresAt time.Time
}

// EpochOfDeleted is above every epoch a token can have.
const EpochOfDeleted = math.MaxInt64
