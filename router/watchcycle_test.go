package router

import (
	"testing"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// TestOwnersWaitForEachOther has two clusters that gave each other a shard, whose
// logs come in batches that begin with the shard they got: what lies before that
// counts as told, or either would wait for the other for ever.
func TestOwnersWaitForEachOther(t *testing.T) {
	const keyspace, north, south = cairn.UID(1), cairn.UID(2), cairn.UID(3)
	clusters := []*catalog.Cluster{
		{UID: north, Name: "north", Weight: 1, NextNode: 1, Revision: 1},
		{UID: south, Name: "south", Weight: 1, NextNode: 1, Revision: 1},
	}
	declared, err := catalog.New([]*catalog.Keyspace{{
		Keyspace: cairn.Keyspace{UID: keyspace, Name: "things", Placement: cairn.Placement{Scheme: cairn.SchemeRange}, Replicas: 1, Schema: &cairn.Schema{}},
		Revision: 1, ModRevision: 1, Generation: 1, NextShard: 3, Mover: catalog.MoverExternal,
	}}, clusters, nil)
	if err != nil {
		t.Fatal(err)
	}
	// South gave its shard away at 50, and then north its own at 100.
	var b shardmap.Builder
	b.Add(shardmap.Shard{Shard: cairn.Shard{Keyspace: keyspace, ID: 1, End: []byte("m"), Epoch: 7, Move: 1}, Cluster: south, Revision: 7})
	b.Add(shardmap.Shard{Shard: cairn.Shard{Keyspace: keyspace, ID: 2, Start: []byte("m"), Epoch: 5, Move: 2}, Cluster: north, Revision: 5})
	b.AddMove(shardmap.Move{UID: 11, Keyspace: keyspace, Shard: 2, Epoch: 1, Start: "m", From: south, To: north, Phase: shardmap.MoveDone, Final: 50, Revision: 5})
	b.AddMove(shardmap.Move{UID: 12, Keyspace: keyspace, Shard: 1, Epoch: 1, End: "m", From: north, To: south, Phase: shardmap.MoveDone, Final: 100, Revision: 7})
	m, err := b.Build(7, declared)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	w := &watching{
		name: "things", keyspace: keyspace, m: m,
		follows: map[cairn.UID]*following{north: {at: 40}, south: {at: 40}}, behind: map[cairn.UID]delivery{},
		deliver: func(c cairn.Changes) error {
			for _, change := range c.Changes {
				told = append(told, string(change.Key))
			}
			return nil
		},
	}
	taken := make(chan struct{}, 2)
	batch := func(cluster cairn.UID, changes ...cairn.Change) {
		t.Helper()
		index := changes[len(changes)-1].Stamp.Index
		d := delivery{cluster: cluster, batch: cairn.WatchBatch{Answer: cairn.Answer{Index: index, Revision: 7}, Changes: changes}, taken: taken}
		if err := w.pass(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	change := func(key string, shard cairn.ShardID, epoch, index uint64) cairn.Change {
		return cairn.Change{Key: cairn.Key(key), Shard: shard, Stamp: cairn.Stamp{Epoch: epoch, Index: index}}
	}
	batch(north, change("x", 2, 5, 60), change("a", 1, 1, 90), change("y", 2, 5, 110))
	batch(south, change("b", 1, 7, 55))
	if len(told) != 4 || len(w.behind) > 0 {
		t.Errorf("told %v, and %d clusters wait; wanted all changes of both", told, len(w.behind))
	}
}
