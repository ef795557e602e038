package shardmap_test

import (
	"testing"

	"cairn/shardmap"
)

func TestRenew(t *testing.T) {
	const uid, north = hashed, clusterBase
	const since = 25 // some are above
	m := evenMap(t, uid, 50, 3)
	for shard := range m.Shards(uid) {
		moved := shard
		moved.Move = 99 // as if it had come by one
		k, _ := m.Catalog().KeyspaceByUID(uid)
		m = commit(t, m, shardmap.Change{Shards: []shardmap.ShardChange{
			{Keyspace: uid, Generation: k.Generation, ID: shard.ID, Expected: shard.Revision, Put: &moved},
		}})
	}
	before := m
	for rounds := 0; ; rounds++ {
		change := shardmap.Renew(m, north, since, 7)
		if change.Empty() {
			break
		}
		if rounds > 3 || len(change.Shards) > 7 {
			t.Fatalf("round %d: %d shards", rounds, len(change.Shards))
		}
		m = commit(t, m, change)
	}
	for old := range before.Shards(uid) {
		now, found := m.Shard(uid, old.ID)
		if renewed := old.Cluster == north && old.Epoch <= since; !found || (now.Epoch > before.Revision()) != renewed {
			t.Errorf("%s became %s", old, now)
		} else if (now.Move == 0) != renewed {
			t.Errorf("%s has come by move %s", now, now.Move)
		}
		now.Epoch, now.Revision = old.Epoch, old.Revision
		if now.String() != old.String() || now.Pinned != old.Pinned {
			t.Errorf("%s became %s", old, now)
		}
	}
	if owner, _ := m.Owner(uid, north); owner.MaxEpoch <= since {
		t.Errorf("the owner's epoch is %d", owner.MaxEpoch)
	}
}
