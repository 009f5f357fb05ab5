// Package storetest is the storage contract of package models as tests, for whatever keeps it.
package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/models"
)

// moment is when the tests begin, with the precision that both databases keep.
var moment = time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)

// Run tests a Store. Each test gets its own, migrated and empty.
func Run(t *testing.T, open func(t *testing.T) models.Store) {
	tests := map[string]func(*testing.T, models.Store){
		"a user comes back as it was written":                         userRoundTrip,
		"the chain of events is begun once":                           chainIsBegun,
		"the chain of events grows, and is cut off in front":          chainGrows,
		"users are read by their ids":                                 usersByID,
		"a missing user is ErrNotFound":                               userMissing,
		"a username and its look-alike are taken once":                userConflict,
		"a username is looked up exactly":                             userExact,
		"the id of a deleted user is not given again":                 userIDsAreNotReused,
		"text that holds quotes, emoji and newlines comes back":       userText,
		"a password hash is replaced only where it is still the old":  replaceHash,
		"a session comes back as it was written":                      sessionRoundTrip,
		"a session does not start for another epoch or inactive user": startRefused,
		"a refresh moves the session on":                              refreshMoves,
		"a refresh does not pass the session's limit":                 refreshLimit,
		"a refresh without rotation only notes the time":              refreshInPlace,
		"a refresh that does not fit changes nothing":                 refreshRefused,
		"a session remembers its newest rotations":                    refreshRemembers,
		"a session ends once, and is not refreshed after":             endSession,
		"of many refreshes with one generation, one succeeds":         refreshRace,
		"roles come with their user, by name":                         rolesOfUser,
		"roles that do not exist are given to nobody":                 rolesMissing,
		"a foreign token becomes one session":                         adoptOnce,
		"a foreign token is revoked once, and becomes no session":     revokeForeign,
		"a foreign token becomes no session of a user who is out":     adoptRefused,
		"a signing key comes back as it was written":                  keyRoundTrip,
		"keys are rotated once, and expire":                           keyRotation,
		"what was revoked is told since a mark":                       revocations,
		"a revocation that commits late is not missed":                lateCommit,
		"one key signs with an algorithm, however many try":           keyRace,
		"sessions are deleted when no token of theirs is accepted":    cleanSessions,
		"a session that was refreshed is looked at again":             cleanRefreshed,
		"a bite is no larger than it may be":                          cleanBites,
		"revocations are deleted when they are over":                  cleanRevocations,
		"foreign tokens are deleted when they are over":               cleanForeign,
		"signing keys are deleted when they are over":                 cleanKeys,
		"events are deleted when they are over":                       cleanEvents,
		"tries are deleted when they are forgotten":                   cleanAttempts,
		"a bucket lets through what each step has room for":           attemptSteps,
		"a try goes into all buckets or into none":                    attemptAllOrNone,
		"a try is added where there is no room, and returned":         attemptAddedAndReturned,
		"buckets are emptied by the beginning of their ids":           attemptsForgotten,
		"of many tries at once no more pass than there is room for":   attemptRace,
		"what cleans at once deletes each row once":                   cleanRace,
		"events come back as they were written, the newest first":     eventRoundTrip,
		"events of a transaction that fails are not written":          eventRollsBack,
		"users are inserted with their ids and roles":                 insertKeepsIDs,
		"new ids are above those that were inserted":                  insertRaisesIDs,
		"of users that conflict none is inserted":                     insertConflict,
		"many users are inserted at once":                             insertMany,
		"users are found by ids, usernames and keys, with roles":      usersAmong,
		"roles are found by their names":                              rolesNamed,
		"a user is updated, and nobody else":                          updateUser,
		"who locks the users waits for the others":                    lockedWait,
		"users are listed by pages, filters and searches":             listUsers,
		"lists and searches follow a change":                          listFollows,
		"an active superuser counts for the others":                   superusers,
		"roles are listed, and go with their deletion":                roleLife,
		"who has a role and a session is made stale with it":          raiseEpochsOf,
		"a transaction that fails leaves nothing":                     txRollsBack,
		"a transaction sees its own writes":                           txSeesItself,
		"a panic in a transaction rolls back and goes on":             txPanics,
		"a cancelled context ends a call":                             cancelled,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func newUser(name string) models.User {
	return models.User{
		Username: name, UsernameKey: name, Email: name + "@example.org", FirstName: "Ada", LastName: "Lovelace",
		PasswordHash: "$argon2id$v=19$made-up", IsActive: true, IsStaff: true, Epoch: 3, DateJoined: moment,
	}
}

func createUser(t *testing.T, s models.Store, name string) models.User {
	t.Helper()
	u := newUser(name)
	if err := s.CreateUser(t.Context(), &u); err != nil {
		t.Fatalf("CreateUser: %v", err)
	}
	if u.ID <= 0 {
		t.Fatalf("CreateUser gave the id %d", u.ID)
	}
	return u
}

func newSession(id string, user models.User) models.Session {
	limit := moment.Add(time.Hour)
	return models.Session{
		ID: id, UserID: user.ID, CreatedAt: moment, LastUsedAt: moment, ExpiresAt: moment.Add(time.Minute),
		KeepUntil: moment.Add(5 * time.Minute), LimitAt: &limit, UserAgent: "curl/8", IPAddress: "2001:db8::1",
	}
}

func startSession(t *testing.T, s models.Store, id string, user models.User) models.Session {
	t.Helper()
	session := newSession(id, user)
	if err := s.StartSession(t.Context(), &session, user.Epoch, false); err != nil {
		t.Fatalf("StartSession: %v", err)
	}
	return session
}

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func userRoundTrip(t *testing.T, s models.Store) {
	if found, err := s.HasUsers(t.Context()); err != nil || found {
		t.Errorf("HasUsers in an empty store = %v, %v", found, err)
	}
	want := createUser(t, s, "ada")
	byID, err := s.UserByID(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	want.Roles = byID.Roles // empty or nil
	diff(t, "UserByID", want, byID)
	if len(byID.Roles) != 0 {
		t.Errorf("a new user has roles: %v", byID.Roles)
	}
	byName, err := s.UserByUsername(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "UserByUsername", byID, byName)
	if found, err := s.HasUsers(t.Context()); err != nil || !found {
		t.Errorf("HasUsers with a user = %v, %v", found, err)
	}

	// The other way round in all that is true or false, and with a time that the first has not.
	other := models.User{
		Username: "grace", UsernameKey: "grace", IsSuperuser: true, DateJoined: moment,
		LastLogin: &moment, EpochRaisedAt: &moment, SessionsEndedAt: &moment,
	}
	if err := s.CreateUser(t.Context(), &other); err != nil {
		t.Fatal(err)
	}
	got, err := s.UserByID(t.Context(), other.ID)
	if err != nil {
		t.Fatal(err)
	}
	other.Roles = got.Roles
	diff(t, "UserByID", other, got)
}

func userMissing(t *testing.T, s models.Store) {
	_, err := s.UserByID(t.Context(), 1)
	wantErr(t, "UserByID", err, models.ErrNotFound)
	_, err = s.UserByUsername(t.Context(), "nobody")
	wantErr(t, "UserByUsername", err, models.ErrNotFound)
}

func userConflict(t *testing.T, s models.Store) {
	createUser(t, s, "ada")
	for _, u := range []models.User{
		{Username: "ada", UsernameKey: "other", DateJoined: moment},
		{Username: "Ada", UsernameKey: "ada", DateJoined: moment},
	} {
		err := s.CreateUser(t.Context(), &u)
		conflict, ok := errors.AsType[*models.ConflictError](err)
		if !ok || conflict.Field != "username" {
			t.Errorf("CreateUser(%q, key %q): got %v, want a conflict of username", u.Username, u.UsernameKey, err)
		}
	}
	createUser(t, s, "grace")
}

func userExact(t *testing.T, s models.Store) {
	createUser(t, s, "ada")
	for _, name := range []string{"Ada", "ADA", "ada ", "ad_", "ad%", ""} {
		_, err := s.UserByUsername(t.Context(), name)
		wantErr(t, name, err, models.ErrNotFound)
	}
}

func userIDsAreNotReused(t *testing.T, s models.Store) {
	first := createUser(t, s, "ada")
	if err := s.DeleteUser(t.Context(), first.ID, moment); err != nil {
		t.Fatal(err)
	}
	if second := createUser(t, s, "ada"); second.ID <= first.ID {
		t.Errorf("the id %d was given after %d was deleted", second.ID, first.ID)
	}
}

func userText(t *testing.T, s models.Store) {
	want := `Robert'); DROP TABLE users;-- "x" \ % _` + "\n\t🦊\u202e"
	u := newUser("bobby")
	u.FirstName = want
	if err := s.CreateUser(t.Context(), &u); err != nil {
		t.Fatal(err)
	}
	got, err := s.UserByID(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "FirstName", want, got.FirstName)
}

func replaceHash(t *testing.T, s models.Store) {
	u := createUser(t, s, "ada")
	for _, step := range []struct{ old, replacement, want models.Secret }{
		{"another", "second", u.PasswordHash},
		{u.PasswordHash, "second", "second"},
		{u.PasswordHash, "third", "second"},
	} {
		replaced, err := s.ReplacePasswordHash(t.Context(), u.ID, step.old, step.replacement)
		if err != nil || replaced != (step.replacement == step.want) {
			t.Errorf("ReplacePasswordHash = %v, %v", replaced, err)
		}
		got, err := s.UserByID(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.PasswordHash != step.want {
			t.Errorf("the hash after a replacement is %q, want %q", string(got.PasswordHash), string(step.want))
		}
	}
}

func sessionRoundTrip(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	want := newSession("a", user)
	if err := s.StartSession(t.Context(), &want, user.Epoch, true); err != nil {
		t.Fatal(err)
	}
	got, err := s.SessionByID(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "session", want, got)
	after, err := s.UserByID(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "last login", &moment, after.LastLogin)

	startSession(t, s, "b", user)
	_, err = s.SessionByID(t.Context(), "c")
	wantErr(t, "SessionByID", err, models.ErrNotFound)
}

func startRefused(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	inactive := newUser("grace")
	inactive.IsActive = false
	if err := s.CreateUser(t.Context(), &inactive); err != nil {
		t.Fatal(err)
	}
	for _, try := range []struct {
		name  string
		user  models.User
		epoch int64
	}{{"epoch", user, user.Epoch - 1}, {"inactive", inactive, inactive.Epoch}, {"nobody", models.User{ID: 99}, 0}} {
		session := newSession(try.name, try.user)
		wantErr(t, try.name, s.StartSession(t.Context(), &session, try.epoch, true), models.ErrNotFound)
		_, err := s.SessionByID(t.Context(), try.name)
		wantErr(t, try.name, err, models.ErrNotFound)
	}
	if after, err := s.UserByID(t.Context(), user.ID); err != nil || after.LastLogin != nil {
		t.Errorf("a refused start wrote last_login: %v, %v", after.LastLogin, err)
	}
}

func rotation(session models.Session) models.Refresh {
	return models.Refresh{
		SessionID: session.ID, UserID: session.UserID, Generation: session.Generation, Rotate: true,
		Now: session.LastUsedAt.Add(10 * time.Second), ExpiredBy: session.LastUsedAt.Add(10 * time.Second),
		ExpiresAt: session.LastUsedAt.Add(70 * time.Second),
		KeepUntil: session.LastUsedAt.Add(6 * time.Minute),
	}
}

func refreshMoves(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	session := startSession(t, s, "a", user)
	r := rotation(session)
	got, owner, err := s.RefreshSession(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	want := session
	want.Generation, want.LastUsedAt, want.ExpiresAt, want.KeepUntil = 1, r.Now, r.ExpiresAt, r.KeepUntil
	want.Rotations = []int64{r.Now.UnixMicro()}
	diff(t, "session", want, got)
	read, err := s.UserByID(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	owner.Roles, read.Roles = nil, nil
	diff(t, "user", read, owner)
	kept, err := s.SessionByID(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "session as kept", want, kept)
}

func refreshLimit(t *testing.T, s models.Store) {
	session := startSession(t, s, "a", createUser(t, s, "ada"))
	r := rotation(session)
	r.ExpiresAt = session.LimitAt.Add(time.Second)
	r.KeepUntil, r.KeepPast = session.LimitAt.Add(time.Hour), 1500*time.Microsecond
	for range 2 { // and once more, which changes neither
		got, _, err := s.RefreshSession(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "expiry", *session.LimitAt, got.ExpiresAt)
		diff(t, "kept until", session.LimitAt.Add(r.KeepPast), got.KeepUntil)
		r.Generation++
	}
	r.KeepPast = 0
	got, _, err := s.RefreshSession(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "kept until, which never becomes earlier", session.LimitAt.Add(1500*time.Microsecond), got.KeepUntil)
}

func refreshRemembers(t *testing.T, s models.Store) {
	session := startSession(t, s, "a", createUser(t, s, "ada"))
	var began []int64
	for range models.MaxRotations + 3 {
		r := rotation(session)
		got, _, err := s.RefreshSession(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		session = got
		began = append([]int64{r.Now.UnixMicro()}, began...)
	}
	diff(t, "rotations", began[:models.MaxRotations], session.Rotations)
	newest, exact := session.RotatedAt(session.Generation - 1)
	if !exact || newest.UnixMicro() != began[0] {
		t.Errorf("the newest was used up at %v (%v)", newest, exact)
	}
	oldest, exact := session.RotatedAt(0)
	if exact || oldest.UnixMicro() != began[models.MaxRotations-1] {
		t.Errorf("the first was used up before %v (%v)", oldest, exact)
	}
}

func endSession(t *testing.T, s models.Store) {
	session := startSession(t, s, "a", createUser(t, s, "ada"))
	other := startSession(t, s, "b", models.User{ID: session.UserID, Epoch: 3})
	ended := make(chan bool, 16)
	for _, err := range parallel(16, func() error {
		won, err := s.EndSession(context.WithoutCancel(t.Context()), "a", moment, moment.Add(time.Minute))
		ended <- won
		return err
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	close(ended)
	won := 0
	for w := range ended {
		if w {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d of 16 calls ended the session, want 1", won)
	}
	_, _, err := s.RefreshSession(t.Context(), rotation(session))
	wantErr(t, "a refresh after the end", err, models.ErrNotFound)
	if _, _, err := s.RefreshSession(t.Context(), rotation(other)); err != nil {
		t.Errorf("a refresh of another session: %v", err)
	}
	kept, err := s.SessionByID(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "ended at", &moment, kept.EndedAt)
}

func refreshInPlace(t *testing.T, s models.Store) {
	session := startSession(t, s, "a", createUser(t, s, "ada"))
	r := rotation(session)
	r.Rotate = false
	r.KeepUntil = session.KeepUntil.Add(-time.Second) // it never becomes earlier
	for range 2 {
		got, _, err := s.RefreshSession(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		want := session
		want.LastUsedAt = r.Now
		diff(t, "session", want, got)
	}
}

func refreshRefused(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	session := startSession(t, s, "a", user)
	inactive := newUser("grace")
	if err := s.CreateUser(t.Context(), &inactive); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*models.Refresh){
		"another session":   func(r *models.Refresh) { r.SessionID = "b" },
		"another user":      func(r *models.Refresh) { r.UserID = inactive.ID },
		"older generation":  func(r *models.Refresh) { r.Generation-- },
		"newer generation":  func(r *models.Refresh) { r.Generation++ },
		"at the expiry":     func(r *models.Refresh) { r.ExpiredBy = session.ExpiresAt },
		"beyond the expiry": func(r *models.Refresh) { r.ExpiredBy = session.ExpiresAt.Add(time.Hour) },
	} {
		r := rotation(session)
		change(&r)
		_, _, err := s.RefreshSession(t.Context(), r)
		wantErr(t, name, err, models.ErrNotFound)
	}
	kept, err := s.SessionByID(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "session", session, kept)
}

func refreshRace(t *testing.T, s models.Store) {
	session := startSession(t, s, "a", createUser(t, s, "ada"))
	for round := range 5 {
		errs := parallel(32, func() error {
			_, _, err := s.RefreshSession(context.WithoutCancel(t.Context()), rotation(session))
			return err
		})
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, models.ErrNotFound) {
				t.Errorf("a loser got %v, want ErrNotFound", err)
			}
		}
		if won != 1 {
			t.Fatalf("round %d: %d of 32 refreshes won, want 1", round, won)
		}
		var err error
		if session, err = s.SessionByID(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if session.Generation != int64(round+1) {
			t.Fatalf("round %d: generation %d", round, session.Generation)
		}
	}
}

func saveRole(t *testing.T, s models.Store, r models.Role) models.Role {
	t.Helper()
	if err := s.SaveRole(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	if r.ID <= 0 {
		t.Fatalf("SaveRole gave the id %d", r.ID)
	}
	return r
}

func rolesOfUser(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	writer := saveRole(t, s, models.Role{Name: "writer", Permissions: []string{"users:read", "shop:sell"}})
	reader := saveRole(t, s, models.Role{Name: "reader", Description: "Reads.", Permissions: []string{}})
	saveRole(t, s, models.Role{Name: "other", Permissions: []string{"x"}})
	if err := s.SetUserRoles(t.Context(), user.ID, []string{"writer", "reader"}); err != nil {
		t.Fatal(err)
	}
	got, err := s.UserByUsername(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "roles", []models.Role{reader, writer}, got.Roles)

	replaced := saveRole(t, s, models.Role{Name: "writer", Description: "Writes.", Permissions: []string{"users:write"}})
	if replaced.ID != writer.ID {
		t.Errorf("a replaced role has the id %d, had %d", replaced.ID, writer.ID)
	}
	session := startSession(t, s, "a", user)
	_, owner, err := s.RefreshSession(t.Context(), rotation(session))
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "roles at a refresh", []models.Role{reader, replaced}, owner.Roles)

	if err := s.SetUserRoles(t.Context(), user.ID, nil); err != nil {
		t.Fatal(err)
	}
	if got, err = s.UserByID(t.Context(), user.ID); err != nil || len(got.Roles) != 0 {
		t.Errorf("after all roles were taken: %v, %v", got.Roles, err)
	}
}

func rolesMissing(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	saveRole(t, s, models.Role{Name: "reader", Permissions: []string{"users:read"}})
	if err := s.SetUserRoles(t.Context(), user.ID, []string{"reader"}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "a role that is not", s.SetUserRoles(t.Context(), user.ID, []string{"none"}), models.ErrNotFound)
	wantErr(t, "a user who is not", s.SetUserRoles(t.Context(), 99, []string{"reader"}), models.ErrNotFound)
	got, err := s.UserByID(t.Context(), user.ID)
	if err != nil || len(got.Roles) != 1 {
		t.Errorf("after the refusals: %v, %v; want the role from before", got.Roles, err)
	}
}

func keyRoundTrip(t *testing.T, s models.Store) {
	later := moment.Add(time.Hour)
	want := []models.SigningKey{
		{ID: "old", Algorithm: "ES256", Sealed: []byte{0, 1, 2, 255}, CreatedAt: moment, ActivatedAt: &moment, RetiredAt: &later, ExpiresAt: &later},
		{ID: "active", Algorithm: "ES256", Sealed: []byte{3}, CreatedAt: moment.Add(time.Minute), ActivatedAt: &later},
		{ID: "next", Algorithm: "ES256", Sealed: []byte{4}, CreatedAt: moment.Add(2 * time.Minute)},
	}
	for _, k := range want {
		if err := s.CreateSigningKey(t.Context(), &k); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "keys", want, got)
	for i, want := range []models.KeyState{models.KeyRetired, models.KeyActive, models.KeyNext} {
		if got[i].State() != want {
			t.Errorf("%s is %s, want %s", got[i].ID, got[i].State(), want)
		}
	}

	for _, c := range []struct {
		old  []byte
		want bool
	}{{[]byte{0, 1, 2}, false}, {[]byte{0, 1, 2, 255}, true}, {[]byte{0, 1, 2, 255}, false}} {
		replaced, err := s.ReplaceSealed(t.Context(), "old", c.old, []byte{9, 0})
		if err != nil || replaced != c.want {
			t.Errorf("in place of %v: %t, %v; want %t", c.old, replaced, err, c.want)
		}
	}
	want[0].Sealed = []byte{9, 0}
	if got, err = s.SigningKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	diff(t, "keys sealed anew", want, got)
}

func keyRotation(t *testing.T, s models.Store) {
	for _, k := range []models.SigningKey{
		{ID: "a", Algorithm: "ES256", Sealed: []byte{1}, CreatedAt: moment, ActivatedAt: &moment},
		{ID: "b", Algorithm: "ES256", Sealed: []byte{2}, CreatedAt: moment},
	} {
		if err := s.CreateSigningKey(t.Context(), &k); err != nil {
			t.Fatal(err)
		}
	}
	r := models.Rotation{
		From: "a", To: "b", Now: moment.Add(time.Hour), ExpiresAt: moment.Add(25 * time.Hour),
		Next: models.SigningKey{ID: "c", Algorithm: "ES256", Sealed: []byte{3}, CreatedAt: moment.Add(time.Hour)},
	}
	won := make(chan bool, 16)
	for _, err := range parallel(16, func() error {
		rotated, err := s.RotateSigningKey(context.WithoutCancel(t.Context()), r)
		won <- rotated
		return err
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	close(won)
	n := 0
	for w := range won {
		if w {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of 16 rotated, want 1", n)
	}
	wrong := r
	wrong.From, wrong.To, wrong.Next.ID = "b", "none", "d"
	_, err := s.RotateSigningKey(t.Context(), wrong)
	wantErr(t, "to a key that is not next", err, models.ErrNotFound)

	wantErr(t, "expire no key", s.ExpireSigningKey(t.Context(), "none", moment), models.ErrNotFound)
	former := models.SigningKey{ID: "f", Algorithm: "EdDSA", Sealed: []byte{4}, CreatedAt: moment.Add(2 * time.Hour), ActivatedAt: &r.Now}
	if err := s.CreateSigningKey(t.Context(), &former); err != nil {
		t.Fatal(err)
	}
	only := models.Rotation{From: "f", To: "b", Now: r.Now, ExpiresAt: r.ExpiresAt}
	for _, want := range []bool{true, false} {
		if rotated, err := s.RotateSigningKey(t.Context(), only); err != nil || rotated != want {
			t.Errorf("retire alone: %t, %v; want %t", rotated, err, want)
		}
	}
	former.RetiredAt, former.ExpiresAt = &r.Now, &r.ExpiresAt

	ended := r.Now.Add(time.Minute)
	for _, id := range []string{"a", "c"} {
		if err := s.ExpireSigningKey(t.Context(), id, ended); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range got {
		if k.Ended() != (k.ID == "a" || k.ID == "c") {
			t.Errorf("%s is ended: %t", k.ID, k.Ended())
		}
	}
	diff(t, "keys", []models.SigningKey{
		{ID: "a", Algorithm: "ES256", Sealed: []byte{1}, CreatedAt: moment, ActivatedAt: &moment, RetiredAt: &r.Now, ExpiresAt: &r.Now},
		{ID: "b", Algorithm: "ES256", Sealed: []byte{2}, CreatedAt: moment, ActivatedAt: &r.Now},
		{ID: "c", Algorithm: "ES256", Sealed: []byte{3}, CreatedAt: moment.Add(time.Hour), RetiredAt: &ended, ExpiresAt: &ended},
		former,
	}, got)
}

func revocations(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	until := moment.Add(time.Hour)
	startSession(t, s, "a", user)
	startSession(t, s, "b", user)
	startSession(t, s, "c", user)
	list, mark := since(t, s, "")
	if len(list) != 0 {
		t.Fatalf("at first: %v", list)
	}
	if _, err := s.EndSession(t.Context(), "a", moment, until); err != nil {
		t.Fatal(err)
	}
	ids, err := s.EndSessions(t.Context(), user.ID, "b", moment, until)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "ended sessions", []string{"c"}, ids)
	epoch, err := s.RaiseEpoch(t.Context(), user.ID, moment, until)
	if err != nil || epoch != user.Epoch+1 {
		t.Errorf("RaiseEpoch = %d, %v", epoch, err)
	}
	_, err = s.RaiseEpoch(t.Context(), 99, moment, until)
	wantErr(t, "RaiseEpoch of nobody", err, models.ErrNotFound)

	list, next := since(t, s, mark)
	for i := range list {
		list[i].ID = 0
	}
	diff(t, "revocations", []models.Revocation{
		{SessionID: "a", ExpiresAt: until},
		{SessionID: "c", ExpiresAt: until},
		{UserID: user.ID, Epoch: epoch, ExpiresAt: until},
	}, list)
	if again, _ := since(t, s, next); len(again) != 0 {
		t.Errorf("what was read comes again: %v", again)
	}
	if all, _ := since(t, s, ""); len(all) != 3 {
		t.Errorf("from the beginning there are %d, want 3", len(all))
	}
	alive, err := s.SessionsOf(t.Context(), []int64{user.ID, 999}, moment)
	if err != nil || len(alive) != 1 || len(alive[user.ID]) != 1 || alive[user.ID][0].ID != "b" {
		t.Errorf("SessionsOf: %v, %v; want b alone", alive, err)
	}
}

// since returns what is new in the order of the ids, and the next mark of a database that is still the same.
func since(t *testing.T, s models.Store, mark string) (list []models.Revocation, next string) {
	t.Helper()
	next, anew, err := s.RevocationsSince(t.Context(), mark, func(page []models.Revocation) { list = append(list, page...) })
	if err != nil {
		t.Fatal(err)
	}
	if anew {
		t.Error("it began anew")
	}
	slices.SortFunc(list, func(a, b models.Revocation) int { return int(a.ID - b.ID) })
	return list, next
}

// A transaction that writes early and commits late is not missed by a reader who went on meanwhile.
func lateCommit(t *testing.T, s models.Store) {
	user := createUser(t, s, "ada")
	startSession(t, s, "late", user)
	other := createUser(t, s, "grace")
	until := moment.Add(time.Hour)
	wrote, read := make(chan struct{}), make(chan struct{})
	seen := map[string]bool{}
	look := func(mark string) string {
		list, next := since(t, s, mark)
		for _, r := range list {
			seen[r.SessionID] = true
		}
		return next
	}
	var group sync.WaitGroup
	group.Go(func() {
		err := s.Tx(context.WithoutCancel(t.Context()), func(tx models.Store) error {
			_, err := tx.EndSession(t.Context(), "late", moment, until)
			close(wrote)
			<-read
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-wrote
	// Where the database lets another writer in meanwhile, it commits first, with a later id.
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _ = s.RaiseEpoch(ctx, other.ID, moment, until) // SQLite makes it wait, and it gives up
	mark := look("")
	close(read)
	group.Wait()
	look(mark)
	if !seen["late"] {
		t.Error("the late commit was missed")
	}
}

func keyRace(t *testing.T, s models.Store) {
	ids := make(chan string, 16)
	for i := range 16 {
		ids <- string(rune('a' + i))
	}
	errs := parallel(16, func() error {
		k := models.SigningKey{ID: <-ids, Algorithm: "ES256", Sealed: []byte{1}, CreatedAt: moment, ActivatedAt: &moment}
		return s.CreateSigningKey(context.WithoutCancel(t.Context()), &k)
	})
	made := 0
	for _, err := range errs {
		conflict, ok := errors.AsType[*models.ConflictError](err)
		switch {
		case err == nil:
			made++
		case !ok || conflict.Field != "algorithm":
			t.Errorf("a loser got %v, want a conflict of algorithm", err)
		}
	}
	if made != 1 {
		t.Errorf("%d keys were made, want 1", made)
	}
	other := models.SigningKey{ID: "z", Algorithm: "EdDSA", Sealed: []byte{1}, CreatedAt: moment}
	if err := s.CreateSigningKey(t.Context(), &other); err != nil {
		t.Errorf("a key of another algorithm: %v", err)
	}
}

func txRollsBack(t *testing.T, s models.Store) {
	failure := errors.New("made up")
	err := s.Tx(t.Context(), func(tx models.Store) error {
		u := newUser("ada")
		if err := tx.CreateUser(t.Context(), &u); err != nil {
			return err
		}
		return failure
	})
	wantErr(t, "Tx", err, failure)
	_, err = s.UserByUsername(t.Context(), "ada")
	wantErr(t, "UserByUsername", err, models.ErrNotFound)
}

func txSeesItself(t *testing.T, s models.Store) {
	err := s.Tx(t.Context(), func(tx models.Store) error {
		u := newUser("ada")
		if err := tx.CreateUser(t.Context(), &u); err != nil {
			return err
		}
		session := newSession("a", u)
		if err := tx.StartSession(t.Context(), &session, u.Epoch, true); err != nil {
			return err
		}
		if _, _, err := tx.RefreshSession(t.Context(), rotation(session)); err != nil {
			return err
		}
		_, err := tx.UserByUsername(t.Context(), "ada")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SessionByID(t.Context(), "a"); err != nil {
		t.Errorf("after the commit: %v", err)
	}
}

func txPanics(t *testing.T, s models.Store) {
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = s.Tx(t.Context(), func(tx models.Store) error {
			u := newUser("ada")
			if err := tx.CreateUser(t.Context(), &u); err != nil {
				return err
			}
			panic("made up")
		})
	}()
	_, err := s.UserByUsername(t.Context(), "ada")
	wantErr(t, "UserByUsername", err, models.ErrNotFound)
}

func cancelled(t *testing.T, s models.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.UserByID(ctx, 1)
	wantErr(t, "UserByID", err, context.Canceled)
	// The connections are not the worse for it.
	_, err = s.UserByID(t.Context(), 1)
	wantErr(t, "UserByID afterwards", err, models.ErrNotFound)
}

// parallel calls fn n times at once and returns what each call returned.
func parallel(n int, fn func() error) []error {
	errs := make([]error, n)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range n {
		done.Go(func() {
			start.Wait()
			errs[i] = fn()
		})
	}
	start.Done()
	done.Wait()
	return errs
}
