package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/channel"
	"cairn/proto/rpcerr"
)

// DefaultTimeout is how long a call without a deadline may take.
const DefaultTimeout = 5 * time.Second

// MaxMessageBytes is how large a request a server takes by default.
const MaxMessageBytes = 1 << 20

// maxAnswerBytes is how large an answer is taken.
const maxAnswerBytes = 16 << 20

// Options are how to reach a router; the zero Options are good on loopback.
type Options struct {
	// Timeout bounds calls that have no deadline; 0 for DefaultTimeout.
	Timeout time.Duration
	// Dial are further options of the connection. Without transport
	// credentials among them it is not encrypted.
	Dial []grpc.DialOption
}

// Client is a connection to a router. Any goroutine may use it.
type Client struct {
	address string
	timeout time.Duration
	conn    *grpc.ClientConn
	locator cairnv1.LocatorClient
	writer  cairnv1.WriterClient
	changes cairnv1.ChangesClient
	views   cairnv1.ViewsClient
	admin   cairnv1.AdminClient
	locates *locates
}

// Dial makes a Client of the router at address, as in "127.0.0.1:7600". It
// does not connect: the first call does. KindInvalid for an address that can't
// be one.
func Dial(address string, options Options) (*Client, error) {
	if options.Timeout == 0 {
		options.Timeout = DefaultTimeout
	}
	dial := append([]grpc.DialOption{
		grpc.WithChainUnaryInterceptor(newGates(address).call),
		// Routers keep their answers below the 4 MiB that gRPC takes by default.
		// An answer to a write must not be lost for its size in any case.
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswerBytes)),
	}, options.Dial...)
	conn, err := channel.Dial(address, dial...)
	if err != nil {
		return nil, cairn.Invalid("address", "ADDRESS_MALFORMED", "%q: %w", address, err)
	}
	locator := cairnv1.NewLocatorClient(conn)
	return &Client{
		address: address, timeout: options.Timeout, conn: conn,
		locator: locator, locates: newLocates(address, locator.StreamLocate), writer: cairnv1.NewWriterClient(conn),
		changes: cairnv1.NewChangesClient(conn), views: cairnv1.NewViewsClient(conn), admin: cairnv1.NewAdminClient(conn),
	}, nil
}

// Close ends the connection; calls under way fail with KindUnavailable.
func (c *Client) Close() error {
	err := c.conn.Close()
	c.locates.close()
	return err
}

// Admin is the Admin service as generated. Its errors are statuses: see
// rpcerr.FromError.
func (c *Client) Admin() cairnv1.AdminClient { return c.admin }

// bound is ctx with the client's timeout if it has no deadline.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.timeout)
}

const (
	shortestPause = 10 * time.Millisecond
	longestPause  = 500 * time.Millisecond
)

// pause waits before try, from half to the whole of a time that doubles. It is
// false if the context would end before.
func pause(ctx context.Context, try int) bool {
	whole := longestPause
	if try < 7 {
		whole = min(whole, shortestPause<<(try-1))
	}
	return wait(ctx, whole/2+rand.N(whole/2))
}

// wait is false if the context would end before.
func wait(ctx context.Context, length time.Duration) bool {
	if deadline, has := ctx.Deadline(); has && time.Until(deadline) <= length {
		return false
	}
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// again waits until a call that was refused may be tried again: where there is no
// server, or where one that has enough to do says when. It is false if it may not.
func again(ctx context.Context, refusal *cairn.Error, try int) bool {
	if refusal.Kind == cairn.KindExhausted && refusal.RetryAfter > 0 {
		return wait(ctx, refusal.RetryAfter+rand.N(refusal.RetryAfter/2+1))
	}
	return passes(refusal) && pause(ctx, try)
}

// passes tells whether a server that is not there may soon be.
func passes(refusal *cairn.Error) bool {
	return refusal.Kind == cairn.KindUnavailable && refusal.Reason != cairn.ReasonClusterUnreachable
}

// read makes a call that may be repeated: again while there is no server, or it has
// too much to do, up to the deadline.
func read[Req, Resp any](ctx context.Context, c *Client, req *Req, call func(context.Context, *Req, ...grpc.CallOption) (*Resp, error)) (*Resp, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	return readAgain(ctx, c, req, call, nil)
}

// readAgain is read until ctx's deadline; last, if set, is how a try ended that was
// made already.
func readAgain[Req, Resp any](ctx context.Context, c *Client, req *Req, call func(context.Context, *Req, ...grpc.CallOption) (*Resp, error), last *cairn.Error) (*Resp, error) {
	for try := 1; ; try++ {
		resp, err := call(ctx, req)
		if err == nil {
			return resp, nil
		}
		refusal := rpcerr.From(c.address, err)
		if refusal.Kind == cairn.KindDeadline && last != nil && !errors.Is(ctx.Err(), context.Canceled) {
			// That no server was found says more than that the time is up.
			return nil, last
		}
		if !again(ctx, refusal, try) {
			return nil, refusal
		}
		last = refusal
	}
}

// write makes a call that must not be repeated once it has been sent.
func write[Req, Resp any](ctx context.Context, c *Client, req *Req, call func(context.Context, *Req, ...grpc.CallOption) (*Resp, error)) (*Resp, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	var sentTo peer.Peer
	resp, err := call(ctx, req, grpc.Peer(&sentTo))
	if err == nil {
		return resp, nil
	}
	refusal := rpcerr.From(c.address, err)
	// What a router answers is to be believed, but for a defect; what comes of
	// the transport says nothing of the write.
	lost := refusal.Kind == cairn.KindInternal ||
		!rpcerr.IsAnswer(err) && (refusal.Kind == cairn.KindDeadline || refusal.Kind == cairn.KindUnavailable)
	if lost && sentTo.Addr != nil {
		return nil, cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "the write may or may not have taken effect; read the key to find out: %w", refusal)
	}
	return nil, refusal
}
