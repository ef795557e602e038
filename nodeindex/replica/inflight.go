package replica

import "sync"

// inFlight counts what is under way, so that an end can be waited for. The
// zero inFlight is ready.
type inFlight struct {
	mu      sync.Mutex // guards what follows
	n       int
	stopped bool
	idle    chan struct{} // closed when stopped and n is 0
}

// begin counts one more, and is false after drain.
func (f *inFlight) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return false
	}
	f.n++
	return true
}

// end counts one less.
func (f *inFlight) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n--
	if f.stopped && f.n == 0 {
		close(f.idle)
	}
}

// drain lets nothing more begin. idle is closed once nothing is under way.
func (f *inFlight) drain() (idle <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stopped {
		f.stopped = true
		f.idle = make(chan struct{})
		if f.n == 0 {
			close(f.idle)
		}
	}
	return f.idle
}
