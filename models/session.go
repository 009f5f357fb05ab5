package models

import "time"

// MaxRotations is how many Rotations a session remembers.
const MaxRotations = 8

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
	KeepUntil  time.Time // from then on no token of it is accepted, ended or not, and nothing is lost with the row
	SweepAt    time.Time // when cleaning looks at the row next; the store's own
	IsCurrent  bool      `gorm:"-"`               // whether it is the caller's; filled where a method says so
	Rotations  []int64   `gorm:"serializer:json"` // when the newest generations began, in microseconds since 1970, newest first
	UserAgent  string
	IPAddress  string
}

// RotatedAt returns when the generation was used up. It is exact for the newest MaxRotations ones; of an older one the
// store only knows that it was used up before the time returned, and exact is false.
func (s Session) RotatedAt(generation int64) (at time.Time, exact bool) {
	if len(s.Rotations) == 0 {
		return s.CreatedAt, false
	}
	i := s.Generation - 1 - generation
	exact = i < int64(len(s.Rotations))
	if !exact {
		i = int64(len(s.Rotations)) - 1
	}
	return time.UnixMicro(s.Rotations[i]).UTC(), exact
}

// UserAgentOrNil returns the user agent, or nil where it is not known.
func (s Session) UserAgentOrNil() *string { return orNil(s.UserAgent) }

// IPAddressOrNil returns the address, or nil where it is not known.
func (s Session) IPAddressOrNil() *string { return orNil(s.IPAddress) }

func orNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
