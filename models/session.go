package models

import "time"

// Session is one sign-in: one row, however often it is refreshed.
type Session struct {
	ID         string `gorm:"primaryKey"` // 32 hex digits, random
	UserID     int64
	Generation int64 // of the refresh token that is current; the first is 0
	CreatedAt  time.Time
	LastUsedAt time.Time  // of the sign-in or the newest refresh
	ExpiresAt  time.Time  // of the current refresh token
	LimitAt    *time.Time // the absolute limit, which no refresh moves; nil: none
	EndedAt    *time.Time
	UserAgent  string
	IPAddress  string
}
