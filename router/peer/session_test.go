package peer

import (
	"context"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
)

// wired is the client's end of a stream whose other end a test plays.
type wired struct {
	grpc.ClientStream
	sent     chan *indexv1.LocateRequest
	received chan *indexv1.LocateResponse
}

// newWired is a Peer whose locates go by one stream, and that stream.
func newWired(t *testing.T) (*Peer, *wired) {
	t.Helper()
	p, err := Dial("127.0.0.1:1", Options{Streams: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := &wired{sent: make(chan *indexv1.LocateRequest), received: make(chan *indexv1.LocateResponse)}
	p.locates[0].open = func(context.Context) (grpc.BidiStreamingClient[indexv1.LocateRequest, indexv1.LocateResponse], error) {
		return w, nil
	}
	return p, w
}

func (w *wired) Send(request *indexv1.LocateRequest) error {
	w.sent <- proto.Clone(request).(*indexv1.LocateRequest)
	return nil
}

func (w *wired) CloseSend() error { return nil }

func (w *wired) Recv() (*indexv1.LocateResponse, error) {
	if response, open := <-w.received; open {
		return response, nil
	}
	return nil, io.EOF
}

// TestRequestsThatWaitTravelTogether has requests come while one is being
// sent: they are one message after it, without the one that was given up
// meanwhile; and answers that come in one message reach each its own.
func TestRequestsThatWaitTravelTogether(t *testing.T) {
	p, w := newWired(t)
	type outcome struct {
		caller int
		index  uint64
		err    error
	}
	outcomes := make(chan outcome, 8)
	ask := func(ctx context.Context, caller int) {
		go func() {
			var reply cairn.LocateReply
			err := p.Locate(ctx, &cairn.LocateRequest{Read: cairn.Read{Epoch: uint64(caller)}}, &reply)
			outcomes <- outcome{caller, reply.Index, err}
		}()
	}
	queued := func(want int) {
		for at := -1; at != want; {
			p.locates[0].mu.Lock()
			if s := p.locates[0].current; s != nil {
				s.mu.Lock()
				at = len(s.queue)
				s.mu.Unlock()
			}
			p.locates[0].mu.Unlock()
		}
	}
	ask(t.Context(), 1)
	// The sender is at its first Send once the queue has been taken.
	for p.sending() != 1 {
	}
	ctx, cancel := context.WithCancel(t.Context())
	ask(ctx, 2)
	queued(1)
	ask(t.Context(), 3)
	ask(t.Context(), 4)
	queued(3)
	cancel()
	if given := <-outcomes; given.caller != 2 || cairn.KindOf(given.err) != cairn.KindDeadline {
		t.Errorf("given up: %+v", given)
	}
	first, second := <-w.sent, <-w.sent
	if len(first.GetJoined()) != 0 || first.GetRead().GetEpoch() != 1 || len(second.GetJoined()) != 2 {
		t.Fatalf("sent: %v, then %v", first, second)
	}
	answers := &indexv1.LocateResponse{}
	for _, request := range append(second.GetJoined(), first) {
		answers.Joined = append(answers.Joined, &indexv1.LocateResponse{Id: request.GetId(), Index: request.GetRead().GetEpoch(), Results: []byte{0}})
	}
	w.received <- answers
	for range 3 {
		if got := <-outcomes; got.err != nil || got.index != uint64(got.caller) {
			t.Errorf("%+v", got)
		}
	}
	close(w.received)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// sending is how many requests have been taken to be sent.
func (p *Peer) sending() (n int) {
	l := p.locates[0]
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil {
		return 0
	}
	l.current.mu.Lock()
	defer l.current.mu.Unlock()
	for _, c := range l.current.pending {
		if c.sent {
			n++
		}
	}
	return n
}
