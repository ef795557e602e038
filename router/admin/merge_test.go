package admin_test

import (
	"testing"

	"cairn"
	"cairn/shardmap"
)

// TestMergeTakesServedShards: a shard that a move brought is merged only if its
// owner's index says that it serves it, and belongs to no move afterwards. Shards that
// no move brought can't be withheld: nobody is asked.
func TestMergeTakesServedShards(t *testing.T) {
	a, x := start(t)
	ctx := bounded(t)
	apply(t, a, cluster("north", "a"), hashed("runways", 4))
	m, err := x.store.Refresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	k, _ := m.Catalog().KeyspaceByName("runways")
	brought, _ := m.Shard(k.UID, 2)
	brought.Move, brought.Epoch = 77, 0
	if _, err := x.store.Commit(ctx, shardmap.Change{Shards: []shardmap.ShardChange{
		{Keyspace: k.UID, Generation: k.Generation, ID: 2, Expected: brought.Revision, Put: &brought},
	}}); err != nil {
		t.Fatal(err)
	}

	x.wrong = map[string]bool{"north": true} // none of its shards is served
	for _, id := range []cairn.ShardID{1, 2} {
		if _, err := a.MergeShards(ctx, "runways", id); cairn.ReasonOf(err) != "SHARD_WITHHELD" {
			t.Errorf("shard %d was merged with the one after it: %v", id, err)
		}
	}
	x.wrong, x.err = nil, cairn.Errorf(cairn.KindUnavailable, "", "down")
	if _, err := a.MergeShards(ctx, "runways", 1); cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("merged with nobody to ask: %v", err)
	}
	if _, err := a.MergeShards(ctx, "runways", 3); err != nil {
		t.Errorf("shards that no move brought: %v", err)
	}
	x.err = nil
	merged, err := a.MergeShards(ctx, "runways", 1)
	if err != nil || merged.Move != 0 {
		t.Errorf("%+v, %v", merged, err)
	}
}
