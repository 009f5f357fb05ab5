package graph_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/go-cmp/cmp"

	"latchkey/fault"
	"latchkey/graph"
	"latchkey/graph/model"
	"latchkey/models"
)

// logged returns a handler with the resolvers given, and what it writes to its log.
func logged(s stubs) (http.Handler, *bytes.Buffer) {
	var log bytes.Buffer
	return graph.NewHandler(graph.Options{
		Schema:        newSchema(s),
		Introspection: true,
		RequestID:     func(context.Context) string { return "R1" },
		Logger:        slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}), &log
}

// failing is a `protected` that fails.
func failing(err error) stubs {
	return stubs{protected: func(context.Context) (*string, error) { return nil, err }}
}

func TestAPublicFaultReachesTheClientWhole(t *testing.T) {
	tests := map[string]struct {
		err        error
		message    string
		extensions map[string]any
	}{
		"a kind": {
			fault.New(fault.KindNotFound), "Not found.",
			map[string]any{"code": "NOT_FOUND"},
		},
		"wrapped": {
			fmt.Errorf("while looking: %w", fault.New(fault.KindNotFound)), "Not found.",
			map[string]any{"code": "NOT_FOUND"},
		},
		"with a cause": {
			fault.New(fault.KindInvalidCredentials).Because(errors.New(marker)), "No active account found with the given credentials",
			map[string]any{"code": "INVALID_CREDENTIALS"},
		},
		"with a reason": {
			fault.Unauthenticated(fault.TokenExpired, "Token is expired"), "Token is expired",
			map[string]any{"code": "UNAUTHENTICATED", "reason": "EXPIRED"},
		},
		"with a permission": {
			fault.Forbidden("users:read"), "You do not have permission to perform this action.",
			map[string]any{"code": "FORBIDDEN", "requires": "users:read"},
		},
		"with a field": {
			fault.BadUserInput("This field is required.", "refresh"), "This field is required.",
			map[string]any{"code": "BAD_USER_INPUT", "field": "refresh"},
		},
		"with fields": {
			fault.BadUserInput("Bad.", "a", "b"), "Bad.",
			map[string]any{"code": "BAD_USER_INPUT", "field": "a", "fields": []any{"a", "b"}},
		},
		"with a time to wait": {
			fault.RateLimited(1500 * time.Millisecond), "Too many tries. Please wait and try again.",
			map[string]any{"code": "RATE_LIMITED", "retryAfter": 2.0},
		},
		"with none": {
			fault.RateLimited(0), "Too many tries. Please wait and try again.",
			map[string]any{"code": "RATE_LIMITED", "retryAfter": 1.0},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, log := logged(failing(test.err))
			got := ask(t, h, "query {\n  x: protected\n}", nil)
			if got.status != http.StatusOK || string(got.Data) != `{"x":null}` || len(got.Errors) != 1 {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			err := got.Errors[0]
			if err.Message != test.message {
				t.Errorf("message: got %q, want %q", err.Message, test.message)
			}
			if diff := cmp.Diff(test.extensions, err.Extensions); diff != "" {
				t.Errorf("extensions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]any{"x"}, err.Path); diff != "" {
				t.Errorf("path (-want +got):\n%s", diff)
			}
			if len(err.Locations) != 1 || err.Locations[0].Line != 2 || err.Locations[0].Column != 3 {
				t.Errorf("locations: got %+v", err.Locations)
			}
			if log.Len() > 0 {
				t.Errorf("it was logged: %s", log)
			}
		})
	}
}

func TestAnythingElseIsAnInternalErrorAndGoesToTheLog(t *testing.T) {
	user := func(context.Context) (*models.User, error) { return nil, nil }
	tests := map[string]struct {
		stubs    stubs
		document string
		path     string
		log      string
	}{
		"an error":         {failing(errors.New("sql: " + marker)), "{ protected }", "protected", "sql: " + marker},
		"an internal one":  {failing(&fault.Error{Kind: fault.KindInternal, Message: marker}), "{ protected }", "protected", marker},
		"with its cause":   {failing(fault.New(fault.KindInternal).Because(errors.New(marker))), "{ protected }", "protected", "error=" + marker},
		"a list of them":   {failing(errors.Join(errors.New("a"), errors.New(marker))), "{ protected }", "protected", marker},
		"a panic":          {stubs{protected: func(context.Context) (*string, error) { panic(marker) }}, "{ protected }", "protected", "panic: " + marker},
		"a nil pointer":    {stubs{me: func(context.Context) (*models.User, error) { var u *models.User; u.ID++; return u, nil }}, "{ me { id } }", "me", "panic: runtime error: invalid memory address"},
		"a panic in @auth": {stubs{auth: func(context.Context, graphql.Resolver) (any, error) { panic(marker) }}, "{ protected }", "protected", "panic: " + marker},
		"null that is not allowed": {
			stubs{tokenObtain: func(context.Context, string, string) (*model.TokenPair, error) { return nil, nil }},
			`mutation { tokenObtain(username: "a", password: "b") { access } }`, "tokenObtain", "null",
		},
		"another type": {
			stubs{me: user, auth: func(context.Context, graphql.Resolver) (any, error) { return marker, nil }},
			"{ me { id } }", "me", "unexpected type",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, log := logged(test.stubs)
			got := ask(t, h, test.document, nil)
			if got.status != http.StatusOK || !got.hasData() || len(got.Errors) != 1 {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			err := got.Errors[0]
			if err.Message != "Internal server error." {
				t.Errorf("message: got %q", err.Message)
			}
			if diff := cmp.Diff(map[string]any{"code": "INTERNAL_SERVER_ERROR", "requestId": "R1"}, err.Extensions); diff != "" {
				t.Errorf("extensions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]any{test.path}, err.Path); diff != "" || len(err.Locations) != 1 {
				t.Errorf("path (-want +got):\n%s, locations: %v", diff, err.Locations)
			}
			line := log.String()
			for _, want := range []string{"level=ERROR", "request_id=R1", "path=" + test.path, test.log} {
				if !strings.Contains(line, want) {
					t.Errorf("the log lacks %q: %s", want, line)
				}
			}
			if strings.Contains(test.log, "panic") != strings.Contains(line, "goroutine ") {
				t.Errorf("a stack belongs to a panic and to nothing else: %s", line)
			}
			if strings.Count(line, "level=") != 1 {
				t.Errorf("it was logged more than once: %s", line)
			}
		})
	}
}

func TestAnErrorLeavesTheRestOfAnAnswerWhole(t *testing.T) {
	h, _ := logged(stubs{
		protected: func(context.Context) (*string, error) { s := "yes"; return &s, nil },
		me:        func(context.Context) (*models.User, error) { return nil, fault.Unauthenticated("", "") },
	})
	got := ask(t, h, "{ a: me { id } protected b: me { id } }", nil)
	if string(got.Data) != `{"a":null,"protected":"yes","b":null}` || len(got.Errors) != 2 {
		t.Fatalf("got %s", got.body)
	}
	for _, err := range got.Errors {
		if err.Extensions["code"] != "UNAUTHENTICATED" || len(err.Path) != 1 || len(err.Locations) != 1 {
			t.Errorf("got %+v", err)
		}
	}
}

func TestTheErrorsOfManyFieldsAllArrive(t *testing.T) {
	h, _ := logged(failing(fault.New(fault.KindNotFound)))
	if got := ask(t, h, "{"+each(20, "a#:protected ")+"}", nil); len(got.Errors) != 20 {
		t.Errorf("got %d errors, want one for each null", len(got.Errors))
	}
}

func TestRetryAfterIsInTheHeaderAsWell(t *testing.T) {
	waits := map[string]time.Duration{"a": 2 * time.Second, "b": 7001 * time.Millisecond}
	h, _ := logged(stubs{tokenVerify: func(_ context.Context, token string) (*model.VerifiedToken, error) {
		return nil, fault.RateLimited(waits[token])
	}})
	got := ask(t, h, `query { protected }`, nil)
	if _, ok := got.header["Retry-After"]; ok {
		t.Errorf("without a limit: got %v", got.header)
	}
	for token, want := range map[string]string{"a": "2", "b": "8"} {
		got := ask(t, h, `mutation($t: String!) { tokenVerify(token: $t) { expiresAt } }`, map[string]any{"t": token})
		if got.header.Get("Retry-After") != want || got.status != http.StatusOK {
			t.Errorf("%s: got %d, Retry-After %q, want %q", token, got.status, got.header.Get("Retry-After"), want)
		}
	}
}

func TestAnArgumentThatIsNotAcceptableIsNamed(t *testing.T) {
	called := false
	h, log := logged(stubs{tokenObtain: func(context.Context, string, string) (*model.TokenPair, error) {
		called = true
		return nil, fault.New(fault.KindInvalidCredentials)
	}})
	tests := map[string]struct {
		document  string
		variables map[string]any
		message   string
	}{
		"null characters in a literal":  {`mutation { tokenObtain(username: "a", password: "hunter2\u0000") { access } }`, nil, "Null characters are not allowed."},
		"null characters in a variable": {`mutation($p: String!) { tokenObtain(username: "a", password: $p) { access } }`, map[string]any{"p": "hunter2\x00"}, "Null characters are not allowed."},
		"null where the default was":    {`mutation($p: String = "x") { tokenObtain(username: "a", password: $p) { access } }`, map[string]any{"p": nil}, "String cannot represent a non string value"},
	}
	for name, test := range tests {
		got := ask(t, h, test.document, test.variables)
		if got.status != http.StatusOK || string(got.Data) != "null" || len(got.Errors) != 1 || strings.Contains(got.body, marker) {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
			continue
		}
		err := got.Errors[0]
		if diff := cmp.Diff(map[string]any{"code": "BAD_USER_INPUT", "field": "password"}, err.Extensions); diff != "" || err.Message != test.message {
			t.Errorf("%s: got %q, (-want +got):\n%s", name, err.Message, diff)
		}
		if diff := cmp.Diff([]any{"tokenObtain"}, err.Path); diff != "" || len(err.Locations) != 1 {
			t.Errorf("%s: path (-want +got):\n%s, locations %v", name, diff, err.Locations)
		}
	}
	if called {
		t.Error("the resolver was called")
	}
	if log.Len() > 0 {
		t.Errorf("it was logged: %s", log)
	}
}

// TestNothingThatIsSentComesBackOrIsLogged puts a secret wherever a client can put something.
func TestNothingThatIsSentComesBackOrIsLogged(t *testing.T) {
	bodies := []string{
		marker, `"hunter2"`, `{"hunter2":1}`, `{"query":"hunter2"}`, `{"query":"{ hunter2"}`, `{"query":"{ protected }","operationName":"hunter2"}`,
		`{"query":"{ protected } # hunter2 \u0000"}`, `{"query":"{ protected(a: \"hunter2\") }"}`, `{"query":"{ protected @skip(if: \"hunter2\") }"}`,
		`{"query":"mutation { tokenObtain(username: \"hunter2\") { access } }"}`,
		`{"query":"mutation { tokenObtain(username: 1, password: hunter2) { access } }"}`,
		`{"query":"mutation { tokenObtain(username: {hunter2: 1}, password: [hunter2]) { access } }"}`,
		`{"query":"mutation { tokenObtain(username: \"hunter2\", password: \"hunter2\") { nothing } }"}`,
		`{"query":"mutation { tokenObtain(username: \"hunter2\", password: \"hunter2\") { access } }"}`,
		`{"query":"mutation { tokenObtain(username: \"hunter2\", password: \"panic hunter2\") { access } }"}`,
		`{"query":"mutation { tokenObtain(username: \"hunter2\", password: \"hunter2\u0000\") { access } }"}`,
		`{"query":"query($p: Int = \"hunter2\") { protected }"}`,
		`{"query":"mutation($p: String!) { tokenVerify(token: $p) { expiresAt } }","variables":{"p":["hunter2"]}}`,
		`{"query":"mutation($p: String!) { tokenVerify(token: $p) { expiresAt } }","variables":{"p":{"hunter2":"hunter2"}}}`,
		`{"query":"mutation($p: String!) { tokenVerify(token: $p) { expiresAt } }","variables":{"hunter2":"hunter2"}}`,
		`{"query":"mutation($p: String!) { tokenVerify(token: $p) { expiresAt } }","variables":"hunter2"}`,
		`{"query":"{ protected }","variables":{"a":"hunter2}}`, `{"query":"{ protected }","extensions":{"persistedQuery":{"version":"hunter2"}}}`,
		`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"hunter2"}}}`,
	}
	h, log := logged(stubs{
		tokenObtain: func(_ context.Context, _, password string) (*model.TokenPair, error) {
			if strings.HasPrefix(password, "panic") {
				panic("at the disco")
			}
			return nil, errors.New("no database")
		},
		tokenVerify: func(context.Context, string) (*model.VerifiedToken, error) { return nil, errors.New("no database") },
	})
	for _, body := range bodies {
		got := post(t, h, body, "Authorization", "Bearer hunter2", "Cookie", "refresh=hunter2")
		if strings.Contains(got.body, marker) || strings.Contains(fmt.Sprint(got.header), marker) {
			t.Errorf("%s: got %v %s", body, got.header, got.body)
		}
		if code := got.code(); code == "" && strings.Contains(body, "hunter2") && got.body != `{"data":{"protected":"This view is protected"}}` {
			t.Errorf("%s: an error without a code: %s", body, got.body)
		}
	}
	if strings.Contains(log.String(), marker) {
		t.Errorf("the log: %s", log)
	}
	if !strings.Contains(log.String(), "no database") {
		t.Error("nothing was logged at all")
	}
}

func TestAnOperationHasALimitedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stubs{protected: func(ctx context.Context) (*string, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("query: %w", ctx.Err())
		}}
		h, log := logged(s)
		began := time.Now()
		got := ask(t, h, "{ protected }", nil)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if got.code() != "INTERNAL_SERVER_ERROR" || string(got.Data) != `{"protected":null}` {
			t.Errorf("got %s", got.body)
		}
		if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "deadline exceeded") {
			t.Errorf("the log: %s", log)
		}
	})
}

func TestARequestThatTheClientGivesUpIsNoFault(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h, log := logged(stubs{protected: func(inner context.Context) (*string, error) {
		cancel()
		<-inner.Done()
		return nil, fmt.Errorf("query: %w", inner.Err())
	}})
	got := do(t, h, newPost(`{"query":"{ protected }"}`).WithContext(ctx))
	if got.code() != "INTERNAL_SERVER_ERROR" {
		t.Errorf("got %s", got.body)
	}
	if strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "level=DEBUG") {
		t.Errorf("the log: %s", log)
	}
}

// TestAFaultOfTheExecutorItselfIsAnInternalError is for what no field recovers from.
func TestAFaultOfTheExecutorItselfIsAnInternalError(t *testing.T) {
	for name, run := range map[string]func(context.Context) *graphql.Response{
		"a panic":   func(context.Context) *graphql.Response { panic(marker) },
		"no answer": func(ctx context.Context) *graphql.Response { graphql.AddError(ctx, errors.New(marker)); return nil },
		"an answer without data": func(ctx context.Context) *graphql.Response {
			return graphql.ErrorResponse(ctx, marker)
		},
	} {
		s := newToy(t)
		s.run = run
		got := ask(t, graph.NewHandler(graph.Options{Schema: s}), "{ ping }", nil)
		if got.status != http.StatusOK || string(got.Data) != "null" || got.code() != "INTERNAL_SERVER_ERROR" || strings.Contains(got.body, marker) {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
	}
}

func TestAHandlerNeedsNeitherALoggerNorRequestIDs(t *testing.T) {
	h := graph.NewHandler(graph.Options{Schema: newSchema(failing(errors.New(marker)))})
	got := ask(t, h, "{ protected }", nil)
	if diff := cmp.Diff(map[string]any{"code": "INTERNAL_SERVER_ERROR"}, got.Errors[0].Extensions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
