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
	Sessions
	SigningKeys

	// Tx runs fn in a transaction, commits when it returns nil and rolls back when it returns an error or panics.
	// Inside, only the Store that fn is given may be used.
	Tx(ctx context.Context, fn func(Store) error) error
	// Ready returns nil when the database answers and has the schema of this program.
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
	// DeleteUser removes the user with sessions and all. The id is never given again. ErrNotFound where there is none.
	DeleteUser(ctx context.Context, id int64) error
	// ReplacePasswordHash puts another hash of the same password in place of old.
	// It does nothing when the hash is no longer old: the password was changed meanwhile.
	ReplacePasswordHash(ctx context.Context, id int64, old, replacement Secret) error
}

// Roles keeps the roles and who has them.
type Roles interface {
	// SaveRole writes a role, or replaces the one of that name, and fills in its id.
	SaveRole(ctx context.Context, r *Role) error
	// SetUserRoles gives the user exactly the roles of those names. ErrNotFound, and nothing written, when one does not
	// exist, or the user does not.
	SetUserRoles(ctx context.Context, userID int64, names []string) error
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
}

// Refresh is what a refresh changes, and under which conditions: the session is this user's, is at Generation and has
// neither ended nor expired; the user is active.
type Refresh struct {
	SessionID  string
	UserID     int64
	Generation int64     // of the refresh token that was presented
	Now        time.Time // becomes LastUsedAt
	Rotate     bool      // raise the generation by one, and move the expiry
	ExpiresAt  time.Time // with Rotate: the new expiry, unless the session's limit is earlier
}

// SigningKeys keeps the keys of tokens, sealed.
type SigningKeys interface {
	// SigningKeys returns every key, oldest first.
	SigningKeys(ctx context.Context) ([]SigningKey, error)
	// CreateSigningKey writes a new key. ConflictError{"algorithm"} when another that is not retired signs with that algorithm.
	CreateSigningKey(ctx context.Context, k *SigningKey) error
}
