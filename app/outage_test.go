package app_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// wire stands between a server and its PostgreSQL, and can be cut and frozen.
type wire struct {
	listener net.Listener
	target   string
	gate     sync.RWMutex // held while it is frozen

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

// newWire returns a wire and the database's URL through it.
func newWire(t *testing.T, databaseURL string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, target: u.Host, conns: map[net.Conn]bool{}}
	go w.serve()
	t.Cleanup(func() {
		l.Close() //nolint:errcheck // the test is over
		w.cut()
	})
	u.Host = l.Addr().String()
	return w, u.String()
}

func (w *wire) serve() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.target)
		if err != nil || !w.keep(near, far) {
			near.Close() //nolint:errcheck // it is refused
			continue
		}
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			go func() {
				_, _ = io.Copy(gated{pair[0], &w.gate}, pair[1]) // until either side ends
				pair[0].Close()                                  //nolint:errcheck // it may be closed already
			}()
		}
	}
}

// gated writes while the gate is open.
type gated struct {
	io.Writer
	gate *sync.RWMutex
}

func (g gated) Write(b []byte) (int, error) {
	g.gate.RLock()
	defer g.gate.RUnlock()
	return g.Writer.Write(b)
}

// freeze lets nothing pass until thaw: neither side hears of it.
func (w *wire) freeze() { w.gate.Lock() }

func (w *wire) thaw() { w.gate.Unlock() }

func (w *wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		if w.down {
			c.Close() //nolint:errcheck // it is refused
		} else {
			w.conns[c] = true
		}
	}
	return !w.down
}

// cut ends every connection and refuses new ones.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for c := range w.conns {
		c.Close() //nolint:errcheck // it may be closed already
	}
	clear(w.conns)
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// until waits for something that happens in the background.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for began := time.Now(); !happened(); {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// PostgreSQL goes away under load and comes back: clean errors, never a good token called bad, and recovery by itself.
func TestPostgresGoesAndComesBack(t *testing.T) {
	through := testdb.Postgres(t)
	w, cuttable := newWire(t, through)
	s := testkit.Start(t, cuttable)
	s.AddUser("ada")
	pair := s.SignIn("ada")
	other := testkit.Start(t, through) // a node whose database stays

	var group sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				a := s.Query("{ protected me { id } }", nil, bearer(pair.Access)...)
				for _, e := range a.Errors {
					if code := e.Extensions["code"]; code != "INTERNAL_SERVER_ERROR" || e.Extensions["requestId"] == nil {
						t.Errorf("a fault of the database was answered as %s", a.Body)
					}
				}
			}
		})
	}

	w.cut()
	ready := func() bool { return s.Get("/readyz").StatusCode == http.StatusOK }
	until(t, "not ready", func() bool { return !ready() })
	// For a while what is known is trusted; nothing that needs the database is answered.
	wantProtected(t, s.Protected("Bearer "+pair.Access))
	for name, a := range map[string]testkit.Answer{
		"sign in": second(s.Obtain("ada", testkit.Password)),
		"refresh": second(s.Refresh(pair.Refresh)),
	} {
		a.Refused(t, "INTERNAL_SERVER_ERROR", "", "Internal server error.")
		if strings.Contains(a.Body, "127.0.0.1") {
			t.Errorf("%s: the answer tells of the fault: %s", name, a.Body)
		}
	}
	until(t, "guarded fields refused", func() bool { return len(s.Protected("Bearer "+pair.Access).Errors) > 0 })
	s.Protected("Bearer "+pair.Access).Refused(t, "INTERNAL_SERVER_ERROR", "", "Internal server error.")
	if a := s.Query("{ __typename }", nil, bearer(pair.Access)...); len(a.Errors) > 0 {
		t.Errorf("a public field: %s", a.Body)
	}

	ended := other.SignIn("ada")
	mutate(t, other, ended.Access, "tokenRevoke") // while s could not hear of it
	w.mend()
	until(t, "ready again", ready)
	close(done)
	group.Wait()
	wantAlive(t, s, pair)
	wantRevoked(t, s, ended)
}

func second(_ testkit.Pair, a testkit.Answer) testkit.Answer { return a }

// A node that cannot follow the feed, but reaches the tables, asks them for each request: what another node ended is
// refused all the same.
func TestAStaleFeedIsMadeUpForByTheDatabase(t *testing.T) {
	testdb.Each(t, func(t *testing.T, databaseURL string) {
		a, _ := testkit.Open(t, databaseURL) // nothing follows the feed of this one
		deaf := testkit.Serve(t, a, testkit.NotFollowing)
		other := testkit.Start(t, databaseURL)
		other.AddUser("ada")
		alive, ended := other.SignIn("ada"), other.SignIn("ada")
		wantProtected(t, deaf.Protected("Bearer "+ended.Access))
		mutate(t, other, ended.Access, "tokenRevoke")
		until(t, "the feed too old to be believed", func() bool { return a.Auth.Ready() != nil })
		deaf.Protected("Bearer "+ended.Access).Refused(t, unauthentic, "REVOKED", notValid)
		wantProtected(t, deaf.Protected("Bearer "+alive.Access))
	})
}
