package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/auth/token"
	"latchkey/fault"
	"latchkey/rest"
)

// stub is a service that answers everything with the same error, and keeps what it was given.
type stub struct {
	err                error
	username, password string
}

func (s *stub) Login(_ context.Context, username, password string) (auth.Pair, error) {
	s.username, s.password = username, password
	return auth.Pair{Access: "a", Refresh: "r"}, s.err
}

func (s *stub) RefreshAny(context.Context, string) (auth.Pair, error) {
	return auth.Pair{Access: "a", Refresh: "r"}, s.err
}

func (s *stub) Verify(context.Context, string) error { return s.err }

func (s *stub) Blacklist(context.Context, string) error { return s.err }

func (s *stub) Authenticate(context.Context, []string, []string) (*auth.Caller, error) {
	return &auth.Caller{}, s.err
}

func viewsOf(s *stub, log io.Writer) *rest.Views {
	return rest.NewViews(rest.Options{
		Tokens: s, Rotate: true, Logger: slog.New(slog.NewTextHandler(log, nil)),
		RequestID: func(context.Context) string { return "the id" },
	})
}

// post sends a body to a view.
func post(t testing.TB, view http.Handler, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	view.ServeHTTP(w, r)
	return w
}

// timed is a service that notes how long it is given.
type timed struct {
	stub
	given time.Duration
}

func (s *timed) Login(ctx context.Context, _, _ string) (auth.Pair, error) {
	if deadline, ok := ctx.Deadline(); ok {
		s.given = time.Until(deadline)
	}
	return auth.Pair{}, nil
}

func TestAnAnswerHasTheTimeThatTheOptionsSay(t *testing.T) {
	for _, c := range []struct{ option, want time.Duration }{{0, 10 * time.Second}, {time.Hour, time.Hour}} {
		s := &timed{}
		views := rest.NewViews(rest.Options{Tokens: s, Timeout: c.option})
		post(t, views.Obtain(), "application/json", `{"username": "ada", "password": "p"}`)
		if s.given > c.want || s.given < c.want-c.want/10 {
			t.Errorf("with %v there are %v", c.option, s.given)
		}
	}
}

func TestErrorsOfTheService(t *testing.T) {
	const secret = "what only the log may have"
	for _, row := range []struct {
		name       string
		err        error
		status     int
		want       string
		retryAfter string
	}{
		{
			"busy, for seconds", fault.RateLimited(1500 * time.Millisecond),
			429, `{"detail":"Request was throttled. Expected available in 2 seconds."}`, "2",
		},
		{
			"busy, for a moment", fault.RateLimited(time.Millisecond),
			429, `{"detail":"Request was throttled. Expected available in 1 second."}`, "1",
		},
		{"a fault", errors.New(secret), 500, `{"detail":"Internal server error."}`, ""},
		{"an internal fault with a text", &fault.Error{Kind: fault.KindInternal, Message: secret}, 500, `{"detail":"Internal server error."}`, ""},
		{"no permission", fault.Forbidden("x"), 403, `{"detail":"You do not have permission to perform this action."}`, ""},
		{"a token", fault.TokenNotValid(fault.TokenReused, "Token is blacklisted"), 401, `{"detail":"Token is blacklisted","code":"token_not_valid"}`, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var log strings.Builder
			views := viewsOf(&stub{err: row.err}, &log)
			for body, view := range map[string]http.Handler{
				"username=a&password=b": views.Obtain(), "refresh=a": views.Refresh(), "token=a": views.Verify(), "refresh=b": views.Blacklist(),
			} {
				w := post(t, view, "application/x-www-form-urlencoded", body)
				if w.Code != row.status || w.Body.String() != row.want || w.Header().Get("Retry-After") != row.retryAfter {
					t.Errorf("%s: got %d %s, after %q", body, w.Code, w.Body, w.Header().Get("Retry-After"))
				}
				if challenged := w.Header().Get("WWW-Authenticate") != ""; challenged != (row.status == 401) {
					t.Errorf("%s: WWW-Authenticate is %q", body, w.Header().Get("WWW-Authenticate"))
				}
			}
			if logged := strings.Contains(log.String(), "request_id=\"the id\""); logged != (row.status == 500) {
				t.Errorf("logged: %s", log.String())
			}
		})
	}
}

func TestAuthorizationErrorsOfTheService(t *testing.T) {
	expired := &token.Error{Problem: fault.TokenExpired, Message: "Token is expired"}
	for _, row := range []struct {
		name   string
		err    error
		status int
		want   string
	}{
		{"nothing was sent", fault.Unauthenticated("", ""), 401, `{"detail":"Authentication credentials were not provided."}`},
		{"the header", fault.Unauthenticated(fault.TokenMalformed, "words").Because(auth.ErrHeaderMalformed), 401, `{"detail":"words","code":"bad_authorization_header"}`},
		{"no user named", fault.Unauthenticated(fault.TokenMalformed, "whose").Because(auth.ErrUserNotNamed), 401, `{"detail":"whose","code":"token_not_valid"}`},
		{"no such user", fault.Unauthenticated(fault.TokenStale, "gone").Because(auth.ErrUserNotFound), 401, `{"detail":"gone","code":"user_not_found"}`},
		{"inactive", fault.Unauthenticated(fault.TokenStale, "out").Because(auth.ErrUserInactive), 401, `{"detail":"out","code":"user_inactive"}`},
		{
			"the token", fault.Unauthenticated(fault.TokenExpired, "no").Because(expired),
			401, `{"detail":"no","code":"token_not_valid","messages":[{"token_class":"AccessToken","token_type":"access","message":"Token is expired"}]}`,
		},
		{"a fault", errors.New("what only the log may have"), 500, `{"detail":"Internal server error."}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			viewsOf(&stub{err: row.err}, io.Discard).Protected().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			if w.Code != row.status || w.Body.String() != row.want {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

// What CPython 3.11 says of each text, or makes of the member "username".
func TestJSONIsReadAsInPython(t *testing.T) {
	for _, row := range []struct{ body, username, problem string }{
		{`{"username":"\u00e9\ud83e\udd8a\"\\\/\b\f\n\r\tx","password":1}`, "é🦊\"\\/\b\f\n\r\tx", ""},
		{`{"username":123456789012345678901234567890,"password":1}`, "123456789012345678901234567890", ""},
		{`{"username":-0,"password":1}`, "0", ""},
		{`{"username":-0.0,"password":1}`, "-0.0", ""},
		{`{"username":1E5,"password":1}`, "100000.0", ""},
		{`{"username":1e15,"password":1}`, "1000000000000000.0", ""},
		{`{"username":1e16,"password":1}`, "1e+16", ""},
		{`{"username":0.0001,"password":1}`, "0.0001", ""},
		{`{"username":0.00001,"password":1}`, "1e-05", ""},
		{`{"username":-1e400,"password":1}`, "-inf", ""},
		{`{"username":0.30000000000000004,"password":1}`, "0.30000000000000004", ""},
		{`{"username":"\ud83e\u0041","username":"b","x":[{"username":"c"}],"password":1}`, "b", ""},
		{"\ufeff{}", "", "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"},
		{`[`, "", "Expecting value: line 1 column 2 (char 1)"},
		{`[1 2]`, "", "Expecting ',' delimiter: line 1 column 4 (char 3)"},
		{`[1,]`, "", "Expecting value: line 1 column 4 (char 3)"},
		{`{"a" 1}`, "", "Expecting ':' delimiter: line 1 column 6 (char 5)"},
		{`{"a":1,}`, "", "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)"},
		{`{"a":}`, "", "Expecting value: line 1 column 6 (char 5)"},
		{`{'a':1}`, "", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"},
		{"{\"a\":\n\n  \"b", "", "Unterminated string starting at: line 3 column 3 (char 9)"},
		{`"a\`, "", "Unterminated string starting at: line 1 column 1 (char 0)"},
		{"\"a\nb\"", "", "Invalid control character at: line 1 column 3 (char 2)"},
		{`"\x"`, "", `Invalid \escape: line 1 column 2 (char 1)`},
		{`"\u12"`, "", `Invalid \uXXXX escape: line 1 column 3 (char 2)`},
		{`"\u1234`, "", `Invalid \uXXXX escape: line 1 column 3 (char 2)`},
		{`"\ud800\u12g4"`, "", `Invalid \uXXXX escape: line 1 column 9 (char 8)`},
		{`01`, "", "Extra data: line 1 column 2 (char 1)"},
		{`1.e5`, "", "Extra data: line 1 column 2 (char 1)"},
		{`-`, "", "Expecting value: line 1 column 1 (char 0)"},
		{`nul`, "", "Expecting value: line 1 column 1 (char 0)"},
		{`[NaN`, "", "Out of range float values are not JSON compliant: 'NaN'"},
		{strings.Repeat("9", 4301), "", "Exceeds the limit (4300 digits) for integer string conversion: value has 4301 digits; use sys.set_int_max_str_digits() to increase the limit"},
		{"\"\x80\"", "", "'utf-8' codec can't decode byte 0x80 in position 1: invalid start byte"},
		{"\"\xe2\x82A\"", "", "'utf-8' codec can't decode bytes in position 1-2: invalid continuation byte"},
		{"\"\xed\xa0\x80\"", "", "'utf-8' codec can't decode byte 0xed in position 1: invalid continuation byte"},
		{"\"\xf0\x9f\xa6", "", "'utf-8' codec can't decode bytes in position 1-3: unexpected end of data"},
		{"\"\xf4\x90", "", "'utf-8' codec can't decode byte 0xf4 in position 1: invalid continuation byte"},
	} {
		s := &stub{}
		w := post(t, viewsOf(s, io.Discard).Obtain(), "application/json", row.body)
		var answer struct{ Detail string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		problem, _ := strings.CutPrefix(answer.Detail, "JSON parse error - ")
		if s.username != row.username || problem != row.problem {
			t.Errorf("%.60q\ngot  %q %q\nwant %q %q", row.body, s.username, problem, row.username, row.problem)
		}
	}
}

// What Django makes of each form.
func TestFormsAreReadAsInDjango(t *testing.T) {
	const form, multi = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
	part := func(name, value string) string {
		return "--x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	for _, row := range []struct{ contentType, body, username, password string }{
		{form, "username=a+b%2Bc&password=%c3%a9", "a b+c", "é"},
		{form, "username=a&username=b&&password=c=d", "b", "c=d"},
		{form, "user%6eame=a%&password=%zz%4", "a%", "%zz%4"},
		{form, "username=a;b&password=\xc3\xa9", "a;b", "é"},
		{form, "username=a&password=\xe9", "a", "é"},
		{form, "username=a&password=%e9%e2%82%", "a", "\ufffd\ufffd%"},
		{form + "; charset=latin-1", "username=%e9&password=%E9", "é", "é"},
		{multi, part("password", "a\r\n") + part("username", "é") + "--x--\r\n", "é", "a"},
		{multi, part("username", "a") + part("username", "b") + part("password", "-x--") + "--x--\r\n", "b", "-x--"},
		{multi, part("username", "\xff") + part("password", "cut off"), "\ufffd", "cut off"},
		{multi + "; charset=latin-1", part("username", "\xe9") + part("password", "a") + "--x--", "é", "a"},
	} {
		s := &stub{}
		w := post(t, viewsOf(s, io.Discard).Obtain(), row.contentType, row.body)
		if w.Code != 200 || s.username != row.username || s.password != row.password {
			t.Errorf("%q\ngot  %q %q, %d %s\nwant %q %q", row.body, s.username, s.password, w.Code, w.Body, row.username, row.password)
		}
	}
}

// FuzzBody sends anything at all as a body. The answer is JSON and never a fault, and what reaches the service is text
// without white space at its ends.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{"username":"a","password":1.5e300}`, `{"username":"\ud800\u0000","password":[{"a":{}}]}`, "\ufeff{}", `[NaN]`, "\xed\xa0\x80",
		"username=a%00&password=%ff+", "&=&a", "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na\r\n--x--\r\n",
		"--x\r\nContent-Disposition: form-data; name=\"password\"; filename=\"a\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=00\r\n--x\r\n",
	} {
		for _, contentType := range []string{
			"application/json", "application/json; charset=latin-1", "application/x-www-form-urlencoded",
			"multipart/form-data; boundary=x", "multipart/form-data; boundary=", "text/plain;\x00", "*/*", "",
		} {
			f.Add(contentType, body)
		}
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		s := &stub{}
		w := post(t, viewsOf(s, io.Discard).Obtain(), contentType, body)
		if !slices.Contains([]int{200, 400, 413, 415}, w.Code) {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("got %s %v", w.Body, w.Header())
		}
		if called := s.username != "" && s.password != ""; called != (w.Code == 200) {
			t.Fatalf("got %d for %q %q", w.Code, s.username, s.password)
		}
		for _, text := range []string{s.username, s.password} {
			if text != strings.TrimSpace(text) || strings.ContainsRune(text, 0) || text != strings.ToValidUTF8(text, "") {
				t.Fatalf("the service was given %q", text)
			}
		}
	})
}

// FuzzHead sends anything at all before the body.
func FuzzHead(f *testing.F) {
	f.Add("POST", "format=json", "application/json", "Bearer a")
	f.Add("GET", "format=%zz;", "text/html;q=0,*/*", "")
	f.Add("OPTIONS", "a", ";/,", "\x00")
	f.Add("brew\"", "format=xml", "", "Bearer a b")
	f.Fuzz(func(t *testing.T, method, query, accept, authorization string) {
		views := viewsOf(&stub{}, io.Discard)
		for _, view := range []http.Handler{views.Refresh(), views.Protected()} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("refresh=a"))
			r.Method, r.URL.RawQuery = method, query
			r.Header = http.Header{"Accept": {accept}, "Authorization": {authorization}, "Content-Type": {"application/x-www-form-urlencoded"}}
			w := httptest.NewRecorder()
			view.ServeHTTP(w, r)
			if !slices.Contains([]int{200, 404, 405, 406}, w.Code) || !json.Valid(w.Body.Bytes()) || w.Header().Get("Allow") == "" {
				t.Fatalf("got %d %s %v", w.Code, w.Body, w.Header())
			}
		}
	})
}
