package replica

import (
	"context"
	"sync"
)

// rounds shares runs of one action among those who wait for it: whoever comes
// while a run is under way waits for the next, with all others that do.
type rounds struct {
	// run does the action for the highest want among its waiters.
	run func(want uint64) (uint64, error)

	mu      sync.Mutex // guards what follows
	next    *round
	running bool
	closed  bool
	active  sync.WaitGroup
}

type round struct {
	want   uint64
	done   chan struct{}
	result uint64
	err    error
}

// join waits for a run that begins after the call, or for ctx's end, whose
// error it then returns.
func (r *rounds) join(ctx context.Context, want uint64) (uint64, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return 0, errClosed()
	}
	if r.next == nil {
		r.next = &round{done: make(chan struct{})}
	}
	joined := r.next
	joined.want = max(joined.want, want)
	if !r.running {
		r.running = true
		r.active.Go(r.runAll)
	}
	r.mu.Unlock()
	select {
	case <-joined.done:
		return joined.result, joined.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// runAll runs rounds until nobody waits.
func (r *rounds) runAll() {
	for {
		r.mu.Lock()
		current := r.next
		r.next = nil
		r.running = current != nil
		r.mu.Unlock()
		if current == nil {
			return
		}
		current.result, current.err = r.run(current.want)
		close(current.done)
	}
}

// close lets nobody join any more and waits until nothing runs.
func (r *rounds) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.active.Wait()
}
