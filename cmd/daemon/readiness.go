package daemon

import "sync/atomic"

// readiness is why a server does not serve. The zero readiness is that of one
// that has only just begun.
type readiness struct {
	reason atomic.Pointer[string] // nil: starting; empty: ready
}

// set records the reason, as in "waiting for etcd"; empty: the server serves.
func (r *readiness) set(reason string) { r.reason.Store(&reason) }

// notReady is the reason, empty once the server serves.
func (r *readiness) notReady() string {
	if reason := r.reason.Load(); reason != nil {
		return *reason
	}
	return "starting"
}
