// Package testkit runs a whole Latchkey for a test: a real database, a real HTTP server, a clock that the test moves.
package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"latchkey/app"
	"latchkey/auth"
	"latchkey/auth/password"
	"latchkey/config"
	"latchkey/internal/testdb"
)

// Password is the password of every user that AddUser makes.
const Password = "correct horse battery"

// Server is a Latchkey under test.
type Server struct {
	URL   string
	App   *app.App
	Clock *Clock
	t     testing.TB
}

// Clock is a clock that stands still until a test moves it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the time on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Each runs a test on a Server with SQLite and on one with PostgreSQL.
func Each(t *testing.T, test func(t *testing.T, s *Server), change ...func(*config.Settings)) {
	testdb.Each(t, func(t *testing.T, url string) { test(t, Start(t, url, change...)) })
}

// Settings returns the defaults for a database, but with nothing throttled: most tests come from one address and try
// wrong passwords as they like. Throttled is for the others.
func Settings(t testing.TB, databaseURL string) *config.Settings {
	t.Helper()
	s, err := config.Load([]string{
		"LATCHKEY_DATABASE_URL=" + databaseURL,
		"LATCHKEY_SECRET_KEY=a secret key that only tests have, made of words",
		"LATCHKEY_THROTTLE=false",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Throttled is a change of the settings: tries at passwords and anonymous work are limited, as by default.
func Throttled(s *config.Settings) { s.Throttle = true }

// Open opens a Latchkey without a server. Its clock stands at noon of a day in the past.
func Open(t testing.TB, databaseURL string, change ...func(*config.Settings)) (*app.App, *Clock) {
	t.Helper()
	settings := Settings(t, databaseURL)
	for _, c := range change {
		c(settings)
	}
	if faults := settings.Validate(); len(faults) > 0 {
		t.Fatal(faults)
	}
	clock := &Clock{now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	a, err := app.Open(t.Context(), app.Options{
		Settings: settings, Now: clock.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		// As cheap as it gets: these tests are not about the cost of guessing.
		Hashing: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a, clock
}

// Start opens a Latchkey and serves it until the test ends.
func Start(t testing.TB, databaseURL string, change ...func(*config.Settings)) *Server {
	t.Helper()
	a, clock := Open(t, databaseURL, change...)
	s := Serve(t, a)
	s.Clock = clock
	return s
}

// Option changes how Serve serves.
type Option int

// NotFollowing leaves out what keeps a server equal to the others on its database.
const NotFollowing Option = 1

// Serve serves a Latchkey that the test has opened, until the test ends. The Server has no Clock.
func Serve(t testing.TB, a *app.App, options ...Option) *Server {
	t.Helper()
	handler, err := a.Handler()
	if err != nil {
		t.Fatal(err)
	}
	following, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var follower sync.WaitGroup
	if !slices.Contains(options, NotFollowing) {
		follower.Go(func() { a.Follow(following) })
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		stop()
		follower.Wait()
	})
	return &Server{URL: server.URL, App: a, t: t}
}

// Listening is a Latchkey that App.Serve serves, as the command does: with its bounds and its TLS.
type Listening struct {
	Address string // where it listens
	App     *app.App
	Clock   *Clock
	Stop    func() error // ends it, if it has not ended, and returns what Serve returned
}

// Listen opens a Latchkey and lets App.Serve serve it on a free port of loopback until the test ends.
func Listen(t testing.TB, databaseURL string, change ...func(*config.Settings)) *Listening {
	t.Helper()
	a, clock := Open(t, databaseURL, append(change, func(c *config.Settings) { c.Addr = "127.0.0.1:0" })...)
	l, err := a.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var served error
	var serving sync.WaitGroup
	serving.Go(func() { served = a.Serve(ctx, l) })
	stop := func() error {
		cancel()
		serving.Wait()
		return served
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return &Listening{Address: l.Addr().String(), App: a, Clock: clock, Stop: stop}
}

// AddUser makes an active user with Password.
func (s *Server) AddUser(name string) string {
	s.t.Helper()
	user, err := s.App.Auth.CreateUser(auth.AsOperator(s.t.Context()), auth.UserForm{Username: name, Password: Password})
	if err != nil {
		s.t.Fatal(err)
	}
	return user.IDText()
}

// MakeStale changes a user, so that the access tokens from before are stale.
func (s *Server) MakeStale(userID int64) error { return MakeStale(s.t.Context(), s.App, userID) }

// MakeStale changes a user of a Latchkey, so that the access tokens from before are stale.
func MakeStale(ctx context.Context, a *app.App, userID int64) error {
	_, err := a.Auth.UpdateUser(auth.AsOperator(ctx), userID, auth.UserChange{IsStaff: auth.Some(true)})
	return err
}

// Answer is what a GraphQL request was answered.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Data   json.RawMessage
	Errors []AnswerError
}

// AnswerError is one error of an Answer.
type AnswerError struct {
	Message    string
	Path       []any
	Extensions map[string]any
}

// Query sends a GraphQL request. header is a list of names and values.
func (s *Server) Query(query string, variables map[string]any, header ...string) Answer {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return s.do(r)
}

func (s *Server) do(r *http.Request) Answer {
	s.t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := Answer{Status: response.StatusCode, Header: response.Header, Body: string(content)}
	if err := json.Unmarshal(content, &a); err != nil {
		s.t.Fatalf("the answer is not JSON: %v\n%s", err, content)
	}
	return a
}

// Get sends a GET request for a path.
func (s *Server) Get(path string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { response.Body.Close() }) //nolint:errcheck // nothing was written
	return response
}

// Pair is a token pair of the server.
type Pair struct {
	Access, Refresh                   string
	AccessExpiresAt, RefreshExpiresAt time.Time
	AccessExpiresIn                   int
	User                              struct{ ID, Username string }
}

const pairFields = "{ access refresh accessExpiresAt refreshExpiresAt accessExpiresIn user { id username } }"

// Obtain tries to sign in.
func (s *Server) Obtain(username, password string) (Pair, Answer) {
	s.t.Helper()
	a := s.Query("mutation($u: String!, $p: String!) { tokenObtain(username: $u, password: $p) "+pairFields+" }",
		map[string]any{"u": username, "p": password})
	return s.pair(a, "tokenObtain"), a
}

// SignIn signs in a user that AddUser made.
func (s *Server) SignIn(username string) Pair {
	s.t.Helper()
	pair, answer := s.Obtain(username, Password)
	if len(answer.Errors) > 0 {
		s.t.Fatalf("sign in as %s: %s", username, answer.Body)
	}
	return pair
}

// Refresh tries to refresh. header is a list of names and values.
func (s *Server) Refresh(refresh string, header ...string) (Pair, Answer) {
	s.t.Helper()
	a := s.Query("mutation($r: String) { tokenRefresh(refresh: $r) "+pairFields+" }", map[string]any{"r": refresh}, header...)
	return s.pair(a, "tokenRefresh"), a
}

func (s *Server) pair(a Answer, field string) Pair {
	s.t.Helper()
	if len(a.Errors) > 0 {
		return Pair{}
	}
	var data map[string]Pair
	if err := json.Unmarshal(a.Data, &data); err != nil {
		s.t.Fatalf("%v: %s", err, a.Body)
	}
	return data[field]
}

// Protected asks the protected field with an Authorization header; an empty one is not sent.
func (s *Server) Protected(authorization string) Answer {
	s.t.Helper()
	if authorization == "" {
		return s.Query("{ protected }", nil)
	}
	return s.Query("{ protected }", nil, "Authorization", authorization)
}

// Refused fails the test unless the answer's only error has the code and the reason; "" asks for no reason.
func (a Answer) Refused(t testing.TB, code, reason, message string) {
	t.Helper()
	if len(a.Errors) != 1 {
		t.Errorf("want one error %s, got %s", code, a.Body)
		return
	}
	e := a.Errors[0]
	gotReason, _ := e.Extensions["reason"].(string)
	if e.Extensions["code"] != code || gotReason != reason || e.Message != message {
		t.Errorf("got %v %q %q, want %s %q %q", e.Extensions["code"], gotReason, e.Message, code, reason, message)
	}
}
