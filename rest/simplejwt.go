package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"latchkey/auth"
	"latchkey/fault"
)

// Obtain signs in: username and password give a pair of tokens.
func (v *Views) Obtain() http.Handler {
	return &view{
		Views: v, name: "Token Obtain Pair", method: http.MethodPost,
		description: "Gives an access token and a refresh token for a username and a password.",
		fields:      []field{{name: v.UsernameField, label: label(v.UsernameField)}, {name: "password", label: "Password"}},
		run:         v.obtain,
	}
}

// Refresh gives an access token for a refresh token, and with rotation the next refresh token.
func (v *Views) Refresh() http.Handler {
	return &view{
		Views: v, name: "Token Refresh", method: http.MethodPost,
		description: "Gives an access token for a refresh token.",
		fields:      []field{{name: "refresh", label: "Refresh"}, {name: "access", label: "Access", readOnly: true}},
		run:         v.refresh,
	}
}

// Verify says whether a token of either kind is accepted.
func (v *Views) Verify() http.Handler {
	return &view{
		Views: v, name: "Token Verify", method: http.MethodPost,
		description: "Says whether a token is good, of whichever kind it is.",
		fields:      []field{{name: "token", label: "Token"}},
		run:         v.verify,
	}
}

// Blacklist ends the session of a refresh token.
func (v *Views) Blacklist() http.Handler {
	return &view{
		Views: v, name: "Token Blacklist", method: http.MethodPost,
		description: "Ends the session of a refresh token, its access tokens too.",
		fields:      []field{{name: "refresh", label: "Refresh"}},
		run:         v.blacklist,
	}
}

// Protected shows itself to whoever has an access token.
func (v *Views) Protected() http.Handler {
	return &view{Views: v, name: "Protected", method: http.MethodGet, guarded: true, run: v.protected}
}

func (v *Views) obtain(ctx context.Context, in map[string]string) *answer {
	pair, err := v.Tokens.Login(ctx, in[v.UsernameField], in["password"])
	if err != nil {
		return v.refused(ctx, err)
	}
	a := ok(struct {
		Refresh string `json:"refresh"`
		Access  string `json:"access"`
	}{pair.Refresh, pair.Access})
	a.device = pair.Device
	return a
}

func (v *Views) refresh(ctx context.Context, in map[string]string) *answer {
	pair, err := v.Tokens.RefreshAny(ctx, in["refresh"])
	if err != nil {
		return v.refused(ctx, err)
	}
	if !v.Rotate {
		pair.Refresh = ""
	}
	return ok(struct {
		Access  string `json:"access"`
		Refresh string `json:"refresh,omitempty"`
	}{pair.Access, pair.Refresh})
}

func (v *Views) verify(ctx context.Context, in map[string]string) *answer {
	err := v.Tokens.Verify(ctx, in["token"])
	switch {
	case isRevoked(err):
		return invalid(nonField(fault.From(err).PublicMessage()))
	case err != nil:
		return v.refused(ctx, err)
	}
	return ok(struct{}{})
}

func (v *Views) blacklist(ctx context.Context, in map[string]string) *answer {
	err := v.Tokens.Blacklist(ctx, in["refresh"])
	// Where the user is gone or inactive that was what ended the session, and nothing was blacklisted yet.
	if isRevoked(err) && errors.Is(v.Tokens.Verify(ctx, in["refresh"]), auth.ErrNoAccount) {
		err = nil
	}
	if err != nil {
		return v.refused(ctx, err)
	}
	return ok(struct{}{})
}

func (v *Views) protected(context.Context, map[string]string) *answer {
	return ok(struct {
		Content string `json:"content"`
	}{"This view is protected"})
}

func isRevoked(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Kind == fault.KindTokenNotValid && f.Reason == fault.TokenRevoked
}

// label is how Django calls a field for people: the first letter large, and spaces for the lines between words.
func label(name string) string {
	words := strings.ReplaceAll(name, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}
