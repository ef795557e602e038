package datamover_test

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"cairn"
	moverv1 "cairn/proto/cairn/mover/v1"
	"cairn/proto/rpcerr"
	"cairn/router/datamover"
	"cairn/router/move"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// service is a data mover that keeps what it was last asked.
type service struct {
	moverv1.UnimplementedDataMoverServer
	asked proto.Message
	move  *moverv1.Move
}

var progress = &moverv1.Progress{
	Copied: []byte("here"), Complete: true, Through: 7, CaughtUp: true, Fence: 3, Drained: 2, Verified: 1, ValuesCopied: 10, BytesCopied: 11, ValuesLeft: 12,
}

func (s *service) ask(asked interface {
	proto.Message
	GetMove() *moverv1.Move
}) {
	s.asked, s.move = asked, asked.GetMove()
}

func (s *service) Fence(_ context.Context, req *moverv1.FenceRequest) (*moverv1.FenceResponse, error) {
	s.ask(req)
	return &moverv1.FenceResponse{Progress: progress}, nil
}

func (s *service) Copy(_ context.Context, req *moverv1.CopyRequest) (*moverv1.CopyResponse, error) {
	s.ask(req)
	return &moverv1.CopyResponse{Progress: progress}, nil
}

func (s *service) Verify(_ context.Context, req *moverv1.VerifyRequest) (*moverv1.VerifyResponse, error) {
	s.ask(req)
	return &moverv1.VerifyResponse{Progress: progress, Differing: [][]byte{[]byte("k")}}, nil
}

func (s *service) Commit(context.Context, *moverv1.CommitRequest) (*moverv1.CommitResponse, error) {
	return nil, rpcerr.ToStatus(cairn.Errorf(cairn.KindConflict, "LATE", "there was a later call")).Err()
}

func (s *service) CleanUp(_ context.Context, req *moverv1.CleanUpRequest) (*moverv1.CleanUpResponse, error) {
	s.ask(req)
	return &moverv1.CleanUpResponse{}, nil
}

// TestClient makes calls over a socket: what is told arrives, and what is answered.
func TestClient(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, server := new(service), grpc.NewServer()
	moverv1.RegisterDataMoverServer(server, s)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	c, err := datamover.Dial(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	until := time.Unix(1_000, 0)
	m := move.DataMove{
		Move:     shardmap.Move{UID: 0x50, Shard: 4, Epoch: 5, Start: "a", End: "m", Attempt: 2, Fence: 3, Revision: 6, Phase: shardmap.MoveDone},
		Keyspace: &catalog.Keyspace{Keyspace: cairn.Keyspace{UID: 9, Name: "things"}}, FencedUntil: until,
		From: &catalog.Cluster{Name: "north", Nodes: []cairn.Node{{ID: 1, Name: "a", Address: "10.0.0.1:6379", Zone: "eu-1"}}},
	}
	told := &moverv1.Move{
		Id: "0000000000000050", Attempt: 2, Fence: 3, Revision: 6, Keyspace: "things", KeyspaceUid: "0000000000000009", Shard: 4, Epoch: 5, Start: []byte("a"), End: []byte("m"),
		From: &moverv1.Side{Cluster: "north", Nodes: []*moverv1.Node{{Number: 1, Name: "a", Address: "10.0.0.1:6379", Zone: "eu-1"}}}, To: &moverv1.Side{},
	}
	have := move.DataHave{Known: true, Copied: "here", Complete: true, Through: 7, Caught: true, Fence: 3, Drained: 2, Verified: 1}
	check := func(p move.DataProgress, err error) {
		t.Helper()
		if want := (move.DataProgress{DataHave: have, Values: 10, Bytes: 11, Left: 12}); err != nil || p != want {
			t.Errorf("%+v, %v", p, err)
		}
		if !proto.Equal(s.move, told) {
			t.Errorf("told %v; want %v", s.move, told)
		}
	}
	check(c.Do(t.Context(), m, move.Action{Kind: move.FenceData, Fence: 3}))
	if got := s.asked.(*moverv1.FenceRequest).GetDeadline().AsTime(); !got.Equal(until) {
		t.Errorf("a fence until %s", got)
	}
	check(c.Copy(t.Context(), m, move.DataCopy{
		Keys:  []cairn.MovedKey{{Key: cairn.Key("k"), From: []cairn.NodeID{1}, To: []cairn.NodeID{2, 3}}, {Key: cairn.Key("l"), Gone: true}},
		After: []byte("x"), Last: []byte("y"), Done: true, Index: 8,
	}))
	want := &moverv1.CopyRequest{
		Move: told, Keys: []*moverv1.MovedKey{{Key: []byte("k"), From: []uint32{1}, To: []uint32{2, 3}}, {Key: []byte("l"), Gone: true}},
		After: []byte("x"), Last: []byte("y"), Done: true, Index: 8,
	}
	if !proto.Equal(s.asked, want) {
		t.Errorf("asked %v; want %v", s.asked, want)
	}
	p, differing, err := c.Verify(t.Context(), m)
	check(p, err)
	if !slices.EqualFunc(differing, []string{"k"}, func(k cairn.Key, text string) bool { return string(k) == text }) {
		t.Errorf("%q differ", differing)
	}
	if _, err := c.Do(t.Context(), m, move.Action{Kind: move.CommitData, Epoch: 9}); cairn.KindOf(err) != cairn.KindConflict || cairn.ReasonOf(err) != "LATE" {
		t.Errorf("of a late call: %v", err)
	}
	for phase, outcomes := range map[shardmap.MovePhase][2]moverv1.CleanUpRequest_Outcome{
		shardmap.MoveDone:       {moverv1.CleanUpRequest_COMMITTED, moverv1.CleanUpRequest_VOID},
		shardmap.MoveCatchingUp: {moverv1.CleanUpRequest_CANCELLED, moverv1.CleanUpRequest_VOID},
	} {
		for i, void := range []bool{false, true} {
			m.Phase = phase
			if _, err := c.Do(t.Context(), m, move.Action{Kind: move.CleanUpData, Void: void}); err != nil {
				t.Fatal(err)
			}
			if got := s.asked.(*moverv1.CleanUpRequest).GetOutcome(); got != outcomes[i] {
				t.Errorf("%s, void %t: %s", phase, void, got)
			}
		}
	}
}
