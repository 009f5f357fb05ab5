package models

import (
	"log/slog"
	"slices"
	"strconv"
	"time"
)

// User is someone who can sign in.
type User struct {
	ID              int64  `gorm:"primaryKey"`
	Username        string // NFKC; looked up exactly
	UsernameKey     string // the look-alike key of Username; unique
	Email           string // empty where none is set; not unique, and no way to sign in
	FirstName       string
	LastName        string
	PasswordHash    Secret `json:"-"` // a PHC string, or what an import brought
	IsActive        bool
	IsStaff         bool
	IsSuperuser     bool
	Epoch           int64      // raised by whatever makes older access tokens untrue
	EpochRaisedAt   *time.Time // foreign access tokens issued before it are stale
	SessionsEndedAt *time.Time // foreign refresh tokens issued before it are revoked
	DateJoined      time.Time
	LastLogin       *time.Time
	Roles           []Role `gorm:"-"` // filled where a method says so
	RolesLeftOut    bool   `gorm:"-"` // the user came without the roles
	SignedInAs      string `gorm:"-"` // the session in which the user signed in or refreshed just now; else empty
}

// Outlived reports whether something that ended the user's tokens, at the time given, nil for never, did not end a
// foreign token. Its time is known to the second, so one of the same second is ended.
func Outlived(ended *time.Time, issued time.Time) bool { return ended == nil || issued.After(*ended) }

// IDText returns the id as tokens and clients know it.
func (u User) IDText() string { return strconv.FormatInt(u.ID, 10) }

// EmailOrNil returns the e-mail address, or nil where none is set.
func (u User) EmailOrNil() *string { return orNil(u.Email) }

// RoleNames returns the names of the user's roles, sorted.
func (u User) RoleNames() []string {
	names := make([]string, len(u.Roles))
	for i, r := range u.Roles {
		names[i] = r.Name
	}
	slices.Sort(names)
	return names
}

// Permissions returns every permission the user has, sorted and without repeats: those of the roles together, and for
// a superuser the server's own as well.
func (u User) Permissions() []string {
	var all []string
	if u.IsSuperuser {
		all = Permissions()
	}
	for _, r := range u.Roles {
		all = append(all, r.Permissions...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Can reports whether the user has the permission. A superuser has every one.
func (u User) Can(permission string) bool {
	return u.IsActive && (u.IsSuperuser || slices.Contains(u.Permissions(), permission))
}

// Secret is text that must never be printed: it shows itself as "[secret]" in fmt and in logs.
type Secret string

// String hides the text.
func (Secret) String() string { return "[secret]" }

// GoString hides the text from %#v.
func (Secret) GoString() string { return "[secret]" }

// LogValue hides the text from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }
