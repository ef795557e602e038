package projection

import "time"

// The first wait after a Fill that failed, and the longest: each failure has
// read all entries.
const (
	retryFirst = time.Second
	retryMost  = 10 * time.Minute
)

// retry is when a Fill is to be gone on with after one has failed.
type retry struct {
	pause time.Duration
	after time.Time
}

// failed doubles the wait.
func (r *retry) failed(now time.Time) {
	r.pause = min(max(2*r.pause, retryFirst), retryMost)
	r.after = now.Add(r.pause)
}

// Failed notes that a Fill failed, and is for how long none is needed. That is
// zero where it was an image that could not be used: the entries are tried at
// once, as other definitions are.
func (f *Fill) Failed() time.Duration {
	if f.image != "" {
		return 0
	}
	p := f.projection
	p.config.Lock.Lock()
	defer p.config.Lock.Unlock()
	p.retry.failed(p.config.Now())
	return p.retry.pause
}
