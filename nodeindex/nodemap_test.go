package nodeindex

import (
	"slices"
	"testing"

	"cairn"
)

// TestNodesTakeThePlaceOfOthers: entries of a shard that moves get the nodes that
// take the place of theirs, those of other nodes get theirs by the policy; also where
// an entry's node changes after it was copied.
func TestNodesTakeThePlaceOfOthers(t *testing.T) {
	m := openMove(t, 1, Options{})
	nodes := m.source.x.state.Load().nodes
	given := map[cairn.NodeID]cairn.NodeID{nodes[0].ID: 7}
	m.moving.Nodes = given
	const keys = 300
	for i := range keys {
		m.source.write(put(testKey(i), size(int64(i))))
	}
	m.copy(t)
	moved := 0
	for i := range keys {
		if at := nodesOf(t, m.source.x, testKey(i)); i%3 == 0 && !slices.Equal(at, []cairn.NodeID{nodes[0].ID}) {
			w := put(testKey(i), size(int64(i)))
			w.Nodes = []cairn.NodeID{nodes[0].ID}
			m.source.write(w)
			moved++
		}
	}
	if moved == 0 {
		t.Fatal("no entry changed its node")
	}
	want := make([][]cairn.NodeID, keys)
	for i := range want {
		want[i] = nodesOf(t, m.source.x, testKey(i))
	}
	m.fence(t, 1, true)
	if staged := m.tail(t); staged.Sealed != 1 {
		t.Fatalf("%+v", staged)
	}
	_, target := m.commit(t, 20)
	m.target.assign(target)
	others := map[cairn.NodeID]int{}
	for i := range keys {
		got := nodesOf(t, m.target.x, testKey(i))
		if len(got) != len(want[i]) {
			t.Fatalf("%s was on %d and is on %d", testKey(i), want[i], got)
		}
		replaced := false
		for at, id := range want[i] {
			if to := given[id]; to != 0 {
				if replaced = true; got[at] != to {
					t.Fatalf("%s was on %d and is on %d", testKey(i), want[i], got)
				}
			}
		}
		if !replaced {
			others[got[0]]++
		}
	}
	if len(others) != 2 {
		t.Errorf("entries of other nodes begin with %v; want both nodes", others)
	}
}

// TestNodesThatCannotTakeAPlace: a node that is not active gets no entry.
func TestNodesThatCannotTakeAPlace(t *testing.T) {
	m := openMove(t, 1, Options{})
	m.source.write(put(testKey(1), size(1)))
	m.source.checkpoint()
	part, err := m.source.x.CopyShard(m.moving, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.moving.Nodes = map[cairn.NodeID]cairn.NodeID{}
	for _, n := range m.source.x.state.Load().nodes {
		m.moving.Nodes[n.ID] = 99
	}
	if _, err := m.target.x.PrepareStage(m.moving, part.Data); cairn.ReasonOf(err) != "NODE_NOT_ACTIVE" {
		t.Errorf("got %v", err)
	}
}

func nodesOf(t *testing.T, x *Index, key string) []cairn.NodeID {
	t.Helper()
	var reply cairn.LocateReply
	if err := x.Locate(&cairn.LocateRequest{Read: cairn.Read{Keyspace: testKeyspace}, Keys: []cairn.Key{cairn.Key(key)}}, &reply); err != nil {
		t.Fatal(err)
	}
	if reply.Results[0].State != cairn.Found {
		t.Fatalf("%s: %+v", key, reply.Results[0])
	}
	return reply.Results[0].Nodes
}
