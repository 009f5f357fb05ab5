package keys_test

import (
	"context"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/auth/keys"
	"latchkey/auth/token"
)

// publisher is a server that publishes a key set, and the clock of those who fetch it.
type publisher struct {
	*httptest.Server
	fetches atomic.Int32

	mu     sync.Mutex
	at     time.Time
	status int
	body   string
}

func publish(t *testing.T, body string) *publisher {
	t.Helper()
	p := &publisher{at: now, status: http.StatusOK, body: body}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.fetches.Add(1)
	p.mu.Lock()
	status, body := p.status, p.body
	p.mu.Unlock()
	if status == http.StatusFound {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (p *publisher) answers(status int, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.body = status, body
}

func (p *publisher) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

func (p *publisher) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = p.at.Add(d)
}

func (p *publisher) remote() *keys.Remote {
	return keys.NewRemote(keys.RemoteOptions{URL: p.URL, MaxAge: 10 * time.Minute, MinRefresh: 5 * time.Second, Now: p.now})
}

// set is the key set of some keys.
func set(t *testing.T, list ...token.Key) string {
	t.Helper()
	ring, err := keys.NewRing(list[0], list[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return string(ring.JWKS())
}

func TestRemoteVerifiesWhatTheServerSigns(t *testing.T) {
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256"} {
		t.Run(algorithm, func(t *testing.T) {
			k := generate(t, algorithm)
			r := publish(t, set(t, k)).remote()
			c := token.New(token.Options{Now: func() time.Time { return now }})
			raw, err := c.Sign(token.Claims{Kind: token.Access, ID: "1", UserID: "7", IssuedAt: now, ExpiresAt: now.Add(time.Minute)}, k)
			if err != nil {
				t.Fatal(err)
			}
			claims, err := c.ParseKind(t.Context(), raw, r.Lookup, token.Access)
			if err != nil || claims.UserID != "7" {
				t.Errorf("got user %q, error %v", claims.UserID, err)
			}
			if got, err := r.Lookup(t.Context(), k.ID); err != nil || got.Private != nil {
				t.Errorf("got a private half, or error %v", err)
			}
		})
	}
}

// step is one look-up in the life of a Remote.
type step struct {
	after   time.Duration // since the step before
	kid     string
	want    error // ErrUnknownKey, errFault or nil
	fetches int32 // that there have been by then
}

var errFault = errors.New("a fault")

// kindOf says which of the three outcomes of a look-up err is.
func kindOf(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, token.ErrUnknownKey):
		return token.ErrUnknownKey
	}
	return errFault
}

func walk(t *testing.T, p *publisher, r *keys.Remote, steps ...step) {
	t.Helper()
	for i, s := range steps {
		p.pass(s.after)
		got, err := r.Lookup(t.Context(), s.kid)
		if !errors.Is(kindOf(err), s.want) {
			t.Fatalf("step %d: got error %v, want %v", i, err, s.want)
		}
		if err == nil && got.ID != s.kid {
			t.Fatalf("step %d: got key %q, want %q", i, got.ID, s.kid)
		}
		if got := p.fetches.Load(); got != s.fetches {
			t.Fatalf("step %d: got %d fetches, want %d", i, got, s.fetches)
		}
	}
}

func TestRemoteKeepsTheSetUntilItIsOld(t *testing.T) {
	k, next := generate(t, "ES256"), generate(t, "ES256")
	p := publish(t, set(t, k))
	r := p.remote()
	walk(t, p, r,
		step{0, k.ID, nil, 1},
		step{0, k.ID, nil, 1},
		step{10*time.Minute - 1, k.ID, nil, 1},
		step{1, k.ID, nil, 2},
	)
	p.answers(http.StatusOK, set(t, next))
	walk(t, p, r,
		step{10*time.Minute - 1, k.ID, nil, 2},
		step{1, k.ID, token.ErrUnknownKey, 3}, // retired in the meantime
		step{0, next.ID, nil, 3},
	)
}

func TestRemoteFetchesForAnUnknownKidOnceInAWhile(t *testing.T) {
	k, next := generate(t, "ES256"), generate(t, "EdDSA")
	p := publish(t, set(t, k))
	r := p.remote()
	walk(t, p, r,
		step{0, "", token.ErrUnknownKey, 0},
		step{0, k.ID, nil, 1},
		step{0, "nobody", token.ErrUnknownKey, 1},
		step{5*time.Second - 1, "nobody", token.ErrUnknownKey, 1},
		step{1, "nobody", token.ErrUnknownKey, 2},
		step{0, "another", token.ErrUnknownKey, 2},
		step{0, "", token.ErrUnknownKey, 2},
	)
	p.answers(http.StatusOK, set(t, next, k))
	walk(t, p, r,
		step{4 * time.Second, next.ID, token.ErrUnknownKey, 2},
		step{time.Second, next.ID, nil, 3},
		step{0, k.ID, nil, 3},
	)
}

func TestRemoteGoesOnWithAnOldSetForADay(t *testing.T) {
	k := generate(t, "ES256")
	p := publish(t, set(t, k))
	r := p.remote()
	walk(t, p, r, step{0, k.ID, nil, 1})
	p.answers(http.StatusServiceUnavailable, "")
	walk(t, p, r,
		step{time.Minute, "nobody", errFault, 2}, // it may be a new one
		step{time.Second, "nobody", errFault, 2},
		step{0, k.ID, nil, 2},
		step{22 * time.Hour, "nobody", errFault, 3},
		step{0, k.ID, nil, 3},
	)
	p.pass(2*time.Hour - time.Minute - time.Second)
	if _, err := r.Lookup(t.Context(), k.ID); err != nil {
		t.Errorf("after a day: %v", err)
	}
	walk(t, p, r,
		step{0, "nobody", errFault, 4}, // waits for the fetch that the line above began and did not wait for
		step{time.Minute, k.ID, errFault, 5},
	)
	p.answers(http.StatusOK, set(t, k))
	walk(t, p, r, step{5 * time.Second, k.ID, nil, 6})
}

func TestAnAnswerThatIsNoKeySetIsAFault(t *testing.T) {
	k := generate(t, "ES256")
	good := set(t, k)
	for _, tt := range []struct {
		name   string
		status int
		body   string
	}{
		{"not found", http.StatusNotFound, good},
		{"an internal error", http.StatusInternalServerError, good},
		{"no content", http.StatusNoContent, ""},
		{"a redirect", http.StatusFound, good},
		{"nothing", http.StatusOK, ""},
		{"a page", http.StatusOK, "<!doctype html><title>Welcome</title>"},
		{"null", http.StatusOK, "null"},
		{"an array", http.StatusOK, "[]"},
		{"an object without keys", http.StatusOK, `{"issuer":"https://id.example"}`},
		{"keys null", http.StatusOK, `{"keys":null}`},
		{"keys an object", http.StatusOK, `{"keys":{}}`},
		{"half a set", http.StatusOK, good[:len(good)/2]},
		{"text behind the set", http.StatusOK, good + "x"},
		{"a megabyte and more", http.StatusOK, good + strings.Repeat(" ", 1<<20)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := publish(t, "")
			p.answers(tt.status, tt.body)
			r := p.remote()
			walk(t, p, r,
				step{0, k.ID, errFault, 1},
				step{0, k.ID, errFault, 1}, // not asked again at once
			)
			p.answers(http.StatusOK, good)
			walk(t, p, r, step{5 * time.Second, k.ID, nil, 2})
		})
	}
	t.Run("no answer", func(t *testing.T) {
		p := publish(t, good)
		p.Close()
		walk(t, p, p.remote(), step{0, k.ID, errFault, 0})
	})
	t.Run("no address", func(t *testing.T) {
		p := publish(t, good)
		walk(t, p, keys.NewRemote(keys.RemoteOptions{URL: ":", Now: p.now}), step{0, k.ID, errFault, 0})
	})
}

func TestRemotePassesOverKeysThatAreNoUse(t *testing.T) {
	es, ed, rs := newECDSA(elliptic.P256()), newEd25519(), rsaKey()
	type members = map[string]any
	jwk := func(key any, more members) members {
		m := members{}
		if err := json.Unmarshal(must(jose.JSONWebKey{Key: key, KeyID: "k"}.MarshalJSON()), &m); err != nil {
			t.Fatal(err)
		}
		for name, value := range more {
			m[name] = value
			if value == nil {
				delete(m, name)
			}
		}
		return m
	}
	only := func(algorithms ...string) keys.RemoteOptions { return keys.RemoteOptions{Algorithms: algorithms} }
	var all keys.RemoteOptions
	for _, tt := range []struct {
		name string
		o    keys.RemoteOptions
		keys []members
		want string // the algorithm of key k; empty: it is not taken
	}{
		{"ECDSA with everything said", all, []members{jwk(es.Public(), members{"alg": "ES256", "use": "sig"})}, "ES256"},
		{"ECDSA without alg and use", all, []members{jwk(es.Public(), nil)}, "ES256"},
		{"Ed25519 without alg", all, []members{jwk(ed.Public(), nil)}, "EdDSA"},
		{"RSA without alg", all, []members{jwk(rs.Public(), nil)}, "RS256"},
		{"unknown members", all, []members{jwk(es.Public(), members{"key_ops": []string{"verify"}, "note": 1, "exp": 5})}, "ES256"},
		{"behind keys of kinds nobody knows", all, []members{{"kty": "XYZ", "kid": "k"}, {}, {"kid": 7}, jwk(es.Public(), nil)}, "ES256"},
		{"the first of two with one kid", all, []members{jwk(es.Public(), nil), jwk(ed.Public(), nil)}, "ES256"},
		{"the private half too, which is not looked at", all, []members{jwk(es, nil)}, "ES256"},
		{"an algorithm that is asked for", only("EdDSA", "ES256"), []members{jwk(es.Public(), nil)}, "ES256"},

		{"no kid", all, []members{jwk(es.Public(), members{"kid": nil})}, ""},
		{"an empty kid", all, []members{jwk(es.Public(), members{"kid": ""})}, ""},
		{"for encryption", all, []members{jwk(es.Public(), members{"use": "enc"})}, ""},
		{"no kty", all, []members{jwk(es.Public(), members{"kty": nil})}, ""},
		{"a secret", all, []members{jwk(secret, members{"alg": "HS256"})}, ""},
		{"a secret without alg", all, []members{jwk(secret, nil)}, ""},
		{"a secret that calls itself ES256", all, []members{jwk(secret, members{"alg": "ES256"})}, ""},
		{"a secret that is asked for", only("HS256"), []members{jwk(secret, members{"alg": "HS256"})}, ""},
		{"a public key that calls itself HS256, which is asked for", only("HS256"), []members{jwk(es.Public(), members{"alg": "HS256"})}, ""},
		{"none", all, []members{jwk(es.Public(), members{"alg": "none"})}, ""},
		{"RSA for PSS", all, []members{jwk(rs.Public(), members{"alg": "PS256"})}, ""},
		{"RSA for encryption by its alg", all, []members{jwk(rs.Public(), members{"alg": "RSA-OAEP"})}, ""},
		{"ECDSA that calls itself EdDSA", all, []members{jwk(es.Public(), members{"alg": "EdDSA"})}, ""},
		{"ECDSA that calls itself ES384", all, []members{jwk(es.Public(), members{"alg": "ES384"})}, ""},
		{"P-384 that calls itself ES256", all, []members{jwk(newECDSA(elliptic.P384()).Public(), members{"alg": "ES256"})}, ""},
		{"P-521", all, []members{jwk(newECDSA(elliptic.P521()).Public(), nil)}, ""},
		{"a point that is not on the curve", all, []members{jwk(es.Public(), members{"x": strings.Repeat("A", 42) + "E"})}, ""},
		{"half an Ed25519 key", all, []members{jwk(ed.Public(), members{"x": "AAAAAAAAAAAAAAAAAAAAAA"})}, ""},
		{"RSA of 1024 bits", all, []members{jwk(must(rsa.GenerateKey(rand.Reader, 1024)).Public(), nil)}, ""},
		{"RSA of 16384 bits", all, []members{jwk(rs.Public(), members{"n": strings.Repeat("_", 2730) + "8"})}, ""},
		{"an algorithm that is not asked for", only("EdDSA"), []members{jwk(es.Public(), nil)}, ""},
		{"no key", all, []members{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := publish(t, string(must(json.Marshal(members{"keys": tt.keys}))))
			tt.o.URL, tt.o.Now = p.URL, p.now
			got, err := keys.NewRemote(tt.o).Lookup(t.Context(), "k")
			if tt.want == "" {
				if !errors.Is(err, token.ErrUnknownKey) {
					t.Errorf("got a key of %q, error %v; want ErrUnknownKey", got.Algorithm, err)
				}
				return
			}
			if err != nil || got.Algorithm != tt.want || got.Private != nil {
				t.Errorf("got a key of %q, error %v; want %q and no private half", got.Algorithm, err, tt.want)
			}
		})
	}
}

func TestAFloodOfUnknownKidsIsNoFloodOfFetches(t *testing.T) {
	k := generate(t, "ES256")
	p := publish(t, set(t, k))
	r := p.remote()
	for round := range 3 {
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				kid := fmt.Sprint("forged-", i)
				if i%8 == 0 {
					kid = k.ID
				}
				want := token.ErrUnknownKey
				if kid == k.ID {
					want = nil
				}
				for range 20 {
					if _, err := r.Lookup(t.Context(), kid); !errors.Is(kindOf(err), want) {
						t.Errorf("%s: got error %v, want %v", kid, err, want)
					}
				}
			})
		}
		wg.Wait()
		if got, want := p.fetches.Load(), int32(round+1); got != want {
			t.Fatalf("round %d: got %d fetches, want %d", round, got, want)
		}
		p.pass(5 * time.Second)
	}
}

// slow is a server that answers when it is told to.
type slow struct {
	fetches atomic.Int32
	answer  chan string // a body; closed: the connection breaks
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	s.fetches.Add(1)
	select {
	case body, ok := <-s.answer:
		if !ok {
			return nil, io.ErrUnexpectedEOF
		}
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func (s *slow) remote(clock func() time.Time) *keys.Remote {
	return keys.NewRemote(keys.RemoteOptions{URL: "https://id.example/jwks.json", Client: &http.Client{Transport: s}, Now: clock})
}

func TestWaitersShareOneFetch(t *testing.T) {
	k := generate(t, "ES256")
	body := set(t, k)
	synctest.Test(t, func(t *testing.T) {
		s := &slow{answer: make(chan string)}
		r := s.remote(time.Now)
		results := make(chan error, 100)
		for i := range cap(results) {
			kid := k.ID
			if i%2 == 1 {
				kid = "nobody"
			}
			go func() {
				_, err := r.Lookup(t.Context(), kid)
				if kid == "nobody" && errors.Is(err, token.ErrUnknownKey) {
					err = nil
				}
				results <- err
			}()
		}
		synctest.Wait()
		if len(results) != 0 {
			t.Error("someone did not wait")
		}
		s.answer <- body
		for range cap(results) {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if got := s.fetches.Load(); got != 1 {
			t.Errorf("got %d fetches, want 1", got)
		}
	})
}

func TestACallerWhoLeavesTakesNobodyAlong(t *testing.T) {
	k := generate(t, "ES256")
	body := set(t, k)
	synctest.Test(t, func(t *testing.T) {
		s := &slow{answer: make(chan string)}
		r := s.remote(time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := r.Lookup(ctx, k.ID); first <- err }()
		synctest.Wait() // the fetch is the first one's
		go func() { _, err := r.Lookup(t.Context(), k.ID); second <- err }()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the one who left: got error %v", err)
		}
		s.answer <- body
		if err := <-second; err != nil {
			t.Errorf("the one who stayed: %v", err)
		}
		if got := s.fetches.Load(); got != 1 {
			t.Errorf("got %d fetches, want 1", got)
		}
	})
}

func TestAServerThatDoesNotAnswerIsAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{}
		began := time.Now() // of the bubble, in which only waiting takes time
		_, err := s.remote(time.Now).Lookup(t.Context(), "k")
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("got error %v", err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestOnlyTheFirstWaitsForAServerInTrouble(t *testing.T) {
	k := generate(t, "ES256")
	body := set(t, k)
	synctest.Test(t, func(t *testing.T) {
		var at atomic.Int64
		clock := func() time.Time { return now.Add(time.Duration(at.Load())) }
		s := &slow{answer: make(chan string, 1)}
		r := s.remote(clock)
		s.answer <- body
		if _, err := r.Lookup(t.Context(), k.ID); err != nil {
			t.Fatal(err)
		}
		for i := range 5 { // the set is old, and the server hangs
			at.Add(int64(time.Hour))
			began := time.Now()
			if _, err := r.Lookup(t.Context(), k.ID); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(began) > 0; waited != (i == 0) {
				t.Errorf("look-up %d: waited %v", i, waited)
			}
			synctest.Wait()
		}
		close(s.answer)
		synctest.Wait()
	})
}
