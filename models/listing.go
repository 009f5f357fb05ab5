package models

import "time"

// UserOrder is what users are sorted by.
type UserOrder int

// The orders. Those who are alike come by id.
const (
	ByUsername   UserOrder = iota // by code point
	ByDateJoined                  // when they were made
	ByMatch                       // what Search found; with a Search only
)

// UserKey is the place of a user in an order: a page begins after one or ends before one, whether there is still a user
// or not.
type UserKey struct {
	Text string    // the username, or with ByMatch what was found
	At   time.Time // with ByDateJoined
	ID   int64
}

// UserFilter says which users are meant. The zero value means all.
type UserFilter struct {
	Search   string // what a username, an e-mail address or a name begins with, whatever the case; empty: anything
	IsActive *bool
	Role     string // the name of a role that they have; empty: any or none
}

// UserQuery asks for a page of users.
type UserQuery struct {
	UserFilter
	Order         UserOrder
	Descending    bool
	After, Before *UserKey
	Limit         int  // how many at most
	Last          bool // the last ones, and not the first; they come in the order of all
}

// UserPage is a page of users.
type UserPage struct {
	Users []User // without the roles
	Keys  []UserKey
	// More says that there may be others beyond the page, in the direction it was read.
	More bool
	// End is where the next page begins, where More is set: the key of the outermost user, or a place beyond. A page
	// has fewer users than Limit where so many were looked at that it is time to answer.
	End UserKey
}

// ErrTooMany says that so many users are meant that they cannot be sorted in time.
var ErrTooMany = listingError("too many users are meant to sort them")

type listingError string

func (e listingError) Error() string { return string(e) }
