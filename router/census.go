package router

import (
	"context"
	"sync"

	"cairn"
)

// census asks each index how it is once, whoever wants to know.
type census struct {
	epoch uint64 // that all have noted at least

	mu    sync.Mutex
	calls map[cairn.UID]*statusCall // by cluster; those that failed are left out
}

// statusCall is one that is under way, or was answered.
type statusCall struct {
	epoch  uint64
	done   chan struct{}
	status cairn.IndexStatus
	err    error
}

// ask is an index's status as of the map revision epoch at least. Errors are
// Index.Status's, of one's own call or of one that somebody else has made.
func (c *census) ask(ctx context.Context, cluster cairn.UID, index Index, epoch uint64) (cairn.IndexStatus, error) {
	call, own := c.call(cluster, max(epoch, c.epoch))
	if !own {
		select {
		case <-call.done:
			return call.status, call.err
		case <-ctx.Done():
			return cairn.IndexStatus{}, ctx.Err()
		}
	}
	defer close(call.done)
	if call.status, call.err = index.Status(ctx, call.epoch); call.err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.calls[cluster] == call {
			delete(c.calls, cluster)
		}
	}
	return call.status, call.err
}

// call is the call that tells of a cluster, and whether it is the caller's to
// make.
func (c *census) call(cluster cairn.UID, epoch uint64) (call *statusCall, own bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call = c.calls[cluster]; call != nil && call.epoch >= epoch {
		return call, false
	}
	if c.calls == nil {
		c.calls = make(map[cairn.UID]*statusCall)
	}
	call = &statusCall{epoch: epoch, done: make(chan struct{})}
	c.calls[cluster] = call
	return call, true
}
