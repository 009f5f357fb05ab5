package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/app"
	"latchkey/auth"
	"latchkey/config"
	"latchkey/fault"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

const wrongPassword = "wrong horse battery"

// comingFrom returns a context of a request that comes from an address, and on a device whose cookie is given.
func comingFrom(ctx context.Context, address, device string) context.Context {
	ctx = auth.WithClient(ctx, auth.Client{IPAddress: address})
	return auth.WithDevice(ctx, auth.Device{Cookie: device})
}

// signIn tries to sign in, and returns the pair and the kind of refusal; empty where there was none.
func signIn(ctx context.Context, t testing.TB, a *app.App, name, password string) (auth.Pair, *fault.Error) {
	t.Helper()
	pair, err := a.Auth.Login(ctx, name, password)
	if err == nil {
		return pair, nil
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		t.Fatal(err)
	}
	return auth.Pair{}, f
}

func addUser(t testing.TB, a *app.App, name string) {
	t.Helper()
	if _, err := a.Auth.CreateUser(auth.AsOperator(t.Context()), auth.UserForm{Username: name, Password: testkit.Password}); err != nil {
		t.Fatal(err)
	}
}

// attacked has one account attacked from many addresses for as long as is given, with a guess every few seconds and more
// than one at the moments when a wait is over. It returns how many guesses were checked, and calls meanwhile now and then.
func attacked(t *testing.T, a *app.App, clock *testkit.Clock, addresses int, long, pause time.Duration, meanwhile func()) (checked int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:forbidigo // so that each run is the same
	end, next := clock.Now().Add(long), clock.Now().Add(time.Hour)
	for clock.Now().Before(end) {
		step := pause
		for range 2 {
			i := random.IntN(addresses) //nolint:forbidigo // an address, and no secret
			address := fmt.Sprintf("198.51.%d.%d", i/250, 1+i%250)
			_, refused := signIn(comingFrom(t.Context(), address, ""), t, a, "ada", wrongPassword)
			if refused.Kind == fault.KindInvalidCredentials {
				checked++
				continue
			}
			if refused.Kind != fault.KindRateLimited || refused.RetryAfter <= 0 || refused.RetryAfter > 15*time.Minute {
				t.Fatalf("refused with %v, retry after %v", refused.Kind, refused.RetryAfter)
			}
			step = min(step, refused.RetryAfter) // who obeys gets the most
		}
		clock.Advance(step)
		if clock.Now().After(next) {
			next = next.Add(time.Hour)
			meanwhile()
		}
	}
	return checked
}

func TestAnAttackOfADayFromAThousandAddresses(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		long, pause := 24*time.Hour, 15*time.Second
		if strings.HasPrefix(url, "postgres") {
			pause = time.Minute
		}
		a, clock := testkit.Open(t, url, testkit.Throttled)
		addUser(t, a, "ada")
		first, refused := signIn(comingFrom(t.Context(), "203.0.113.7", ""), t, a, "ada", testkit.Password)
		if refused != nil {
			t.Fatal(refused)
		}
		device, signedIn := first.Device, 0
		checked := attacked(t, a, clock, 1000, long, pause, func() {
			pair, refused := signIn(comingFrom(t.Context(), "198.51.0.1", device), t, a, "ada", testkit.Password)
			if refused != nil {
				t.Fatalf("the owner, on a known device: %v", refused)
			}
			device, signedIn = pair.Device, signedIn+1
		})
		t.Logf("%d guesses were checked, the owner signed in %d times", checked, signedIn)
		if checked < 30 || checked >= 200 || signedIn < 23 {
			t.Errorf("%d guesses were checked, the owner signed in %d times; want less than 200 and 23", checked, signedIn)
		}

		ended := clock.Now()
		for {
			_, refused := signIn(comingFrom(t.Context(), "203.0.113.99", ""), t, a, "ada", testkit.Password)
			if refused == nil {
				break
			}
			clock.Advance(refused.RetryAfter)
		}
		if took := clock.Now().Sub(ended); took > 15*time.Minute {
			t.Errorf("the owner got in from an unknown device %v after the end", took)
		}
	})
}

// A name that nobody has is refused at the same tries, with the same waits.
func TestLimitsDoNotTellWhetherThereIsAnAccount(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		id, err := strconv.ParseInt(s.AddUser("eve"), 10, 64)
		if err == nil {
			err = s.App.Auth.SetActive(auth.AsOperator(t.Context()), id, false)
		}
		if err != nil {
			t.Fatal(err)
		}
		tries := func(name string) (answers []string) {
			for range 9 {
				_, got := s.Obtain(name, wrongPassword)
				answers = append(answers, fmt.Sprint(got.Status, got.Errors, got.Header["Retry-After"]))
			}
			return answers
		}
		want := tries("ada")
		for _, name := range []string{"nobody", "eve", strings.Repeat("x", 1000)} {
			if d := cmp.Diff(want, tries(name)); d != "" {
				t.Errorf("%.10q (-ada +it):\n%s", name, d)
			}
		}
		if !strings.Contains(want[8], "RATE_LIMITED") {
			t.Errorf("the ninth try was answered %s", want[8])
		}
	}, testkit.Throttled)
}

func TestEveryWayInCountsAndSaysWhenToTryAgain(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		view := func(password string) *http.Response {
			body, err := json.Marshal(map[string]string{"username": "ada", "password": password})
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.Post(s.URL+"/api/token/", "application/json", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { response.Body.Close() }) //nolint:errcheck // it is read
			return response
		}
		for i := range 5 {
			if i%2 == 0 {
				if got := view(wrongPassword); got.StatusCode != http.StatusUnauthorized {
					t.Fatalf("try %d: %d", i+1, got.StatusCode)
				}
			} else if _, got := s.Obtain("ada", wrongPassword); got.Errors[0].Extensions["code"] != "INVALID_CREDENTIALS" {
				t.Fatalf("try %d: %s", i+1, got.Body)
			}
		}
		refused := view(testkit.Password)
		text, err := io.ReadAll(refused.Body)
		if err != nil {
			t.Fatal(err)
		}
		if refused.StatusCode != http.StatusTooManyRequests || refused.Header.Get("Retry-After") != "15" ||
			string(text) != `{"detail":"Request was throttled. Expected available in 15 seconds."}` {
			t.Errorf("/api/token/: %d, Retry-After %q, %s", refused.StatusCode, refused.Header.Get("Retry-After"), text)
		}
		_, got := s.Obtain("ada", testkit.Password)
		if len(got.Errors) != 1 || got.Errors[0].Extensions["code"] != "RATE_LIMITED" ||
			got.Errors[0].Extensions["retryAfter"] != 15.0 || got.Header.Get("Retry-After") != "15" {
			t.Errorf("tokenObtain: Retry-After %q, %s", got.Header.Get("Retry-After"), got.Body)
		}
		s.Clock.Advance(15 * time.Second)
		s.SignIn("ada")
		if n := s.App.Recorder.Counts()[auth.EventSignInThrottled]; n != 2 {
			t.Errorf("%d refusals were counted, want 2", n)
		}
	}, testkit.Throttled)
}

const changePassword = `mutation($c: String!, $n: String!) { passwordChange(current: $c, new: $n) { errors { code } } }`

func TestTheCurrentPasswordCannotBeGuessed(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		stolen, own := s.SignIn("ada"), s.SignIn("ada")
		try := func(pair testkit.Pair, current string) string {
			got := s.Query(changePassword, map[string]any{"c": current, "n": "another horse battery"}, "Authorization", "Bearer "+pair.Access)
			return got.Body
		}
		compared := 0
		for range 40 {
			if strings.Contains(try(stolen, wrongPassword), "WRONG_PASSWORD") {
				compared++
			}
		}
		if compared != 10 {
			t.Errorf("%d guesses were compared, want 10", compared)
		}
		if got := try(stolen, testkit.Password); !strings.Contains(got, "RATE_LIMITED") {
			t.Errorf("then the right one: %s", got)
		}
		if got := try(own, testkit.Password); strings.Contains(got, "code") {
			t.Errorf("the owner, in another session: %s", got)
		}
	}, testkit.Throttled)
}

// statementsOf returns the statements that change something while run is under way.
func statementsOf(a *app.App) (list func(run func()) []string) {
	var mu sync.Mutex
	var seen []string
	a.Store.ObserveWrites(func(statement string) {
		word, _, _ := strings.Cut(strings.TrimSpace(statement), " ")
		if word = strings.ToUpper(word); word != "SELECT" {
			table := ""
			for _, name := range []string{"attempts", "sessions", "events", "users"} {
				if table == "" && strings.Contains(statement, name) {
					table = name
				}
			}
			mu.Lock()
			seen = append(seen, strings.TrimSpace(word+" "+table))
			mu.Unlock()
		}
	})
	return func(run func()) []string {
		mu.Lock()
		seen = nil
		mu.Unlock()
		run()
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

func TestASignInThatSucceedsWritesNothingExtra(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		a, _ := testkit.Open(t, url, testkit.Throttled)
		plain, _ := testkit.Open(t, url)
		addUser(t, a, "ada")
		owner := comingFrom(t.Context(), "203.0.113.7", "")
		good := func(a *app.App) func() {
			return func() {
				if _, refused := signIn(owner, t, a, "ada", testkit.Password); refused != nil {
					t.Error(refused)
				}
			}
		}
		observe := statementsOf(a)
		want := statementsOf(plain)(good(plain))
		if len(want) < 3 {
			t.Fatalf("a sign-in without a throttle is said to write %v", want)
		}
		if d := cmp.Diff(want, observe(good(a))); d != "" {
			t.Errorf("with nothing on record (-without a throttle +with):\n%s", d)
		}
		fail := func() { _, _ = signIn(owner, t, a, "ada", wrongPassword) }
		if got := observe(fail); !slices.Contains(got, "INSERT attempts") {
			t.Errorf("a failure writes %v", got)
		}
		if d := cmp.Diff(want, observe(good(a))); d != "" {
			t.Errorf("with a failure on record (-without a throttle +with):\n%s", d)
		}
	})
}

func TestAKnownDeviceHasABudgetOfItsOwnAndNoMore(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		a, _ := testkit.Open(t, url, testkit.Throttled)
		addUser(t, a, "ada")
		addUser(t, a, "mallory")
		ada, _ := signIn(comingFrom(t.Context(), "203.0.113.7", ""), t, a, "ada", testkit.Password)
		mallory, _ := signIn(comingFrom(t.Context(), "198.51.100.1", ""), t, a, "mallory", testkit.Password)
		guesses := func(device string) (checked int) {
			for i := range 100 {
				_, refused := signIn(comingFrom(t.Context(), fmt.Sprintf("198.51.100.%d", i), device), t, a, "ada", wrongPassword)
				if refused.Kind == fault.KindInvalidCredentials {
					checked++
				}
			}
			return checked
		}
		if n := guesses(""); n != 15 {
			t.Errorf("strangers: %d guesses were checked, want 15", n)
		}
		if n := guesses(mallory.Device); n != 0 {
			t.Errorf("on a device of somebody else: %d guesses were checked", n)
		}
		owner := comingFrom(t.Context(), "198.51.100.1", ada.Device)
		if _, refused := signIn(owner, t, a, "ada", testkit.Password); refused != nil {
			t.Errorf("the owner: %v", refused)
		}
		if n := guesses(ada.Device); n != 10 {
			t.Errorf("on the stolen device: %d guesses were checked, want 10", n)
		}
		if _, refused := signIn(owner, t, a, "ada", testkit.Password); refused == nil {
			t.Error("a device that is used up gets in")
		}
		if n, err := a.ForgetTries(t.Context(), "ada", "198.51.100.1"); err != nil || n < 3 {
			t.Errorf("forgot %d, %v", n, err)
		}
		if _, refused := signIn(owner, t, a, "ada", testkit.Password); refused != nil {
			t.Errorf("after the operator's help: %v", refused)
		}
	})
}

// The session of a refresh cookie and that of an access token show that somebody has signed in, too, as long as they go on.
func TestASessionThatGoesOnIsKnown(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		a, _ := testkit.Open(t, url, testkit.Throttled)
		addUser(t, a, "ada")
		pair, _ := signIn(comingFrom(t.Context(), "203.0.113.7", ""), t, a, "ada", testkit.Password)
		owner, err := a.Auth.OwnerOf(t.Context(), pair.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		caller, err := a.Auth.VerifyAccess(t.Context(), pair.Access)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			_, _ = signIn(comingFrom(t.Context(), fmt.Sprintf("198.51.100.%d", i), ""), t, a, "ada", wrongPassword)
		}
		unknown := comingFrom(t.Context(), "203.0.113.8", "")
		withCookie := auth.WithDevice(unknown, auth.Device{Owner: owner})
		for what, c := range map[string]struct {
			ctx context.Context //nolint:containedctx // a row of a table
			in  bool
		}{
			"nothing":          {unknown, false},
			"a refresh cookie": {withCookie, true},
			"an access token":  {auth.WithCaller(unknown, caller), true},
			"somebody else's":  {auth.WithDevice(unknown, auth.Device{Owner: auth.Owner{UserID: "999", SessionID: owner.SessionID}}), false},
		} {
			if _, refused := signIn(c.ctx, t, a, "ada", testkit.Password); (refused == nil) != c.in {
				t.Errorf("with %s: %v", what, refused)
			}
		}
		if _, err := a.Auth.Logout(t.Context(), &pair.Refresh); err != nil {
			t.Fatal(err)
		}
		if _, refused := signIn(withCookie, t, a, "ada", testkit.Password); refused == nil {
			t.Error("the cookie of a session that has ended counts")
		}
	})
}

// Two nodes on one database, and guesses on both at once, as many as there can be.
func TestNodesShareTheBudget(t *testing.T) {
	testdb.Each(t, func(t *testing.T, url string) {
		var nodes []*app.App
		for range 2 {
			a, _ := testkit.Open(t, url, testkit.Throttled)
			nodes = append(nodes, a)
		}
		addUser(t, nodes[0], "ada")
		var checked atomic.Int64
		var group sync.WaitGroup
		for i := range 64 {
			group.Go(func() {
				for j := range 4 {
					ctx := comingFrom(t.Context(), fmt.Sprintf("198.51.100.%d", i*4+j), "")
					_, err := nodes[i%2].Auth.Login(ctx, "ada", wrongPassword)
					if errors.Is(err, fault.New(fault.KindInvalidCredentials)) {
						checked.Add(1)
					} else if !errors.Is(err, fault.New(fault.KindRateLimited)) {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		// Beyond the budget come those that the other node has under way on no record, which are four at most.
		t.Logf("%d guesses were checked", checked.Load())
		if n := checked.Load(); n < 15 || n > 15+4 {
			t.Errorf("%d guesses were checked, want 15, and 4 more at most", n)
		}
	})
}

// tokenObtain is asked for once in a request, and a request is one.
func TestARequestIsOneTry(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		failures := func() uint64 { return s.App.Recorder.Counts()[auth.EventSignInFailed] }
		var document strings.Builder
		document.WriteString("mutation {")
		for i := range 500 {
			fmt.Fprintf(&document, ` a%d: tokenObtain(username: "ada", password: "%d") { access }`, i, i)
		}
		document.WriteString(" }")
		s.Query(document.String(), nil)
		s.Query(`mutation { a: tokenObtain(username: "ada", password: "1") { access } b: tokenObtain(username: "ada", password: "2") { access } }`, nil)
		if n := failures(); n > 1 {
			t.Errorf("500 aliases had %d passwords checked", n)
		}
		before := failures()
		one := `{"query":"mutation { tokenObtain(username: \"ada\", password: \"x\") { access } }"}`
		array := "[" + strings.Repeat(one+",", 99) + one + "]"
		for range 200 {
			response, err := http.Post(s.URL+"/graphql", "application/json", strings.NewReader(array))
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close() //nolint:errcheck // it is not read
		}
		if n := failures() - before; n != 0 {
			t.Errorf("200 arrays of 100 had %d passwords checked", n)
		}
	}, testkit.Throttled)
}

// get asks for something public in the name of an address, behind a proxy.
func anonymously(s *testkit.Server, address string, header ...string) testkit.Answer {
	return s.Query("{ __typename }", nil, append([]string{"X-Forwarded-For", address}, header...)...)
}

func TestAnonymousWorkIsLimitedByNetwork(t *testing.T) {
	few := func(c *config.Settings) { c.AnonymousRate = 2 }
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		pair := s.SignIn("ada")
		var refused testkit.Answer
		for range 21 {
			refused = anonymously(s, "192.0.2.1")
		}
		if refused.Status != http.StatusTooManyRequests || refused.Header.Get("Retry-After") != "1" {
			t.Errorf("request 21: %d, Retry-After %q, %s", refused.Status, refused.Header.Get("Retry-After"), refused.Body)
		}
		refused.Refused(t, "RATE_LIMITED", "", "Too many tries. Please wait and try again.")
		if got := anonymously(s, "192.0.2.2"); got.Status != http.StatusOK {
			t.Errorf("another address: %d", got.Status)
		}
		for range 30 {
			if got := anonymously(s, "192.0.2.1", "Authorization", "Bearer "+pair.Access); got.Status != http.StatusOK {
				t.Fatalf("a caller: %d", got.Status)
			}
		}
		// A view is refused in its own form, and a request that shows a good credential does not count.
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/token/verify/", strings.NewReader(`{"token":""}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close() //nolint:errcheck // it is not read
		if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "1" {
			t.Errorf("a view: %d, Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
		}
		for range 30 {
			if pair, refused = s.Refresh(pair.Refresh, "X-Forwarded-For", "192.0.2.3"); len(refused.Errors) > 0 {
				t.Fatalf("a refresh: %s", refused.Body)
			}
		}
		s.Clock.Advance(time.Second)
		if got := anonymously(s, "192.0.2.1"); got.Status != http.StatusOK {
			t.Errorf("a second later: %d", got.Status)
		}
	}, testkit.Throttled, behindProxy, few)
}

func TestTheDeviceCookie(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.AddUser("ada")
		obtain := func(header ...string) testkit.Answer {
			return s.Query(obtainInto, map[string]any{"d": "BODY"}, header...)
		}
		if got := obtain().Header.Get("Set-Cookie"); !strings.HasPrefix(got, "latchkey-device=") ||
			!strings.HasSuffix(got, "; Path=/; Max-Age=7776000; HttpOnly; SameSite=Strict") {
			t.Errorf("on the client's own machine: %s", got)
		}
		https := obtain("X-Forwarded-Proto", "https").Header.Get("Set-Cookie")
		if !strings.HasPrefix(https, "__Host-latchkey-device=") ||
			!strings.HasSuffix(https, "; Path=/; Max-Age=7776000; HttpOnly; Secure; SameSite=Strict") {
			t.Errorf("over HTTPS: %s", https)
		}
		if got := obtain("Origin", "https://evil.example").Header.Get("Set-Cookie"); got != "" {
			t.Errorf("for a foreign page: %s", got)
		}
		if got := s.Query(`mutation { tokenObtain(username: "ada", password: "x") { access } }`, nil).Header.Get("Set-Cookie"); got != "" {
			t.Errorf("after a failure: %s", got)
		}

		// Strangers use their budget up; who has the cookie gets in, over both faces.
		for i := range 20 {
			s.Query(`mutation { tokenObtain(username: "ada", password: "x") { access } }`, nil, "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i))
		}
		cookie, _, _ := strings.Cut(https, ";")
		if got := obtain("X-Forwarded-Proto", "https"); !strings.Contains(got.Body, "RATE_LIMITED") {
			t.Errorf("a stranger: %s", got.Body)
		}
		if got := obtain("X-Forwarded-Proto", "https", "Cookie", cookie); len(got.Errors) > 0 {
			t.Errorf("with the cookie: %s", got.Body)
		}
		if got := obtain("X-Forwarded-Proto", "https", "Cookie", cookie, "Origin", "https://evil.example"); !strings.Contains(got.Body, "RATE_LIMITED") {
			t.Errorf("with the cookie, for a foreign page: %s", got.Body)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/token/",
			strings.NewReader(`{"username":"ada","password":"`+testkit.Password+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"application/json"}, "Cookie": {cookie}, "X-Forwarded-Proto": {"https"}}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close() //nolint:errcheck // it is not read
		if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Set-Cookie"), "__Host-latchkey-device=") {
			t.Errorf("/api/token/: %d, %s", response.StatusCode, response.Header.Get("Set-Cookie"))
		}
	}, testkit.Throttled, behindProxy)
}
