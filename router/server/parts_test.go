package server_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/internal/bed"
	"cairn/router/server"
)

// keyOf is a key that a cluster owns.
func (s *served) keyOf(t testing.TB, cluster string) []byte {
	t.Helper()
	for i := range 1000 {
		key := fmt.Appendf(nil, "k%d", i)
		location, _, err := s.router.Locate(t.Context(), bed.Things, key, cairn.Reading{})
		if err != nil {
			t.Fatal(err)
		}
		if location.Cluster == cluster {
			return key
		}
	}
	t.Fatalf("no key of %s", cluster)
	return nil
}

// TestNobodyWaitsForAnotherCluster has far more batches wait for one cluster than
// a stream has at a time of large ones, each with a key of another cluster too.
func TestNobodyWaitsForAnotherCluster(t *testing.T) {
	s := serve(t, 2, 8, server.Config{})
	stuck, free := s.keyOf(t, "c0"), s.keyOf(t, "c1")
	release := make(chan struct{})
	s.bed.Faults = func(cluster string, _ bed.Call) bed.Fault {
		if cluster == "c0" {
			<-release
		}
		return bed.None
	}
	stream, err := cairnv1.NewLocatorClient(s.raw(t)).StreamLocate(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	const batches = 100
	for i := range batches {
		request := &cairnv1.StreamLocateRequest{
			Id: uint64(i + 1), InParts: true, Batch: &cairnv1.BatchLocateRequest{Keyspace: "keyspaces/" + bed.Things, Keys: [][]byte{stuck, free}},
		}
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
	}
	for position := range 2 {
		seen := map[uint64]bool{}
		for range batches {
			response, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			// The free one, of position 1, comes first.
			if at := response.GetPositions(); len(at) != 1 || int(at[0]) != 1-position || len(response.GetBatch().GetLocations()) != 1 || response.GetBatch().GetToken() == "" {
				t.Fatalf("round %d: %v", position, response)
			}
			seen[response.GetId()] = true
		}
		if len(seen) != batches {
			t.Errorf("round %d: answers to %d of %d", position, len(seen), batches)
		}
		if position == 0 {
			close(release)
		}
	}
}

// TestBatchesSayWhyBeforeTheirTimeIsUp gives a batch a time of its own.
func TestBatchesSayWhyBeforeTheirTimeIsUp(t *testing.T) {
	s := serve(t, 1, 1, server.Config{})
	s.bed.Faults = func(string, bed.Call) bed.Fault { return bed.NotYet }
	stream, err := cairnv1.NewLocatorClient(s.raw(t)).StreamLocate(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	// Without it the router would go on for five seconds.
	request := &cairnv1.StreamLocateRequest{
		Id: 1, InParts: true, Timeout: durationpb.New(200 * time.Millisecond),
		Batch: &cairnv1.BatchLocateRequest{Keyspace: "keyspaces/" + bed.Things, Keys: [][]byte{{1}}},
	}
	began := time.Now()
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	hasDetails(t, "a batch", status.FromProto(response.GetBatch().GetLocations()[0].GetError()), codes.Unavailable, "NOT_YET")
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestClientsAreAskedToEndTheirStreams drains a server under a client that keeps
// its streams open.
func TestClientsAreAskedToEndTheirStreams(t *testing.T) {
	draining, drain := context.WithCancel(context.Background())
	defer drain()
	s := serve(t, 1, 1, server.Config{Draining: draining})
	c := s.client(t)
	for range 4 {
		if _, _, err := c.Locate(t.Context(), bed.Things, cairn.Key("k"), cairn.Reading{}); err != nil {
			t.Fatal(err)
		}
	}
	drain()
	s.grpc.GracefulStop() // returns once no stream is left
}
