package peer

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"cairn"
	"cairn/proto/rpcerr"
)

// session is the life of one gRPC stream: one goroutine sends what callers
// queue, another hands responses to those who wait.
type session[Req, Resp any] struct {
	link *link[Req, Resp]
	// wake has room for one signal that queue or ended have changed.
	wake chan struct{}

	mu      sync.Mutex // never held across I/O; after link.mu
	queue   []*call[Req, Resp]
	pending map[uint64]*call[Req, Resp] // queued or sent, not answered
	// ended: no further calls are taken; the stream broke, or the server has
	// asked for its end.
	ended bool
}

// add queues a call. It is false where the session has ended.
func (s *session[Req, Resp]) add(c *call[Req, Resp]) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	c.session = s
	if s.joinLocked(c) {
		return true
	}
	s.queue = append(s.queue, c)
	s.pending[c.id] = c
	s.signal()
	return true
}

// joinLocked has a call join the one that was queued last, if it can.
func (s *session[Req, Resp]) joinLocked(c *call[Req, Resp]) bool {
	if s.link.join == nil || len(s.queue) == 0 {
		return false
	}
	last := s.queue[len(s.queue)-1]
	at, joined := s.link.join(last.request, c.request)
	if !joined {
		return false
	}
	if last.joint == nil {
		last.joint = new(joint)
	}
	c.joined, c.at, c.joint = true, at, last.joint
	last.with = append(last.with, c)
	return true
}

func (s *session[Req, Resp]) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// abandon takes back a call that nobody waits for any more. gone is false if
// it has been answered meanwhile. What others have joined goes on for them.
func (c *call[Req, Resp]) abandon() (sent, gone bool) {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.answered {
		return false, false
	}
	c.left = true
	if c.joined || len(c.with) > 0 {
		return true, true
	}
	delete(s.pending, c.id)
	if i := slices.Index(s.queue, c); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	return c.sent, true
}

// run opens the stream and sends until the session ends.
func (s *session[Req, Resp]) run() {
	ctx, cancel := context.WithCancel(s.link.ctx)
	defer cancel()
	stream, err := s.link.open(ctx)
	if err != nil {
		s.fail(err)
		return
	}
	received := make(chan struct{})
	go func() {
		defer close(received)
		s.receive(stream)
	}()
	if err := s.send(ctx, stream); err != nil {
		s.fail(err)
		cancel()
	}
	<-received
}

// send sends queued requests in the order of the queue, all that wait in one
// message, until the session ends or the stream breaks; why it broke comes out
// of the receiving side. It fails where a message itself was at fault.
//
// Nobody waits for others to join: before the queue is taken, callers that can
// run do, and those that queue a request then are sent along. An answer that
// many waited for thus makes one message of their next requests.
func (s *session[Req, Resp]) send(ctx context.Context, stream grpc.BidiStreamingClient[Req, Resp]) error {
	var batch []*call[Req, Resp]
	var requests []*Req
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil // receive learns of it too, and fails the calls
		}
		runtime.Gosched()
		var ended bool
		batch, ended = s.take(batch[:0])
		requests = requests[:0]
		for _, c := range batch {
			requests = append(requests, c.request)
		}
		if sent, err := s.link.sendAll(requests, stream.Send); err != nil {
			s.unsend(batch[sent:])
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if ended {
			return stream.CloseSend()
		}
		clear(batch)
		clear(requests)
	}
}

// take takes the queue, as sent from now on.
func (s *session[Req, Resp]) take(batch []*call[Req, Resp]) (taken []*call[Req, Resp], ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, queued := range s.queue {
		for c := range queued.all {
			c.sent = true
		}
	}
	batch = append(batch, s.queue...)
	clear(s.queue)
	s.queue = s.queue[:0]
	return batch, s.ended
}

// unsend notes that calls that were taken have not been sent.
func (s *session[Req, Resp]) unsend(calls []*call[Req, Resp]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, taken := range calls {
		for c := range taken.all {
			if !c.answered { // who is answered reads it
				c.sent = false
			}
		}
	}
}

// receive hands responses over until the stream ends.
func (s *session[Req, Resp]) receive(stream grpc.BidiStreamingClient[Req, Resp]) {
	for {
		message, err := stream.Recv()
		if err != nil {
			s.fail(err)
			return
		}
		for _, response := range s.link.separate(message) {
			s.deliver(response)
		}
	}
}

// deliver hands a response to whom it is for.
func (s *session[Req, Resp]) deliver(response *Resp) {
	id, failure := s.link.header(response)
	if id == 0 {
		// The server is about to stop: nothing more is sent here, what has
		// been sent is still answered.
		s.end()
		return
	}
	s.mu.Lock()
	c, waits := s.pending[id]
	delete(s.pending, id)
	if waits {
		s.answerLocked(c)
	}
	s.mu.Unlock()
	if waits {
		c.finish(response, rpcerr.FromProto(failure))
	}
}

// answerLocked notes that a request's calls are being answered: who has left by now
// gets nothing, and nobody else leaves.
func (s *session[Req, Resp]) answerLocked(c *call[Req, Resp]) {
	for each := range c.all {
		each.answered = !each.left
	}
}

// end takes no further calls and has the sender end the stream once the queue
// is sent.
func (s *session[Req, Resp]) end() {
	s.mu.Lock()
	s.ended = true
	s.signal()
	s.mu.Unlock()
}

// fail ends the session and fails every call that waits.
func (s *session[Req, Resp]) fail(err error) {
	s.end()
	if errors.Is(err, io.EOF) {
		// The server ended the stream in good order, and yet calls may wait.
		err = cairn.Errorf(cairn.KindUnavailable, "STREAM_ENDED", "index server %s ended the stream", s.link.address)
	}
	failure := rpcerr.From(s.link.address, err)
	if failure.Kind == cairn.KindDeadline {
		// No deadline of a caller's: the Peer was closed.
		failure = cairn.Errorf(cairn.KindUnavailable, "PEER_CLOSED", "the connection to index server %s is closed", s.link.address)
	}
	s.mu.Lock()
	failed := s.pending
	s.pending = make(map[uint64]*call[Req, Resp])
	s.queue = nil
	for _, c := range failed {
		s.answerLocked(c)
	}
	s.mu.Unlock()
	for _, c := range failed {
		c.finish(nil, failure)
	}
}
