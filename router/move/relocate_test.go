package move_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router/move"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// withNodes gives the first cluster a second node.
func (f *fleet) withNodes() {
	f.t.Helper()
	c, _ := f.m.Catalog().ClusterByUID(north)
	f.declare(c, append(slices.Clone(c.Nodes), cairn.Node{ID: 2, Name: "b", Address: "b:1", Weight: 1, State: cairn.NodeActive}))
}

func (f *fleet) declare(c *catalog.Cluster, nodes []cairn.Node) {
	f.t.Helper()
	next := *c
	next.Nodes, next.NextNode, next.Revision = nodes, 3, f.m.Revision()+1
	if _, err := f.commit(shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: c.Name, Expected: c.Revision, Put: &next}}}); err != nil {
		f.t.Fatal(err)
	}
}

// relocate begins to have all of a shard leave the first node for the second.
func (f *fleet) relocate(shard cairn.ShardID) cairn.UID {
	f.t.Helper()
	rule := cairn.Relocation{Leaving: []cairn.LeavingNode{{Node: 1, Share: cairn.WholeNode}}, Targets: []cairn.Node{{ID: 2, Weight: 1}}}
	change, begun, err := shardmap.StartRelocation(f.Map(), shardmap.RelocationRequest{Keyspace: keyspace, Shard: shard, Rule: rule, MayHaveEntries: true}, time.Now())
	if err == nil {
		_, err = f.commit(change)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return begun.UID
}

// relocated fails the test unless the nodes have changed: the shard has the move's name
// in another epoch, which its index has noted while the fence with the rule stood.
func (f *fleet) relocated(uid cairn.UID) {
	f.t.Helper()
	record := f.move(uid)
	shard, _ := f.Map().Shard(keyspace, record.Shard)
	x := f.sides[north]
	if record.Phase != shardmap.MoveDone || !record.Clean || shard.Cluster != north || shard.Move != record.Staging || shard.Epoch == record.Epoch || x.served < shard.Epoch {
		f.t.Errorf("%s, clean %t, problem %q, of %s, after %v", record, record.Clean, record.Problem, shard, f.steps)
	}
	if fence := x.fences[record.Staging]; !fence.On || x.rules[record.Staging] == nil {
		f.t.Errorf("fence %+v with rule %+v", fence, x.rules[record.Staging])
	}
	if slices.Contains(f.steps, "copy") && f.data.f == nil || slices.Contains(f.steps, "stage") || slices.Contains(f.steps, "ask") {
		f.t.Errorf("entries were copied: %v", f.steps)
	}
}

// TestDriverRelocates has the driver die before and after every call that it makes;
// another one ends the move, without copying an entry.
func TestDriverRelocates(t *testing.T) {
	for _, withData := range []bool{false, true} {
		for at, more := 0, true; more; at++ {
			for _, after := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t)
					f.withNodes()
					if withData {
						f.withData()
					}
					uid := f.relocate(1)
					f.crashAt, f.crashAfter = at, after
					first := f.drive(move.Config{})
					time.Sleep(takeover)
					first()
					more = len(f.steps) > at
					stop := f.drive(move.Config{})
					time.Sleep(takeover)
					stop()
					f.relocated(uid)
					shard, _ := f.Map().Shard(keyspace, 1)
					if d := &f.data; withData && (d.opened != shard.Epoch || d.ended != "done" || len(d.keys) != parts) {
						t.Errorf("opened for epoch %d of %d, ended as %q, with %d keys, after %v", d.opened, shard.Epoch, d.ended, len(d.keys), f.steps)
					}
				})
			}
		}
	}
}

// TestDriverHasNoNode: where a node that entries were to get takes none any more, the
// move ends, and says why.
func TestDriverHasNoNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.withNodes()
		uid := f.relocate(1)
		c, _ := f.Map().Catalog().ClusterByUID(north)
		nodes := slices.Clone(c.Nodes)
		nodes[1].State = cairn.NodeDraining
		f.declare(c, nodes)
		stop := f.drive(move.Config{})
		defer stop()
		time.Sleep(takeover)
		record := f.move(uid)
		if record.Phase != shardmap.MoveCancelled || record.Problem != "node b of cluster north is not active, and gets no entries" {
			t.Errorf("%s, problem %q", record, record.Problem)
		}
		f.settled(uid, shardmap.MoveCancelled)
	})
}

// TestRelocationsTakeTurns: a move within a cluster counts once there.
func TestRelocationsTakeTurns(t *testing.T) {
	f := newFleet(t)
	f.withNodes()
	first, second := f.relocate(1), f.relocate(2)
	if turns := move.Turns(f.Map().Moves(), 2); !turns[first] || !turns[second] {
		t.Errorf("turns %v", turns)
	}
	if turns := move.Turns(f.Map().Moves(), 1); len(turns) != 1 || !turns[first] {
		t.Errorf("turns of one at a time %v", turns)
	}
}
