package client

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
)

// streamDepth is how many batches a Stream has under way; more wait.
const streamDepth = 64

// Stream is a long-lived StreamLocate. Any goroutine may use it; batches do
// not wait for each other's answers. When its connection breaks, the batches
// under way are sent again on a new one.
type Stream struct {
	client *Client
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{} // one for each batch under way

	mu      sync.Mutex // guards current and its opening
	current *session
	closed  bool
	running sync.WaitGroup
}

// Stream makes a Stream that lives until Close or the end of ctx. It does not
// connect: the first batch does.
func (c *Client) Stream(ctx context.Context) *Stream {
	s := &Stream{client: c, slots: make(chan struct{}, streamDepth)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// Close ends the Stream; batches under way fail with KindUnavailable.
func (s *Stream) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
}

// BatchLocate is router.Router.BatchLocate.
func (s *Stream) BatchLocate(ctx context.Context, keyspace string, keys []cairn.Key, reading cairn.Reading) ([]cairn.Location, cairn.Token, error) {
	req, err := batchRequest(keyspace, keys, reading)
	if err != nil {
		return nil, cairn.Token{}, err
	}
	ctx, cancel := s.client.bound(ctx)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, cairn.Token{}, rpcerr.FromError(ctx.Err())
	}
	for try := 1; ; try++ {
		resp, err := s.ask(ctx, req)
		if err == nil {
			return fromBatch(resp, len(keys))
		}
		refusal := rpcerr.From(s.client.address, err)
		if !passes(refusal) || s.ctx.Err() != nil || !pause(ctx, try) {
			return nil, cairn.Token{}, refusal
		}
	}
}

func (s *Stream) ask(ctx context.Context, req *cairnv1.BatchLocateRequest) (*cairnv1.BatchLocateResponse, error) {
	session, err := s.open()
	if err != nil {
		return nil, err
	}
	id, answer := session.expect()
	defer session.forget(id)
	if err := session.send(&cairnv1.StreamLocateRequest{Id: id, Batch: req}); err != nil {
		return nil, err
	}
	select {
	case resp := <-answer:
		if resp.GetError() != nil {
			return nil, rpcerr.FromProto(resp.GetError())
		}
		return resp.GetBatch(), nil
	case <-session.broken:
		return nil, session.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// open is the present session, or a new one if that has broken.
func (s *Stream) open() (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.ctx.Err() != nil {
		return nil, cairn.Errorf(cairn.KindUnavailable, "STREAM_CLOSED", "the stream is closed")
	}
	if s.current != nil && !s.current.isBroken() {
		return s.current, nil
	}
	stream, err := s.client.locator.StreamLocate(s.ctx)
	if err != nil {
		return nil, err
	}
	s.current = &session{stream: stream, waiting: make(map[uint64]chan *cairnv1.StreamLocateResponse), broken: make(chan struct{})}
	s.running.Go(s.current.receive)
	return s.current, nil
}

// session is one gRPC stream.
type session struct {
	stream grpc.BidiStreamingClient[cairnv1.StreamLocateRequest, cairnv1.StreamLocateResponse]

	sending sync.Mutex // guards the stream's sending side

	mu      sync.Mutex // guards last and waiting
	last    uint64
	waiting map[uint64]chan *cairnv1.StreamLocateResponse

	broken chan struct{} // closed when the stream has ended
	err    error         // why; set before broken is closed
}

func (s *session) isBroken() bool {
	select {
	case <-s.broken:
		return true
	default:
		return false
	}
}

// expect gives a request its id, and the channel that its answer comes on.
func (s *session) expect() (uint64, <-chan *cairnv1.StreamLocateResponse) {
	answer := make(chan *cairnv1.StreamLocateResponse, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.waiting[s.last] = answer
	return s.last, answer
}

func (s *session) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, id)
}

// send sends. A stream that has ended says why where it receives.
func (s *session) send(req *cairnv1.StreamLocateRequest) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := s.stream.Send(req); err != nil {
		<-s.broken
		return s.err
	}
	return nil
}

// receive hands answers to those who wait, until the stream ends.
func (s *session) receive() {
	for {
		resp, err := s.stream.Recv()
		if err != nil {
			s.err = ended(err)
			close(s.broken)
			return
		}
		s.mu.Lock()
		answer := s.waiting[resp.GetId()]
		delete(s.waiting, resp.GetId())
		s.mu.Unlock()
		if answer != nil {
			answer <- resp
		}
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
