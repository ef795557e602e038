package shardmap

import "cairn"

// Pin decides that a shard is pinned to its cluster, or is not. It stays what it
// is otherwise, its epoch included. The change is empty if it is so already.
//
// Refused: a keyspace or shard that the Map does not have (KindNotFound,
// KEYSPACE_NOT_FOUND, SHARD_NOT_FOUND).
func Pin(m *Map, keyspace cairn.UID, id cairn.ShardID, pinned bool) (Change, error) {
	k, shard, err := m.resolve(keyspace, id)
	if err != nil || shard.Pinned == pinned {
		return Change{}, err
	}
	shard.Pinned = pinned
	return Change{
		Keyspaces: []KeyspaceChange{{Name: k.Name, Expected: k.ModRevision}},
		Shards:    []ShardChange{{Keyspace: keyspace, Generation: k.Generation, ID: id, Expected: shard.Revision, Put: &shard}},
	}, nil
}
