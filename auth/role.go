package auth

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/fault"
	"latchkey/models"
)

// Bounds of a role and of what a user may have.
const (
	maxRoleName    = 80   // characters
	maxDescription = 1000 // characters
	maxPermission  = 100  // characters
	maxPermissions = 200  // of one role
	maxRoles       = 100  // of one user
)

// RoleForm is what a role is made from.
type RoleForm struct {
	Name        string
	Description *string // nil: it stays as it is, and is empty for a new role
	Permissions []string
}

// Roles returns every role, by name. Needs roles:read.
func (s *Service) Roles(ctx context.Context) ([]models.Role, error) {
	if err := s.Authorize(ctx, models.PermRolesRead); err != nil {
		return nil, err
	}
	roles, err := s.Store.Roles(ctx)
	if err != nil {
		return nil, fmt.Errorf("read roles: %w", err)
	}
	return roles, nil
}

// SaveRole makes a role, or replaces the one of that name. Needs roles:write, every permission that the role is to give,
// and every one that it gives so far.
//
// Guards ask for the permissions as they are, with each request, so a change holds at once. Access tokens name roles and
// no permissions; those of everybody who has the role become STALE all the same, so that their clients hear of it: of
// those who may have one, so that a role of everybody costs no more than those who are there.
//
// A FormError says, all at once, what is wrong with the form; FORBIDDEN for a permission that the caller does not hold.
func (s *Service) SaveRole(ctx context.Context, form RoleForm) (models.Role, error) {
	role := models.Role{Name: form.Name, Permissions: []string{}}
	err := s.changeRole(ctx, form.Name, func(tx models.Store, by actor, found *models.Role) (change roleChange, err error) {
		if problems := checkRole(form, found == nil); len(problems) > 0 {
			return change, problems
		}
		if lacks := by.lacks(form.Permissions); lacks != "" {
			return change, s.denied(ctx, 0, rulePermission, forbidden("You cannot give a permission that you do not have.", lacks))
		}
		role.Permissions = append(role.Permissions, slices.Compact(slices.Sorted(slices.Values(form.Permissions)))...)
		if found != nil {
			role.Description = found.Description
			had := slices.Compact(slices.Sorted(slices.Values(found.Permissions)))
			change.stale = !slices.Equal(had, role.Permissions)
		}
		if form.Description != nil {
			role.Description = *form.Description
		}
		if found != nil && !change.stale && found.Description == role.Description {
			return change, nil
		}
		change.event = &event{name: EventRoleSaved, detail: map[string]any{
			"role": role.Name, "description": role.Description, "permissions": role.Permissions,
		}}
		return change, tx.SaveRole(ctx, &role)
	})
	return role, err
}

// DeleteRole removes a role, from those who have it, too; access tokens that name it are STALE at once. Needs
// roles:write and every permission that the role gives. NOT_FOUND where there is none of that name.
func (s *Service) DeleteRole(ctx context.Context, name string) error {
	if !isText(name) {
		return fault.New(fault.KindNotFound)
	}
	return s.changeRole(ctx, name, func(tx models.Store, _ actor, found *models.Role) (roleChange, error) {
		if found == nil {
			return roleChange{}, fault.New(fault.KindNotFound)
		}
		gone := &event{name: EventRoleDeleted, detail: map[string]any{"role": name}}
		return roleChange{event: gone, stale: true, after: func() error { return tx.DeleteRole(ctx, name) }}, nil
	})
}

// roleChange is what a change of a role comes to.
type roleChange struct {
	event *event // nil: nothing was changed
	stale bool   // whether those who have the role hear of it
	after func() error
}

// changeRole runs change in a transaction, with who does it and the role of that name, nil where there is none.
func (s *Service) changeRole(ctx context.Context, name string, change func(models.Store, actor, *models.Role) (roleChange, error)) error {
	now, until := s.now(), s.until()
	var stale []models.Revocation
	err := s.Recorder.change(ctx, func(tx models.Store) ([]event, error) {
		if err := tx.LockUsers(ctx); err != nil {
			return nil, err
		}
		by, found, err := s.actorOnRole(ctx, tx, name)
		if err != nil {
			return nil, err
		}
		c, err := change(tx, by, found)
		if err != nil || c.event == nil {
			return nil, err
		}
		if c.stale {
			if stale, err = tx.RaiseEpochsOf(ctx, name, s.oldestUse(now), now, until); err != nil {
				return nil, err
			}
		}
		if c.after != nil {
			if err := c.after(); err != nil {
				return nil, err
			}
		}
		return []event{c.event.by(ctx)}, nil
	})
	if isRefusal(err) {
		return err
	}
	if err != nil {
		return fmt.Errorf("change role: %w", err)
	}
	s.live.set.Add(stale...)
	return nil
}

// oldestUse is when a session was used last, at the earliest, whose access token may still be accepted somewhere.
func (s *Service) oldestUse(now time.Time) time.Time {
	return now.Add(-s.AccessLifetime - s.Leeway - clockSkew)
}

// actorOnRole returns who changes the role, and the role; nil where there is none. FORBIDDEN where the actor lacks
// roles:write or a permission that the role gives.
func (s *Service) actorOnRole(ctx context.Context, tx models.Store, name string) (actor, *models.Role, error) {
	by, err := s.actorIn(ctx, tx, models.PermRolesWrite)
	if err != nil || !isText(name) {
		return by, nil, err
	}
	roles, err := tx.RolesNamed(ctx, []string{name})
	if err != nil || len(roles) == 0 {
		return by, nil, err
	}
	if lacks := by.lacks(roles[0].Permissions); lacks != "" {
		return by, nil, s.denied(ctx, 0, ruleAbove, forbidden("The role gives permissions that you do not have.", lacks))
	}
	return by, &roles[0], nil
}

// isText reports whether a database can have the text.
func isText(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// checkRole returns what is wrong with the form of a role. Names that are there already may be of another form: an
// import brings those that Django takes.
func checkRole(form RoleForm, isNew bool) FormError {
	var e FormError
	switch {
	case form.Name == "":
		e.add("name", FormRequired, textRequired)
	case isNew && utf8.RuneCountInString(form.Name) > maxRoleName:
		e.add("name", FormTooLong, fmt.Sprintf(textTooLong, maxRoleName))
	case isNew && (!isName(form.Name, " :._-/") || strings.TrimSpace(form.Name) != form.Name):
		e.add("name", FormInvalid, "Enter a valid name: letters and digits of ASCII, :._-/ and spaces within.")
	case isNew && isPersonal(form.Name):
		e.add("name", FormInvalid, "This name is kept for a role of one user.")
	}
	if form.Description != nil && !isText(*form.Description) {
		e.add("description", FormInvalid, textNul)
	} else if form.Description != nil && utf8.RuneCountInString(*form.Description) > maxDescription {
		e.add("description", FormTooLong, fmt.Sprintf(textTooLong, maxDescription))
	}
	if len(form.Permissions) > maxPermissions {
		e.add("permissions", FormTooLong, fmt.Sprintf("Ensure this field has no more than %d permissions.", maxPermissions))
		return e
	}
	for i, p := range form.Permissions {
		switch {
		case utf8.RuneCountInString(p) > maxPermission:
			e.add("permissions."+strconv.Itoa(i), FormTooLong, fmt.Sprintf(textTooLong, maxPermission))
		case p == "" || !isName(p, ":._-/"):
			e.add("permissions."+strconv.Itoa(i), FormInvalid, "Enter a valid permission, as in area:verb: letters, digits and :._-/ of ASCII.")
		}
	}
	return e
}

// isName reports whether the text is made of letters and digits of ASCII and the others given.
func isName(text, others string) bool {
	for _, r := range text {
		isLetter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !isLetter && (r < '0' || r > '9') && !strings.ContainsRune(others, r) {
			return false
		}
	}
	return true
}

// RolesOf returns the roles of each of the users, by name, for whoever was given the users.
func (s *Service) RolesOf(ctx context.Context, userIDs []int64) (map[int64][]models.Role, error) {
	roles, err := s.Store.RolesOf(ctx, userIDs)
	if err != nil {
		return nil, fmt.Errorf("read roles of users: %w", err)
	}
	return roles, nil
}
