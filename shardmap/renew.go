package shardmap

import "cairn"

// Renew decides which of a cluster's shards are to get a new epoch, whatever move
// they came by, all else staying as it is: those whose epoch is not above a revision, at most so many of
// them at once, and of one keyspace. It is empty when none is left.
func Renew(m *Map, cluster cairn.UID, since uint64, most int) (change Change) {
	for _, t := range m.tables {
		keyspace, _ := m.catalog.KeyspaceByUID(t.keyspace) // Apply and Build see to that
		for shard := range m.Shards(t.keyspace) {
			if shard.Cluster != cluster || shard.Epoch > since {
				continue
			}
			renewed := shard
			// An index that was restored from before it came has nothing staged.
			renewed.Epoch, renewed.Move = 0, 0
			change.Shards = append(change.Shards, ShardChange{
				Keyspace: t.keyspace, Generation: keyspace.Generation, ID: shard.ID, Expected: shard.Revision, Put: &renewed,
			})
			if len(change.Shards) == most {
				break
			}
		}
		if len(change.Shards) > 0 {
			change.Keyspaces = []KeyspaceChange{{Name: keyspace.Name, Expected: keyspace.ModRevision}}
			return change
		}
	}
	return change
}
