package admin_test

import (
	"testing"

	"cairn"
	"cairn/router/admin"
	"cairn/shardmap/catalog"
	"cairn/shardmap/plan"
)

// moving is a hash keyspace whose owner moves the data.
func moving(name string, shards uint32) catalog.Resource {
	k := hashed(name, shards)
	k.Keyspace.Mover = catalog.MoverExternal
	return k
}

// TestPlanRebalance plans by what the indexes say: a move that is under way
// counts where it goes, and a keyspace without a mover stays.
func TestPlanRebalance(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), cluster("south", "a"), moving("things", 4), hashed("others", 2))
	x.entries = map[cairn.ShardID]uint64{1: 100, 2: 100, 3: 100, 4: 100}
	even, err := a.PlanRebalance(ctx, admin.RebalanceOptions{Share: 1})
	if err != nil || len(even.Steps) > 0 || even.Before.Imbalance != 1 {
		t.Fatalf("%v %v", even, err)
	}

	drained, err := a.PlanRebalance(ctx, admin.RebalanceOptions{Share: 1, Drain: []string{"north"}})
	if err != nil {
		t.Fatal(err)
	}
	var moved []cairn.ShardID
	for _, s := range drained.Steps {
		if s.Kind != plan.Move || s.Keyspace != "things" || s.From != "north" || s.To != "south" || s.Entries != 100 {
			t.Errorf("%s", s)
		}
		moved = append(moved, s.Shard)
	}
	if len(moved) != 2 || len(drained.Held) != 1 || drained.Held[0].Why != plan.Fixed {
		t.Fatalf("shards %v, %v", moved, drained.Held)
	}
	one, err := a.PlanRebalance(ctx, admin.RebalanceOptions{Share: 1, Moves: 1, Drain: []string{"north"}})
	if err != nil || len(one.Steps) != 1 {
		t.Errorf("with one move: %v %v", one, err)
	}

	if _, err := a.MoveShard(ctx, "things", moved[0], "south", admin.MoveOptions{}); err != nil {
		t.Fatal(err)
	}
	while, err := a.PlanRebalance(ctx, admin.RebalanceOptions{Share: 1, Drain: []string{"north"}})
	if err != nil || len(while.Steps) != 1 || while.Steps[0].Shard != moved[1] {
		t.Errorf("while shard %s moves: %v %v", moved[0], while.Steps, err)
	}
}

// TestPlanRebalanceByLoad evens out what shards are asked, and refuses what it does not
// know.
func TestPlanRebalanceByLoad(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), cluster("south", "a"), moving("things", 8))
	for id := cairn.ShardID(1); id <= 8; id++ {
		x.entries[id] = 100
	}
	x.reads = map[cairn.ShardID]float64{}
	m := x.store.Map()
	north, _ := m.Catalog().ClusterByName("north")
	for s := range m.Shards(m.Catalog().Keyspaces()[0].UID) {
		if s.Cluster == north.UID {
			x.reads[s.ID] = 1000
		}
	}
	byEntries, err := a.PlanRebalance(ctx, admin.RebalanceOptions{Share: 1, By: "entries"})
	if err != nil || len(byEntries.Steps) > 0 {
		t.Errorf("by entries: %v, %v", byEntries, err)
	}
	byLoad, err := a.PlanRebalance(ctx, admin.RebalanceOptions{Share: 1, By: "load"})
	if err != nil || len(byLoad.Steps) == 0 || byLoad.Steps[0].From != "north" || byLoad.After.Imbalance >= byLoad.Before.Imbalance {
		t.Errorf("by load: %v, %v", byLoad, err)
	}
	if _, err := a.PlanRebalance(ctx, admin.RebalanceOptions{By: "mood"}); cairn.ReasonOf(err) != "MEASURE_UNKNOWN" {
		t.Errorf("by what is not measured: %v", err)
	}
}

// TestPlanRebalanceNeedsSizes holds that there is no plan by another map's, or by
// none, and that a cluster that says nothing is left out, if it is not to be drained.
func TestPlanRebalanceNeedsSizes(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), cluster("south", "a"), moving("things", 4))
	if _, err := a.PlanRebalance(ctx, admin.RebalanceOptions{Drain: []string{"west"}}); cairn.KindOf(err) != cairn.KindNotFound {
		t.Errorf("no such cluster: %v", err)
	}
	x.wrong = map[string]bool{"south": true}
	if _, err := a.PlanRebalance(ctx, admin.RebalanceOptions{}); cairn.ReasonOf(err) != "MAP_CHANGED" {
		t.Errorf("an index that has other shards: %v", err)
	}
	x.wrong, x.err = nil, cairn.Errorf(cairn.KindUnavailable, "INDEX_GONE", "no answer")
	if _, err := a.PlanRebalance(ctx, admin.RebalanceOptions{}); cairn.KindOf(err) != cairn.KindUnavailable || cairn.ReasonOf(err) != "INDEX_GONE" {
		t.Errorf("no index answers: %v", err)
	}
	x.silent = map[string]bool{"south": true}
	without, err := a.PlanRebalance(ctx, admin.RebalanceOptions{})
	if err != nil || len(without.Steps) > 0 || len(without.Held) != 1 || without.Held[0].Cluster != "south" || without.Held[0].Why != plan.Silent || !without.Clusters[1].Silent {
		t.Errorf("one does not answer: %+v, %v", without, err)
	}
	if _, err := a.PlanRebalance(ctx, admin.RebalanceOptions{Drain: []string{"south"}}); cairn.ReasonOf(err) != "INDEX_GONE" {
		t.Errorf("one that is to be drained does not answer: %v", err)
	}
	drained, err := a.PlanRebalance(ctx, admin.RebalanceOptions{Drain: []string{"north"}, Share: 1})
	if err != nil || len(drained.Steps) > 0 || drained.Held[0].Why != plan.NoCluster {
		t.Errorf("the other one is to be drained: %+v, %v", drained, err)
	}
}

// TestApplyPlanThatIsNotSeen: a step that took effect is among those begun, though
// the router does not see it.
func TestApplyPlanThatIsNotSeen(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), cluster("south", "a"), moving("things", 4))
	x.entries = map[cairn.ShardID]uint64{1: 100, 2: 100, 3: 100, 4: 100}
	drained, err := a.PlanRebalance(ctx, admin.RebalanceOptions{Share: 1, Drain: []string{"north"}})
	if err != nil {
		t.Fatal(err)
	}
	begun, err := admin.New(admin.Config{Store: blind{x.store}, Status: x.status}).ApplyPlan(ctx, drained, "a test")
	if cairn.ReasonOf(err) != "DONE_NOT_SEEN" || begun.Steps != 1 || len(begun.Moves) != 1 {
		t.Fatalf("%+v, %v; wanted one step begun that is not seen", begun, err)
	}
	m, err := x.store.Refresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, found := m.Move(begun.Moves[0]); !found {
		t.Errorf("there is no move %s", begun.Moves[0])
	}
}
