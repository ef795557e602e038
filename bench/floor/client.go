package floor

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"cairn/bench/load"
	cairnv1 "cairn/proto/cairn/v1"
)

// UnaryCalls are callers that each echo one key after the other.
func UnaryCalls(conn *grpc.ClientConn, callers int, keyspace string, entries int) []load.Call {
	calls := make([]load.Call, callers)
	for i := range calls {
		keys := load.Batches(uint64(i), 1, 1024, entries)[0]
		next := 0
		calls[i] = func(ctx context.Context) (int, error) {
			key := keys[next%len(keys)]
			next++
			response := new(cairnv1.LocateRequest)
			if err := conn.Invoke(ctx, unaryMethod, &cairnv1.LocateRequest{Keyspace: keyspace, Key: key}, response); err != nil {
				return 0, err
			}
			if len(response.Key) != len(key) {
				return 0, fmt.Errorf("the echo of %q is %q", key, response.Key)
			}
			return 1, nil
		}
	}
	return calls
}

// batches is a stream of echoed batches.
type batches struct {
	stream   grpc.ClientStream
	requests []*cairnv1.StreamLocateRequest
	next     int
}

// Streams opens streams that echo batches of keys.
func Streams(ctx context.Context, conn *grpc.ClientConn, streams, size int, keyspace string, entries int) ([]load.Stream, error) {
	open := make([]load.Stream, streams)
	for i := range open {
		stream, err := conn.NewStream(ctx, &streamDesc, streamMethod)
		if err != nil {
			return nil, err
		}
		open[i] = &batches{stream: stream, requests: Requests(uint64(i), size, keyspace, entries)}
	}
	return open, nil
}

// Requests are the batches that a stream repeats, the same for the same seed.
func Requests(seed uint64, size int, keyspace string, entries int) []*cairnv1.StreamLocateRequest {
	requests := make([]*cairnv1.StreamLocateRequest, 0, 256)
	for i, keys := range load.Batches(seed, cap(requests), size, entries) {
		requests = append(requests, &cairnv1.StreamLocateRequest{
			Id: uint64(i), Batch: &cairnv1.BatchLocateRequest{Keyspace: keyspace, Keys: keys},
		})
	}
	return requests
}

func (b *batches) Send() error {
	request := b.requests[b.next%len(b.requests)]
	b.next++
	return b.stream.SendMsg(request)
}

func (b *batches) Recv() (int, error) {
	response := new(cairnv1.StreamLocateRequest)
	if err := b.stream.RecvMsg(response); err != nil {
		return 0, err
	}
	return len(response.Batch.GetKeys()), nil
}

func (b *batches) CloseSend() error { return b.stream.CloseSend() }
