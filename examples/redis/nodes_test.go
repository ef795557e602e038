package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/shardmap/nodeplan"
)

// TestNodesUnderWrites drains one Redis server of a cluster, while the mover is
// restarted, replaces another by it and evens them out, and writes values at full speed
// all the time. Then each acknowledged value is where the index says, and nowhere else.
func TestNodesUnderWrites(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	w := openWorld(ctx, t, map[string]int{"north": 3})
	ledger := w.write(ctx, t)
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		time.Sleep(100 * time.Millisecond)
		w.restartMover(ctx, t)
	}()
	w.changeNodes(ctx, t, &cairnv1.PlanNodesRequest{Wish: "drain", Node: "north-0"})
	<-restarted
	w.emptied(ctx, t, "north-0")
	w.activate(ctx, t, "north-0")
	w.changeNodes(ctx, t, &cairnv1.PlanNodesRequest{Wish: "replace", Node: "north-1", By: "north-0"})
	w.emptied(ctx, t, "north-1")
	w.activate(ctx, t, "north-1")
	w.changeNodes(ctx, t, &cairnv1.PlanNodesRequest{Wish: "rebalance"})
	w.cancelNodes(ctx, t, "north-2")
	ledger.stop()
	w.check(ctx, t, ledger)
}

// planNodes begins what is asked for, and returns the moves.
func (w *world) planNodes(ctx context.Context, t *testing.T, request *cairnv1.PlanNodesRequest) (*nodeplan.Plan, []string) {
	t.Helper()
	request.Cluster = "clusters/north"
	planned, err := w.cairn.Admin().PlanNodes(ctx, request)
	var file bytes.Buffer
	for err == nil {
		var piece *cairnv1.PlanNodesResponse
		if piece, err = planned.Recv(); err == nil {
			file.Write(piece.GetData())
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	p, err := nodeplan.Read(bytes.NewReader(file.Bytes()))
	if err != nil || len(p.Held) > 0 {
		t.Fatalf("held %v, %v", p.Held, err)
	}
	apply, err := w.cairn.Admin().ApplyNodes(ctx)
	if err == nil {
		err = apply.Send(&cairnv1.ApplyNodesRequest{Data: file.Bytes()})
	}
	if err != nil {
		t.Fatal(err)
	}
	applied, err := apply.CloseAndRecv()
	if err != nil {
		t.Fatal(err)
	}
	return p, applied.GetMoves()
}

// changeNodes carries out what is asked for, and waits for the end of its moves. What
// came to a node before the index had heard that it gets no more is done again.
func (w *world) changeNodes(ctx context.Context, t *testing.T, request *cairnv1.PlanNodesRequest) {
	t.Helper()
	began := time.Now()
	for {
		p, moves := w.planNodes(ctx, t, request)
		if len(moves) == 0 {
			t.Logf("%s in %s", p, time.Since(began).Round(time.Millisecond))
			return
		}
		for _, name := range moves {
			if m := w.await(ctx, t, name, func(m *cairnv1.Move) bool { return m.GetPhase() >= cairnv1.Move_DONE }); m.GetPhase() != cairnv1.Move_DONE {
				t.Fatalf("%s", m)
			}
		}
		if p.Node == "" {
			t.Logf("%s in %s", p, time.Since(began).Round(time.Millisecond))
			return
		}
	}
}

// declared is what the cluster declares of a node.
func (w *world) declared(ctx context.Context, t *testing.T, name string) (*cairnv1.Cluster, *cairnv1.Node) {
	t.Helper()
	cluster, err := w.cairn.Admin().GetCluster(ctx, &cairnv1.GetClusterRequest{Name: "clusters/north"})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range cluster.GetNodes() {
		if n.GetName() == name {
			return cluster, n
		}
	}
	t.Fatalf("there is no node %s", name)
	return nil, nil
}

// emptied waits until a node that was left has no value any more.
func (w *world) emptied(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	_, n := w.declared(ctx, t, name)
	if n.GetState() != cairnv1.Node_DRAINING {
		t.Errorf("node %s is %s", name, n.GetState())
	}
	for {
		left, err := w.servers[n.GetAddress()].Keys(ctx, "cairn:value:*").Result()
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("node %s has %d values left", name, len(left))
		}
	}
}

// activate has a node get entries again.
func (w *world) activate(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	cluster, n := w.declared(ctx, t, name)
	n.State = cairnv1.Node_ACTIVE
	if _, err := w.cairn.Admin().Apply(ctx, &cairnv1.ApplyRequest{Resources: []*cairnv1.Resource{{Resource: &cairnv1.Resource_Cluster{Cluster: cluster}}}}); err != nil {
		t.Fatal(err)
	}
}

// cancelNodes cancels moves that have values copied.
func (w *world) cancelNodes(ctx context.Context, t *testing.T, node string) {
	t.Helper()
	_, moves := w.planNodes(ctx, t, &cairnv1.PlanNodesRequest{Wish: "drain", Node: node})
	for _, name := range moves {
		w.await(ctx, t, name, func(m *cairnv1.Move) bool {
			return m.GetData().GetValuesCopied() > 0 || m.GetPhase() >= cairnv1.Move_COMMITTED
		})
		_, err := w.cairn.Admin().CancelMove(ctx, &cairnv1.CancelMoveRequest{Name: name})
		m := w.await(ctx, t, name, func(m *cairnv1.Move) bool { return m.GetPhase() >= cairnv1.Move_DONE })
		if err == nil && m.GetPhase() != cairnv1.Move_CANCELLED {
			t.Errorf("cancelled, it is %s", m)
		}
		t.Logf("cancelled: %v, %s", err == nil, m.GetPhase())
	}
}

// TestBringSpares: what was written at a node since a move within its cluster began is
// neither overwritten nor removed by the mover.
func TestBringSpares(t *testing.T) {
	b := openBench(t)
	b.move.To = b.move.GetFrom()
	ctx := t.Context()
	move, epoch := b.move.GetId(), b.move.GetEpoch()
	b.write(b.from, epoch, "old", "1", "")
	c, err := b.mover.begin(ctx, b.move)
	if err != nil {
		t.Fatal(err)
	}
	defer c.mu.Unlock()
	if err := c.prepare(ctx); err != nil {
		t.Fatal(err)
	}
	b.write(b.from, epoch, "new", "2", "")
	dumped, err := c.do(ctx, b.from, "dump", move, "old")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"old", "new"} {
		if err := c.put(ctx, b.from, []any{key, "", 0}); err != nil {
			t.Fatal(err)
		}
	}
	if old, fresh := b.value(b.from, "old"), b.value(b.from, "new"); old != "" || fresh != "2" {
		t.Errorf("removed: %q and %q", old, fresh)
	}
	if err := c.put(ctx, b.from, []any{"new", dumped[0], 0}); err != nil {
		t.Fatal(err)
	}
	if fresh := b.value(b.from, "new"); fresh != "2" {
		t.Errorf("overwritten: %q", fresh)
	}
}
