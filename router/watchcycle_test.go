package router

import (
	"slices"
	"testing"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

const things, north, south = cairn.UID(1), cairn.UID(2), cairn.UID(3)

// movedMap is a map of two clusters, one of which has shard 1, up to m, and one shard
// 2, after some moves.
func movedMap(t *testing.T, first, second cairn.UID, moves ...shardmap.Move) *shardmap.Map {
	t.Helper()
	declared, err := catalog.New([]*catalog.Keyspace{{
		Keyspace: cairn.Keyspace{UID: things, Name: "things", Placement: cairn.Placement{Scheme: cairn.SchemeRange}, Replicas: 1, Schema: &cairn.Schema{}},
		Revision: 1, ModRevision: 1, Generation: 1, NextShard: 3, Mover: catalog.MoverExternal,
	}}, []*catalog.Cluster{
		{UID: north, Name: "north", Weight: 1, NextNode: 1, Revision: 1},
		{UID: south, Name: "south", Weight: 1, NextNode: 1, Revision: 1},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b shardmap.Builder
	b.Add(shardmap.Shard{Shard: cairn.Shard{Keyspace: things, ID: 1, End: []byte("m"), Epoch: 7, Move: 1}, Cluster: first, Revision: 7})
	b.Add(shardmap.Shard{Shard: cairn.Shard{Keyspace: things, ID: 2, Start: []byte("m"), Epoch: 5, Move: 2}, Cluster: second, Revision: 5})
	for _, move := range moves {
		move.Keyspace, move.Epoch, move.Phase = things, 1, shardmap.MoveDone
		b.AddMove(move)
	}
	m, err := b.Build(7, declared)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestOwnersWaitForEachOther has two clusters that gave each other a shard, whose
// logs come in batches that begin with the shard they got: what lies before that
// counts as told, or either would wait for the other for ever.
func TestOwnersWaitForEachOther(t *testing.T) {
	// South gave its shard away at 50, and then north its own at 100.
	m := movedMap(t, south, north,
		shardmap.Move{UID: 11, Shard: 2, Start: "m", From: south, To: north, Final: 50, Revision: 5},
		shardmap.Move{UID: 12, Shard: 1, End: "m", From: north, To: south, Final: 100, Revision: 7})
	var told []string
	w := &watching{
		name: "things", keyspace: things, m: m,
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

// TestWhoHasEndedMayBegin: a cluster that has said that it knows nothing more is
// followed again once it has been an owner, and has been fenced, since.
func TestWhoHasEndedMayBegin(t *testing.T) {
	token := cairn.Token{}.With(north, cairn.Stamp{Index: 90})
	follows := map[cairn.UID]*following{south: {}}
	left := shardmap.Move{UID: 11, Shard: 1, End: "m", From: north, To: south, Final: 100, Revision: 5}
	again := shardmap.Move{UID: 12, Shard: 1, End: "m", From: north, To: south, Final: 300, Revision: 7}
	for _, c := range []struct {
		moves []shardmap.Move
		ended map[cairn.UID]uint64
		begin []cairn.UID
	}{
		{[]shardmap.Move{left}, nil, []cairn.UID{north}},
		{[]shardmap.Move{left}, map[cairn.UID]uint64{north: 100}, nil},
		{[]shardmap.Move{left, again}, map[cairn.UID]uint64{north: 100}, []cairn.UID{north}},
		{[]shardmap.Move{left, again}, map[cairn.UID]uint64{north: 300}, nil},
	} {
		m := movedMap(t, south, south, c.moves...)
		if begin, _ := whomToFollow(m, things, follows, token, c.ended); !slices.Equal(begin, c.begin) {
			t.Errorf("%d moves, ended %v: begin with %v, wanted %v", len(c.moves), c.ended, begin, c.begin)
		}
	}
}
