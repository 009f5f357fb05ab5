package models

import "time"

// Event is something that happened and that somebody may ask for later. What can happen is listed in package auth. A
// row is written once and never changed.
type Event struct {
	ID          int64 `gorm:"primaryKey"` // later ones have higher ids
	At          time.Time
	Type        string // the name of what happened
	ActorID     int64  // the user who did it; 0 where it was nobody who is signed in: a command, the server itself, a failure
	ActorName   string // the username at that time; empty where there is no actor
	SubjectID   int64  // the user it was done to, who may be gone; 0 where it is about none, or none that exists
	SubjectName string // the username at that time; empty where there is no subject
	SessionID   string // empty where it is about none
	Address     string // of the client; empty for a command and the server itself
	UserAgent   string
	Detail      map[string]any `gorm:"serializer:json"` // what else there is to say; never a secret, never what was typed

	Seq  int64  // the place in the chain, without gaps; 0: in none
	Hash []byte // authenticates the row and all before it in the chain; empty where it is in none
}

// ChainedEvent is an event with its detail as it is kept, byte for byte.
type ChainedEvent struct {
	Event

	DetailText string
	// Mistyped says that a column holds what the program never writes there, as SQLite lets it; then the event has nothing
	// but its id and place.
	Mistyped bool `gorm:"-"`
}

// EventChain says where the chain of events begins and ends. There is one of a database.
type EventChain struct {
	Sealed   []byte    // the key of the chain, sealed by the store's user
	BegunAt  time.Time // when the chain began; zero: an older version began it, and did not say
	BegunSeq int64     // the place of its first event; events of former chains, which were given up, have lower ones
	BeforeID int64     // events in no chain, and those of former ones, have ids up to this one
	FirstSeq int64     // the place of the oldest event; what stood before it was deleted when its time was over
	PrevHash []byte    // the hash that the oldest event follows
	LastSeq  int64     // the place of the newest event; FirstSeq - 1 where there is none
	LastHash []byte    // the hash that the next event follows
	MAC      []byte    // authenticates all of this but Sealed
}

// EventFilter says which events are meant. The zero value means all.
type EventFilter struct {
	Types        []string  // one of these; none: any
	SubjectID    int64     // done to this user; 0: to anybody or nobody
	ActorID      int64     // done by this user; 0: by anybody or nobody
	Since, Until time.Time // from this moment on, and before this one; zero: without a bound
}

// EventKey is the place of an event in the order by time, and by id where the time is the same.
type EventKey struct {
	At time.Time
	ID int64
}

// Key returns the event's place.
func (e Event) Key() EventKey { return EventKey{e.At, e.ID} }

// EventQuery asks for a page of events, the newest first.
type EventQuery struct {
	EventFilter

	After, Before *EventKey // only older ones, and only newer ones
	Limit         int       // how many at most
	Last          bool      // the oldest ones, and not the newest; they come in the same order
}

// EventPage is a page of events.
type EventPage struct {
	Events []Event
	// More says that there may be others beyond the page, in the direction it was read.
	More bool
	// End is where the next page begins, where More is set: the key of the outermost event, or a place beyond. A page
	// has fewer events than Limit where so many were looked at that it is time to answer.
	End EventKey
}
