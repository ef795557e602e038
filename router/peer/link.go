package peer

import (
	"context"
	"sync"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"

	"cairn"
	"cairn/proto/rpcerr"
)

// link is one stream of requests with ids, opened when it is needed and again
// after it broke. Requests that wait to be sent travel in one message, and so
// do answers.
type link[Req, Resp any] struct {
	address string
	ctx     context.Context // the Peer's life
	running *sync.WaitGroup
	open    func(context.Context) (grpc.BidiStreamingClient[Req, Resp], error)
	// sendAll sends requests in as few messages as they fit, and says how many
	// were sent; separate is the responses that came as one.
	sendAll  func(requests []*Req, send func(*Req) error) (sent int, err error)
	separate func(*Resp) []*Resp
	// header reads a response's id and error.
	header func(*Resp) (id uint64, failure *statuspb.Status)
	setID  func(*Req, uint64)
	// join, if set, makes a request that is not sent yet ask what another one asks
	// too, where it can: at says behind how much of its own.
	join func(waiting, request *Req) (at int, joined bool)

	mu      sync.Mutex
	closed  bool
	lastID  uint64
	current *session[Req, Resp] // nil before the first call and after a break
}

// call is one request that waits for its response.
type call[Req, Resp any] struct {
	id       uint64
	request  *Req
	response *Resp
	err      *cairn.Error
	// with are the calls whose requests joined this one's; such a one is joined, and
	// the response to it begins at at.
	with   []*call[Req, Resp]
	joined bool
	at     int
	// joint is what the calls of one request share, nil if it has one call.
	joint *joint
	// sent tells whether the request may have reached the server.
	sent bool
	// answered and left, of which at most one is ever set, tell whether response or
	// err are set and whether nobody waits for them any more.
	answered, left bool
	// done has room for the one signal that response or err are set.
	done chan struct{}
}

func newCall[Req, Resp any](request *Req) *call[Req, Resp] {
	return &call[Req, Resp]{request: request, done: make(chan struct{}, 1)}
}

// all yields the calls of one request.
func (c *call[Req, Resp]) all(yield func(*call[Req, Resp]) bool) {
	if !yield(c) {
		return
	}
	for _, other := range c.with {
		if !yield(other) {
			return
		}
	}
}

// finish hands the answer to those who wait for it.
func (c *call[Req, Resp]) finish(response *Resp, err *cairn.Error) {
	for each := range c.all {
		if each.answered {
			each.response, each.err = response, err
			each.done <- struct{}{}
		}
	}
}

// roundTrip sends a request and waits for its response, or for ctx's end. The
// error says whom it was about; sent tells whether the server may have got
// the request. Once it has returned nobody else uses the request.
func (l *link[Req, Resp]) roundTrip(ctx context.Context, request *Req) (response *Resp, sent bool, failure *cairn.Error) {
	c := newCall[Req, Resp](request)
	sent, failure = l.exchange(ctx, c)
	return c.response, sent, failure
}

// exchange is roundTrip for a call.
func (l *link[Req, Resp]) exchange(ctx context.Context, c *call[Req, Resp]) (sent bool, failure *cairn.Error) {
	if err := ctx.Err(); err != nil {
		return false, l.deadline(err)
	}
	s, err := l.enqueue(c)
	if err != nil {
		return false, err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if sent, gone := s.abandon(c); gone {
			return sent, l.deadline(ctx.Err())
		}
		<-c.done // its answer is being handed over right now
	}
	return c.sent, c.err
}

// enqueue queues a call on the present session, or on a new one.
func (l *link[Req, Resp]) enqueue(c *call[Req, Resp]) (*session[Req, Resp], *cairn.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, cairn.Errorf(cairn.KindUnavailable, "PEER_CLOSED", "the connection to index server %s is closed", l.address)
	}
	l.lastID++
	c.id = l.lastID
	l.setID(c.request, c.id)
	if l.current != nil && l.current.add(c) {
		return l.current, nil
	}
	s := &session[Req, Resp]{link: l, wake: make(chan struct{}, 1), pending: make(map[uint64]*call[Req, Resp])}
	s.add(c)
	l.current = s
	l.running.Go(s.run)
	return s, nil
}

// close refuses further calls. Sessions end with the Peer's context.
func (l *link[Req, Resp]) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
}

func (l *link[Req, Resp]) deadline(err error) *cairn.Error {
	e := *rpcerr.FromError(err)
	e.Err = cairn.Errorf(e.Kind, e.Reason, "waiting for index server %s: %w", l.address, err)
	return &e
}
