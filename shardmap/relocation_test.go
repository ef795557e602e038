package shardmap_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"cairn"
	"cairn/shardmap"
)

// withNodes gives the owner of a shard nodes b and c beside a, of which b has a's address.
func withNodes(t *testing.T, m *shardmap.Map, owner cairn.UID) *shardmap.Map {
	t.Helper()
	cluster, found := m.Catalog().ClusterByUID(owner)
	if !found {
		t.Fatal("no owner")
	}
	next := *cluster
	next.Nodes = append(slices.Clone(cluster.Nodes),
		cairn.Node{ID: 2, Name: "b", Address: "a:1", Weight: 1, State: cairn.NodeActive},
		cairn.Node{ID: 3, Name: "c", Address: "c:1", Weight: 1, State: cairn.NodeActive})
	next.NextNode = 4
	return commit(t, m, shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: next.Name, Expected: cluster.Revision, Put: &next}}})
}

func to(ids ...cairn.NodeID) cairn.Relocation {
	r := cairn.Relocation{Leaving: []cairn.LeavingNode{{Node: 1, Share: cairn.WholeNode}}}
	for _, id := range ids {
		r.Targets = append(r.Targets, cairn.Node{ID: id, Weight: 1, Zone: "z<1>"})
	}
	return r
}

// TestRelocationCommits: the shard keeps its owner, gets an epoch, and knows by which
// attempt, so that its index carries the relocation out.
func TestRelocationCommits(t *testing.T) {
	m := evenMap(t, hashed, 8, 2)
	shard, _ := m.Lookup(hashed, hashStart(0, 1))
	m = withNodes(t, m, shard.Cluster)
	rule := to(2, 3)
	change, move, err := shardmap.StartRelocation(m, shardmap.RelocationRequest{Keyspace: hashed, Shard: shard.ID, Rule: rule, Who: "ops"}, moveTime)
	if err != nil {
		t.Fatal(err)
	}
	m = commit(t, m, change)
	if move, _ = m.Move(move.UID); !move.Within() || move.From != shard.Cluster || move.To != shard.Cluster || !slices.Equal(move.Relocation.Rule().Targets, rule.Targets) {
		t.Fatalf("%s by %q", move, move.Relocation)
	}
	if _, _, err := shardmap.StartRelocation(m, shardmap.RelocationRequest{Keyspace: hashed, Shard: shard.ID, Rule: rule}, moveTime); cairn.ReasonOf(err) != "SHARD_MOVING" || !strings.Contains(err.Error(), "among the nodes of cluster") {
		t.Errorf("a second one: %v", err)
	}
	before := move
	m, move = stepMove(t, m, move, shardmap.MoveCommitted)
	if after, _ := m.Shard(hashed, shard.ID); after.Cluster != shard.Cluster || after.Epoch != m.Revision() || after.Move != before.Staging {
		t.Errorf("%s, by %s", after, after.Move)
	}
	m, move = stepMove(t, m, move, shardmap.MoveDone)
	if _, err := shardmap.Reversible(m, move.UID); cairn.ReasonOf(err) != "MOVE_WITHIN" {
		t.Errorf("reversed: %v", err)
	}
}

// TestRelocationRefused names what is wrong with one, and what is needed for it.
func TestRelocationRefused(t *testing.T) {
	m := evenMap(t, hashed, 8, 2)
	shard, _ := m.Lookup(hashed, hashStart(0, 1))
	m = withNodes(t, m, shard.Cluster)
	k, _ := m.Catalog().KeyspaceByUID(hashed)
	without := *k
	without.Mover, without.ModRevision = "", k.ModRevision+1
	m = commit(t, m, shardmap.Change{Keyspaces: []shardmap.KeyspaceChange{{Name: k.Name, Expected: k.ModRevision, Put: &without}}})
	for name, test := range map[string]struct {
		rule   cairn.Relocation
		empty  bool
		reason string
	}{
		"nobody leaves":         {cairn.Relocation{Targets: to(2).Targets}, true, "RELOCATION_MALFORMED"},
		"no target":             {to(), true, "RELOCATION_MALFORMED"},
		"a target is left":      {to(1), true, "RELOCATION_MALFORMED"},
		"no such node":          {to(9), true, "NODE_NOT_ACTIVE"},
		"nobody moves the data": {to(2, 3), false, "MOVER_MISSING"},
		"the same server":       {to(2), false, ""},
		"no entries":            {to(3), true, ""},
	} {
		_, _, err := shardmap.StartRelocation(m, shardmap.RelocationRequest{Keyspace: hashed, Shard: shard.ID, Rule: test.rule, MayHaveEntries: !test.empty, Entries: 7}, moveTime)
		e, _ := errors.AsType[*cairn.Error](err)
		if test.reason == "" && err == nil {
			continue
		}
		if e == nil || e.Reason != test.reason || e.Field == "" || test.reason == "MOVER_MISSING" && !strings.Contains(err.Error(), "7 keys of shard") {
			t.Errorf("%s: %v; want %q", name, err, test.reason)
		}
	}
}

// TestRelocationLosesItsTarget: what was planned for a node that takes nothing any more
// is not committed.
func TestRelocationLosesItsTarget(t *testing.T) {
	m := evenMap(t, hashed, 8, 2)
	shard, _ := m.Lookup(hashed, hashStart(0, 1))
	m = withNodes(t, m, shard.Cluster)
	change, move, err := shardmap.StartRelocation(m, shardmap.RelocationRequest{Keyspace: hashed, Shard: shard.ID, Rule: to(3)}, moveTime)
	if err != nil {
		t.Fatal(err)
	}
	m = commit(t, m, change)
	move, _ = m.Move(move.UID)
	if why := m.Targetless(move); why != "" {
		t.Error(why)
	}
	cluster, _ := m.Catalog().ClusterByUID(shard.Cluster)
	next := *cluster
	next.Nodes = slices.Clone(cluster.Nodes)
	next.Nodes[2].State = cairn.NodeDown
	m = commit(t, m, shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: next.Name, Expected: cluster.Revision, Put: &next}}})
	if why := m.Targetless(move); !strings.HasPrefix(why, "node c of cluster") {
		t.Errorf("it goes to %q", why)
	}
	after := move
	after.Phase = shardmap.MoveCommitted
	if _, err := shardmap.StepMove(m, move, after); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("committed: %v", err)
	}
}
