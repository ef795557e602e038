package shardmap

import (
	"bytes"

	"cairn"
	"cairn/shardmap/catalog"
	"cairn/shardmap/placement"
)

// Split decides how a shard divides in two at a placement key, where the right
// one begins. The left one keeps the id, the right one gets the keyspace's next
// id, both stay with the owner and as pinned as they were.
//
// Refused: a keyspace or shard that the Map does not have (KindNotFound,
// KEYSPACE_NOT_FOUND, SHARD_NOT_FOUND); a shard that a move holds
// (KindPrecondition, SHARD_MOVING); a placement key that is none under the
// keyspace's scheme, that the shard does not have, or that it begins with
// (KindInvalid, field "at").
func Split(m *Map, keyspace cairn.UID, id cairn.ShardID, at []byte) (Change, error) {
	k, shard, err := m.resolve(keyspace, id)
	if err != nil {
		return Change{}, err
	}
	if held := m.moves.holder(keyspace, id); held != nil {
		return Change{}, m.held(held)
	}
	if err := placement.Validate(k.Placement.Scheme, at); err != nil {
		return Change{}, cairn.InField("at", err)
	}
	if !shard.Contains(at) {
		return Change{}, cairn.Invalid("at", "SPLIT_OUTSIDE", "%s is not in shard %s %s",
			placement.Text(k.Placement.Scheme, at), id, shard.bounds(k.Placement.Scheme))
	}
	if bytes.Equal(at, shard.Start) {
		return Change{}, cairn.Invalid("at", "SPLIT_AT_START", "shard %s begins at %s; the left half would be empty", id, placement.Text(k.Placement.Scheme, at))
	}
	left, right := shard, shard
	right.ID = k.NextShard
	left.End, right.Start = bytes.Clone(at), bytes.Clone(at)
	left.Epoch, right.Epoch = 0, 0

	next := *k
	next.NextShard++
	return Change{
		Keyspaces: []KeyspaceChange{{Name: k.Name, Expected: k.ModRevision, Put: &next}},
		Shards: []ShardChange{
			{Keyspace: keyspace, Generation: k.Generation, ID: id, Expected: shard.Revision, Put: &left},
			{Keyspace: keyspace, Generation: k.Generation, ID: right.ID, Put: &right},
		},
	}, nil
}

// Merge decides how a shard takes in the one after it. It keeps its id and
// owner; it is pinned if either was. It is no move's any more: its owner's index
// takes it for its own whatever it holds. So where a move brought either of the
// two (Shard.Move), the caller has made sure that the index serves both, by the
// epochs of the Map.
//
// Refused: a keyspace or shard that the Map does not have (KindNotFound,
// KEYSPACE_NOT_FOUND, SHARD_NOT_FOUND), the keyspace's last shard and
// neighbours of different clusters (KindPrecondition, SHARD_LAST,
// SHARD_CLUSTERS_DIFFER), and a shard of the two that a move holds
// (KindPrecondition, SHARD_MOVING).
func Merge(m *Map, keyspace cairn.UID, id cairn.ShardID) (Change, error) {
	k, left, err := m.resolve(keyspace, id)
	if err != nil {
		return Change{}, err
	}
	if len(left.End) == 0 {
		return Change{}, cairn.Errorf(cairn.KindPrecondition, "SHARD_LAST", "shard %s is the last of keyspace %s; there is none after it to merge with", id, k.Name)
	}
	right, _ := m.Lookup(keyspace, left.End)
	for _, each := range []cairn.ShardID{left.ID, right.ID} {
		if held := m.moves.holder(keyspace, each); held != nil {
			return Change{}, m.held(held)
		}
	}
	if left.Cluster != right.Cluster {
		return Change{}, cairn.Errorf(cairn.KindPrecondition, "SHARD_CLUSTERS_DIFFER",
			"shard %s is of cluster %s and shard %s after it of cluster %s; move one to the other's cluster first",
			id, m.clusterName(left.Cluster), right.ID, m.clusterName(right.Cluster))
	}
	merged := left
	merged.End = right.End
	merged.Epoch = 0
	merged.Pinned = left.Pinned || right.Pinned
	merged.Move = 0
	return Change{
		Keyspaces: []KeyspaceChange{{Name: k.Name, Expected: k.ModRevision}},
		Shards: []ShardChange{
			{Keyspace: keyspace, Generation: k.Generation, ID: id, Expected: left.Revision, Put: &merged},
			{Keyspace: keyspace, Generation: k.Generation, ID: right.ID, Expected: right.Revision, Delete: true},
		},
	}, nil
}

func (m *Map) resolve(keyspace cairn.UID, id cairn.ShardID) (*catalog.Keyspace, Shard, error) {
	k, found := m.catalog.KeyspaceByUID(keyspace)
	if !found {
		return nil, Shard{}, cairn.Errorf(cairn.KindNotFound, "KEYSPACE_NOT_FOUND", "there is no keyspace %s", keyspace)
	}
	shard, found := m.Shard(keyspace, id)
	if !found {
		return nil, Shard{}, cairn.Errorf(cairn.KindNotFound, "SHARD_NOT_FOUND", "keyspace %s has no shard %s", k.Name, id)
	}
	return k, shard, nil
}

// clusterName is a cluster's name for people, its uid if it has none.
func (m *Map) clusterName(uid cairn.UID) string {
	if c, found := m.catalog.ClusterByUID(uid); found {
		return c.Name
	}
	return uid.String()
}
