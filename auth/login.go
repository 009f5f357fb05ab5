package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"latchkey/auth/password"
	"latchkey/auth/username"
	"latchkey/fault"
	"latchkey/models"
)

// Login signs a user in with username and password and begins a session. INVALID_CREDENTIALS, after the same work and
// with the same text, for a wrong password, an unknown username and an inactive user; RATE_LIMITED after too many of
// those, without a look at the password, and while too many passwords wait to be checked.
func (s *Service) Login(ctx context.Context, name, plain string) (pair Pair, err error) {
	defer func() { s.outcomes.signIn(err) }()
	user, err := s.credentials(ctx, name, plain)
	if err != nil {
		return Pair{}, err
	}
	now := s.now()
	session, err := s.newSession(ctx, user, now)
	if err != nil {
		return Pair{}, err
	}
	// The epoch is the one whose password was checked: a password or state that changed meanwhile ends the attempt.
	err = s.Recorder.change(ctx, func(tx models.Store) ([]event, error) {
		signedIn := []event{self(EventSignedIn, user.ID, session.ID)}
		return signedIn, tx.StartSession(ctx, &session, user.Epoch, s.UpdateLastLogin)
	})
	if errors.Is(err, models.ErrNotFound) {
		return Pair{}, s.signInFailed(ctx, user.ID, "changed")
	}
	if err != nil {
		return Pair{}, fmt.Errorf("start session: %w", err)
	}
	if s.UpdateLastLogin {
		user.LastLogin = &now
	}
	refresh, err := s.refresh(user, session, nil)
	if err != nil {
		return Pair{}, err
	}
	return s.signedIn(ctx, user, session, refresh, now)
}

// signedIn returns the answer to a request that has shown the password: with the device cookie.
func (s *Service) signedIn(ctx context.Context, user models.User, session models.Session, refresh string, now time.Time) (Pair, error) {
	markProved(ctx)
	pair, err := s.pair(user, session, refresh, nil, now)
	if err == nil {
		pair.Device, err = s.markDevice(ctx, user)
	}
	return pair, err
}

// newSession returns a session of the user that begins now, for the client of the request. It is not written yet.
func (s *Service) newSession(ctx context.Context, user models.User, now time.Time) (models.Session, error) {
	id, err := s.randomID()
	if err != nil {
		return models.Session{}, err
	}
	client := ClientFrom(ctx)
	session := models.Session{
		ID: id, UserID: user.ID, CreatedAt: now, LastUsedAt: now,
		UserAgent: client.UserAgent, IPAddress: client.IPAddress,
	}
	begun := now.Truncate(time.Second)
	if s.SessionLifetime > 0 {
		limit := begun.Add(s.SessionLifetime)
		session.LimitAt = &limit
	}
	session.ExpiresAt = earlier(begun.Add(s.RefreshLifetime), session.LimitAt)
	session.KeepUntil = s.keepUntil(session.ExpiresAt, session.LimitAt)
	return session, nil
}

// credentials returns the active user of that name and password.
func (s *Service) credentials(ctx context.Context, name, plain string) (models.User, error) {
	// No such password can have been set, so there is none to compare with, for any user.
	if utf8.RuneCountInString(plain) > password.MaxLength {
		return models.User{}, s.signInFailed(ctx, 0, "too_long")
	}
	user, err := s.userForLogin(ctx, name)
	unknown := errors.Is(err, models.ErrNotFound)
	if err != nil && !unknown {
		return models.User{}, fmt.Errorf("read user: %w", err)
	}
	try, err := s.begin(ctx, s.bucketsOf(ctx, name, user))
	if err != nil {
		return models.User{}, s.throttled(ctx, user.ID, err)
	}
	defer try.end(ctx)
	refuse := func(reason string) (models.User, error) {
		if err := try.fail(ctx); err != nil {
			return models.User{}, err
		}
		return models.User{}, s.signInFailed(ctx, user.ID, reason)
	}
	if unknown || !user.IsActive {
		if err := s.Passwords.VerifyNothingIf(ctx, plain, try.admit); err != nil {
			return models.User{}, s.throttled(ctx, user.ID, busy(err))
		}
		if unknown {
			return refuse("unknown_user")
		}
		return refuse("inactive")
	}
	result, err := s.verifyPassword(ctx, user, plain, try)
	if errors.Is(err, password.ErrMalformed) {
		return refuse("unreadable_hash")
	}
	if err != nil {
		return models.User{}, s.throttled(ctx, user.ID, busy(err))
	}
	if !result.Match {
		return refuse("wrong_password")
	}
	if result.Stale {
		user.PasswordHash = s.rehash(ctx, user, plain)
	}
	return user, nil
}

// verifyPassword compares a password with the user's. password.ErrMalformed, after the same work, where the stored hash is
// of a format that nobody here can read: an import may bring one, and the user needs a new password.
func (s *Service) verifyPassword(ctx context.Context, user models.User, plain string, try *try) (password.Result, error) {
	result, err := s.Passwords.VerifyIf(ctx, plain, string(user.PasswordHash), try.admit)
	if !errors.Is(err, password.ErrMalformed) {
		return result, err
	}
	if err := s.Passwords.VerifyNothingIf(ctx, plain, try.admit); err != nil {
		return password.Result{}, err
	}
	s.Logger.WarnContext(ctx, "the stored password hash cannot be read: the user needs a new password", "user_id", user.ID)
	return password.Result{}, err
}

// signInFailed records a refusal, without a word of what was typed, and returns it.
func (s *Service) signInFailed(ctx context.Context, userID int64, reason string) error {
	s.Recorder.fail(ctx, event{name: EventSignInFailed, subject: userID}, reason)
	return fault.New(fault.KindInvalidCredentials)
}

// userForLogin returns the user of that name, active or not; models.ErrNotFound for an unknown one.
func (s *Service) userForLogin(ctx context.Context, name string) (models.User, error) {
	if !username.Plausible(name) { // nobody can have it, and the database need not see it
		return models.User{}, models.ErrNotFound
	}
	// As it was typed first: a user who was imported may have a name that is not in the form of new ones.
	user, err := s.Store.UserByUsername(ctx, name)
	if normal := username.Normalize(name); normal != name && errors.Is(err, models.ErrNotFound) {
		return s.Store.UserByUsername(ctx, normal)
	}
	return user, err
}

// rehash keeps the password under the present parameters, and returns the hash that is kept. The sign-in does not depend
// on it.
func (s *Service) rehash(ctx context.Context, user models.User, plain string) models.Secret {
	replaced := false
	hash, err := s.Passwords.Hash(ctx, plain)
	if err == nil {
		replaced, err = s.Store.ReplacePasswordHash(ctx, user.ID, user.PasswordHash, models.Secret(hash))
	}
	if err != nil {
		s.Logger.WarnContext(ctx, "password hash not renewed", "user_id", user.ID, "error", err)
	}
	if !replaced {
		return user.PasswordHash
	}
	return models.Secret(hash)
}

// busy turns the refusal of a full queue into the answer; a refusal that is one already, and a fault, stay what they are.
func busy(err error) error {
	if isRefusal(err) {
		return err
	}
	if b, ok := errors.AsType[*password.BusyError](err); ok {
		return fault.RateLimited(b.RetryAfter).Because(err)
	}
	return fmt.Errorf("check password: %w", err)
}
