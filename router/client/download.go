package client

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	"cairn/proto/rpcerr"
)

// download calls each with every message of a stream that is of use as a whole
// only. It is tried again only while nothing has come, and for no longer than
// Options.Timeout if ctx has no deadline; what comes then may take its time. It
// fails with the error of each; the server's speaks of the field "name" by what
// that names.
func download[M any](ctx context.Context, c *Client, named string, begin func(context.Context) (grpc.ServerStreamingClient[M], error), each func(*M) error) error {
	trying, cancel := c.bound(ctx)
	defer cancel()
	for try := 1; ; try++ {
		begun, err := downloadOnce(ctx, begin, each)
		if failure, own := errors.AsType[*delivering](err); own {
			return failure.err
		}
		if err == nil {
			return nil
		}
		refusal := rpcerr.From(c.address, err)
		if !passes(refusal) || begun || !pause(trying, try) {
			return inField(refusal, "name", named)
		}
	}
}

// downloadOnce receives until the end, or until the connection breaks. It tells
// whether anything came.
func downloadOnce[M any](ctx context.Context, begin func(context.Context) (grpc.ServerStreamingClient[M], error), each func(*M) error) (begun bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := begin(ctx)
	if err != nil {
		return false, err
	}
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return begun, nil
		}
		if err != nil {
			return begun, err
		}
		begun = true
		if err := each(message); err != nil {
			return begun, &delivering{err}
		}
	}
}
