package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"latchkey/auth/username"
	"latchkey/fault"
	"latchkey/models"
)

// Optional is a field of a form that may be left out. What is set to null is Set and Null.
type Optional[T any] struct {
	Set, Null bool
	Value     T
}

// Some returns a field that is set.
func Some[T any](value T) Optional[T] { return Optional[T]{Set: true, Value: value} }

// UserChange is what shall be another with a user. What is left out stays as it is; what is null is cleared: the e-mail
// address, the names and the roles. The others cannot be null.
type UserChange struct {
	Username, Password, Email, FirstName, LastName Optional[string]
	IsActive, IsStaff, IsSuperuser                 Optional[bool]
	Roles                                          Optional[[]string]
}

// The texts of what is wrong with a form of the administration.
const (
	textNull = "This field may not be null."
	textRole = "There is no such role."
	textLast = "This is the last active superuser: nobody would be left to give permissions."
)

// UpdateUser changes a user. Needs users:write, every permission that the user holds, and everything that is given; for a
// new password or address the user's roles and flags, too. Access tokens that are no longer true are STALE at once; a new
// password and the end of a user's activity end the sessions.
//
// A FormError says, all at once, what is wrong with the change. NOT_FOUND where there is no such user, FORBIDDEN for
// what would be a way up.
func (s *Service) UpdateUser(ctx context.Context, id int64, change UserChange) (models.User, error) {
	if change.Username.Set {
		change.Username.Value = username.Normalize(change.Username.Value)
	}
	e := edit{Service: s, kept: s.Store, id: id, change: change}
	if err := e.check(ctx); err != nil {
		return models.User{}, err
	}
	hash := ""
	if change.Password.Set {
		var err error
		if hash, err = s.Passwords.Hash(ctx, change.Password.Value); err != nil {
			return models.User{}, busy(err)
		}
	}
	until := s.until()
	err := s.Recorder.change(ctx, func(tx models.Store) ([]event, error) {
		e = edit{Service: s, kept: tx, id: id, change: change, hash: hash}
		if err := tx.LockUsers(ctx); err != nil {
			return nil, err
		}
		if err := e.check(ctx); err != nil { // as it is now, when nobody else changes it
			return nil, err
		}
		return e.write(ctx, tx, until)
	})
	if problems, ok := taken(err); ok {
		return models.User{}, problems
	}
	if isRefusal(err) {
		return models.User{}, err
	}
	if err != nil {
		return models.User{}, fmt.Errorf("change user %d: %w", id, err)
	}
	if e.raised {
		s.live.set.Add(models.Revocation{UserID: id, Epoch: e.after.Epoch, ExpiresAt: until})
	}
	return e.after, nil
}

// edit is one change of a user.
type edit struct {
	*Service
	kept   models.Store // what is read from: inside a transaction that alone
	id     int64
	change UserChange
	hash   string

	actor         actor
	before, after models.User
	raised        bool
}

// check reads the user and finds out whether the change may be, and what becomes of the user.
func (e *edit) check(ctx context.Context) (err error) {
	if e.actor, e.before, err = e.actorOn(ctx, e.kept, e.id, models.PermUsersWrite); err != nil {
		return err
	}
	e.after = e.changed()
	if err := e.mayBecome(ctx); err != nil {
		return err
	}
	if err := e.mayGive(ctx, e.actor, e.before, e.after); err != nil {
		return err
	}
	problems := e.nulls()
	e.after.Roles, err = e.roles(ctx, &problems)
	if err != nil {
		return err
	}
	if err := e.mayGiveRoles(ctx, e.actor, e.before, e.after.Roles); err != nil {
		return err
	}
	e.checkProfile(&problems)
	e.checkPassword(&problems)
	if err := e.checkName(ctx, &problems); err != nil {
		return err
	}
	if e.before.IsActive && !e.after.IsActive && e.actor.id() == e.id {
		problems.add("isActive", FormInvalid, "You cannot deactivate yourself.")
	}
	if err := e.checkLast(ctx, &problems); err != nil {
		return err
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// mayBecome returns nil where the change leaves the actor no way to sign in as the user, or where that brings the actor
// nothing to give. A role can mean something to another service, and a flag to an application, without any permission.
func (e *edit) mayBecome(ctx context.Context) error {
	if !e.change.Password.Set && e.after.Email == e.before.Email {
		return nil
	}
	if e.before.IsStaff && !e.actor.isStaff() {
		return e.denied(ctx, e.id, ruleFlag, forbidden("The user belongs to the staff, and you do not.", ""))
	}
	for _, r := range e.before.Roles {
		if !e.actor.holdsRole(r.Name) {
			return e.denied(ctx, e.id, ruleRole, forbidden("The user has the role "+strconv.Quote(r.Name)+", which you do not have.", ""))
		}
	}
	return nil
}

// changed returns the user as the change makes it, but for the roles and the password.
func (e *edit) changed() models.User {
	after := e.before
	for _, field := range []struct {
		change Optional[string]
		to     *string
	}{
		{e.change.Username, &after.Username},
		{e.change.Email, &after.Email},
		{e.change.FirstName, &after.FirstName},
		{e.change.LastName, &after.LastName},
	} {
		if field.change.Set {
			*field.to = field.change.Value // empty where it is null
		}
	}
	for _, flag := range []struct {
		change Optional[bool]
		to     *bool
	}{{e.change.IsActive, &after.IsActive}, {e.change.IsStaff, &after.IsStaff}, {e.change.IsSuperuser, &after.IsSuperuser}} {
		if flag.change.Set && !flag.change.Null {
			*flag.to = flag.change.Value
		}
	}
	if after.Username != e.before.Username {
		after.UsernameKey = username.Skeleton(after.Username)
	}
	return after
}

// nulls returns the fields that are null and cannot be.
func (e *edit) nulls() FormError {
	var problems FormError
	for _, field := range []struct {
		name string
		null bool
	}{
		{"username", e.change.Username.Null},
		{"password", e.change.Password.Null},
		{"isActive", e.change.IsActive.Null},
		{"isStaff", e.change.IsStaff.Null},
		{"isSuperuser", e.change.IsSuperuser.Null},
	} {
		if field.null {
			problems.add(field.name, FormRequired, textNull)
		}
	}
	return problems
}

// roles returns the roles that the user is to have.
func (e *edit) roles(ctx context.Context, problems *FormError) ([]models.Role, error) {
	if !e.change.Roles.Set {
		return e.before.Roles, nil
	}
	return rolesNamed(ctx, e.kept, e.change.Roles.Value, problems)
}

// checkProfile looks at what is another: an import may have brought what cannot be set here.
func (e *edit) checkProfile(problems *FormError) {
	if e.after.Username != e.before.Username && !e.change.Username.Null {
		problems.addUsername(e.after.Username)
	}
	if e.after.Email != e.before.Email {
		problems.addEmail(e.after.Email)
	}
	if e.after.FirstName != e.before.FirstName {
		problems.addName("firstName", e.after.FirstName)
	}
	if e.after.LastName != e.before.LastName {
		problems.addName("lastName", e.after.LastName)
	}
}

func (e *edit) checkPassword(problems *FormError) {
	switch {
	case !e.change.Password.Set || e.change.Password.Null:
	case e.actor.id() == e.id:
		problems.add("password", FormInvalid, "Your own password is changed with passwordChange, which asks for the old one.")
	case e.change.Password.Value == "":
		problems.add("password", FormRequired, textRequired)
	default:
		problems.addPassword("password", e.Policy, e.change.Password.Value, e.after)
	}
}

// checkName finds out whether a new username is taken, so that this is told with the rest.
func (e *edit) checkName(ctx context.Context, problems *FormError) error {
	if e.after.Username == e.before.Username || problems.about("username") {
		return nil
	}
	return nameTaken(ctx, e.kept, e.after, problems)
}

// checkLast keeps the last active superuser.
func (e *edit) checkLast(ctx context.Context, problems *FormError) error {
	if !isSuper(e.before) || isSuper(e.after) {
		return nil
	}
	others, err := e.kept.HasOtherSuperuser(ctx, e.id)
	if err != nil || others {
		return err
	}
	field := "isSuperuser"
	if e.after.IsSuperuser {
		field = "isActive"
	}
	problems.add(field, FormInvalid, textLast)
	return e.denied(ctx, e.id, ruleLastSuperuser, nil)
}

func isSuper(u models.User) bool { return u.IsSuperuser && u.IsActive }

// write writes what is another, and returns the event of it; none where nothing is.
func (e *edit) write(ctx context.Context, tx models.Store, until time.Time) ([]event, error) {
	detail := e.differences()
	if len(detail) == 0 {
		return nil, nil
	}
	if !slices.Equal(e.before.RoleNames(), e.after.RoleNames()) {
		if err := tx.SetUserRoles(ctx, e.id, e.after.RoleNames()); err != nil {
			return nil, err
		}
	}
	e.after.PasswordHash = models.Secret(e.hash)
	if err := tx.ChangeUser(ctx, e.after); err != nil {
		return nil, err
	}
	for _, name := range []string{"is_active", "is_staff", "is_superuser", "roles", "password"} {
		if _, ok := detail[name]; ok {
			e.raised = true
		}
	}
	if e.raised {
		var err error
		if e.after.Epoch, err = tx.RaiseEpoch(ctx, e.id, e.now(), until); err != nil {
			return nil, err
		}
	}
	if e.hash != "" || !e.after.IsActive {
		if _, err := tx.EndSessions(ctx, e.id, "", e.now(), time.Time{}); err != nil { // the epoch covers their access tokens
			return nil, err
		}
	}
	return []event{event{name: EventUserChanged, subject: e.id, detail: detail}.by(ctx)}, nil
}

// differences returns the new values, by their names in the audit. A password has none there.
func (e *edit) differences() map[string]any {
	detail := map[string]any{}
	for _, field := range []struct {
		name          string
		before, after any
	}{
		{"username", e.before.Username, e.after.Username},
		{"email", e.before.Email, e.after.Email},
		{"first_name", e.before.FirstName, e.after.FirstName},
		{"last_name", e.before.LastName, e.after.LastName},
		{"is_active", e.before.IsActive, e.after.IsActive},
		{"is_staff", e.before.IsStaff, e.after.IsStaff},
		{"is_superuser", e.before.IsSuperuser, e.after.IsSuperuser},
	} {
		if field.before != field.after {
			detail[field.name] = field.after
		}
	}
	if roles := e.after.RoleNames(); !slices.Equal(e.before.RoleNames(), roles) {
		detail["roles"] = roles
	}
	if e.hash != "" {
		detail["password"] = true
	}
	return detail
}

// actorOn returns who changes the user of that id, and the user. NOT_FOUND where there is none; FORBIDDEN without the
// permission, or where the user holds what the actor does not: who sets the password or the address of such a user, or
// has them out of the way, would be as good as that user.
func (s *Service) actorOn(ctx context.Context, kept models.Store, id int64, permission string) (actor, models.User, error) {
	by, err := s.actorIn(ctx, kept, permission)
	if err != nil {
		return actor{}, models.User{}, err
	}
	user, err := kept.UserByID(ctx, id)
	if errors.Is(err, models.ErrNotFound) {
		return actor{}, models.User{}, fault.New(fault.KindNotFound)
	}
	if err != nil {
		return actor{}, models.User{}, fmt.Errorf("read user: %w", err)
	}
	if user.IsSuperuser && !by.everything() {
		return actor{}, models.User{}, s.denied(ctx, id, ruleSuperuser, forbidden("Only a superuser may change a superuser.", ""))
	}
	if lacks := by.lacks(user.Permissions()); lacks != "" {
		return actor{}, models.User{}, s.denied(ctx, id, ruleAbove,
			forbidden("The user has permissions that you do not have.", lacks))
	}
	return by, user, nil
}

// forbidden is a refusal with words of its own, and the permission that is missing, where it is one.
func forbidden(message, requires string) *fault.Error {
	f := fault.Forbidden(requires)
	f.Message = message
	return f
}

// mayGive returns nil where the actor has every flag that the user is given.
func (s *Service) mayGive(ctx context.Context, by actor, before, after models.User) error {
	if after.IsSuperuser && !by.everything() {
		return s.denied(ctx, before.ID, ruleSuperuser, forbidden("Only a superuser may make a superuser.", ""))
	}
	if after.IsStaff && !before.IsStaff && !by.isStaff() {
		return s.denied(ctx, before.ID, ruleFlag, forbidden("You cannot give isStaff: you do not have it.", ""))
	}
	return nil
}

// mayGiveRoles returns nil where the actor has every role that the user is given.
func (s *Service) mayGiveRoles(ctx context.Context, by actor, before models.User, roles []models.Role) error {
	had := before.RoleNames()
	for _, r := range roles {
		if slices.Contains(had, r.Name) || by.holdsRole(r.Name) {
			continue
		}
		return s.denied(ctx, before.ID, ruleRole, forbidden("You cannot give the role "+strconv.Quote(r.Name)+": you do not have it.",
			by.lacks(r.Permissions)))
	}
	return nil
}

// rolesNamed returns the roles of those names. A name that there is not is a problem of the form.
func rolesNamed(ctx context.Context, kept models.Roles, names []string, problems *FormError) ([]models.Role, error) {
	if len(names) > maxRoles {
		problems.add("roles", FormTooLong, fmt.Sprintf("Ensure this field has no more than %d roles.", maxRoles))
		return nil, nil
	}
	unique := slices.Compact(slices.Sorted(slices.Values(names)))
	if !fitToken(unique) {
		problems.add("roles", FormTooLong, "The names of so many roles do not fit into a token.")
		return nil, nil
	}
	var plausible []string
	for _, name := range unique {
		if isText(name) {
			plausible = append(plausible, name)
		}
	}
	roles, err := kept.RolesNamed(ctx, plausible)
	if err != nil {
		return nil, fmt.Errorf("read roles: %w", err)
	}
	for i, name := range names {
		if !slices.ContainsFunc(roles, func(r models.Role) bool { return r.Name == name }) {
			problems.add("roles."+strconv.Itoa(i), FormNotFound, textRole)
		}
	}
	return roles, nil
}

// nameTaken adds the problem that another user has the username, or one that looks like it.
func nameTaken(ctx context.Context, kept models.Imports, user models.User, problems *FormError) error {
	found, err := kept.UsersAmong(ctx, models.Among{Usernames: []string{user.Username}, Keys: []string{user.UsernameKey}})
	if err != nil {
		return fmt.Errorf("look for username: %w", err)
	}
	if slices.ContainsFunc(found, func(u models.User) bool { return u.ID != user.ID }) {
		problems.add("username", FormTaken, textTaken)
	}
	return nil
}

// taken returns the form's problem that another was first with a value.
func taken(err error) (FormError, bool) {
	conflict, ok := errors.AsType[*models.ConflictError](err)
	if !ok {
		return nil, false
	}
	return FormError{{conflict.Field, FormTaken, textTaken}}, true
}

// isRefusal reports whether the error is an answer and not a fault.
func isRefusal(err error) bool {
	if _, ok := errors.AsType[FormError](err); ok {
		return true
	}
	_, ok := errors.AsType[*fault.Error](err)
	return ok
}

// SetActive makes a user active or inactive, as UpdateUser does.
func (s *Service) SetActive(ctx context.Context, userID int64, active bool) error {
	_, err := s.UpdateUser(ctx, userID, UserChange{IsActive: Some(active)})
	return err
}

// SetRoles gives a user exactly the roles of those names, as UpdateUser does.
func (s *Service) SetRoles(ctx context.Context, userID int64, names []string) error {
	_, err := s.UpdateUser(ctx, userID, UserChange{Roles: Some(names)})
	return err
}

// DeleteUser removes a user with sessions and all. Their tokens are STALE at once. Needs users:write and everything that
// the user holds; who removes themselves says their username as confirm. NOT_FOUND where there is no such user,
// BAD_USER_INPUT without the confirmation and for the last active superuser, FORBIDDEN for a user who holds more.
func (s *Service) DeleteUser(ctx context.Context, userID int64, confirm string) error {
	until := s.until()
	err := s.Recorder.change(ctx, func(tx models.Store) ([]event, error) {
		if err := tx.LockUsers(ctx); err != nil {
			return nil, err
		}
		by, user, err := s.actorOn(ctx, tx, userID, models.PermUsersWrite)
		if err != nil {
			return nil, err
		}
		if by.id() == userID && confirm != user.Username {
			return nil, fault.BadUserInput("You would delete yourself: give your username as confirm, if you mean it.", "confirm")
		}
		if isSuper(user) {
			others, err := tx.HasOtherSuperuser(ctx, userID)
			if err != nil {
				return nil, err
			}
			if !others {
				return nil, s.denied(ctx, userID, ruleLastSuperuser, fault.BadUserInput(textLast, "id"))
			}
		}
		deleted := []event{event{name: EventUserDeleted, subject: userID, subjectName: user.Username}.by(ctx)}
		return deleted, tx.DeleteUser(ctx, userID, until)
	})
	if isRefusal(err) {
		return err
	}
	if err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	s.live.set.Add(models.Revocation{UserID: userID, Epoch: models.EpochOfDeleted, ExpiresAt: until})
	return nil
}
