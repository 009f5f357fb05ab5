package models

import (
	"context"
	"time"
)

// Perishable is a kind of rows that are over one day. Its text is for people.
type Perishable string

// The kinds, each with what says that a row is over.
const (
	PerishableSessions    Perishable = "sessions"       // KeepUntil
	PerishableRevocations Perishable = "revocations"    // ExpiresAt
	PerishableForeign     Perishable = "foreign tokens" // ExpiresAt
	PerishableKeys        Perishable = "signing keys"   // ExpiresAt, where there is one
	PerishableAttempts    Perishable = "attempts"       // ExpiresAt
	PerishableEvents      Perishable = "events"         // At, of those in no chain; the caller says how long they are kept
)

// Bite is what one call of Clean did.
type Bite struct {
	Deleted int  // rows
	Done    bool // nothing else is over; false where there may be more
	Busy    bool // nothing was done: another process is at it
}

// Cleaning deletes what is over, in bites so small that nobody waits long for one.
type Cleaning interface {
	// Clean looks at limit rows of the kind at most, those first that were over first, and deletes those that were over
	// at the time given: of a row whose time is that very moment, too, and never of a younger one. It is one transaction,
	// and one process at a time: the others are told that it is Busy. A row that is being changed is left for next time.
	Clean(ctx context.Context, kind Perishable, over time.Time, limit int) (Bite, error)
}
