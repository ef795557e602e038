package floor

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"cairn/bench/load"
)

// Scattered are callers that each ask all servers at once for an answer of so many
// bytes, one question after the other: what an answer costs that is made of several,
// before anything is looked up.
func Scattered(conns []*grpc.ClientConn, callers, bytes int) []load.Call {
	ask := func(ctx context.Context, conn *grpc.ClientConn) error {
		response := new(wrapperspb.BytesValue)
		if err := conn.Invoke(ctx, sizedMethod, wrapperspb.UInt32(uint32(bytes)), response); err != nil {
			return err
		}
		if len(response.GetValue()) != bytes {
			return fmt.Errorf("an answer of %d bytes, want %d", len(response.GetValue()), bytes)
		}
		return nil
	}
	calls := make([]load.Call, callers)
	for i := range calls {
		calls[i] = func(ctx context.Context) (int, error) {
			var asked sync.WaitGroup
			failed := make([]error, len(conns))
			for i, conn := range conns {
				asked.Go(func() { failed[i] = ask(ctx, conn) })
			}
			asked.Wait()
			return 1, errors.Join(failed...)
		}
	}
	return calls
}
