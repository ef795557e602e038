package shardmap_test

import (
	"errors"
	"slices"
	"testing"

	"cairn"
	"cairn/shardmap"
)

// TestNodesOfAMove: names of nodes become numbers in the record, and what can't be
// is refused by field.
func TestNodesOfAMove(t *testing.T) {
	m := evenMap(t, hashed, 8, 2)
	first, _ := m.Lookup(hashed, hashStart(0, 1))
	other := clusterBase
	if first.Cluster == other {
		other++
	}
	request := shardmap.MoveRequest{Keyspace: hashed, Shard: first.ID, To: other, Nodes: map[string]string{"a": "a"}}
	if _, move, err := shardmap.StartMove(m, request, moveTime); err != nil || move.Nodes != "1=1" {
		t.Errorf("%q, %v", move.Nodes, err)
	}
	for names, test := range map[[2]string]string{{"b", "a"}: "NODE_UNKNOWN", {"a", "b"}: "NODE_UNKNOWN"} {
		request.Nodes = map[string]string{names[0]: names[1]}
		_, _, err := shardmap.StartMove(m, request, moveTime)
		if e, _ := errors.AsType[*cairn.Error](err); e == nil || e.Reason != test || e.Field != "node_map" || e.Kind != cairn.KindInvalid {
			t.Errorf("%v: %v", names, err)
		}
	}
	down, found := m.Catalog().ClusterByUID(other)
	if !found {
		t.Fatal("no target")
	}
	next := *down
	next.Nodes = slices.Clone(down.Nodes)
	next.Nodes[0].State = cairn.NodeDown
	m = commit(t, m, shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: next.Name, Expected: down.Revision, Put: &next}}})
	request.Nodes = map[string]string{"a": "a"}
	if _, _, err := shardmap.StartMove(m, request, moveTime); cairn.ReasonOf(err) != "NODE_NOT_ACTIVE" {
		t.Errorf("a target that is down: %v", err)
	}
}

func TestNodeMap(t *testing.T) {
	for text, valid := range map[string]bool{"": true, "1=3": true, "1=3,2=3": true, "2=3,1=3": false, "1=3,1=4": false, "1": false, "1=": false, "=1": false, "1=3,": false, "01=3": false, "1=4294967296": false} {
		if got := shardmap.NodeMap(text).Valid(); got != valid {
			t.Errorf("%q: %t", text, got)
		}
	}
	if got := shardmap.NodeMap("1=3,2=4").ByID(); len(got) != 2 || got[1] != 3 || got[2] != 4 {
		t.Errorf("%v", got)
	}
}
