package router

import (
	"sync/atomic"
	"time"

	"cairn"
)

const (
	// outageGrace is how long requests go on trying to reach an index: more than a
	// restart or an election takes.
	outageGrace = 4 * time.Second
	// outageProbe is how often some are let through after that, to find out whether it
	// is back, and outageWindow for how long: a connection takes a moment to be made.
	outageProbe  = 500 * time.Millisecond
	outageWindow = 200 * time.Millisecond
)

// outage is how long no replica of an index has been in reach. Times are since a
// moment of the caller's choice, and never 0.
type outage struct {
	// since is when it could first not be reached, 0 if the last one to ask it could
	// reach it; failed is when it last could not be, and probed when it was last probed.
	since, failed, probed atomic.Int64
	// last is the last failure to reach it.
	last atomic.Pointer[error]
}

// refusal is the error for a request that is not to be put to a cluster's index now.
// Before it is probed, reconnect is called.
func (o *outage) refusal(cluster string, now time.Duration, reconnect func()) error {
	since := o.since.Load()
	if since == 0 {
		return nil
	}
	out := now - time.Duration(since)
	if out < outageGrace {
		return nil
	}
	if now-time.Duration(o.failed.Load()) >= outageGrace {
		// Nobody has tried for a while: it begins anew, if it goes on at all.
		o.since.CompareAndSwap(since, 0)
		return nil
	}
	probed := o.probed.Load()
	switch ago := now - time.Duration(probed); {
	case ago < outageWindow:
		return nil
	case ago >= outageProbe:
		if o.probed.CompareAndSwap(probed, int64(now)) {
			reconnect()
		}
		return nil
	}
	return cairn.Errorf(cairn.KindUnavailable, cairn.ReasonClusterUnreachable,
		"no replica of the index of cluster %s has been reached for %s: %w", cluster, out.Round(100*time.Millisecond), *o.last.Load())
}

// heard learns from how a request ended. One that ran out of time says nothing.
func (o *outage) heard(err error, now time.Duration) {
	switch {
	case isUnreachable(err):
		last := err
		o.last.Store(&last)
		o.failed.Store(int64(now))
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
