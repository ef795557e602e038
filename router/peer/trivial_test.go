package peer_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"cairn"
	"cairn/nodeindex/server"
	"cairn/router/peer"
)

// trivial is an index that answers at once, for what the wire does by itself:
// every key is found on node 1, every write takes effect. A key or keyspace
// may ask for something else.
type trivial struct {
	// It moves nothing.
	server.SourceIndex
	server.TargetIndex

	writes atomic.Int64
	// stuck, while not nil, holds requests for the keyspace stuckKeyspace back
	// until it is closed or their context ends.
	stuck   chan struct{}
	changes []cairn.WatchBatch
	// view answers questions, of which asked, if set, is told; pieces are what
	// an export has.
	view   *cairn.ViewReply
	asked  func(*cairn.ViewRequest)
	pieces []cairn.ExportPiece
}

const (
	stuckKeyspace  = cairn.UID(7)
	brokenKeyspace = cairn.UID(8)
)

func (x *trivial) wait(ctx context.Context, keyspace cairn.UID) error {
	if keyspace == brokenKeyspace {
		return &cairn.Error{Op: "locate", Kind: cairn.KindInvalid, Reason: "KEY_EMPTY", Field: "key", Key: cairn.Key("k")}
	}
	if keyspace != stuckKeyspace {
		return nil
	}
	select {
	case <-x.stuck:
		return nil
	case <-ctx.Done():
		return cairn.Errorf(cairn.KindNotYet, "LOG_BEHIND", "stuck")
	}
}

func (x *trivial) Locate(ctx context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) error {
	if err := x.wait(ctx, req.Keyspace); err != nil {
		return err
	}
	reply.Results = reply.Results[:0]
	for range req.Keys {
		reply.Results = append(reply.Results, cairn.Located{State: cairn.Found, Stamp: cairn.Stamp{Epoch: 3, Index: 9}, Nodes: trivialNodes})
	}
	reply.Answer = cairn.Answer{Revision: 5, Index: 9}
	return nil
}

var (
	trivialNodes = []cairn.NodeID{1}
	trivialViews = []cairn.ViewState{
		{View: 3, Version: 2, Complete: true, Done: 9, Total: 9, Members: 5, Bytes: 700},
		{View: 4, Version: 1, Done: 3, Total: 9, Refusal: "no such attribute"},
	}
)

func (x *trivial) Write(ctx context.Context, req *cairn.WriteRequest) (*cairn.WriteReply, error) {
	if err := x.wait(ctx, req.Keyspace); err != nil {
		return nil, err
	}
	x.writes.Add(int64(len(req.Mutations)))
	reply := &cairn.WriteReply{Answer: cairn.Answer{Revision: 5, Index: 9}}
	for i := range req.Mutations {
		version := cairn.Version{Epoch: 3, Index: 9, Position: uint32(i)}
		reply.Results = append(reply.Results, cairn.Written{Stamp: cairn.Stamp{Epoch: 3, Index: 9}, Version: version, Nodes: trivialNodes})
	}
	return reply, nil
}

func (x *trivial) List(ctx context.Context, req *cairn.ListRequest) (*cairn.ListReply, error) {
	if err := x.wait(ctx, req.Keyspace); err != nil {
		return nil, err
	}
	entry := cairn.Entry{Key: req.Start, Nodes: trivialNodes, Version: cairn.Version{Epoch: 3, Index: 9}}
	return &cairn.ListReply{Answer: cairn.Answer{Revision: 5, Index: 9}, Fingerprint: 77, Entries: []cairn.Entry{entry}, More: true}, nil
}

func (x *trivial) Watch(ctx context.Context, req cairn.WatchRequest, deliver func(cairn.WatchBatch) error) error {
	for _, batch := range x.changes {
		if err := deliver(batch); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func (x *trivial) Identify() cairn.Identity {
	return cairn.Identity{Cluster: 7, ReplicaID: "a", AppliedIndex: 9, MapRevision: 5, WriteRefusal: "full", Members: []cairn.Member{
		{ID: "a", Address: "a:1", Voter: true, Leader: true}, {ID: "b", Address: "b:1"},
	}}
}

// VerifyShard answers what says what it was asked.
func (x *trivial) VerifyShard(_ context.Context, keyspace cairn.UID, shard cairn.ShardID, revision uint64) (cairn.ShardCheck, error) {
	return cairn.ShardCheck{
		Index: uint64(keyspace), Epoch: revision, Start: []byte("a"), End: []byte("b"), Withheld: true,
		Kept: cairn.Digest{Entries: uint64(shard), Sum: 1}, Counted: cairn.Digest{Entries: 2, Sum: 3},
	}, nil
}

func (x *trivial) Status(ctx context.Context, epoch uint64) (cairn.IndexStatus, error) {
	return cairn.IndexStatus{
		AppliedIndex: 9, CheckpointIndex: 8, CheckpointAge: int64(time.Second), MapRevision: epoch, Entries: 4, FileBytes: 4096,
		NodeEntries: map[cairn.NodeID]uint64{1: 4}, WriteRefusal: "full",
		Shards: []cairn.ShardStatus{{Keyspace: 2, Shard: 3, Epoch: 4, Entries: 5}},
		Views:  trivialViews, ViewBytes: 4096,
	}, nil
}

// AskView knows the answer to every question, see view_test.go.
func (x *trivial) AskView(ctx context.Context, req *cairn.ViewRequest) (*cairn.ViewReply, error) {
	if err := x.wait(ctx, req.Keyspace); err != nil {
		return &cairn.ViewReply{Answer: cairn.Answer{Revision: 5, Index: 9}}, err
	}
	if x.asked != nil {
		x.asked(req)
	}
	if x.view != nil {
		return x.view, nil
	}
	return new(cairn.ViewReply), nil
}

func (x *trivial) ExportView(ctx context.Context, req *cairn.ExportRequest, deliver func(cairn.ExportPiece) error) error {
	if err := x.wait(ctx, req.Keyspace); err != nil {
		return err
	}
	for _, piece := range x.pieces {
		if err := deliver(piece); err != nil {
			return err
		}
	}
	return nil
}

// Backup delivers the cluster's name, then the pieces' bitmaps.
func (x *trivial) Backup(_ context.Context, cluster string, deliver func([]byte) error) error {
	if err := deliver([]byte(cluster)); err != nil {
		return err
	}
	for _, piece := range x.pieces {
		if err := deliver(piece.Bitmap); err != nil {
			return err
		}
	}
	return nil
}

// edge is a server on a loopback port.
type edge struct {
	*server.Server
	grpc    *grpc.Server
	address string
	done    chan error
}

func serve(t testing.TB, index server.Index, address string) *edge {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{Server: server.New(index), grpc: grpc.NewServer(server.Options()...), address: listener.Addr().String(), done: make(chan error, 1)}
	e.Register(e.grpc)
	go func() { e.done <- e.grpc.Serve(listener) }()
	t.Cleanup(e.kill)
	return e
}

// kill cuts everything off at once. A second call does nothing.
func (e *edge) kill() {
	e.grpc.Stop()
	e.Drain()
}

func dial(t testing.TB, address string) *peer.Peer {
	t.Helper()
	p, err := peer.Dial(address, peer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}
