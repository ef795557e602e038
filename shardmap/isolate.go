package shardmap

import (
	"bytes"

	"cairn"
	"cairn/shardmap/placement"
)

// Isolate decides how the placement keys of [from, to) get a shard of their own,
// in one step: the shard that they are in divides in two or three, of which all
// stay with its owner. Its first part keeps the id. The change is empty, and id
// the shard's, where they have one already.
//
// Refused: what Split refuses (field "key"), a shard that is held by a move
// (KindPrecondition, SHARD_MOVING), and as KindPrecondition (ISOLATE_DIVIDED)
// placement keys that are in more than one shard.
func Isolate(m *Map, keyspace cairn.UID, from, to []byte) (change Change, id cairn.ShardID, err error) {
	shard, found := m.Lookup(keyspace, from)
	if !found {
		return Change{}, 0, cairn.Errorf(cairn.KindNotFound, "KEYSPACE_NOT_FOUND", "there is no keyspace %s", keyspace)
	}
	k, shard, err := m.resolve(keyspace, shard.ID)
	if err != nil {
		return Change{}, 0, err
	}
	if held := m.moves.holder(keyspace, shard.ID); held != nil {
		return Change{}, 0, m.held(held)
	}
	for _, bound := range [][]byte{from, to} {
		if err := placement.Validate(k.Placement.Scheme, bound); err != nil && len(bound) > 0 {
			return Change{}, 0, cairn.InField("key", err)
		}
	}
	if len(shard.End) > 0 && (len(to) == 0 || bytes.Compare(shard.End, to) < 0) {
		return Change{}, 0, cairn.Errorf(cairn.KindPrecondition, "ISOLATE_DIVIDED", "shard %s ends before %s; merge it with the one after it first",
			shard.ID, Interval(k.Placement.Scheme, from, to))
	}
	next := *k
	pieces := []Shard{shard}
	cut := func(at []byte) {
		right := pieces[len(pieces)-1]
		right.ID, right.Start = next.NextShard, bytes.Clone(at)
		next.NextShard++
		pieces[len(pieces)-1].End = right.Start
		pieces = append(pieces, right)
	}
	id = shard.ID
	if !bytes.Equal(shard.Start, from) {
		cut(from)
		id = pieces[1].ID
	}
	if !bytes.Equal(shard.End, to) {
		cut(to)
	}
	if len(pieces) == 1 {
		return Change{}, id, nil
	}
	change.Keyspaces = []KeyspaceChange{{Name: k.Name, Expected: k.ModRevision, Put: &next}}
	for i := range pieces {
		pieces[i].Epoch = 0
		each := ShardChange{Keyspace: keyspace, Generation: k.Generation, ID: pieces[i].ID, Put: &pieces[i]}
		if i == 0 {
			each.Expected = shard.Revision
		}
		change.Shards = append(change.Shards, each)
	}
	return change, id, nil
}
