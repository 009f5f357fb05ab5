package auth

import (
	"context"
	"errors"
	"sync/atomic"

	"latchkey/auth/throttle"
	"latchkey/auth/username"
	"latchkey/fault"
	"latchkey/models"
)

// DeviceLifetime is how long a device cookie is good.
const DeviceLifetime = throttle.DeviceLifetime

// Device is what a request shows of having signed in before.
type Device struct {
	Cookie string // the value of the device cookie; empty where there is none
	Owner  Owner  // of the refresh cookie; zero where there is none that counts
}

type deviceKey struct{}

// WithDevice returns a context that carries what the request shows of having signed in before.
func WithDevice(ctx context.Context, d Device) context.Context {
	return context.WithValue(ctx, deviceKey{}, d)
}

func deviceFrom(ctx context.Context) Device {
	d, _ := ctx.Value(deviceKey{}).(Device)
	return d
}

type provedKey struct{}

// WithProof returns a context in which proved reports whether a request that names no caller has shown a credential that
// was accepted: a password, or a token that is given as an argument.
func WithProof(ctx context.Context) (_ context.Context, proved func() bool) {
	var flag atomic.Bool
	return context.WithValue(ctx, provedKey{}, &flag), flag.Load
}

func markProved(ctx context.Context) {
	if flag, ok := ctx.Value(provedKey{}).(*atomic.Bool); ok {
		flag.Store(true)
	}
}

// try is one try at a password. Without a Throttle nothing bounds it.
type try struct{ counted *throttle.Try }

func (s *Service) begin(ctx context.Context, buckets []models.Bucket) (*try, error) {
	if s.Throttle == nil {
		return &try{}, nil
	}
	counted, err := s.Throttle.Begin(ctx, buckets)
	return &try{counted}, err
}

// admit is asked right before the password is compared.
func (t *try) admit(ctx context.Context) error {
	if t.counted == nil {
		return nil
	}
	return t.counted.Admit(ctx)
}

// fail records that the password was wrong.
func (t *try) fail(ctx context.Context) error {
	if t.counted == nil {
		return nil
	}
	return t.counted.Fail(ctx)
}

func (t *try) end(ctx context.Context) {
	if t.counted != nil {
		t.counted.End(ctx)
	}
}

// bucketsOf returns what a sign-in is counted in. Whoever has signed in as this user before, which a device cookie, a
// refresh cookie or an access token shows, has a budget of their own; all others share that of strangers. Whether there
// is such a user makes no difference to those. The user is zero where there is none of the name.
func (s *Service) bucketsOf(ctx context.Context, name string, user models.User) []models.Bucket {
	if s.Throttle == nil {
		return nil
	}
	account := accountOf(name)
	if known := s.knownAs(ctx, user); known != "" {
		return s.Throttle.Known(account, known)
	}
	return s.Throttle.Stranger(account, ClientFrom(ctx).IPAddress)
}

// accountOf returns the name under which tries at an account are counted: the same for all that find the same user.
func accountOf(name string) string { return username.Normalize(name) }

// knownAs returns under which name the request is known to come from the user; empty where it is not.
func (s *Service) knownAs(ctx context.Context, user models.User) string {
	if user.ID == 0 {
		return ""
	}
	shown := deviceFrom(ctx)
	if device := s.Throttle.KnownDevice(shown.Cookie, user.ID, string(user.PasswordHash)); device != "" {
		return "device " + device
	}
	if shown.Owner.UserID == user.IDText() && s.goesOn(ctx, shown.Owner.SessionID, user) {
		return "session " + shown.Owner.SessionID
	}
	if caller, err := CallerFrom(ctx); err == nil && caller.UserID == user.IDText() && !caller.stale(user) {
		return "session " + caller.SessionID
	}
	return ""
}

// goesOn reports whether the session is the user's and has not ended.
func (s *Service) goesOn(ctx context.Context, id string, user models.User) bool {
	session, err := s.Store.SessionByID(ctx, id)
	return err == nil && session.UserID == user.ID && session.EndedAt == nil && s.now().Before(session.ExpiresAt)
}

// bucketsOfCaller returns what the caller's tries at their own password are counted in: a budget of the session, so that
// whoever stole one session cannot keep the owner from changing the password in another.
func (s *Service) bucketsOfCaller(ctx context.Context, user models.User) []models.Bucket {
	if s.Throttle == nil {
		return nil
	}
	session := ""
	if caller, err := CallerFrom(ctx); err == nil {
		session = caller.SessionID
	}
	return s.Throttle.Known(accountOf(user.Username), "session "+session)
}

// markDevice returns the new value of the device cookie of a user who has signed in; empty where nothing is throttled.
func (s *Service) markDevice(ctx context.Context, user models.User) (string, error) {
	if s.Throttle == nil {
		return "", nil
	}
	return s.Throttle.MarkDevice(deviceFrom(ctx).Cookie, user.ID, string(user.PasswordHash))
}

// throttled records a refusal for too many tries, and returns it; any other error stays what it is, the refusal of a full
// queue, too.
func (s *Service) throttled(ctx context.Context, userID int64, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.KindRateLimited && f.Unwrap() == nil {
		s.Recorder.fail(ctx, event{name: EventSignInThrottled, subject: userID}, "")
	}
	return err
}
