package etcdstore_test

import (
	"testing"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
	"cairn/shardmap/placement"
)

// history is all that is kept, the last first.
func history(t *testing.T, s *etcdstore.Store, before uint64) (all []shardmap.Happened) {
	t.Helper()
	err := s.History(bounded(t), before, func(h shardmap.Happened) bool {
		all = append(all, h)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestHistory: each change of the map is remembered as what it was, in the revision
// that it has, and what does not change it is not.
func TestHistory(t *testing.T) {
	server := etcdtest.Start(t)
	s, move := moving(t, server)
	begun := history(t, s, 0)
	if len(begun) != 3 || len(begun[0].Shards) > 0 || begun[0].Resources[0] != (shardmap.ResourceHappened{Name: "keyspaces/runways", What: "created"}) || begun[2].Resources[0].Name != "clusters/north" {
		t.Fatalf("before the move: %+v", begun)
	}
	move = stepped(t, s, move, func(m *shardmap.Move) { m.Phase = shardmap.MoveFenced })
	if more := history(t, s, 0); len(more) != 3 {
		t.Errorf("a step of a move is remembered: %+v", more[0])
	}
	moved := stepped(t, s, move, func(m *shardmap.Move) { m.Phase = shardmap.MoveCommitted })
	shard, _ := s.Map().Shard(move.Keyspace, 2)
	middle, _ := placement.Middle(shard.Start, shard.End)
	change, err := shardmap.Split(s.Map(), shard.Keyspace, shard.ID, middle)
	if err != nil {
		t.Fatal(err)
	}
	revision, err := s.Commit(shardmap.WithAuthor(bounded(t), shardmap.Author{Who: "ops", Why: "it is hot"}), change)
	if err != nil {
		t.Fatal(err)
	}
	all := history(t, s, 0)
	if len(all) != 5 {
		t.Fatalf("%d changes", len(all))
	}
	split := all[0]
	if split.Revision != revision || split.Who != "ops" || split.Why != "it is hot" || len(split.Shards) != 2 || len(split.Resources) > 0 {
		t.Fatalf("the split: %+v", split)
	}
	left, right := split.Shards[0], split.Shards[1]
	if left.KeyspaceName != "runways" || left.ID != 2 || string(left.Before.End) != string(shard.End) || string(left.After.End) != string(middle) ||
		left.After.Epoch != revision || left.Before.Epoch != shard.Epoch || right.Before != nil || string(right.After.Start) != string(middle) {
		t.Errorf("the split: %+v, %+v", left, right)
	}
	if c := all[1]; c.Revision != moved.Revision || len(c.Shards) != 1 || c.Shards[0].Before.Cluster == c.Shards[0].After.Cluster {
		t.Errorf("the move: %+v", c)
	}
	if older := history(t, s, all[1].Revision); len(older) != 3 || older[0].Revision != all[2].Revision {
		t.Errorf("before the move: %+v", older)
	}
	if lost := history(t, open(t, etcdstore.Config{Client: server.Client(t)}), 0); len(lost) != 5 {
		t.Errorf("another store has %d changes", len(lost))
	}
}

// TestHistoryOfWhatLost: a change that loses is not remembered.
func TestHistoryOfWhatLost(t *testing.T) {
	server := etcdtest.Start(t)
	s, move := moving(t, server)
	stale, err := shardmap.Pin(s.Map(), move.Keyspace, 3, true)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, stale)
	if _, err := s.Commit(bounded(t), stale); cairn.KindOf(err) != cairn.KindConflict {
		t.Fatal(err)
	}
	if all := history(t, s, 0); len(all) != 4 || !all[0].Shards[0].After.Pinned || all[0].Shards[0].Before.Pinned {
		t.Errorf("%+v", all[0])
	}
}

// TestHistoryIsBounded has the oldest be swept.
func TestHistoryIsBounded(t *testing.T) {
	server := etcdtest.Start(t)
	s := open(t, etcdstore.Config{Client: server.Client(t), HistoryKept: 2})
	for _, name := range []string{"a", "b", "c", "d"} {
		addCluster(t, s, name)
	}
	if _, err := s.Sweep(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if all := history(t, s, 0); len(all) != 2 || all[0].Resources[0].Name != "clusters/d" || all[1].Resources[0].Name != "clusters/c" {
		t.Errorf("%+v", all)
	}
}
