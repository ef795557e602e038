package router_test

import (
	"context"
	"slices"
	"testing"

	"cairn"
	"cairn/router/internal/bed"
	"cairn/shardmap"
)

// declare gives the nodes of every cluster states, and has the router see it.
func (v *viewBed) declare(t *testing.T, states ...cairn.NodeState) {
	t.Helper()
	for _, cluster := range v.Map().Catalog().Clusters() {
		next := *cluster
		next.Nodes = slices.Clone(cluster.Nodes)
		for i, state := range states {
			next.Nodes[i].State = state
		}
		if err := v.Commit(shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: next.Name, Expected: cluster.Revision, Put: &next}}}); err != nil {
			t.Fatal(err)
		}
	}
	v.topology.CatchUp()
}

// down is the router's Config.Down.
func (v *viewBed) down(cluster cairn.UID, node cairn.NodeID) bool {
	_, found := v.Map().Catalog().ClusterByUID(cluster)
	return found && v.failing[node]
}

// TestReadersAreNotSentToNodesThatAreDown: of entries with two nodes, who locates
// keys or asks a view is told those that are up, by what is declared and by checks, and
// both where none is. Listings
// show the nodes that entries have.
func TestReadersAreNotSentToNodesThatAreDown(t *testing.T) {
	ctx := context.Background()
	v := newViewBed(t)
	const active, draining, down = cairn.NodeActive, cairn.NodeDraining, cairn.NodeDown
	for _, test := range []struct {
		states  []cairn.NodeState
		failing cairn.NodeID
		want    []cairn.NodeID
	}{
		{[]cairn.NodeState{active, active}, 0, []cairn.NodeID{1, 2}},
		{[]cairn.NodeState{down, active}, 0, []cairn.NodeID{2}},
		{[]cairn.NodeState{down, draining}, 0, []cairn.NodeID{2}},
		{[]cairn.NodeState{active, down}, 0, []cairn.NodeID{1}},
		{[]cairn.NodeState{down, down}, 0, []cairn.NodeID{1, 2}},
		{[]cairn.NodeState{active, active}, 0, []cairn.NodeID{1, 2}},
		{[]cairn.NodeState{active, active}, 1, []cairn.NodeID{2}},
		{[]cairn.NodeState{active, active}, 2, []cairn.NodeID{1}},
		{[]cairn.NodeState{down, active}, 2, []cairn.NodeID{1, 2}},
	} {
		v.failing = map[cairn.NodeID]bool{test.failing: true}
		v.declare(t, test.states...)
		expect := func(where string, want []cairn.NodeID, primary *cairn.Node, replicas []*cairn.Node) {
			t.Helper()
			var got []cairn.NodeID
			for _, node := range append([]*cairn.Node{primary}, replicas...) {
				got = append(got, node.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s with nodes %v, failing %d: %d; want %d", where, test.states, test.failing, got, want)
			}
		}
		location, _, err := v.Locate(ctx, bed.Things, cairn.Key("k20"), cairn.Reading{})
		if err != nil {
			t.Fatal(err)
		}
		expect("a locate", test.want, location.Primary, location.Replicas)
		batch, _, err := v.BatchLocate(ctx, bed.Things, []cairn.Key{cairn.Key("k20"), cairn.Key("k21"), cairn.Key("k22")}, cairn.Reading{})
		if err != nil {
			t.Fatal(err)
		}
		for _, location := range batch {
			expect("a batch", test.want, location.Primary, location.Replicas)
		}
		page, err := v.QueryView(ctx, cairn.PageQuery{Selection: all, Limit: 50})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Rows {
			expect("a view", test.want, row.Primary, row.Replicas)
		}
		if len(page.Rows) != 50 {
			t.Errorf("%d rows", len(page.Rows))
		}
		listed, err := v.List(ctx, bed.Things, cairn.Range{PageSize: 10}, cairn.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range listed.Entries {
			expect("a listing", []cairn.NodeID{1, 2}, entry.Primary, entry.Replicas)
		}
	}
}
