package server

import (
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

// CallerLimits bound what each caller may ask. Zeros are no bounds.
type CallerLimits struct {
	// Rate is how many keys, writes, pages and questions a second; one second's
	// worth may come at once. A batch that is larger counts as one second's worth.
	Rate float64
	// Calls is how many calls, and batches of streams, are under way at once.
	Calls int
}

// Admission lets callers in within their limits. Servers may share one. Callers that
// an Authenticator knows by their address are told apart by host: a port is any that
// they like.
type Admission struct {
	limits CallerLimits
	now    func() time.Time

	mu      sync.Mutex // guards what follows
	callers map[string]*caller
	sweepAt int // how many callers there are when idle ones are forgotten
}

// caller is what one caller has under way.
type caller struct {
	tokens *rate.Limiter
	calls  int
}

// fewCallers is how many callers are remembered without looking who is idle.
const fewCallers = 1024

// callsRetry is after what time a caller with too many calls under way should try
// again.
const callsRetry = 50 * time.Millisecond

// NewAdmission makes an Admission by limits, which are not below zero. now is the
// time, time.Now as a rule.
func NewAdmission(limits CallerLimits, now func() time.Time) *Admission {
	return &Admission{limits: limits, now: now, callers: make(map[string]*caller), sweepAt: fewCallers}
}

// enter lets a call in that asks for so many things, until leave is called. It is
// refused with KindExhausted, CALLER_RATE or CALLER_CALLS, and when to try again.
func (a *Admission) enter(name string, things int) (leave func(), refusal error) {
	if a == nil || a.limits == (CallerLimits{}) {
		return func() {}, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	c := a.callerLocked(name, now)
	if a.limits.Calls > 0 && c.calls >= a.limits.Calls {
		return nil, tooMuch("CALLER_CALLS", callsRetry, "%s has %d calls under way, and may have no more at once", name, c.calls)
	}
	if a.limits.Rate > 0 {
		taken := c.tokens.ReserveN(now, min(max(things, 1), c.tokens.Burst()))
		if wait := taken.DelayFrom(now); wait > 0 {
			taken.CancelAt(now)
			return nil, tooMuch("CALLER_RATE", wait, "%s asks for more than %g keys, writes or answers a second", name, a.limits.Rate)
		}
	}
	c.calls++
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		c.calls--
	}, nil
}

func tooMuch(reason string, after time.Duration, format string, args ...any) *cairn.Error {
	refusal := cairn.Errorf(cairn.KindExhausted, reason, format, args...)
	refusal.RetryAfter = after
	return refusal
}

func (a *Admission) callerLocked(name string, now time.Time) *caller {
	c := a.callers[name]
	if c != nil {
		return c
	}
	if len(a.callers) >= a.sweepAt {
		for each, c := range a.callers {
			if c.calls == 0 && c.tokens.TokensAt(now) >= float64(c.tokens.Burst()) {
				delete(a.callers, each) // it would be the same made anew
			}
		}
		a.sweepAt = max(fewCallers, 2*len(a.callers))
	}
	c = &caller{tokens: rate.NewLimiter(rate.Limit(a.limits.Rate), max(1, int(a.limits.Rate)))}
	a.callers[name] = c
	return c
}

// limitedAs is the name by which a caller is limited.
func limitedAs(caller Caller) string {
	if caller == nil {
		return ""
	}
	if _, byAddress := caller.(addressed); byAddress {
		if host, _, err := net.SplitHostPort(caller.Name()); err == nil {
			return host
		}
	}
	return caller.Name()
}

// thingsIn is how many keys or writes a request has, 1 for any other.
func thingsIn(request any) int {
	switch r := request.(type) {
	case *cairnv1.BatchLocateRequest:
		return len(r.GetKeys())
	case *cairnv1.BatchWriteRequest:
		return len(r.GetWrites())
	}
	return 1
}
