package auth

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"latchkey/models"
)

// EventType is the name of something that is recorded. The names are public: rows, log lines and counters carry them.
type EventType string

// What is recorded. eventTable says what each of them means.
const (
	EventSignedIn             EventType = "signed_in"
	EventSignInFailed         EventType = "sign_in_failed"
	EventSignInThrottled      EventType = "sign_in_throttled"
	EventSessionAdopted       EventType = "session_adopted"
	EventSignedOut            EventType = "signed_out"
	EventSessionsEnded        EventType = "sessions_ended"
	EventRefreshRefused       EventType = "refresh_refused"
	EventRefreshReused        EventType = "refresh_reused"
	EventPasswordChanged      EventType = "password_changed"
	EventPasswordChangeFailed EventType = "password_change_failed"
	EventUserCreated          EventType = "user_created"
	EventUserChanged          EventType = "user_changed"
	EventUserDeleted          EventType = "user_deleted"
	EventUsersImported        EventType = "users_imported"
	EventSigningKeyRotated    EventType = "signing_key_rotated"
	EventSigningKeyRetired    EventType = "signing_key_retired"
	EventRoleSaved            EventType = "role_saved"
	EventRoleDeleted          EventType = "role_deleted"
	EventPermissionDenied     EventType = "permission_denied"
	EventAuditRestarted       EventType = "audit_restarted"
)

type eventRow struct {
	name    EventType
	failure bool // recorded apart from any change, and bounded
	when    string
	detail  string
}

// eventTable is the one list of what is recorded, in the order of the page.
func eventTable() []eventRow {
	return []eventRow{
		{EventSignedIn, false, "A user signed in with the password.", ""},
		{
			EventSignInFailed, true, "A sign-in was refused as INVALID_CREDENTIALS. The subject is the user of that name, where there is one; what was typed is never kept.",
			"`reason`: `unknown_user`, `wrong_password`, `inactive`, `too_long` (longer than any password), `unreadable_hash` (an import brought a password hash of an unknown format), or `changed` (the user changed while the password was checked)",
		},
		{EventSignInThrottled, true, "A sign-in, or a change of the password, was refused as RATE_LIMITED after too many wrong passwords, without a look at this one. The subject is the user of that name, where there is one.", ""},
		{EventSessionAdopted, false, "A refresh token that was made elsewhere with the same key became a session here, at its first refresh.", ""},
		{EventSignedOut, false, "A session was ended with a token of its own.", ""},
		{EventSessionsEnded, false, "A user ended sessions from the list of them, their own or, with `sessions:write`, the subject's. The session is the one that was ended, where it was named.", "`count`: how many"},
		{
			EventRefreshRefused, true, "A refresh token was not accepted. The subject and the session are known where the token's signature holds and it has not expired.",
			"`reason`: a `TokenProblem`",
		},
		{EventRefreshReused, false, "A refresh token that was used up came again, and its session was ended: one of the two who have it has no right to it.", ""},
		{EventPasswordChanged, false, "A user changed the password, which ended every session from before. The session is the new one.", ""},
		{EventPasswordChangeFailed, true, "A signed-in user gave a wrong current password.", ""},
		{EventUserCreated, false, "A user was made.", "`is_staff`, `is_superuser`; `roles`, where there are some"},
		{EventUserChanged, false, "A user was changed by somebody else or by an operator.", "what was changed, with the new value: `username`, `email`, `first_name`, `last_name`, `is_active`, `is_staff`, `is_superuser`, `roles`; `password`: true, where there is a new one"},
		{EventUserDeleted, false, "A user was removed, with every session.", ""},
		{
			EventUsersImported, false, "A run of `import-django` wrote users and roles, to its end or not.",
			"`new`, `updated`, `unchanged`, `refused`: how many users; `roles`: how many were written; `finished`: whether it came to the end",
		},
		{EventSigningKeyRotated, false, "The next signing key took over, by itself or by command, or a key was retired with its algorithm.", "`from`, `to`: the `kid` of the old and the new"},
		{EventSigningKeyRetired, false, "A signing key was ended at once, by command, or with its algorithm where it had not signed yet.", "`kid`"},
		{EventRoleSaved, false, "A role was made, or replaced.", "`role`, `description`, `permissions`: as they are now"},
		{EventRoleDeleted, false, "A role was removed, from those who had it, too.", "`role`"},
		{
			EventPermissionDenied, true, "A signed-in user was refused something. The subject is the user it was about, where it was about one; the session is that of the access token.",
			"`reason`: the permission that was missing, as in `users:read`, or `superuser_only`, `above_caller` (about somebody, or a role, with permissions that the caller does not have), `role_not_held`, `flag_not_held`, `gives_not_held` (a permission for a role), `foreign_session`, `foreign_events`, `last_superuser` (nobody would be left who has every permission; by an operator, too)",
		},
		{
			EventAuditRestarted, false, "An operator began a new chain with `latchkey audit restart`, because the one before was broken. It is the first row of the new one.",
			"`wrong`: what was wrong, as `latchkey audit verify` said; `last_row`, `last_event`: the highest place and the highest `id` of a row from before; `head`: where the row of `event_chain` said that the chain ended, where there was that row",
		},
	}
}

// IsFailure reports whether the event is that something was refused.
func (t EventType) IsFailure() bool {
	for _, row := range eventTable() {
		if row.name == t {
			return row.failure
		}
	}
	return false
}

// EventTypes returns every name, in the order of the page.
func EventTypes() []EventType {
	var list []EventType
	for _, row := range eventTable() {
		list = append(list, row.name)
	}
	return list
}

// EventTable returns the table of docs/audit.md.
func EventTable() string {
	var b strings.Builder
	b.WriteString("| name | when | in `detail` |\n| --- | --- | --- |\n")
	for _, row := range eventTable() {
		name := "`" + string(row.name) + "`"
		if row.failure {
			name += " (a failure)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, row.when, row.detail)
	}
	return b.String()
}

// event is what happened: a row that has no time and no client yet.
type event struct {
	name    EventType
	actor   int64 // 0: nobody who is signed in
	subject int64 // 0: no user
	// subjectName is the username of a subject who is gone when the event is written; empty: it is looked up.
	subjectName string
	session     string
	detail      map[string]any
}

// by returns the event with the caller of the request as the actor, in the session of the access token.
func (e event) by(ctx context.Context) event {
	caller, err := CallerFrom(ctx)
	if err != nil {
		return e
	}
	e.session = caller.SessionID
	e.actor, _ = strconv.ParseInt(caller.UserID, 10, 64) // 0 where it is no id of ours
	return e
}

// self is an event of what a user did to themselves.
func self(name EventType, userID int64, session string) event {
	return event{name: name, actor: userID, subject: userID, session: session}
}

// attrs returns a row as the attributes of its log line.
func attrs(row models.Event, requestID string) []slog.Attr {
	var list []slog.Attr
	add := func(key, value string) {
		if value != "" {
			list = append(list, slog.String(key, value))
		}
	}
	addID := func(key string, id int64) {
		if id != 0 {
			list = append(list, slog.Int64(key, id))
		}
	}
	add("request_id", requestID)
	addID("actor_id", row.ActorID)
	addID("subject_id", row.SubjectID)
	add("session_id", row.SessionID)
	add("address", row.Address)
	if len(row.Detail) > 0 {
		list = append(list, slog.Any("detail", row.Detail))
	}
	return list
}
