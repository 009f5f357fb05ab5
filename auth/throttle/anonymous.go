package throttle

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// Anonymous bounds how much each network asks for without saying who it is. It counts in the memory of this process, and
// forgets the network that asked longest ago where there are too many. It is safe for use by many goroutines.
type Anonymous struct {
	perSecond int
	now       func() time.Time

	mu       sync.Mutex
	networks *simplelru.LRU[string, *rate.Limiter]
}

// The bounds of Anonymous.
const (
	anonymousNetworks = 50_000 // some 10 MB
	anonymousBurst    = 10     // seconds of what is allowed, at once
)

// NewAnonymous returns an Anonymous that lets through so many requests a second.
func NewAnonymous(perSecond int, now func() time.Time) (*Anonymous, error) {
	networks, err := simplelru.NewLRU[string, *rate.Limiter](anonymousNetworks, nil)
	return &Anonymous{perSecond: perSecond, now: now, networks: networks}, err
}

// Wait returns how long the network of an address has to wait for the next request; 0 where it may make one now.
func (a *Anonymous) Wait(address string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	limiter, ok := a.networks.Get(network(address))
	if !ok {
		return 0
	}
	missing := 1 - limiter.TokensAt(a.now())
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(a.perSecond) * float64(time.Second))
}

// Count counts a request of the network of an address.
func (a *Anonymous) Count(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := network(address)
	limiter, ok := a.networks.Get(key)
	if !ok {
		limiter = rate.NewLimiter(rate.Limit(a.perSecond), a.perSecond*anonymousBurst)
		a.networks.Add(key, limiter)
	}
	limiter.AllowN(a.now(), 1)
}
