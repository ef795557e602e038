package replica

import (
	"context"
	"sync"

	"cairn"
)

// committer makes commands of the log out of write requests: those that wait
// while commands are in flight become the next one.
type committer struct {
	maxRequests, maxBytes, maxQueue int

	mu     sync.Mutex // guards queue, bytes and the taken marks
	queue  []*waitingWrite
	bytes  int
	closed bool
	// wake has room for one signal that queue or closed have changed.
	wake chan struct{}
	// encoding is held while requests that were taken are still being read.
	encoding sync.Mutex
}

const (
	// commandsInFlight is how many commands may be on their way: one is encoded
	// or applied while another is written.
	commandsInFlight = 2
	// overlapBytes is from how many bytes on the next command does not wait for
	// the one on its way. Smaller ones are better joined: each costs a sync.
	overlapBytes = 64 << 10
)

// waitingWrite is one request until it is answered.
type waitingWrite struct {
	request *cairn.WriteRequest
	bytes   int
	taken   bool // part of a command
	reply   *cairn.WriteReply
	err     error
	// done has room for the one signal that reply or err are set.
	done chan struct{}
}

func newCommitter(config Config) *committer {
	return &committer{
		maxRequests: config.CommandRequests, maxBytes: config.CommandBytes, maxQueue: config.QueueBytes,
		wake: make(chan struct{}, 1),
	}
}

// submit queues a request and waits for its answer. After ctx's end it is
// KindDeadline if the request surely has no effect, KindUnknown otherwise;
// either way nobody reads the request any more.
func (c *committer) submit(ctx context.Context, request *cairn.WriteRequest) (*cairn.WriteReply, error) {
	w := &waitingWrite{request: request, bytes: sizeOf(request), done: make(chan struct{}, 1)}
	if err := c.enqueue(w); err != nil {
		return nil, err
	}
	select {
	case <-w.done:
		return w.reply, w.err
	case <-ctx.Done():
	}
	withdrawn, answered := c.withdraw(w)
	if withdrawn {
		return nil, cairn.Errorf(cairn.KindDeadline, "DEADLINE_EXCEEDED", "the write waited for the log and was withdrawn: %w", ctx.Err())
	}
	if answered {
		<-w.done
		return w.reply, w.err
	}
	select {
	case <-w.done:
		return w.reply, w.err
	default:
		return nil, cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "the write was under way in the log: %w", ctx.Err())
	}
}

func (c *committer) enqueue(w *waitingWrite) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed()
	}
	if c.bytes+w.bytes > c.maxQueue && c.bytes > 0 {
		return cairn.Errorf(cairn.KindExhausted, "QUEUE_FULL", "writes of %d bytes wait already; slow down and ask again", c.bytes)
	}
	c.queue = append(c.queue, w)
	c.bytes += w.bytes
	c.signal()
	return nil
}

// waitsForMore tells whether the next command had better wait for the end of
// the one on its way, after which wake has a signal.
func (c *committer) waitsForMore() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes < overlapBytes
}

// landed has the next command looked at when one has come to its end.
func (c *committer) landed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) > 0 {
		c.signal()
	}
}

func (c *committer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// withdraw takes a request out of the queue. If it is part of a command by
// now, it waits until the request has been encoded. answered: it is being
// refused right now.
func (c *committer) withdraw(w *waitingWrite) (withdrawn, answered bool) {
	c.encoding.Lock()
	defer c.encoding.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.taken {
		return false, false
	}
	for i, each := range c.queue {
		if each == w {
			c.queue = append(c.queue[:i], c.queue[i+1:]...)
			c.bytes -= w.bytes
			return true, false
		}
	}
	return false, true
}

// take takes the requests of the next command, the oldest first; none if
// nobody waits. The caller holds encoding until it has read them.
func (c *committer) take() []*waitingWrite {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, bytes := 0, 0
	for n < len(c.queue) && n < c.maxRequests && (n == 0 || bytes+c.queue[n].bytes <= c.maxBytes) {
		bytes += c.queue[n].bytes
		n++
	}
	if n == 0 {
		return nil
	}
	batch := make([]*waitingWrite, n)
	copy(batch, c.queue)
	left := copy(c.queue, c.queue[n:])
	clear(c.queue[left:])
	c.queue = c.queue[:left]
	c.bytes -= bytes
	for _, w := range batch {
		w.taken = true
	}
	if left > 0 {
		c.signal()
	}
	return batch
}

// failAll answers everyone who waits with an error.
func (c *committer) failAll(err error) {
	c.mu.Lock()
	failed := c.queue
	c.queue, c.bytes = nil, 0
	c.mu.Unlock()
	for _, w := range failed {
		w.err = err
		w.done <- struct{}{}
	}
}

// close refuses further requests.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.signal()
	c.mu.Unlock()
}

// sizeOf is about how many bytes a request takes in a command.
func sizeOf(request *cairn.WriteRequest) int {
	n := 32
	for i := range request.Mutations {
		m := &request.Mutations[i]
		n += 32 + len(m.Key) + len(m.Attributes) + 5*len(m.Nodes)
	}
	return n
}
