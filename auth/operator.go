package auth

import (
	"context"
	"slices"
	"strconv"

	"latchkey/models"
)

type operatorKey struct{}

// AsOperator returns a context whose requests are made by whoever runs the program: a command, or the first start. An
// operator has every permission. It must never be made from a request that came over the network.
func AsOperator(ctx context.Context) context.Context {
	return context.WithValue(ctx, operatorKey{}, true)
}

func isOperator(ctx context.Context) bool {
	operator, _ := ctx.Value(operatorKey{}).(bool)
	return operator
}

// actor is who changes users and roles: a user, or the operator.
type actor struct {
	user     models.User
	operator bool
}

// id returns the user's id; 0 for the operator.
func (a actor) id() int64 { return a.user.ID }

// everything reports whether the actor may give and take everything.
func (a actor) everything() bool { return a.operator || a.user.IsSuperuser }

// lacks returns the first of the permissions that the actor does not hold; "" where there is none.
func (a actor) lacks(permissions []string) string {
	for _, p := range permissions {
		if !a.operator && !a.user.Can(p) {
			return p
		}
	}
	return ""
}

// isStaff reports whether the actor may give the flag.
func (a actor) isStaff() bool { return a.everything() || a.user.IsStaff }

// holdsRole reports whether the actor may give the role of that name.
func (a actor) holdsRole(name string) bool {
	return a.everything() || slices.Contains(a.user.RoleNames(), name)
}

// actorIn returns who makes the request, as the store given has them now, if they have the permission.
func (s *Service) actorIn(ctx context.Context, kept models.Users, permission string) (actor, error) {
	if isOperator(ctx) {
		return actor{operator: true}, nil
	}
	caller, err := CallerFrom(ctx)
	if err != nil {
		return actor{}, err
	}
	user, err := userOf(ctx, kept, caller)
	if err != nil {
		return actor{}, err
	}
	if !user.Can(permission) {
		return actor{}, s.lacking(ctx, permission)
	}
	return actor{user: user}, nil
}

// Why something was refused that would have been a way up, where it is no permission that was missing.
const (
	ruleSuperuser     = "superuser_only"  // it is for superusers
	ruleAbove         = "above_caller"    // it is about somebody who holds more
	ruleRole          = "role_not_held"   // it gives a role that the caller does not have
	ruleFlag          = "flag_not_held"   // it gives a flag that the caller does not have
	rulePermission    = "gives_not_held"  // it puts a permission into a role that the caller does not hold
	ruleLastSuperuser = "last_superuser"  // nobody would be left who has every permission
	ruleForeign       = "foreign_session" // it is about a session of somebody else
	ruleForeignEvents = "foreign_events"  // it is about the events of somebody else
)

// denied records that the caller was refused something, and returns the refusal.
func (s *Service) denied(ctx context.Context, subject int64, reason string, refusal error) error {
	e := event{name: EventPermissionDenied, subject: subject}
	if caller, err := CallerFrom(ctx); err == nil {
		e.actor, _ = strconv.ParseInt(caller.UserID, 10, 64) // 0 where it is no id of ours
		e.session = caller.SessionID
	}
	s.Recorder.fail(ctx, e, reason)
	return refusal
}
