package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"latchkey/auth/password"
	"latchkey/fault"
)

// Outcomes of a sign-in and of a refresh, besides the TokenProblem, in small letters, of a refresh token that was refused. The names are
// public: they are labels of metrics.
const (
	OutcomeOK                 = "ok"
	OutcomeRepeated           = "repeated"            // a refresh that was answered as before, within the leeway
	OutcomeInvalidCredentials = "invalid_credentials" // a wrong password, no such user, or an inactive one
	OutcomeThrottled          = "throttled"           // too many tries
	OutcomeBusy               = "busy"                // too many passwords are being hashed
	OutcomeCanceled           = "canceled"            // the client gave up
	OutcomeError              = "error"               // a fault of the server
)

// SignInOutcomes returns every outcome of a sign-in.
func SignInOutcomes() []string {
	return []string{
		OutcomeOK, OutcomeInvalidCredentials, OutcomeThrottled, OutcomeBusy, OutcomeCanceled, OutcomeError,
	}
}

// RefreshOutcomes returns every outcome of a refresh.
func RefreshOutcomes() []string {
	list := []string{OutcomeOK, OutcomeRepeated, OutcomeThrottled, OutcomeCanceled, OutcomeError}
	for _, problem := range fault.TokenProblems() {
		list = append(list, strings.ToLower(string(problem)))
	}
	return list
}

// Stats is what a Service has done since it was made, and what it is doing just now.
type Stats struct {
	SignIns   map[string]uint64 // by outcome; every outcome is there
	Refreshes map[string]uint64 // likewise

	Passwords password.Stats

	FeedAge     time.Duration // how long ago the revocations here were last known to be all there are
	Revocations int           // in memory

	TokensKnown, TokensChecked uint64 // access tokens that were found in memory, and those whose signature was checked
}

// Stats returns them. The maps are the caller's own.
func (s *Service) Stats() Stats {
	return Stats{
		SignIns: s.outcomes.signIns.read(), Refreshes: s.outcomes.refreshes.read(),
		Passwords: s.Passwords.Stats(),
		FeedAge:   s.live.feed.Age(), Revocations: s.live.set.Len(),
		TokensKnown: s.verified.hits.Load(), TokensChecked: s.verified.misses.Load(),
	}
}

// outcomes counts how sign-ins and refreshes ended, whichever surface they came by.
type outcomes struct{ signIns, refreshes *tally }

func newOutcomes() *outcomes {
	return &outcomes{newTally(SignInOutcomes()), newTally(RefreshOutcomes())}
}

func (o *outcomes) signIn(err error) { o.signIns.add(outcomeOf(err)) }

func (o *outcomes) refresh(pair Pair, err error) {
	outcome := outcomeOf(err)
	if err == nil && pair.repeated {
		outcome = OutcomeRepeated
	}
	o.refreshes.add(outcome)
}

// outcomeOf names what became of a try.
func outcomeOf(err error) string {
	if err == nil {
		return OutcomeOK
	}
	refusal, _ := errors.AsType[*fault.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return OutcomeCanceled
	case refusal == nil:
		return OutcomeError
	case refusal.Kind == fault.KindInvalidCredentials:
		return OutcomeInvalidCredentials
	case refusal.Kind == fault.KindRateLimited && errors.Is(err, password.ErrBusy):
		return OutcomeBusy
	case refusal.Kind == fault.KindRateLimited:
		return OutcomeThrottled
	case refusal.Kind == fault.KindTokenNotValid && refusal.Reason != "":
		return strings.ToLower(string(refusal.Reason))
	default:
		return OutcomeError
	}
}

// tally counts by name. The names are set when it is made, so that what is counted never grows.
type tally struct {
	names  []string
	counts []atomic.Uint64
}

func newTally(names []string) *tally { return &tally{names, make([]atomic.Uint64, len(names))} }

// add counts one; a name that is not known counts as an error.
func (t *tally) add(name string) {
	at := slices.Index(t.names, name)
	if at < 0 {
		at = slices.Index(t.names, OutcomeError)
	}
	t.counts[at].Add(1)
}

func (t *tally) read() map[string]uint64 {
	m := make(map[string]uint64, len(t.names))
	for i, name := range t.names {
		m[name] = t.counts[i].Load()
	}
	return m
}

// RecorderStats is what a Recorder is doing just now.
type RecorderStats struct {
	Waiting   int    // rows of failures that are not written yet
	Unwritten uint64 // tries to write them that failed, so far
}

// Stats returns it.
func (r *Recorder) Stats() RecorderStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return RecorderStats{Waiting: len(r.waiting) + len(r.overflow), Unwritten: r.unwritten.Load()}
}

// SeenCaller returns who the request of ctx turned out to come from, for those who stand outside of Middleware, as an
// access log does. It is nil where there is nobody, and where ctx was not made by WithClient. It is for when the request
// has been answered.
func SeenCaller(ctx context.Context) *Caller {
	r, _ := ctx.Value(clientKey{}).(*requester)
	if r == nil {
		return nil
	}
	return r.caller
}

// requester is what is known of whoever sent a request.
type requester struct {
	Client
	caller *Caller // nil until a token was verified
}

// saw notes whom a request comes from.
func saw(ctx context.Context, caller *Caller) {
	if r, _ := ctx.Value(clientKey{}).(*requester); r != nil {
		r.caller = caller
	}
}
