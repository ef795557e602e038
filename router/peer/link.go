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
	// sent tells whether the request may have reached the server.
	sent bool
	// done has room for the call, which it gets once response or err is set.
	done chan<- *call[Req, Resp]
}

// roundTrip sends a request and waits for its response, or for ctx's end. The
// error says whom it was about; sent tells whether the server may have got
// the request. Once it has returned nobody else uses the request.
func (l *link[Req, Resp]) roundTrip(ctx context.Context, request *Req) (response *Resp, sent bool, failure *cairn.Error) {
	if err := ctx.Err(); err != nil {
		return nil, false, l.deadline(err)
	}
	done := make(chan *call[Req, Resp], 1)
	c, err := l.start(request, done)
	if err != nil {
		return nil, false, err
	}
	select {
	case <-done:
	case <-ctx.Done():
		if sent, gone := c.abandon(); gone {
			return nil, sent, l.deadline(ctx.Err())
		}
		<-done // its answer is being handed over right now
	}
	return c.response, c.sent, c.err
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
