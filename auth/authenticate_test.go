package auth_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/auth/token"
	"latchkey/fault"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

func TestAuthenticateSaysWhy(t *testing.T) {
	app, clock := testkit.Open(t, testdb.SQLite(t))
	s, ctx := app.Auth, t.Context()
	signIn := func(name string) (auth.Pair, int64) {
		user, err := s.CreateUser(auth.AsOperator(ctx), auth.UserForm{Username: name, Password: testkit.Password})
		if err != nil {
			t.Fatal(err)
		}
		pair, err := s.Login(ctx, name, testkit.Password)
		if err != nil {
			t.Fatal(err)
		}
		return pair, user.ID
	}
	good, goodID := signIn("good")
	ended, _ := signIn("ended")
	changed, changedID := signIn("changed")
	inactive, inactiveID := signIn("inactive")
	deleted, deletedID := signIn("deleted")
	for _, err := range []error{
		s.Blacklist(ctx, ended.Refresh),
		testkit.MakeStale(ctx, app, changedID),
		s.SetActive(auth.AsOperator(ctx), inactiveID, false),
		s.DeleteUser(auth.AsOperator(ctx), deletedID, ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	caller, err := s.Authenticate(ctx, []string{"Bearer " + good.Access}, []string{"JWT", "Bearer"})
	if err != nil || caller.UserID != strconv.FormatInt(goodID, 10) {
		t.Fatalf("a good token: %v, %v", caller, err)
	}
	for _, row := range []struct {
		name          string
		authorization []string
		reason        fault.TokenProblem
		cause         error
		ofToken       string
	}{
		{"no header", nil, "", nil, ""},
		{"another scheme", []string{"Basic " + good.Access}, "", nil, ""},
		{"one word", []string{"Bearer"}, fault.TokenMalformed, auth.ErrHeaderMalformed, ""},
		{"two headers", []string{"Bearer a", "Bearer a"}, fault.TokenMalformed, auth.ErrHeaderMalformed, ""},
		{"garbage", []string{"Bearer a"}, fault.TokenMalformed, nil, "Token is invalid"},
		{"a refresh token", []string{"Bearer " + good.Refresh}, fault.TokenWrongType, nil, "Token has wrong type"},
		{"a session that was ended", []string{"Bearer " + ended.Access}, fault.TokenRevoked, nil, "Token is blacklisted"},
		{"a user with other roles", []string{"Bearer " + changed.Access}, fault.TokenStale, nil, "Token is invalid"},
		{"an inactive user", []string{"Bearer " + inactive.Access}, fault.TokenStale, auth.ErrUserInactive, ""},
		{"a deleted user", []string{"Bearer " + deleted.Access}, fault.TokenStale, auth.ErrUserNotFound, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			caller, err := s.Authenticate(ctx, row.authorization, []string{"Bearer"})
			refusal, ok := errors.AsType[*fault.Error](err)
			if caller != nil || !ok || refusal.Kind != fault.KindUnauthenticated || refusal.Reason != row.reason {
				t.Fatalf("got %v, %v", caller, err)
			}
			if row.cause != nil && !errors.Is(err, row.cause) {
				t.Errorf("the cause is %v", refusal.Unwrap())
			}
			got := ""
			if ofToken, ok := errors.AsType[*token.Error](err); ok {
				got = ofToken.Message
			}
			if got != row.ofToken {
				t.Errorf("of the token it says %q, want %q", got, row.ofToken)
			}
		})
	}
	t.Run("the user is read of a refused token only", func(t *testing.T) {
		if err := app.Store.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Authenticate(ctx, []string{"Bearer " + good.Access}, []string{"Bearer"}); err != nil {
			t.Errorf("a good token: %v", err)
		}
		_, err := s.Authenticate(ctx, []string{"Bearer " + changed.Access}, []string{"Bearer"})
		if refusal, ok := errors.AsType[*fault.Error](err); err == nil || ok {
			t.Errorf("a fault is told as %v", refusal)
		}
		clock.Advance(time.Hour)
		_, err = s.Authenticate(context.WithoutCancel(ctx), []string{"Bearer " + changed.Access}, []string{"Bearer"})
		if refused, ok := errors.AsType[*token.Error](err); !ok || refused.Problem != fault.TokenExpired {
			t.Errorf("expired, and stale: %v", err)
		}
	})
}

func TestBlacklistTellsWhetherItWasTheEnd(t *testing.T) {
	testkit.Each(t, func(t *testing.T, server *testkit.Server) {
		s := server.App.Auth
		server.AddUser("ada")
		pair := server.SignIn("ada")
		const calls = 16
		results := make(chan error, calls)
		for range calls {
			go func() { results <- s.Blacklist(context.WithoutCancel(t.Context()), pair.Refresh) }()
		}
		won := 0
		for range calls {
			err := <-results
			refusal, _ := errors.AsType[*fault.Error](err)
			switch {
			case err == nil:
				won++
			case refusal == nil || refusal.Kind != fault.KindTokenNotValid || refusal.Reason != fault.TokenRevoked:
				t.Errorf("got %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d of %d have ended the session", won, calls)
		}
	})
}
