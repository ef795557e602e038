package router

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"cairn"
)

const (
	// outageGrace is how long requests go on trying to reach an index: more than a
	// restart or an election takes.
	outageGrace = 4 * time.Second
	// longestLook bounds how long it is found out whether somebody listens there again.
	longestLook = 250 * time.Millisecond
)

// outage is how long no replica of an index has been in reach. Times are since a
// moment of the caller's choice, and never 0.
type outage struct {
	// since is when it could first not be reached, 0 if the last one to ask it could
	// reach it, or somebody was seen to listen there.
	since atomic.Int64
	// last is the last failure to reach it.
	last atomic.Pointer[error]

	looking sync.Mutex // held while somebody looks; guards what follows
	looked  time.Duration
}

// refusal is the error for a request that came at now and is not to be put to a
// cluster's index, as nobody listens there: who comes during an outage looks, or goes by
// the look of another that began after he came. So nobody is refused for what was so
// before. clock is the present time.
func (o *outage) refusal(ctx context.Context, cluster string, now time.Duration, clock func() time.Duration, listening func(context.Context) bool) error {
	if !o.lasts(now) {
		return nil
	}
	o.looking.Lock()
	defer o.looking.Unlock()
	if o.looked <= now {
		o.looked = clock()
		// It is the others' look too: who leaves does not end it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestLook)
		defer cancel()
		if listening(ctx) {
			o.since.Store(0)
		}
	}
	if !o.lasts(now) {
		return nil
	}
	return cairn.Errorf(cairn.KindUnavailable, cairn.ReasonClusterUnreachable, "no replica of the index of cluster %s has been reached for %s: %w",
		cluster, (now - time.Duration(o.since.Load())).Round(100*time.Millisecond), *o.last.Load())
}

// lasts tells whether an outage has outlasted its grace.
func (o *outage) lasts(now time.Duration) bool {
	since := o.since.Load()
	return since != 0 && now-time.Duration(since) >= outageGrace
}

// heard learns from how a request ended. One that ran out of time says nothing.
func (o *outage) heard(err error, now time.Duration) {
	switch {
	case isUnreachable(err):
		last := err
		o.last.Store(&last)
		o.since.CompareAndSwap(0, int64(now))
	case o.since.Load() != 0 && isAnswer(err):
		o.since.Store(0)
	}
}

// isUnreachable tells whether an error says that no replica could be reached.
func isUnreachable(err error) bool {
	return cairn.KindOf(err) == cairn.KindUnavailable && cairn.ReasonOf(err) == "UNREACHABLE"
}

// isAnswer tells whether an index has said something, if only a refusal.
func isAnswer(err error) bool {
	if err == nil {
		return true
	}
	switch cairn.KindOf(err) {
	case cairn.KindDeadline, cairn.KindUnknown:
		return false
	}
	return !isUnreachable(err)
}
