package admin_test

import (
	"testing"

	"cairn"
	"cairn/router/admin"
	"cairn/shardmap/nodeplan"
)

// TestApplyNodes: the node of a plan gets no more entries, and its shards move from the
// cluster to itself, each once; what a plan was made on must not have changed.
func TestApplyNodes(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a", "b", "c"), moving("things", 4))
	x.entries = map[cairn.ShardID]uint64{1: 100, 2: 100, 3: 100, 4: 100}
	x.on = map[cairn.ShardID]map[cairn.NodeID]uint64{1: {1: 60, 2: 40}, 2: {2: 100}, 3: {1: 100}, 4: {3: 100}}
	if _, err := a.PlanNodes(ctx, admin.NodesRequest{Cluster: "west", Wish: nodeplan.Drain, Node: "a"}); cairn.ReasonOf(err) != "CLUSTER_NOT_FOUND" {
		t.Errorf("no such cluster: %v", err)
	}
	drain := admin.NodesRequest{Cluster: "north", Wish: nodeplan.Drain, Node: "a"}
	p, err := a.PlanNodes(ctx, drain)
	if err != nil || len(p.Steps) != 2 || p.Steps[0].Shard != 3 || p.Steps[1].Shard != 1 || p.Leaving() != 160 {
		t.Fatalf("%+v, %v", p, err)
	}
	begun, err := a.ApplyNodes(ctx, p, "ops", "")
	if err != nil || len(begun.Moves) != 2 {
		t.Fatalf("%+v, %v", begun, err)
	}
	m := x.store.Map()
	for i, uid := range begun.Moves {
		record, _ := m.Move(uid)
		if !record.Within() || record.Shard != p.Steps[i].Shard || record.Why != "node a is drained" || record.Who != "ops" || record.Relocation != p.Rule {
			t.Errorf("%+v", record)
		}
	}
	north, _ := m.Catalog().ClusterByName("north")
	if n, _ := north.NodeByName("a"); n.State != cairn.NodeDraining {
		t.Errorf("node a is %s", n.State)
	}
	info, err := a.GetMove(ctx, begun.Moves[1])
	if err != nil || info.Total != 60 || !info.TotalKnown || info.EntriesKnown {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := a.ApplyNodes(ctx, p, "ops", ""); cairn.ReasonOf(err) != "PLAN_STALE" {
		t.Errorf("again: %v", err)
	}

	// By now they are held, and nothing more is to be done.
	again, err := a.PlanNodes(ctx, drain)
	if err != nil || len(again.Steps) != 0 || len(again.Held) != 2 || again.Held[0].Why != nodeplan.Moving {
		t.Errorf("%+v, %v", again, err)
	}
	if last := x.asked[len(x.asked)-1]; last < north.Revision {
		t.Errorf("the index was asked as of map %d, and has node a draining since %d", last, north.Revision)
	}
}

// TestApplyNodesRefused: a shard that has changed since keeps its nodes, and what was
// begun is said.
func TestApplyNodesRefused(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a", "b"), cluster("south", "e"), moving("things", 2))
	x.entries = map[cairn.ShardID]uint64{1: 10, 2: 10}
	x.on = map[cairn.ShardID]map[cairn.NodeID]uint64{1: {1: 10}, 2: {1: 10}}
	p, err := a.PlanNodes(ctx, admin.NodesRequest{Cluster: "north", Wish: nodeplan.Replace, Node: "a", By: "b"})
	if err != nil || len(p.Steps) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, _, err := a.SplitShard(ctx, "things", p.Steps[0].Shard, admin.SplitAt{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ApplyNodes(ctx, p, "ops", ""); cairn.ReasonOf(err) != "PLAN_STALE" {
		t.Errorf("a shard that was split: %v", err)
	}
	x.wrong = map[string]bool{"north": true}
	if _, err := a.PlanNodes(ctx, admin.NodesRequest{Cluster: "north", Wish: nodeplan.Drain, Node: "a"}); cairn.ReasonOf(err) != "SHARDS_NOT_COUNTED" {
		t.Errorf("an index that has other shards: %v", err)
	}
}
