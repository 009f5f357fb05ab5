// Package auth is the product: signing in, refreshing, verifying, guarding.
//
// A server uses its Service; any other Go program that takes the tokens uses a Verifier and Middleware, and then
// CallerFrom in its handlers and resolvers. The package decides and knows neither HTTP answers of its own surfaces nor
// databases: graph and rest translate for the one, package store keeps the contract of models for the other.
package auth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"latchkey/auth/keys"
	"latchkey/auth/password"
	"latchkey/auth/revocation"
	"latchkey/auth/throttle"
	"latchkey/auth/token"
	"latchkey/fault"
	"latchkey/models"
)

// Options is what New is handed. All of it is required but where a comment says otherwise.
type Options struct {
	Store     models.Store
	Keys      *keys.Live
	Codec     *token.Codec
	Passwords *password.Hasher
	Policy    *password.Policy
	Recorder  *Recorder
	Logger    *slog.Logger
	Now       func() time.Time
	Random    io.Reader

	AccessLifetime  time.Duration
	RefreshLifetime time.Duration // the idle limit of a session
	SessionLifetime time.Duration // the absolute limit of a session; 0: none
	ReuseLeeway     time.Duration // how long the predecessor of a refresh token is answered with that token; 0: never
	Rotate          bool          // give a new refresh token with each refresh
	Leeway          time.Duration // clock skew allowed on the times in a token
	UpdateLastLogin bool

	Throttle *throttle.Throttle // bounds tries at passwords; nil: nothing does
}

// Service signs users in and keeps their sessions. It is safe for use by many goroutines.
type Service struct {
	Options
	*Verifier
	refreshTokens *memory // of those signed here
	live          live
	outcomes      *outcomes
}

// New returns a Service.
func New(o Options) (*Service, error) {
	v, err := NewVerifier(o.Codec, o.Keys.Lookup)
	if err != nil {
		return nil, err
	}
	made, err := newMemory(o.Codec)
	if err != nil {
		return nil, err
	}
	set := revocation.NewSet()
	s := &Service{Options: o, Verifier: v, refreshTokens: made, outcomes: newOutcomes(), live: live{set: set, started: time.Now()}} //nolint:forbidigo // the monotonic clock
	s.live.feed = revocation.NewSync(revocation.Options{
		Set: set, Feed: o.Store, KeysChanged: s.reloadKeys, Now: o.Now, Logger: o.Logger,
	})
	return s, nil
}

// Pair is what a sign-in or a refresh gives.
type Pair struct {
	Access           string
	AccessExpiresAt  time.Time
	AccessExpiresIn  time.Duration // between the token's own times, as in expires_in of RFC 6749 section 5.1
	Refresh          string
	RefreshExpiresAt time.Time
	RefreshExpiresIn time.Duration // from now
	User             models.User   // with the roles; zero where a foreign refresh token names nobody
	Device           string        // of a sign-in: the new value of the device cookie; empty where none is to be set

	repeated bool // it was given for the same refresh token before
}

// now returns the time as both databases keep it.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// randomID returns 128 random bits in hex.
func (s *Service) randomID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.Random, b[:]); err != nil {
		return "", fmt.Errorf("draw random id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// refreshID returns the jti of a session's refresh token: it follows from session and generation, so that the same
// generation is always the same token.
func refreshID(sessionID string, generation int64) string {
	return fmt.Sprintf("%s%08x", sessionID[:24], generation)
}

// generationOf reads back what refreshID wrote; ok is false for a refresh token that is not of a session of ours.
func generationOf(c token.Claims) (generation int64, ok bool) {
	if len(c.SessionID) != 32 || len(c.ID) != 32 || c.ID[:24] != c.SessionID[:24] {
		return 0, false
	}
	n, err := strconv.ParseUint(c.ID[24:], 16, 32)
	return int64(n), err == nil
}

// access signs a new access token for the session. It never outlives the session's absolute limit.
func (s *Service) access(user models.User, session models.Session, carried map[string]string, now time.Time) (string, time.Time, error) {
	id, err := s.randomID()
	if err != nil {
		return "", time.Time{}, err
	}
	issued := now.Truncate(time.Second)
	expires := earlier(issued.Add(s.AccessLifetime), session.LimitAt)
	raw, err := s.sign(s.verified, token.Claims{
		Kind: token.Access, ID: id, UserID: user.IDText(), SessionID: session.ID,
		Epoch: user.Epoch, Roles: user.RoleNames(), IssuedAt: issued, ExpiresAt: expires, Carried: carried,
	})
	return raw, expires, err
}

// refresh signs the session's current refresh token, with the claims that the one before it carried.
func (s *Service) refresh(user models.User, session models.Session, carried map[string]string) (string, error) {
	return s.sign(s.refreshTokens, token.Claims{
		Kind: token.Refresh, ID: refreshID(session.ID, session.Generation), UserID: user.IDText(),
		SessionID: session.ID, Epoch: user.Epoch, IssuedAt: session.LastUsedAt.Truncate(time.Second),
		ExpiresAt: session.ExpiresAt, Carried: carried,
	})
}

// sign signs a token and remembers it, so that its signature is not checked where it comes to this node.
func (s *Service) sign(m *memory, claims token.Claims) (string, error) {
	era := m.era.Load()
	raw, err := s.Codec.Sign(claims, s.Keys.Ring().Signing())
	if err != nil {
		return "", err
	}
	claims.ExpiresAt = claims.ExpiresAt.UTC().Truncate(time.Second) // as it is written
	claims.IssuedAt = claims.IssuedAt.UTC()
	m.add(raw, claims, era)
	return raw, nil
}

// parseRefresh returns what a refresh token says whose signature and times hold.
func (s *Service) parseRefresh(ctx context.Context, raw string) (token.Claims, error) {
	if known, ok := s.refreshTokens.get(raw); ok {
		return known.claims, nil
	}
	return s.Codec.ParseKind(ctx, raw, s.Keys.Lookup, token.Refresh)
}

// earlier returns t, or the session's absolute limit where that is earlier.
func earlier(t time.Time, limit *time.Time) time.Time {
	if limit != nil && limit.Before(t) {
		return *limit
	}
	return t
}

// pair signs the access token and fills in the rest of the answer.
func (s *Service) pair(user models.User, session models.Session, refresh string, carried map[string]string, now time.Time) (Pair, error) {
	user.SignedInAs = session.ID
	access, expires, err := s.access(user, session, carried, now)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Access: access, AccessExpiresAt: expires, AccessExpiresIn: max(0, expires.Sub(now.Truncate(time.Second))),
		Refresh: refresh, RefreshExpiresAt: session.ExpiresAt,
		RefreshExpiresIn: max(0, session.ExpiresAt.Sub(now)), User: user,
	}, nil
}

// refused turns the refusal of a token that came as an argument into the answer; a fault stays what it is.
func refused(err error) error {
	if e, ok := errors.AsType[*token.Error](err); ok {
		return fault.TokenNotValid(e.Problem, e.Message).Because(err)
	}
	return err
}

// userIDOf returns the id of the user a token names. A name that is no id of ours is nobody's.
func userIDOf(c token.Claims) (int64, error) {
	id, err := strconv.ParseInt(c.UserID, 10, 64)
	if err != nil || id <= 0 {
		return 0, fault.TokenNotValid(fault.TokenMalformed, "")
	}
	return id, nil
}

// Authorize returns nil when the request's caller may pass a guard: signed in and, where a permission is named, with
// it. The permission is asked of the user as it is now, not of the token. A caller without it is recorded.
func (s *Service) Authorize(ctx context.Context, permission string) error {
	if isOperator(ctx) {
		return nil
	}
	if _, err := CallerFrom(ctx); err != nil {
		return err
	}
	if permission == "" {
		return nil
	}
	user, err := s.Me(ctx)
	if err != nil {
		return err
	}
	if !user.Can(permission) {
		return s.lacking(ctx, permission)
	}
	return nil
}

// lacking records that the caller asked for something without the permission, and returns the refusal.
func (s *Service) lacking(ctx context.Context, permission string) error {
	return s.denied(ctx, 0, permission, fault.Forbidden(permission))
}

// Me returns the user who makes the request, with the roles. A user who is gone, inactive or changed since the access
// token was made is refused as STALE.
func (s *Service) Me(ctx context.Context) (models.User, error) {
	caller, err := CallerFrom(ctx)
	if err != nil {
		return models.User{}, err
	}
	return s.userOf(ctx, caller)
}

// userOf returns the caller's user, as Me does.
func (s *Service) userOf(ctx context.Context, caller *Caller) (models.User, error) {
	return userOf(ctx, s.Store, caller)
}

// userOf returns the caller's user, as the store given has them.
func userOf(ctx context.Context, kept models.Users, caller *Caller) (models.User, error) {
	id, err := strconv.ParseInt(caller.UserID, 10, 64)
	if err != nil {
		return models.User{}, fault.Unauthenticated(fault.TokenMalformed, "User not found").Because(ErrUserNotFound)
	}
	user, err := kept.UserByID(ctx, id)
	switch {
	case errors.Is(err, models.ErrNotFound):
		return models.User{}, fault.Unauthenticated(fault.TokenStale, "User not found").Because(ErrUserNotFound)
	case err != nil:
		return models.User{}, fmt.Errorf("read caller: %w", err)
	case !user.IsActive:
		return models.User{}, fault.Unauthenticated(fault.TokenStale, "User is inactive").Because(ErrUserInactive)
	case caller.stale(user):
		return models.User{}, notAccepted(errStale)
	case caller.SessionID == "" && !models.Outlived(user.SessionsEndedAt, caller.IssuedAt):
		return models.User{}, notAccepted(&token.Error{Problem: fault.TokenRevoked, Message: textRevoked})
	}
	return user, nil
}
