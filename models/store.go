// Package models holds the records and the storage contract.
//
// It has no query, no hook and no driver: what a method promises is in its comment, package storetest proves it, and
// package store keeps it. Times are UTC with microseconds, as both databases keep them.
package models

import (
	"context"
	"errors"
	"time"
)

// ErrNotFound says that no row fits. Every method that returns one record returns it where there is none.
var ErrNotFound = errors.New("not found")

// ConflictError says that a value which must be unique is taken.
type ConflictError struct {
	Field string // the column, as in "username"
}

// Error names the field.
func (e *ConflictError) Error() string { return e.Field + " is taken" }

// Store is everything that is kept.
type Store interface {
	Users
	Roles
	Imports
	Sessions
	ForeignTokens
	SigningKeys
	Revocations
	Events
	Attempts
	Cleaning

	// Tx runs fn in a transaction, commits when it returns nil and rolls back when it returns an error or panics.
	// Inside, only the Store that fn is given may be used. There is no transaction in the transaction: where a method of
	// that Store fails, what it wrote may be there until fn fails, too, which it must.
	Tx(ctx context.Context, fn func(Store) error) error
	// Ready returns nil when the database answers and has the schema of this program, or a newer one.
	Ready(ctx context.Context) error
}

// Users keeps the users and their roles.
type Users interface {
	// CreateUser writes a new user and fills in its id. ConflictError for a username that is taken or looks alike.
	CreateUser(ctx context.Context, u *User) error
	// HasUsers reports whether there is any user at all.
	HasUsers(ctx context.Context) (bool, error)
	// UserByID returns the user with the roles.
	UserByID(ctx context.Context, id int64) (User, error)
	// UserByUsername returns the user of exactly that name, with the roles.
	UserByUsername(ctx context.Context, username string) (User, error)
	// ListUsers returns a page of users, without their roles. What it costs depends on the page alone: neither on how
	// many users there are, nor on how far the page is from the first. ErrTooMany with a Search and another order than
	// ByMatch, where thousands of users fit each of the filters.
	ListUsers(ctx context.Context, q UserQuery) (UserPage, error)
	// CountUsers returns how many users there are. It looks at all of them.
	CountUsers(ctx context.Context, f UserFilter) (int64, error)
	// UsersByID returns those of the users that there are, without their roles.
	UsersByID(ctx context.Context, ids []int64) (map[int64]User, error)
	// UsernamesOf returns the usernames of those of the users that there are.
	UsernamesOf(ctx context.Context, ids []int64) (map[int64]string, error)
	// HasOtherSuperuser reports whether there is an active superuser who is not the one of that id.
	HasOtherSuperuser(ctx context.Context, id int64) (bool, error)
	// LockUsers makes other transactions that call it wait for the end of this one: those that change users and roles by
	// what they read of others. It must be called in one.
	LockUsers(ctx context.Context) error
	// ChangeUser writes username, look-alike key, e-mail address, names and flags of the user, and the password hash
	// unless it is empty. ConflictError for a username that is taken or looks alike, ErrNotFound where there is none of
	// that id.
	ChangeUser(ctx context.Context, u User) error
	// DeleteUser removes the user with sessions and all, and writes a Revocation of every token. The id is never given
	// again. ErrNotFound where there is none.
	DeleteUser(ctx context.Context, id int64, until time.Time) error
	// ReplacePasswordHash puts another hash in place of old, and reports whether it did: it does nothing when the hash
	// is no longer old.
	ReplacePasswordHash(ctx context.Context, id int64, old, replacement Secret) (bool, error)
	// RaiseEpoch makes the user's access tokens stale, foreign ones issued before now too, and returns the new epoch. A
	// Revocation that lasts until the time given is written with it. ErrNotFound where there is no such user.
	RaiseEpoch(ctx context.Context, userID int64, now, until time.Time) (int64, error)
}

// Roles keeps the roles and who has them.
type Roles interface {
	// Roles returns every role, by name.
	Roles(ctx context.Context) ([]Role, error)
	// RolesOf returns the roles of each of the users, by name.
	RolesOf(ctx context.Context, userIDs []int64) (map[int64][]Role, error)
	// RolesNamed returns the roles that have one of the names, by name.
	RolesNamed(ctx context.Context, names []string) ([]Role, error)
	// SaveRole writes a role, or replaces the one of that name, and fills in its id.
	SaveRole(ctx context.Context, r *Role) error
	// DeleteRole removes a role, from those who have it, too. ErrNotFound where there is none of that name.
	DeleteRole(ctx context.Context, name string) error
	// RaiseEpochsOf makes the access tokens of those stale who have the role of that name and a session that was used
	// after the time given: whoever else has it has no access token that can still be accepted. It returns the
	// revocations, which last until the time given and are written with it.
	RaiseEpochsOf(ctx context.Context, role string, usedAfter, now, until time.Time) ([]Revocation, error)
	// SetUserRoles gives the user exactly the roles of those names. ErrNotFound, and nothing written, when one does not
	// exist, or the user does not.
	SetUserRoles(ctx context.Context, userID int64, names []string) error
}

// Imports brings in users from elsewhere, who keep their ids.
type Imports interface {
	// UsersAmong returns the users that have one of the ids, usernames or look-alike keys, by id, with the roles. Within
	// a transaction that is to write it locks their rows.
	UsersAmong(ctx context.Context, a Among) ([]User, error)
	// InsertUsers writes new users with the ids that they carry and the roles that they name. Every id that is given
	// from then on is higher than theirs. ConflictError where an id, a username or a look-alike key is taken, and
	// ErrNotFound where there is no such role; then the transaction is to be given up.
	InsertUsers(ctx context.Context, list []User) error
	// UpdateUser writes what there is of the user beside id, username, look-alike key, epoch and roles. ErrNotFound where
	// there is none of that id.
	UpdateUser(ctx context.Context, u User) error
}

// Among says which users are looked for.
type Among struct {
	IDs             []int64
	Usernames, Keys []string
	Lock            bool
}

// Sessions keeps the sessions.
type Sessions interface {
	// StartSession writes a new session, and when lastLogin is set the user's last_login, if the user is active and
	// still at the given epoch. ErrNotFound, and nothing written, when not: what was checked is no longer true.
	StartSession(ctx context.Context, s *Session, epoch int64, lastLogin bool) error
	// SessionByID returns the session, ended or not.
	SessionByID(ctx context.Context, id string) (Session, error)
	// RefreshSession is the one guarded UPDATE of a refresh. It returns the session as it is afterwards and its user
	// with the roles. ErrNotFound, and nothing written, when a condition of r does not hold. Of any number of calls
	// with the same r that rotate, exactly one succeeds.
	RefreshSession(ctx context.Context, r Refresh) (Session, User, error)
	// EndSession ends the session, if it has not ended, and reports whether it was this call that did. After it no
	// refresh of the session succeeds. A Revocation that lasts until the time given is written with it.
	EndSession(ctx context.Context, id string, now, until time.Time) (bool, error)
	// EndSessions ends all sessions of the user, whose tokens may still be accepted, but one, which may be empty, and returns the ids of those it ended. A
	// Revocation of each is written, unless until is zero: for a caller who raises the epoch, which covers them all. No
	// foreign token that was issued before now becomes a session any more.
	EndSessions(ctx context.Context, userID int64, except string, now, until time.Time) ([]string, error)
	// SessionsOf returns the sessions of the users that go on, those of each the last used first.
	SessionsOf(ctx context.Context, userIDs []int64, now time.Time) (map[int64][]Session, error)
}

// Refresh is what a refresh changes, and under which conditions: the session is this user's, is at Generation and has
// neither ended nor expired; the user is active.
type Refresh struct {
	SessionID  string
	UserID     int64
	Generation int64     // of the refresh token that was presented
	Now        time.Time // becomes LastUsedAt
	ExpiredBy  time.Time // the session must not have expired by then: Now, less what clocks may differ
	Rotate     bool      // raise the generation by one, and move the expiry
	ExpiresAt  time.Time // with Rotate: the new expiry, unless the session's limit is earlier
	KeepUntil  time.Time // the session's new KeepUntil, unless that is later already or the limit and KeepPast are earlier
	KeepPast   time.Duration
}

// ForeignTokens keeps which foreign refresh tokens were used or revoked, so that each is used for one session at most.
type ForeignTokens interface {
	// AdoptSession writes the session that a foreign token becomes, if the user is active and has not ended all sessions
	// since the token was issued; ErrNotFound, and nothing written, when not. Where the token was used or revoked before,
	// nothing is written either: the session is there, or the token is revoked. It reports whether it began the session.
	AdoptSession(ctx context.Context, s *Session, t ForeignToken, issued time.Time) (bool, error)
	// RevokeForeignToken writes that the token must not become a session any more, and reports whether it might have: of
	// any number of calls, and calls of AdoptSession, one is the first.
	RevokeForeignToken(ctx context.Context, t ForeignToken) (bool, error)
	// ForeignTokenSeen reports whether the token was used or revoked.
	ForeignTokenSeen(ctx context.Context, id string) (bool, error)
}

// SigningKeys keeps the keys of tokens, sealed.
type SigningKeys interface {
	// SigningKeys returns every key, oldest first.
	SigningKeys(ctx context.Context) ([]SigningKey, error)
	// CreateSigningKey writes a new key. ConflictError{"algorithm"} when the algorithm has another in the same state,
	// next or active. This and the two below tell every node, by a Revocation of nothing.
	CreateSigningKey(ctx context.Context, k *SigningKey) error
	// RotateSigningKey retires the active key, activates the next one and writes the one after it, and reports whether
	// it did: it does nothing where From is no longer active. ErrNotFound, and nothing written, where To is not next.
	// Where there is no Next, it only retires.
	RotateSigningKey(ctx context.Context, r Rotation) (bool, error)
	// ReplaceSealed puts a key sealed anew in the place of old, and reports whether old was still there.
	ReplaceSealed(ctx context.Context, id string, old, replacement []byte) (bool, error)
	// ExpireSigningKey ends a key, whatever its state: it is retired, now if it was not, and expires as it is retired, so
	// that it signs and verifies nothing, on no node. ErrNotFound where there is none.
	ExpireSigningKey(ctx context.Context, id string, now time.Time) error
}

// Rotation is a change of the signing key.
type Rotation struct {
	From, To  string     // the key that is active, and the one that signs then
	Next      SigningKey // which will be next; zero where To signs already, with another algorithm
	Now       time.Time
	ExpiresAt time.Time // until when From verifies; longer, where there are sessions with later tokens
}

// Revocations keeps what every node must refuse.
type Revocations interface {
	// RevocationsSince hands to page, some at a time, every Revocation that was committed since an earlier reading, and
	// returns the mark for the next reading; "" is the beginning. A few may come twice; none is left out, however late it
	// was committed. A list is good until page returns. Where the mark is not of this database, or of one that has lost
	// something since, as after a failover or a restore, anew is true and all that there are were handed over. After an
	// error the old mark is still good.
	RevocationsSince(ctx context.Context, mark string, page func(list []Revocation)) (next string, anew bool, err error)
	// Wakeups returns a channel that receives when there may be something new, until ctx ends; nil where the database
	// cannot tell. It is a hint and no more: a reader looks by itself, too.
	Wakeups(ctx context.Context) <-chan struct{}
}

// Events keeps what happened, in a chain: whoever writes events takes the chain, so that one follows the other.
type Events interface {
	// EventsBefore returns the events with an id below the one given, of all events where it is 0, the newest first and
	// limit at most.
	EventsBefore(ctx context.Context, id int64, limit int) ([]Event, error)
	// ListEvents returns a page of events. What it costs depends on the page alone: neither on how many events there
	// are, nor on how far the page is from the first.
	ListEvents(ctx context.Context, q EventQuery) (EventPage, error)
	// CountEvents returns how many events there are. It looks at all of them.
	CountEvents(ctx context.Context, f EventFilter) (int64, error)

	ChainKey

	// EventChain returns the chain. ErrNotFound where there is none yet.
	EventChain(ctx context.Context) (EventChain, error)
	// ChainedEvents returns the events of the chain whose place is at least the one given, by place and limit at most. One
	// that is mistyped is the last of them; it may be one more.
	ChainedEvents(ctx context.Context, seq int64, limit int) ([]ChainedEvent, error)
	// EventsBeforeChain returns how many events there are from before the chain, with an id up to BeforeID. Before the first
	// chain they are in no place, and have ids from 1 on; before one that was begun behind a break, whatever is in no place
	// or in one below BegunSeq. stray is the first event that is neither from before nor in a place from FirstSeq on; nil:
	// there is none.
	EventsBeforeChain(ctx context.Context, c EventChain) (count int64, stray *Event, err error)
	// DeleteChainedEvents deletes the events whose place is at least from, and below the one given.
	DeleteChainedEvents(ctx context.Context, from, below int64) error
	// DeleteFormerEvents deletes events of former chains, in places below the one given, that were over at the time
	// given: the oldest first, limit at most. It returns how many it deleted.
	DeleteFormerEvents(ctx context.Context, below int64, over time.Time, limit int) (int, error)
}

// ChainKey keeps the key of the chain of events, sealed, and what begins and goes on with the chain.
type ChainKey interface {
	// HoldEvents makes other transactions that write events, by TakeEventChain, wait for the end of this one, and waits
	// for those that have begun to, whether there is a chain or not. An event whose place is no number has none from then
	// on. It returns the highest id, behind which the next one will be, and the highest place of an event; 0 where there is
	// none. It must be called in a transaction.
	HoldEvents(ctx context.Context) (lastID, lastSeq int64, err error)
	// PutEventChain writes the chain, in place of the one there is, if any. It must be called in a transaction that holds
	// the events.
	PutEventChain(ctx context.Context, c EventChain) error
	// TakeEventChain makes other transactions that call it wait for the end of this one, and returns the chain and as
	// many ids as there are to be events, rising and above all before. It must be called in one, last of all that waits
	// for others. ErrNotFound as of EventChain.
	TakeEventChain(ctx context.Context, events int) (EventChain, []int64, error)
	// MoveEventChain writes where the chain begins and ends, and its MAC. It must be called in a transaction that has
	// taken it.
	MoveEventChain(ctx context.Context, c EventChain) error
	// CreateEvents writes events, in the order given, and fills in the ids of those that have none. Of no events it
	// writes none.
	CreateEvents(ctx context.Context, list []Event) error
	// SealedChainKey returns the key of the chain of events; nil where there is none yet.
	SealedChainKey(ctx context.Context) ([]byte, error)
	// ReplaceChainKey puts the key sealed anew in the place of old, and reports whether old was still there.
	ReplaceChainKey(ctx context.Context, old, replacement []byte) (bool, error)
}

// SealedKeys is all that is sealed.
type SealedKeys interface {
	SigningKeys
	ChainKey
}
