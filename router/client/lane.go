package client

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
)

type (
	locateStream = grpc.BidiStreamingClient[cairnv1.StreamLocateRequest, cairnv1.StreamLocateResponse]
	openLocate   = func(context.Context, ...grpc.CallOption) (locateStream, error)
)

// lane is one stream of plain locates, opened when it is needed and again after
// it broke.
type lane struct {
	address string
	ctx     context.Context
	open    openLocate
	running *sync.WaitGroup

	mu      sync.Mutex // guards what follows
	closed  bool
	current *locateSession // nil before the first locate
}

// enqueue queues a locate on the present session, or on a new one.
func (l *lane) enqueue(c *locate) (*locateSession, *cairn.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, cairn.Errorf(cairn.KindUnavailable, "CLIENT_CLOSED", "the client is closed")
	}
	if l.current != nil && l.current.add(c) {
		return l.current, nil
	}
	s := &locateSession{lane: l, wake: make(chan struct{}, 1), pending: make(map[uint64]*locateBatch)}
	s.add(c)
	l.current = s
	l.running.Go(s.run)
	return s, nil
}

// close refuses further locates.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
}

// locateSession is the life of one stream: one goroutine sends what callers queue,
// another hands answers to those who wait.
type locateSession struct {
	lane *lane
	// wake has room for one signal that queue or ended have changed.
	wake chan struct{}

	mu      sync.Mutex // never held across I/O; after lane.mu
	queue   []*locate
	last    uint64
	pending map[uint64]*locateBatch // sent, not answered in full
	// ended: no further locates are taken; the stream broke, or the server has
	// asked for its end.
	ended bool
}

// add queues a locate. It is false where the session has ended.
func (s *locateSession) add(c *locate) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.queue = append(s.queue, c)
	s.signal()
	return true
}

func (s *locateSession) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// abandon takes back a locate that nobody waits for any more. A batch whose locates
// have all left is not waited for either.
func (s *locateSession) abandon(c *locate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.batch == nil {
		if i := slices.Index(s.queue, c); i >= 0 {
			s.queue = slices.Delete(s.queue, i, i+1)
		}
		return
	}
	if c.batch.gone++; c.batch.gone == c.batch.locates {
		delete(s.pending, c.batch.request.GetId())
	}
}

// run opens the stream and sends until the session ends.
func (s *locateSession) run() {
	ctx, cancel := context.WithCancel(s.lane.ctx)
	defer cancel()
	stream, err := s.lane.open(ctx, grpc.ForceCodecV2(codec{}))
	if err != nil {
		s.fail(err)
		return
	}
	received := make(chan struct{})
	go func() {
		defer close(received)
		s.receive(stream)
	}()
	if !s.send(ctx, stream) {
		cancel()
	}
	<-received
}

// send sends what is queued until the session ends or the stream breaks; why it
// broke comes out of the receiving side. It is false where a message itself was at
// fault, whose locates then fail as all do.
//
// Nobody waits for others to join: before the queue is taken, callers that can
// run do, and those that queue a locate then are sent along. An answer that many
// waited for thus makes one message of their next locates.
func (s *locateSession) send(ctx context.Context, stream locateStream) bool {
	var packer locatePacker
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return true // receive learns of it too, and fails the locates
		}
		runtime.Gosched()
		ended := s.take(&packer)
		for _, batch := range packer.batches {
			if err := stream.Send(batch.message()); err != nil {
				return errors.Is(err, io.EOF)
			}
		}
		if ended {
			return stream.CloseSend() == nil
		}
	}
}

// take packs the queue into batches, which are pending from now on.
func (s *locateSession) take(packer *locatePacker) (ended bool) {
	packer.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.queue {
		packer.add(c)
	}
	clear(s.queue)
	s.queue = s.queue[:0]
	for _, batch := range packer.batches {
		s.last++
		batch.request.Id = s.last
		s.pending[s.last] = batch
	}
	return s.ended
}

// receive hands answers over until the stream ends.
func (s *locateSession) receive(stream locateStream) {
	var response locateResponse
	for {
		if err := stream.RecvMsg(&response); err != nil {
			s.fail(ended(err))
			return
		}
		if response.id == 0 {
			s.end()
			continue
		}
		s.mu.Lock()
		batch := s.pending[response.id]
		s.mu.Unlock()
		if batch != nil && batch.deliver(&response) {
			s.mu.Lock()
			delete(s.pending, response.id)
			s.mu.Unlock()
		}
	}
}

// end takes no further locates and has the sender end the stream once the queue is
// sent.
func (s *locateSession) end() {
	s.mu.Lock()
	s.ended = true
	s.signal()
	s.mu.Unlock()
}

// fail ends the session and fails every locate that waits.
func (s *locateSession) fail(err error) {
	s.end()
	failure := rpcerr.From(s.lane.address, err)
	s.mu.Lock()
	queue, pending := s.queue, s.pending
	s.queue, s.pending = nil, make(map[uint64]*locateBatch)
	s.mu.Unlock()
	for _, c := range queue {
		c.err = failure
		c.done <- struct{}{}
	}
	for _, batch := range pending {
		batch.fail(failure)
	}
}

// ended is why a stream ended. One that its server or its owner ended is as
// good as one that broke.
func ended(err error) error {
	if errors.Is(err, io.EOF) || rpcerr.FromError(err).Kind == cairn.KindDeadline {
		return cairn.Errorf(cairn.KindUnavailable, "STREAM_ENDED", "the stream ended: %w", err)
	}
	return err
}
