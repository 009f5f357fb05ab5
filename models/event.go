package models

import "time"

// Event is something that happened and that somebody may ask for later. What can happen is listed in package auth. A
// row is written once and never changed.
type Event struct {
	ID        int64 `gorm:"primaryKey"` // later ones have higher ids, but for those at the same moment on several nodes
	At        time.Time
	Type      string // the name of what happened
	ActorID   int64  // the user who did it; 0 where it was nobody who is signed in: a command, the server itself, a failure
	SubjectID int64  // the user it was done to, who may be gone; 0 where it is about none, or none that exists
	SessionID string // empty where it is about none
	Address   string // of the client; empty for a command and the server itself
	UserAgent string
	Detail    map[string]any `gorm:"serializer:json"` // what else there is to say; never a secret, never what was typed
}
