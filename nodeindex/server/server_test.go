package server_test

import (
	"context"
	"encoding/binary"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"cairn"
	"cairn/nodeindex/server"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counting answers every key with attributes of 4 KiB, and counts.
type counting struct {
	server.Index
	locates atomic.Int64
}

func (x *counting) Locate(_ context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) error {
	x.locates.Add(1)
	reply.Results = reply.Results[:0]
	for range req.Keys {
		reply.Results = append(reply.Results, cairn.Located{State: cairn.Found, Nodes: []cairn.NodeID{1}, Attributes: make(cairn.Attributes, 4096)})
	}
	return nil
}

func start(t *testing.T, index server.Index) (indexv1.IndexClient, *server.Server) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	edge, g := server.New(index), grpc.NewServer(server.Options()...)
	edge.Register(g)
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		g.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return indexv1.NewIndexClient(conn), edge
}

// TestClientThatDoesNotRead sends requests and reads no answer: the server
// must stop working for it, and go on for others.
func TestClientThatDoesNotRead(t *testing.T) {
	index := &counting{}
	client, _ := start(t, index)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	greedy, err := client.Locate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]cairn.Key, 100)
	for i := range keys {
		keys[i] = cairn.Key("key")
	}
	request := &indexv1.LocateRequest{Id: 1, WithAttributes: true, Keys: indexv1.AppendKeys(nil, keys)}
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		for greedy.Send(request) == nil {
		}
	}()
	var before int64 = -1
	for deadline := time.Now().Add(10 * time.Second); index.locates.Load() != before; time.Sleep(200 * time.Millisecond) {
		before = index.locates.Load()
		if time.Now().After(deadline) {
			t.Fatal("the server never stops")
		}
	}
	if before > 100 { // each answer has 400 KiB
		t.Errorf("%d answers were made for a client that reads none", before)
	}
	other, err := client.Locate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Send(&indexv1.LocateRequest{Id: 7, Keys: indexv1.AppendKeys(nil, keys[:1])}); err != nil {
		t.Fatal(err)
	}
	if response, err := other.Recv(); err != nil || response.GetId() != 7 {
		t.Errorf("another stream: %v, %v", response, err)
	}
	cancel()
	<-sending
}

func TestBrokenRequestsAreAnswered(t *testing.T) {
	client, edge := start(t, &counting{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	locates, err := client.Locate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	large := make([]cairn.Key, 5000) // an answer of 20 MB
	for i := range large {
		large[i] = cairn.Key("k")
	}
	for want, request := range map[string]*indexv1.LocateRequest{
		"MESSAGE_BROKEN":  {Id: 1, Keys: []byte{9, 9}},
		"LEVEL_UNKNOWN":   {Id: 2, Read: &indexv1.Read{Level: 9}},
		"REPLY_TOO_LARGE": {Id: 3, WithAttributes: true, Keys: indexv1.AppendKeys(nil, large)},
	} {
		if err := locates.Send(request); err != nil {
			t.Fatal(err)
		}
		response, err := locates.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if got := rpcerr.FromProto(response.GetError()); got == nil || got.Reason != want || response.GetId() != request.GetId() {
			t.Errorf("%s: %v", want, response)
		}
	}
	writes, err := client.Write(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := writes.Send(&indexv1.WriteRequest{Id: 4, Mutations: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	if response, err := writes.Recv(); err != nil || rpcerr.FromProto(response.GetError()).Reason != "MESSAGE_BROKEN" {
		t.Errorf("%v, %v", response, err)
	}
	edge.Drain()
	if response, err := writes.Recv(); err != nil || response.GetId() != 0 || rpcerr.FromProto(response.GetError()).Reason != "SHUTTING_DOWN" {
		t.Errorf("draining: %v, %v", response, err)
	}
}

// TestHugeCounts sends messages that name millions of items and have next to
// nothing of each: they must be refused before memory is made for them.
func TestHugeCounts(t *testing.T) {
	client, _ := start(t, &counting{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const items = 4 << 20
	packed := append(binary.AppendUvarint(nil, items), make([]byte, items)...)
	locates, err := client.Locate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before := allocated()
	if err := locates.Send(&indexv1.LocateRequest{Id: 1, Keys: packed}); err != nil {
		t.Fatal(err)
	}
	if response, err := locates.Recv(); err != nil || rpcerr.FromProto(response.GetError()).Reason != "BATCH_TOO_LARGE" {
		t.Errorf("%v, %v", response.GetError(), err)
	}
	writes, err := client.Write(ctx)
	if err != nil {
		t.Fatal(err)
	}
	packed = binary.AppendUvarint(nil, items/2)
	for range items / 2 {
		packed = append(packed, byte(cairn.Delete), 0)
	}
	if err := writes.Send(&indexv1.WriteRequest{Id: 1, Mutations: packed}); err != nil {
		t.Fatal(err)
	}
	if response, err := writes.Recv(); err != nil || rpcerr.FromProto(response.GetError()).Reason != "BATCH_TOO_LARGE" {
		t.Errorf("%v, %v", response.GetError(), err)
	}
	if used := allocated() - before; used > 100<<20 {
		t.Errorf("%d MiB for two messages of 4", used>>20)
	}
}

// allocated is how many bytes were ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// watched delivers batches to every watch.
type watched struct {
	server.Index
	batches []cairn.WatchBatch
}

func (x *watched) Watch(_ context.Context, _ cairn.WatchRequest, deliver func(cairn.WatchBatch) error) error {
	for _, batch := range x.batches {
		if err := deliver(batch); err != nil {
			return err
		}
	}
	return nil
}

// TestWatchSplitsBatches: a message with a part of a batch must not have the
// batch's revision, for who follows a former owner stops once that has noted
// the change.
func TestWatchSplitsBatches(t *testing.T) {
	index := &watched{batches: []cairn.WatchBatch{{Answer: cairn.Answer{Index: 5, Revision: 10}}}}
	var changes []cairn.Change
	for i := range 1000 {
		changes = append(changes, cairn.Change{
			Key: cairn.Key("k"), After: &cairn.Entry{Key: cairn.Key("k"), Nodes: []cairn.NodeID{1}, Attributes: make(cairn.Attributes, 4000)},
			Stamp: cairn.Stamp{Epoch: 1, Index: uint64(6 + i/2)},
		})
	}
	last := uint64(6 + 999/2)
	index.batches = append(index.batches, cairn.WatchBatch{Answer: cairn.Answer{Index: last, Revision: 20}, Changes: changes})
	client, _ := start(t, index)
	stream, err := client.Watch(t.Context(), &indexv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	messages := 0
	for {
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		messages++
		if (response.GetIndex() == last) != (response.GetRevision() == 20) || response.GetRevision() < 10 {
			t.Errorf("message %d, up to %d, has revision %d", messages, response.GetIndex(), response.GetRevision())
		}
		if response.GetIndex() == last {
			break
		}
	}
	if messages < 4 {
		t.Errorf("%d messages", messages)
	}
}
