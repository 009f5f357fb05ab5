package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/auth/password"
	"latchkey/auth/username"
	"latchkey/models"
)

// ImportOptions is what NewImporter is handed. All of it is required but where a comment says otherwise.
type ImportOptions struct {
	Store    models.Store
	Recorder *Recorder
	Now      func() time.Time

	// How long a token can be accepted after it was made: the lifetime of access tokens and the clock skew allowed.
	AccessLifetime, Leeway time.Duration

	// OverwritePasswords takes the imported hash also where the password was set or used here since. Optional.
	OverwritePasswords bool
	// DryRun finds out what would happen and writes nothing. Optional.
	DryRun bool
}

// Importer brings in roles and users from elsewhere, users with their ids and the password hashes that they have there.
//
// It can be run again, to bring what changed there. A user of the same id and username is the same user: what is
// imported replaces what is here, but for the password, where that was set or used here since, a later sign-in here, and
// roles that do not come from the import.
type Importer struct {
	o     ImportOptions
	roles map[string]bool // those that Roles was given; false: it was refused
}

// NewImporter returns an Importer.
func NewImporter(o ImportOptions) *Importer {
	return &Importer{o: o, roles: map[string]bool{}}
}

// ImportedUser is a user from elsewhere.
type ImportedUser struct {
	User        models.User // what is known there; no DateJoined: that is not. Key, epoch and roles are not looked at
	Roles       []string    // names of roles that Roles was given
	Permissions []string    // those that the user has without a role
}

// ImportChange says what became, or would become, of something that was imported.
type ImportChange int

// What can become of it. ImportRefused: nothing of it was written.
const (
	ImportNew ImportChange = iota
	ImportUpdated
	ImportUnchanged
	ImportRefused
)

// ImportOutcome is what became of one user or role.
type ImportOutcome struct {
	Change       ImportChange
	Why          string // for people: why it was refused
	PasswordKept bool   // another one was imported, but the password was set or used here since
	Superuser    int    // 1: a user becomes one; -1: a user is one no longer
}

// importedRole is the description of the roles that an import makes, and how it knows them again.
const importedRole = "Imported from Django."

// ErrImportRefused says that something that was to be written with others cannot be, so that none of it was.
var ErrImportRefused = errors.New("something was refused")

// Roles writes roles with the names and permissions given, in one transaction. A role of that name that no import made
// is refused, if its permissions are others: who gave them here meant something by it. With strict, ErrImportRefused and
// nothing written where one is.
func (i *Importer) Roles(ctx context.Context, list []models.Role, strict bool) ([]ImportOutcome, error) {
	outcomes := make([]ImportOutcome, len(list))
	err := i.change(ctx, func(tx models.Store) error {
		for at, r := range list {
			outcome, err := i.role(ctx, tx, r)
			if err != nil {
				return err
			}
			i.roles[r.Name] = outcome.Change != ImportRefused
			outcomes[at] = outcome
		}
		return refusedOnes(outcomes, strict)
	})
	return outcomes, err
}

func refusedOnes(outcomes []ImportOutcome, strict bool) error {
	if strict && slices.ContainsFunc(outcomes, func(o ImportOutcome) bool { return o.Change == ImportRefused }) {
		return ErrImportRefused
	}
	return nil
}

// change runs write in a transaction; in a dry run without one.
func (i *Importer) change(ctx context.Context, write func(models.Store) error) error {
	if i.o.DryRun {
		return write(i.o.Store)
	}
	return i.o.Store.Tx(ctx, func(tx models.Store) error {
		if err := tx.LockUsers(ctx); err != nil {
			return err
		}
		return write(tx)
	})
}

func (i *Importer) role(ctx context.Context, tx models.Store, r models.Role) (ImportOutcome, error) {
	if isPersonal(r.Name) {
		return importRefused("the name %.80q is kept for a role of one user", r.Name), nil
	}
	found, err := tx.RolesNamed(ctx, []string{r.Name})
	if err != nil {
		return ImportOutcome{}, err
	}
	return i.saveRole(ctx, tx, r, found)
}

// saveRole writes a role, of which found has what is here.
func (i *Importer) saveRole(ctx context.Context, tx models.Store, r models.Role, found []models.Role) (ImportOutcome, error) {
	outcome := ImportOutcome{Change: ImportNew}
	if at := slices.IndexFunc(found, func(f models.Role) bool { return f.Name == r.Name }); at >= 0 {
		outcome.Change = ImportUpdated
		switch {
		case slices.Equal(slices.Sorted(slices.Values(found[at].Permissions)), r.Permissions):
			return ImportOutcome{Change: ImportUnchanged}, nil
		case found[at].Description != importedRole:
			return importRefused("there is a role %.80q already, which no import made, with other permissions", r.Name), nil
		}
	}
	if i.o.DryRun {
		return outcome, nil
	}
	r.Description = importedRole
	return outcome, tx.SaveRole(ctx, &r)
}

// importRefused says why something was refused. What was imported is to be quoted in it, and not at any length.
func importRefused(format string, args ...any) ImportOutcome {
	return ImportOutcome{Change: ImportRefused, Why: fmt.Sprintf(format, args...)}
}

// personalRole is the role of the permissions that a user has without one.
func personalRole(id int64) string { return "user:" + strconv.FormatInt(id, 10) }

func isPersonal(name string) bool {
	digits, ok := strings.CutPrefix(name, "user:")
	_, err := strconv.ParseInt(digits, 10, 64)
	return ok && err == nil
}

// Users writes users, some hundred at most, in one transaction. One whose id or username another user has is refused,
// and so is one with a role that was, or with more roles than a token can carry. A username that only looks like another
// one is none of these: it gets a look-alike key that no new name can have. With strict, ErrImportRefused and nothing
// written where one is refused.
func (i *Importer) Users(ctx context.Context, list []ImportedUser, strict bool) ([]ImportOutcome, error) {
	var outcomes []ImportOutcome
	err := i.change(ctx, func(tx models.Store) error {
		b, err := i.look(ctx, tx, list)
		if err != nil {
			return err
		}
		if outcomes, err = b.decide(ctx, list); err != nil {
			return err
		}
		if err := refusedOnes(outcomes, strict); err != nil || i.o.DryRun {
			return err
		}
		return tx.InsertUsers(ctx, b.insert)
	})
	return outcomes, err
}

// firstHint says what to do about a user who is in the way, where it may be the first of the database: a server makes one
// when it starts on an empty one.
func firstHint(inTheWay models.User) string {
	if inTheWay.ID != 1 {
		return ""
	}
	return "; where that is the superuser whom the first start made, import into an empty database"
}

// importBatch is what is known of a batch.
type importBatch struct {
	*Importer
	tx       models.Store
	now      time.Time
	byID     map[int64]models.User
	byName   map[string]models.User
	keys     map[string]bool // that are taken
	personal []models.Role
	insert   []models.User
}

// look reads what the database has of the users.
func (i *Importer) look(ctx context.Context, tx models.Store, list []ImportedUser) (*importBatch, error) {
	among := models.Among{Lock: !i.o.DryRun}
	var personal []string
	for _, u := range list {
		key := username.Skeleton(u.User.Username)
		among.IDs = append(among.IDs, u.User.ID)
		among.Usernames = append(among.Usernames, u.User.Username)
		among.Keys = append(among.Keys, key, ownKey(key, u.User.ID))
		if len(u.Permissions) > 0 {
			personal = append(personal, personalRole(u.User.ID))
		}
	}
	b := &importBatch{
		Importer: i, tx: tx, now: i.o.Now().UTC().Truncate(time.Microsecond),
		byID: map[int64]models.User{}, byName: map[string]models.User{}, keys: map[string]bool{},
	}
	found, err := tx.UsersAmong(ctx, among)
	if err != nil {
		return nil, err
	}
	for _, u := range found {
		b.byID[u.ID], b.byName[u.Username], b.keys[u.UsernameKey] = u, u, true
	}
	b.personal, err = tx.RolesNamed(ctx, personal)
	return b, err
}

// ownKey is the look-alike key of a user whose username looks like that of another: # is in no new name and in no key
// of one.
func ownKey(key string, id int64) string { return key + "#" + strconv.FormatInt(id, 10) }

// decide says what becomes of each user. It writes what is here already, and keeps those that are new.
func (b *importBatch) decide(ctx context.Context, list []ImportedUser) ([]ImportOutcome, error) {
	outcomes := make([]ImportOutcome, len(list))
	for at, u := range list {
		var err error
		if outcomes[at], err = b.user(ctx, u); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

func (b *importBatch) user(ctx context.Context, u ImportedUser) (ImportOutcome, error) {
	here, sameID := b.byID[u.User.ID]
	named, sameName := b.byName[u.User.Username]
	switch {
	case sameName && named.ID != u.User.ID:
		return importRefused("the user %.80q is here already, with the id %d and not %d%s", named.Username, named.ID, u.User.ID, firstHint(named)), nil
	case sameID && !sameName:
		return importRefused("the id %d is that of the user %.80q here, and not of %.80q%s", here.ID, here.Username, u.User.Username, firstHint(here)), nil
	}
	names, why := b.roleNames(here, u)
	if why != "" {
		return ImportOutcome{Change: ImportRefused, Why: why}, nil
	}
	if !sameID {
		if u.User.UsernameKey, why = b.freeKey(u.User); why != "" {
			return ImportOutcome{Change: ImportRefused, Why: why}, nil
		}
	}
	role := ImportOutcome{Change: ImportUnchanged}
	if len(u.Permissions) > 0 {
		var err error
		own := models.Role{Name: personalRole(u.User.ID), Permissions: u.Permissions}
		if role, err = b.saveRole(ctx, b.tx, own, b.personal); err != nil || role.Change == ImportRefused {
			return role, err
		}
	}
	if !sameID {
		return b.add(u.User, names), nil
	}
	outcome, err := b.update(ctx, here, u.User, names)
	if outcome.Change == ImportUnchanged && role.Change != ImportUnchanged {
		outcome.Change = ImportUpdated
	}
	return outcome, err
}

// roleNames returns the roles of the user after the import, sorted, or why that cannot be: those that it brings, and
// those that the user has here and that no import made.
func (b *importBatch) roleNames(here models.User, u ImportedUser) (names []string, why string) {
	for _, name := range u.Roles {
		if !b.roles[name] {
			return nil, fmt.Sprintf("the user %.80q has the role %.80q, which was refused", u.User.Username, name)
		}
	}
	names = slices.Clone(u.Roles)
	if len(u.Permissions) > 0 {
		names = append(names, personalRole(u.User.ID))
	}
	for _, r := range here.Roles {
		if r.Description != importedRole && !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	if !fitToken(names) {
		return nil, fmt.Sprintf("the user %.80q has %d roles, whose names do not fit into a token", u.User.Username, len(names))
	}
	slices.Sort(names)
	return names, ""
}

// freeKey returns a look-alike key for a new user, or why there is none.
func (b *importBatch) freeKey(u models.User) (key, why string) {
	key = username.Skeleton(u.Username)
	if b.keys[key] {
		key = ownKey(key, u.ID)
	}
	if b.keys[key] {
		return "", fmt.Sprintf("a user looks like %.80q, and another one has even the name %.80q", u.Username, key)
	}
	return key, ""
}

func (b *importBatch) add(u models.User, names []string) ImportOutcome {
	if u.DateJoined.IsZero() {
		u.DateJoined = b.now
	}
	u.Epoch, u.Roles = 0, nil
	for _, name := range names {
		u.Roles = append(u.Roles, models.Role{Name: name})
	}
	b.byID[u.ID], b.byName[u.Username], b.keys[u.UsernameKey] = u, u, true
	b.insert = append(b.insert, u)
	return ImportOutcome{Change: ImportNew, Superuser: becomesSuperuser(models.User{}, u)}
}

// update makes the user that is here what is imported.
func (b *importBatch) update(ctx context.Context, here, u models.User, names []string) (ImportOutcome, error) {
	next, kept := b.merged(here, u)
	profile := !sameUser(here, next)
	roles := !slices.Equal(here.RoleNames(), names)
	outcome := ImportOutcome{Change: ImportUnchanged, PasswordKept: kept}
	if !profile && !roles {
		return outcome, nil
	}
	if last, err := b.isLast(ctx, here, next); err != nil || last {
		return importRefused("the user %q is the last active superuser here, and would be none", here.Username), err
	}
	outcome.Change, outcome.Superuser = ImportUpdated, becomesSuperuser(here, next)
	if b.o.DryRun {
		return outcome, nil
	}
	if profile {
		if err := b.tx.UpdateUser(ctx, next); err != nil {
			return outcome, err
		}
	}
	if roles {
		if err := b.tx.SetUserRoles(ctx, here.ID, names); err != nil {
			return outcome, err
		}
	}
	return outcome, b.makeStale(ctx, here, next, roles)
}

// becomesSuperuser returns 1 where a change of the user makes a superuser, -1 where it makes one no more, else 0.
func becomesSuperuser(before, after models.User) int {
	switch {
	case before.IsSuperuser == after.IsSuperuser:
		return 0
	case after.IsSuperuser:
		return 1
	default:
		return -1
	}
}

// isLast reports whether the last active superuser would be none any more.
func (b *importBatch) isLast(ctx context.Context, here, next models.User) (bool, error) {
	if !isSuper(here) || isSuper(next) || slices.ContainsFunc(b.insert, isSuper) {
		return false, nil
	}
	others, err := b.tx.HasOtherSuperuser(ctx, here.ID)
	return !others, err
}

// merged returns the user that is here with what is imported, and whether the password stays although it is another.
func (b *importBatch) merged(here, u models.User) (next models.User, kept bool) {
	next = here
	next.Email, next.FirstName, next.LastName = u.Email, u.FirstName, u.LastName
	next.IsActive, next.IsStaff, next.IsSuperuser = u.IsActive, u.IsStaff, u.IsSuperuser
	if !u.DateJoined.IsZero() {
		next.DateJoined = u.DateJoined
	}
	if u.LastLogin != nil && (here.LastLogin == nil || here.LastLogin.Before(*u.LastLogin)) {
		next.LastLogin = u.LastLogin
	}
	if here.PasswordHash == u.PasswordHash {
		return next, false
	}
	if !b.o.OverwritePasswords && isOwnHash(here.PasswordHash) {
		return next, true
	}
	next.PasswordHash = u.PasswordHash
	return next, false
}

// isOwnHash reports whether the hash was made here: by a change of the password, or by a sign-in with one that was
// imported. Django's forms have the name of an algorithm in front, and what has none is no password.
func isOwnHash(hash models.Secret) bool {
	return strings.HasPrefix(string(hash), "$") && password.Readable(string(hash))
}

// sameUser reports whether UpdateUser would change nothing.
func sameUser(a, b models.User) bool {
	sameLogin := a.LastLogin == b.LastLogin || a.LastLogin != nil && b.LastLogin != nil && a.LastLogin.Equal(*b.LastLogin)
	return a.Email == b.Email && a.FirstName == b.FirstName && a.LastName == b.LastName &&
		a.PasswordHash == b.PasswordHash && a.IsActive == b.IsActive && a.IsStaff == b.IsStaff &&
		a.IsSuperuser == b.IsSuperuser && a.DateJoined.Equal(b.DateJoined) && sameLogin
}

// makeStale makes what the user's tokens say untrue where it is, as any other change of a user does, and ends the
// sessions where the password is another or the user may no longer sign in.
func (b *importBatch) makeStale(ctx context.Context, here, next models.User, roles bool) error {
	out := here.PasswordHash != next.PasswordHash || here.IsActive && !next.IsActive
	if !out && !roles && here.IsActive == next.IsActive && here.IsStaff == next.IsStaff && here.IsSuperuser == next.IsSuperuser {
		return nil
	}
	until := revokedUntil(b.now, b.o.AccessLifetime, b.o.Leeway)
	if _, err := b.tx.RaiseEpoch(ctx, here.ID, b.now, until); err != nil {
		return err
	}
	if !out {
		return nil
	}
	_, err := b.tx.EndSessions(ctx, here.ID, "", b.now, time.Time{})
	return err
}

// Record records a run of the import, with what there is to say of it.
func (i *Importer) Record(ctx context.Context, detail map[string]any) error {
	return i.o.Recorder.change(ctx, func(models.Store) ([]event, error) {
		return []event{{name: EventUsersImported, detail: detail}}, nil
	})
}
