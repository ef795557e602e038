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

// TestReadersAreNotSentToNodesThatAreDown: of entries with two nodes, who locates
// keys or asks a view is told those that are up, and both where none is. Listings
// show the nodes that entries have.
func TestReadersAreNotSentToNodesThatAreDown(t *testing.T) {
	ctx := context.Background()
	v := newViewBed(t)
	const active, draining, down = cairn.NodeActive, cairn.NodeDraining, cairn.NodeDown
	for _, test := range []struct {
		states []cairn.NodeState
		want   []cairn.NodeID
	}{
		{[]cairn.NodeState{active, active}, []cairn.NodeID{1, 2}},
		{[]cairn.NodeState{down, active}, []cairn.NodeID{2}},
		{[]cairn.NodeState{down, draining}, []cairn.NodeID{2}},
		{[]cairn.NodeState{active, down}, []cairn.NodeID{1}},
		{[]cairn.NodeState{down, down}, []cairn.NodeID{1, 2}},
		{[]cairn.NodeState{active, active}, []cairn.NodeID{1, 2}},
	} {
		v.declare(t, test.states...)
		expect := func(where string, want []cairn.NodeID, primary *cairn.Node, replicas []*cairn.Node) {
			t.Helper()
			var got []cairn.NodeID
			for _, node := range append([]*cairn.Node{primary}, replicas...) {
				got = append(got, node.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s with nodes %v: %d; want %d", where, test.states, got, want)
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
