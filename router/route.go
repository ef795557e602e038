package router

import (
	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/placement"
)

// group is the part of a request that goes to one cluster.
type group struct {
	// member is the cluster's position in the directory.
	member int
	// epoch is the map revision that the cluster must have noted to answer.
	epoch uint64
	// positions of the keys in the request, ascending, and the keys.
	positions []int32
	keys      []cairn.Key
}

// routing is which cluster gets which keys. It is reused: what route returned
// before is overwritten.
type routing struct {
	groups []group

	// Scratch: the group of each key, and the group of each member, 1 up.
	groupOf  []int32
	ofMember []int32
	// What the groups' slices are cut from.
	positions []int32
	keys      []cairn.Key
}

// ownerOf is where one key goes: the owner's position in the directory, and
// its shard.
func ownerOf(d *directory, keyspace *catalog.Keyspace, key cairn.Key) (int, shardmap.Shard, error) {
	var buffer [8]byte
	shard, found := d.m.Lookup(keyspace.UID, placement.Key(keyspace.Placement, key, buffer[:0]))
	if !found {
		return 0, shard, mapHole(d, keyspace, key)
	}
	at, found := d.find(shard.Cluster)
	if !found {
		return 0, shard, mapHole(d, keyspace, key)
	}
	return at, shard, nil
}

// placeOf is where one key of many goes: the owner's position in the directory, and the
// epoch of its shard.
func placeOf(d *directory, keyspace *catalog.Keyspace, key cairn.Key) (at int, epoch uint64, ok bool) {
	var buffer [8]byte
	cluster, epoch, ok := d.m.LookupOwner(keyspace.UID, placement.Key(keyspace.Placement, key, buffer[:0]))
	if ok {
		at, ok = d.find(cluster)
	}
	return at, epoch, ok
}

// mapHole is for a map that breaks its own invariant: the shards of a keyspace
// cover all keys, and their owners exist.
func mapHole(d *directory, keyspace *catalog.Keyspace, key cairn.Key) error {
	e := cairn.Errorf(cairn.KindCorrupt, "MAP_HOLE", "no cluster owns the key in keyspace %s by the map at revision %d", keyspace.Name, d.m.Revision())
	e.Key = key
	return e
}

// epochFloor is the least map revision that a request needs of an index,
// whatever its keys: the index must know the keyspace as declared, and what
// the token has seen.
func epochFloor(keyspace *catalog.Keyspace, token cairn.Token) uint64 {
	return max(keyspace.Revision, token.Epoch)
}

// route groups keys by the cluster that owns them: those at the pending
// positions, in that order; all of them if pending is nil.
func (r *routing) route(d *directory, keyspace *catalog.Keyspace, floor uint64, keys []cairn.Key, pending []int32) error {
	count := len(keys)
	if pending != nil {
		count = len(pending)
	}
	r.groups = r.groups[:0]
	r.groupOf = sized(r.groupOf, count)
	r.ofMember = sized(r.ofMember, len(d.members))
	clear(r.ofMember)
	// One pass finds each key's group and counts the groups, a second one
	// fills them, so that no group grows while it is filled.
	for i := range count {
		position := int32(i)
		if pending != nil {
			position = pending[i]
		}
		at, epoch, ok := placeOf(d, keyspace, keys[position])
		if !ok {
			return mapHole(d, keyspace, keys[position])
		}
		number := r.ofMember[at]
		if number == 0 {
			r.groups = append(r.groups, group{member: at, epoch: floor})
			number = int32(len(r.groups))
			r.ofMember[at] = number
		}
		g := &r.groups[number-1]
		g.epoch = max(g.epoch, epoch)
		r.groupOf[i] = number - 1
	}
	if len(r.groups) == 1 && pending == nil {
		r.positions = sized(r.positions, count)
		for i := range count {
			r.positions[i] = int32(i)
		}
		r.groups[0].positions, r.groups[0].keys = r.positions, keys
		return nil
	}
	r.fill(keys, pending, count)
	return nil
}

func (r *routing) fill(keys []cairn.Key, pending []int32, count int) {
	// ofMember has done its part; as many counters are needed as groups.
	sizes := r.ofMember[:len(r.groups)]
	clear(sizes)
	for _, g := range r.groupOf {
		sizes[g]++
	}
	if len(r.keys) > count {
		// An earlier round of the same request had more: forget does not see
		// them any more.
		clear(r.keys[count:])
	}
	r.positions, r.keys = sized(r.positions, count), sized(r.keys, count)
	start := 0
	for i := range r.groups {
		end := start + int(sizes[i])
		r.groups[i].positions = r.positions[start:start:end]
		r.groups[i].keys = r.keys[start:start:end]
		start = end
	}
	for i, at := range r.groupOf {
		position := int32(i)
		if pending != nil {
			position = pending[i]
		}
		g := &r.groups[at]
		g.positions = append(g.positions, position)
		g.keys = append(g.keys, keys[position])
	}
}

// forget drops what the routing refers to, before it is kept for reuse.
func (r *routing) forget() {
	clear(r.keys)
	clear(r.groups)
}

// sized is a slice of n elements, the old one if it is large enough. What it
// holds is not said.
func sized[T any](old []T, n int) []T {
	if cap(old) >= n {
		return old[:n]
	}
	return make([]T, n, n+n/4)
}
