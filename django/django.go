// Package django reads what `manage.py dumpdata` of Django writes of users, groups and permissions.
//
// A Reader gives one record after the other and keeps none, so that a dump of any length is read in the memory of one
// record. What users refer to (groups, permissions, content types) may stand before or behind them: a Survey reads a
// dump once and keeps those few, and then tells of each user which roles they are in.
package django

import (
	"fmt"
	"time"
)

// Position is where a record of a dump is.
type Position struct {
	Record int   // which one it is, from 1; 0: outside of any
	Line   int   // in which it begins, from 1
	Byte   int64 // of its first, from 0
}

// String names the place, for people.
func (p Position) String() string {
	if p.Record == 0 {
		return fmt.Sprintf("line %d, byte %d", p.Line, p.Byte)
	}
	return fmt.Sprintf("record %d (line %d, byte %d)", p.Record, p.Line, p.Byte)
}

// Error is what is wrong with a dump at a place. It never repeats what stands there but usernames and keys, and of these
// the beginning, quoted, so that a terminal does not take it for a command.
type Error struct {
	At     Position
	Reason string
	Fatal  bool // what follows cannot be read; else it is only this record
}

// Error names the place and the reason.
func (e *Error) Error() string { return e.At.String() + ": " + e.Reason }

// Record is a record of a dump. One of the pointers is set, or none where the model is another.
type Record struct {
	At    Position
	Model string // as in "auth.user", in small letters

	User        *User
	Group       *Group
	Permission  *Permission
	ContentType *ContentType
}

// Key names a record, by one of the two.
type Key struct {
	ID      int64    // the primary key; 0: it is named by Natural
	Natural []string // the natural key
}

// String returns the key as a dump has it.
func (k Key) String() string {
	if k.ID != 0 {
		return fmt.Sprint(k.ID)
	}
	return fmt.Sprintf("%.80q", k.Natural)
}

// User is a record of the user model. What a model of one's own does not have is empty; such a user is active.
type User struct {
	ID                                   int64
	Username, Email, FirstName, LastName string
	Password                             string // the hash as it is stored
	IsActive, IsStaff, IsSuperuser       bool
	DateJoined                           time.Time // zero: the model has none
	LastLogin                            *time.Time
	Groups                               []Key
	Permissions                          []Key // those that the user has without a group
}

// Group is a record of auth.group.
type Group struct {
	ID          int64 // 0: it has only its name
	Name        string
	Permissions []Key
}

// Permission is a record of auth.permission.
type Permission struct {
	ID          int64 // 0: it has only its natural key
	Codename    string
	ContentType Key
}

// ContentType is a record of contenttypes.contenttype.
type ContentType struct {
	ID       int64 // 0: it has only its natural key
	AppLabel string
	Model    string
}
