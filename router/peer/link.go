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
	session  *session[Req, Resp]
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
	// done has room for the call, which it gets once response or err is set.
	done chan<- *call[Req, Resp]
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

// got is the response to a call, nil if there is none, or no call.
func (c *call[Req, Resp]) got() *Resp {
	if c == nil {
		return nil
	}
	return c.response
}

// finish hands the answer to those who wait for it.
func (c *call[Req, Resp]) finish(response *Resp, err *cairn.Error) {
	for each := range c.all {
		if each.answered {
			each.response, each.err = response, err
			each.done <- each
		}
	}
}

// roundTrip sends a request and waits for its response, or for ctx's end. The
// error says whom it was about; sent tells whether the server may have got
// the request. Once it has returned nobody else uses the request.
func (l *link[Req, Resp]) roundTrip(ctx context.Context, request *Req) (response *Resp, sent bool, failure *cairn.Error) {
	c, sent, failure := l.exchange(ctx, request)
	return c.got(), sent, failure
}

// exchange is roundTrip that returns the call, once it is done; nil if it never is.
func (l *link[Req, Resp]) exchange(ctx context.Context, request *Req) (c *call[Req, Resp], sent bool, failure *cairn.Error) {
	if err := ctx.Err(); err != nil {
		return nil, false, l.deadline(err)
	}
	done := make(chan *call[Req, Resp], 1)
	c, failure = l.start(request, done)
	if failure != nil {
		return nil, false, failure
	}
	select {
	case <-done:
	case <-ctx.Done():
		if sent, gone := c.abandon(); gone {
			return nil, sent, l.deadline(ctx.Err())
		}
		<-done // its answer is being handed over right now
	}
	return c, c.sent, c.err
}

// start queues a request on the present session, or on a new one. done gets the
// call, unless that is abandoned before.
func (l *link[Req, Resp]) start(request *Req, done chan<- *call[Req, Resp]) (*call[Req, Resp], *cairn.Error) {
	c := &call[Req, Resp]{request: request, done: done}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, cairn.Errorf(cairn.KindUnavailable, "PEER_CLOSED", "the connection to index server %s is closed", l.address)
	}
	l.lastID++
	c.id = l.lastID
	l.setID(c.request, c.id)
	if l.current != nil && l.current.add(c) {
		return c, nil
	}
	s := &session[Req, Resp]{link: l, wake: make(chan struct{}, 1), pending: make(map[uint64]*call[Req, Resp])}
	s.add(c)
	l.current = s
	l.running.Go(s.run)
	return c, nil
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
