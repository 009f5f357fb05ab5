package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"latchkey/auth/token"
)

// What Remote's options do not set.
const (
	maxStale     = 24 * time.Hour   // how old a set may become while no newer one can be had
	fetchTimeout = 10 * time.Second // for one fetch, whoever waits for it
	maxSetSize   = 1 << 20          // bytes
)

// RemoteOptions is what NewRemote is handed. Only URL is required.
type RemoteOptions struct {
	URL        string           // where the key set is: the server's /.well-known/jwks.json, by https unless it is near
	Client     *http.Client     // nil: one that follows no redirect
	MaxAge     time.Duration    // how old the set may be before it is fetched again; 0: 10 minutes
	MinRefresh time.Duration    // the least time from one fetch to the next; 0: 5 seconds
	Algorithms []string         // those of the keys to take, out of ES256, EdDSA and RS256; nil: all three
	Now        func() time.Time // nil: time.Now
}

// Remote looks keys up in the key set that another server publishes. It is for services which verify tokens and sign
// none. It keeps the set, fetches it again when it is old or lacks a key, and goes on with an old one for a day while
// none can be fetched. It is safe for use by many goroutines, which share one fetch.
type Remote struct {
	o RemoteOptions

	mu      sync.Mutex
	keys    map[string]token.Key
	fetched time.Time     // when the fetch that brought keys began
	tried   time.Time     // when the last fetch began
	failure error         // why the last fetch failed; nil where it did not
	running chan struct{} // closed when the fetch that is under way is over; nil where none is
}

// NewRemote returns a Remote. It fetches nothing before the first Lookup.
func NewRemote(o RemoteOptions) *Remote {
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	o.MaxAge = cmp.Or(o.MaxAge, 10*time.Minute)
	o.MinRefresh = cmp.Or(o.MinRefresh, 5*time.Second)
	if o.Algorithms == nil {
		o.Algorithms = []string{"ES256", "EdDSA", "RS256"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Remote{o: o}
}

// Lookup is a token.Lookup. It returns token.ErrUnknownKey where the set, as the server had it MinRefresh ago at most,
// has no key of that kid; any other error says that the set could not be fetched, or that ctx ended before it was.
func (r *Remote) Lookup(ctx context.Context, kid string) (token.Key, error) {
	if kid == "" { // no key of a set is nameless, so there is nothing to ask for
		return token.Key{}, token.ErrUnknownKey
	}
	key, known, wait := r.find(kid)
	if known && wait == nil {
		return key, nil
	}
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return token.Key{}, fmt.Errorf("wait for the key set: %w", ctx.Err())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if key, ok := r.usable(kid); ok {
		return key, nil
	}
	if r.failure != nil {
		return token.Key{}, fmt.Errorf("fetch the key set: %w", r.failure)
	}
	return token.Key{}, token.ErrUnknownKey
}

// find returns the key, if it is known, and what to wait for before it is used or called unknown; nil: nothing.
func (r *Remote) find(kid string) (key token.Key, known bool, wait <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key, known = r.usable(kid)
	if known && r.o.Now().Sub(r.fetched) < r.o.MaxAge {
		return key, true, nil
	}
	wait = r.refresh()
	if known && r.failure != nil { // the server is in trouble already: only the first one waits to find that out
		return key, true, nil
	}
	return key, known, wait
}

// usable returns a key of the set, unless the set is too old to be believed.
func (r *Remote) usable(kid string) (token.Key, bool) {
	if r.o.Now().Sub(r.fetched) > maxStale {
		return token.Key{}, false
	}
	k, ok := r.keys[kid]
	return k, ok
}

// refresh starts a fetch, unless one is under way or the last began too recently, and returns what is closed when the
// fetch under way, if any, is over.
func (r *Remote) refresh() <-chan struct{} {
	now := r.o.Now()
	if r.running != nil || now.Sub(r.tried) < r.o.MinRefresh {
		return r.running
	}
	r.tried = now
	r.running = make(chan struct{})
	go r.reload(now)
	return r.running
}

// reload fetches the set for all who wait, so no single caller's context ends it.
func (r *Remote) reload(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	keys, err := r.fetch(ctx)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = err
	if err == nil {
		r.keys, r.fetched = keys, now
	}
	close(r.running)
	r.running = nil
}

func (r *Remote) fetch(ctx context.Context) (map[string]token.Key, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.o.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := r.o.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered with status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxSetSize+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxSetSize {
		return nil, errors.New("the key set is too large")
	}
	return readSet(body, r.o.Algorithms)
}
