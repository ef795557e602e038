package daemon

import "sync/atomic"

// readiness is why a server does not serve yet. The zero readiness is that of
// one that has only just begun.
type readiness struct {
	reason atomic.Pointer[string] // nil: starting; empty: ready
}

// wait records what the server waits for, as in "etcd at http://...".
func (r *readiness) wait(reason string) { r.reason.Store(&reason) }

// ready records that the server serves.
func (r *readiness) ready() { r.reason.Store(new(string)) }

// waitingFor is empty once the server serves.
func (r *readiness) waitingFor() string {
	if reason := r.reason.Load(); reason != nil {
		return *reason
	}
	return "the start"
}
