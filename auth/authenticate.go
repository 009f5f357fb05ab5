package auth

import (
	"context"
	"errors"

	"latchkey/auth/token"
	"latchkey/fault"
)

// Why a token or an Authorization header is refused, where a surface tells the cases apart: the cause of the fault, for
// errors.Is.
var (
	ErrHeaderMalformed = errors.New("the Authorization header is not a scheme and a token")
	ErrUserNotNamed    = errors.New("the token names no user")
	ErrUserNotFound    = errors.New("the token's user does not exist")
	ErrUserInactive    = errors.New("the token's user is not active")
	// ErrNoAccount is the cause of a TOKEN_NOT_VALID that is about the user and not about the token.
	ErrNoAccount = errors.New("the token has no active user")
)

// Authenticate returns whom the values of a request's Authorization header stand for, as Middleware finds it with the
// same schemes. An UNAUTHENTICATED error tells more of why there is nobody: it has no reason where no token was sent;
// its cause is one of the errors above, or the *token.Error whose text says what is wrong with the token. The user is
// read only of a token that was revoked or has become stale.
func (s *Service) Authenticate(ctx context.Context, authorization, schemes []string) (*Caller, error) {
	raw, err := tokenIn(authorization, schemes)
	if err != nil {
		return nil, err
	}
	if raw == "" {
		return nil, fault.Unauthenticated("", "")
	}
	caller, err := s.VerifyAccess(ctx, raw)
	if refused, ok := errors.AsType[*token.Error](err); ok {
		return nil, s.explained(ctx, raw, refused)
	}
	if err == nil {
		saw(ctx, caller)
		markProved(ctx)
	}
	return caller, err
}

// explained returns the refusal of an access token. One that is over because of its user is refused for that.
func (s *Service) explained(ctx context.Context, raw string, refused *token.Error) error {
	if refused == errNoUser {
		return fault.Unauthenticated(refused.Problem, refused.Message).Because(ErrUserNotNamed)
	}
	if refused.Problem != fault.TokenRevoked && refused.Problem != fault.TokenStale {
		return notAccepted(refused)
	}
	caller, err := s.Verifier.VerifyAccess(ctx, raw) // the signature holds, and is remembered
	if again, ok := errors.AsType[*token.Error](err); ok {
		return notAccepted(again) // it has expired meanwhile
	}
	if err != nil {
		return err
	}
	_, err = s.userOf(ctx, caller)
	_, isRefusal := errors.AsType[*fault.Error](err)
	switch {
	case err != nil && !isRefusal, errors.Is(err, ErrUserNotFound), errors.Is(err, ErrUserInactive):
		return err
	case refused.Problem == fault.TokenStale:
		return notAccepted(errStale)
	default:
		return notAccepted(refused)
	}
}

// errStale is what is wrong with the token of an active user who has changed since it was made.
var errStale = &token.Error{Problem: fault.TokenStale, Message: "Token is invalid"}

// notAccepted is the answer to an access token that is refused.
func notAccepted(refused *token.Error) error {
	return fault.Unauthenticated(refused.Problem, textNotValid).Because(refused)
}

// noAccount is the answer to a token, given as an argument, whose user is gone or inactive.
func noAccount() error {
	return fault.TokenNotValid(fault.TokenStale, textNoAccount).Because(ErrNoAccount)
}

// Blacklist ends the session of a refresh token, as Logout does. TOKEN_NOT_VALID, with the reason REVOKED, where it had
// ended before.
func (s *Service) Blacklist(ctx context.Context, refresh string) error {
	ended, err := s.endByRefresh(ctx, refresh)
	if err == nil && !ended {
		return fault.TokenNotValid(fault.TokenRevoked, textRevoked)
	}
	return err
}
