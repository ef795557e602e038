package stack

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"cairn"
	"cairn/bench/floor"
	"cairn/bench/load"
	cairnv1 "cairn/proto/cairn/v1"
)

// Name is the keyspace's name as the API spells it.
const Name = "keyspaces/" + Keyspace

// KeysEach is after how many calls a caller begins again with its keys.
const KeysEach = 1024

// UnaryCalls are callers that each locate one key after the other.
func UnaryCalls(conn *grpc.ClientConn, callers, entries int) []load.Call {
	locator := cairnv1.NewLocatorClient(conn)
	calls := make([]load.Call, callers)
	for i := range calls {
		keys := load.Batches(uint64(i), 1, KeysEach, entries)[0]
		next := 0
		calls[i] = func(ctx context.Context) (int, error) {
			key := keys[next%len(keys)]
			next++
			response, err := locator.Locate(ctx, &cairnv1.LocateRequest{Keyspace: Name, Key: key})
			if err != nil {
				return 0, err
			}
			if response.Location.GetState() != cairnv1.Location_FOUND {
				return 0, fmt.Errorf("key %s: %v", key, response.Location)
			}
			return 1, nil
		}
	}
	return calls
}

// Locator locates single keys: a client of a router, or a router in this process.
type Locator interface {
	Locate(ctx context.Context, keyspace string, key cairn.Key, reading cairn.Reading) (cairn.Location, cairn.Token, error)
}

// PlainCalls are callers that each locate one key after the other, as a service
// does that knows of no batches.
func PlainCalls(locator Locator, callers, entries int) []load.Call {
	calls := make([]load.Call, callers)
	for i := range calls {
		keys := load.Batches(uint64(i), 1, KeysEach, entries)[0]
		next := 0
		calls[i] = func(ctx context.Context) (int, error) {
			key := keys[next%len(keys)]
			next++
			location, _, err := locator.Locate(ctx, Keyspace, key, cairn.Reading{})
			if err != nil {
				return 0, err
			}
			if location.State != cairn.Found {
				return 0, fmt.Errorf("key %s is not found", key)
			}
			return 1, nil
		}
	}
	return calls
}

// Streams opens streams that locate batches of keys.
func Streams(ctx context.Context, conn *grpc.ClientConn, streams, size, entries int) ([]load.Stream, error) {
	open := make([]load.Stream, streams)
	for i := range open {
		stream, err := cairnv1.NewLocatorClient(conn).StreamLocate(ctx)
		if err != nil {
			return nil, err
		}
		open[i] = &batches{stream: stream, requests: floor.Requests(uint64(i), size, Name, entries)}
	}
	return open, nil
}

// batches is a stream of located batches.
type batches struct {
	stream   grpc.BidiStreamingClient[cairnv1.StreamLocateRequest, cairnv1.StreamLocateResponse]
	requests []*cairnv1.StreamLocateRequest
	next     int
}

func (b *batches) Send() error {
	request := b.requests[b.next%len(b.requests)]
	b.next++
	return b.stream.Send(request)
}

func (b *batches) Recv() (int, error) {
	response, err := b.stream.Recv()
	if err != nil {
		return 0, err
	}
	if failed := response.GetError(); failed != nil {
		return 0, fmt.Errorf("batch %d: %s", response.Id, failed.Message)
	}
	for _, location := range response.GetBatch().GetLocations() {
		if location.GetState() != cairnv1.Location_FOUND {
			return 0, fmt.Errorf("batch %d: %v", response.Id, location)
		}
	}
	return len(response.GetBatch().GetLocations()), nil
}

func (b *batches) CloseSend() error { return b.stream.CloseSend() }
