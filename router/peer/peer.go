package peer

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/channel"
	"cairn/proto/rpcerr"
)

// Options tune a Peer; the zero value is good.
type Options struct {
	// Streams is how many streams are used for locates, and how many for
	// writes. Default 2. Questions about views have one: what takes long is not
	// done where the stream is read, and more of them travel together.
	Streams int
	// Dial are further options of the connection. Without transport
	// credentials among them it is not encrypted.
	Dial []grpc.DialOption
}

// Peer is a client of one index server. Any goroutine may call it.
type Peer struct {
	address string
	conn    *grpc.ClientConn
	index   indexv1.IndexClient

	locates []*link[indexv1.LocateRequest, indexv1.LocateResponse]
	writes  []*link[indexv1.WriteRequest, indexv1.WriteResponse]
	views   *link[indexv1.AskViewRequest, indexv1.AskViewResponse]
	turn    atomic.Uint32 // picks the next stream

	cancel  context.CancelFunc
	running *sync.WaitGroup
	closed  sync.Once
}

// Dial makes a Peer for the index server at address. It does not connect: the
// first call does, and an address where nothing answers fails calls, not
// Dial. It fails with KindInvalid for an address that can't be one.
func Dial(address string, options Options) (*Peer, error) {
	if options.Streams <= 0 {
		options.Streams = 2
	}
	dial := append([]grpc.DialOption{grpc.WithDefaultCallOptions(
		grpc.MaxCallRecvMsgSize(indexv1.MaxMessageBytes),
		grpc.MaxCallSendMsgSize(indexv1.MaxMessageBytes),
	)}, options.Dial...)
	conn, err := channel.Dial(address, dial...)
	if err != nil {
		return nil, cairn.Invalid("address", "ADDRESS_MALFORMED", "index server %q: %w", address, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Peer{address: address, conn: conn, index: indexv1.NewIndexClient(conn), cancel: cancel, running: new(sync.WaitGroup)}
	for range options.Streams {
		p.locates = append(p.locates, newLocateLink(ctx, p))
		p.writes = append(p.writes, newWriteLink(ctx, p))
	}
	p.views = newViewLink(ctx, p)
	return p, nil
}

// Address is what the Peer was dialled with.
func (p *Peer) Address() string { return p.address }

// Listening tells whether somebody listens at the address. If so, the connection is made
// at once if it is not there, however short ago that has failed.
func (p *Peer) Listening(ctx context.Context) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	p.conn.ResetConnectBackoff()
	return true
}

// Close fails the calls under way and gives everything back. Calls after it
// are KindUnavailable; a second Close does nothing.
func (p *Peer) Close() error {
	var failure error
	p.closed.Do(func() {
		p.cancel()
		for _, l := range p.locates {
			l.close()
		}
		for _, l := range p.writes {
			l.close()
		}
		p.views.close()
		if err := p.conn.Close(); err != nil {
			failure = rpcerr.From(p.address, err)
		}
		p.running.Wait()
	})
	return failure
}

// pick takes the streams of a kind in turn.
func pick[Req, Resp any](p *Peer, links []*link[Req, Resp]) *link[Req, Resp] {
	return links[p.turn.Add(1)%uint32(len(links))]
}

// timeoutMicros is what is left until ctx's deadline, 0 if it has none.
func timeoutMicros(ctx context.Context) uint64 {
	deadline, has := ctx.Deadline()
	if !has {
		return 0
	}
	return uint64(max(1, time.Until(deadline).Microseconds()))
}
