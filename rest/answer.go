package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"

	"latchkey/auth"
	"latchkey/auth/token"
	"latchkey/fault"
)

// answer is what a view answers.
type answer struct {
	status     int
	body       any
	retryAfter int    // seconds; 0: nothing is said of it
	device     string // the new value of the device cookie; empty: it stays as it is
}

// detail is the body of an answer that refuses a request whole.
type detail struct {
	Detail   string    `json:"detail"`
	Code     string    `json:"code,omitempty"`
	Messages []message `json:"messages,omitempty"`
}

// message is why one kind of token did not accept what was sent.
type message struct {
	Class   string `json:"token_class"`
	Type    string `json:"token_type"`
	Message string `json:"message"`
}

// ok is an answer of a request that was carried out.
func ok(body any) *answer { return &answer{status: http.StatusOK, body: body} }

// refuse is an answer that has no more than a text.
func refuse(status int, text string) *answer {
	return &answer{status: status, body: detail{Detail: text}}
}

// refused is the one place where an error of the service becomes an answer, with the status that the table of faults
// has for it.
func (v *Views) refused(ctx context.Context, err error) *answer {
	f := fault.From(err)
	body, a := detail{Detail: f.PublicMessage()}, answer{status: fault.Lookup(f.Kind).Status}
	switch f.Kind {
	case fault.KindTokenNotValid:
		if !errors.Is(err, auth.ErrNoAccount) {
			body.Code = codeNotValid
		}
	case fault.KindUnauthenticated:
		body.Code, body.Messages = codeOf(f)
	case fault.KindRateLimited:
		a.retryAfter = max(1, int(math.Ceil(f.RetryAfter.Seconds())))
		body.Detail = throttled(a.retryAfter)
	case fault.KindInternal:
		v.log(ctx, err)
		body.Detail = fault.Lookup(f.Kind).Message
	default: // has no more than its text
	}
	a.body = body
	return &a
}

// codeNotValid is the code of a token that is not accepted.
const codeNotValid = "token_not_valid"

// codeOf returns the code of the refusal of an Authorization header, and what was wrong with the token itself.
func codeOf(f *fault.Error) (string, []message) {
	refusal, isToken := errors.AsType[*token.Error](f)
	switch {
	case f.Reason == "":
		return "", nil
	case errors.Is(f, auth.ErrHeaderMalformed):
		return "bad_authorization_header", nil
	case errors.Is(f, auth.ErrUserNotFound):
		return "user_not_found", nil
	case errors.Is(f, auth.ErrUserInactive):
		return "user_inactive", nil
	case isToken:
		return codeNotValid, []message{{"AccessToken", string(token.Access), refusal.Message}}
	default:
		return codeNotValid, nil
	}
}

func throttled(seconds int) string {
	if seconds == 1 {
		return "Request was throttled. Expected available in 1 second."
	}
	return fmt.Sprintf("Request was throttled. Expected available in %d seconds.", seconds)
}

// log tells of an unexpected fault, and never of what was sent. That a client gives its request up is no fault of
// anybody.
func (v *Views) log(ctx context.Context, err error) {
	level, text := slog.LevelError, "unexpected fault"
	if errors.Is(context.Cause(ctx), context.Canceled) {
		level, text = slog.LevelDebug, "the client gave the request up"
	}
	if f, isFault := errors.AsType[*fault.Error](err); isFault && f.Unwrap() != nil {
		err = f.Unwrap()
	}
	v.Logger.LogAttrs(ctx, level, text, slog.String("request_id", v.RequestID(ctx)), slog.String("error", err.Error()))
}

// write sends an answer of a view that has those methods.
func (v *Views) write(w http.ResponseWriter, a *answer, allow string) {
	h := w.Header()
	h.Set("Content-Type", mediaJSON)
	h.Set("Cache-Control", "no-store")
	h.Set("Allow", allow)
	h.Add("Vary", "Accept")
	if a.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", v.Schemes[0]+` realm="api"`)
	}
	if a.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	w.WriteHeader(a.status)
	w.Write(encode(a.body)) //nolint:errcheck // there is nobody left to tell
}

// encode writes JSON as compact as it gets. Nothing but texts and whole numbers is ever in it.
func encode(body any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		panic(err) //nolint:forbidigo // it cannot happen, and must not go unnoticed
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// ordered is a JSON object whose members stand in that order.
type ordered []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o ordered) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, encode(m.name)...)
		b = append(b, ':')
		b = append(b, encode(m.value)...)
	}
	return append(b, '}'), nil
}
