package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"latchkey/auth/token"
	"latchkey/fault"
)

// AccessVerifier verifies an access token: a *Verifier, or a Service.
type AccessVerifier interface {
	// VerifyAccess returns whom the token stands for. A *token.Error says why it is not accepted; any other error is a
	// fault that kept it from being checked.
	VerifyAccess(ctx context.Context, raw string) (*Caller, error)
}

// Middleware puts the caller into the context of each request, for CallerFrom to find. The caller is named by the
// Authorization header alone (RFC 6750 section 2.1): one of the schemes, "Bearer" where none is given, and an access
// token. A request without a token, or with one that is not accepted, goes on as anonymous, and what was wrong is
// remembered: it is for the guarded thing to refuse, not for the door.
func Middleware(v AccessVerifier, schemes ...string) func(http.Handler) http.Handler {
	if len(schemes) == 0 {
		schemes = []string{"Bearer"}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			headers := r.Header["Authorization"]
			if len(headers) == 0 {
				next.ServeHTTP(w, r)
				return
			}
			id := identify(r.Context(), v, headers, schemes)
			next.ServeHTTP(w, r.WithContext(withIdentity(r.Context(), id)))
		})
	}
}

// textNotValid is the answer to an access token that is not accepted, for whatever reason.
const textNotValid = "Given token not valid for any token type"

// tokenIn returns the token in an Authorization header, and "" where there is none. It reads the header as
// djangorestframework-simplejwt does: words divided by any white space, the scheme in exactly that case, and a header
// of another scheme is no header.
func tokenIn(headers, schemes []string) (string, error) {
	if len(headers) == 0 {
		return "", nil
	}
	var room [2]string
	words := slices.AppendSeq(room[:0], strings.FieldsSeq(headers[0]))
	if len(words) == 0 || !slices.Contains(schemes, words[0]) {
		return "", nil
	}
	if len(words) != 2 || len(headers) > 1 {
		return "", fault.Unauthenticated(fault.TokenMalformed,
			"Authorization header must contain two space-delimited values").Because(ErrHeaderMalformed)
	}
	return words[1], nil
}

// identify returns whom the header stands for.
func identify(ctx context.Context, v AccessVerifier, headers, schemes []string) identity {
	raw, err := tokenIn(headers, schemes)
	if err != nil || raw == "" {
		return identity{refusal: err}
	}
	caller, err := v.VerifyAccess(ctx, raw)
	if refused, ok := errors.AsType[*token.Error](err); ok {
		return identity{refusal: notAccepted(refused)}
	}
	if err != nil {
		return identity{refusal: fault.From(err)}
	}
	saw(ctx, caller)
	return identity{caller: caller}
}

// RequireCaller wraps a handler that only signed-in callers may reach. Others get 401 with a WWW-Authenticate header
// (RFC 6750 section 3) and the reason as a JSON body, or 500 where a fault kept the token from being checked.
// It must stand inside Middleware.
func RequireCaller(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := CallerFrom(r.Context()); err != nil {
			refuse(w, fault.From(err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, f *fault.Error) {
	row := fault.Lookup(f.Kind)
	if row.Status == http.StatusUnauthorized {
		challenge := "Bearer"
		if f.Reason != "" {
			challenge = `Bearer error="invalid_token", error_description="` + string(f.Reason) + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(row.Status)
	// Nothing can be done for a client that is gone.
	_ = json.NewEncoder(w).Encode(struct {
		Code    fault.Kind         `json:"code"`
		Reason  fault.TokenProblem `json:"reason,omitempty"`
		Message string             `json:"message"`
	}{f.Kind, f.Reason, f.PublicMessage()})
}
