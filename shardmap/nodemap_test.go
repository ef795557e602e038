package shardmap_test

import (
	"errors"
	"slices"
	"strings"
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

// TestMoveWithoutMover: who does not say who moves the data moves no shard with which a
// key's node would change, and is told how many would.
func TestMoveWithoutMover(t *testing.T) {
	m := evenMap(t, hashed, 8, 2)
	k, _ := m.Catalog().KeyspaceByUID(hashed)
	without := *k
	without.Mover, without.ModRevision = "", k.ModRevision+1
	m = commit(t, m, shardmap.Change{Keyspaces: []shardmap.KeyspaceChange{{Name: k.Name, Expected: k.ModRevision, Put: &without}}})
	shard, _ := m.Lookup(hashed, hashStart(0, 1))
	other := clusterBase
	if shard.Cluster == other {
		other++
	}
	addressed := func(cluster cairn.UID, address string) {
		t.Helper()
		c, _ := m.Catalog().ClusterByUID(cluster)
		next := *c
		next.Nodes = slices.Clone(c.Nodes)
		next.Nodes[0].Address = address
		m = commit(t, m, shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: c.Name, Expected: c.Revision, Put: &next}}})
	}
	addressed(shard.Cluster, "10.0.0.1:6379")
	addressed(other, "10.0.0.2:6379")
	request := shardmap.MoveRequest{Keyspace: hashed, Shard: shard.ID, To: other, Nodes: map[string]string{"a": "a"}, MayHaveEntries: true, Entries: 1234}
	_, _, err := shardmap.StartMove(m, request, moveTime)
	if cairn.ReasonOf(err) != "MOVER_MISSING" || !strings.Contains(err.Error(), "1234 keys of shard") {
		t.Errorf("other servers: %v", err)
	}
	addressed(other, "10.0.0.1:6379")
	if _, move, err := shardmap.StartMove(m, request, moveTime); err != nil || !m.NodesStay(move) {
		t.Errorf("the same server: %v", err)
	}
	request.Nodes = nil
	if _, _, err := shardmap.StartMove(m, request, moveTime); cairn.ReasonOf(err) != "MOVER_MISSING" {
		t.Errorf("the same server, which the policy need not choose: %v", err)
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
