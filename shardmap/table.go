package shardmap

import (
	"cmp"
	"slices"
	"sync"

	"cairn"
)

// table is all shards of one keyspace. It is immutable, but for ownerCache.
type table struct {
	keyspace cairn.UID
	root     *node
	ids      ids
	owners   owners
	shards   int

	ownerOnce  sync.Once
	ownerCache []Owner
}

// newTable takes shards that checkCover accepts.
func newTable(keyspace cairn.UID, shards []Shard) *table {
	edits := make([]idEdit, len(shards))
	deltas := make([]ownerDelta, len(shards))
	for i, s := range shards {
		edits[i] = idEdit{id: s.ID, start: s.Start}
		deltas[i] = gain(s)
	}
	slices.SortFunc(edits, func(a, b idEdit) int { return cmp.Compare(a.id, b.id) })
	deltas = sumDeltas(deltas)
	all := make([]Owner, len(deltas))
	for i, d := range deltas {
		all[i] = Owner{d.cluster, d.shards, d.fingerprint, d.epoch}
	}
	return &table{
		keyspace: keyspace,
		root:     newTree(shards),
		ids:      ids{}.with(edits),
		owners:   newOwners(all),
		shards:   len(shards),
	}
}

func (t *table) byID(id cairn.ShardID) (Shard, bool) {
	start, found := t.ids.get(id)
	if !found {
		return Shard{}, false
	}
	leaf, i := t.root.find(start)
	return leaf.shard(t.keyspace, i), true
}

// ownerList is every Owner in one slice, made when it is first asked for.
func (t *table) ownerList() []Owner {
	t.ownerOnce.Do(func() { t.ownerCache = t.owners.all() })
	return t.ownerCache
}

// all is every shard in placement order.
func (t *table) all() []Shard {
	shards := make([]Shard, 0, t.shards)
	t.root.each(t.keyspace, nil, func(s Shard) bool {
		shards = append(shards, s)
		return true
	})
	return shards
}

// replace is t with the shards of before, which it has, replaced by those of
// after; both in placement order, and cut into pieces that cover the same.
func (t *table) replace(before, after []Shard, cuts []cut) *table {
	out := &table{keyspace: t.keyspace, root: t.root, ids: t.ids, owners: t.owners, shards: t.shards + len(after) - len(before)}
	for _, c := range cuts {
		with := newLeaf(after[c.first:c.last])
		out.root = root(out.root.splice(c.from, c.to, &with))
	}

	edits := make([]idEdit, 0, len(before)+len(after))
	deltas := make([]ownerDelta, 0, len(before)+len(after))
	var epoch uint64
	stays := make(map[cairn.ShardID]bool, len(after))
	for _, s := range after {
		stays[s.ID] = true
		if old, found := t.ids.get(s.ID); !found || string(old) != string(s.Start) {
			edits = append(edits, idEdit{id: s.ID, start: s.Start})
		}
		deltas = append(deltas, gain(s))
		epoch = max(epoch, s.Epoch)
	}
	for _, s := range before {
		if !stays[s.ID] {
			edits = append(edits, idEdit{id: s.ID, remove: true})
		}
		deltas = append(deltas, lose(s, epoch))
	}
	slices.SortFunc(edits, func(a, b idEdit) int { return cmp.Compare(a.id, b.id) })
	if len(edits) > 0 {
		out.ids = out.ids.with(edits)
	}
	for _, d := range sumDeltas(deltas) {
		if d.shards != 0 || d.fingerprint != 0 {
			out.owners = out.owners.with(d)
		}
	}
	return out
}

// gain is what its owner gains by a shard.
func gain(s Shard) ownerDelta { return ownerDelta{s.Cluster, 1, term(s), s.Epoch} }

// lose is what its owner loses with a shard by a change of an epoch.
func lose(s Shard, epoch uint64) ownerDelta { return ownerDelta{s.Cluster, -1, -term(s), epoch} }

// sumDeltas is one delta a cluster, ascending. It uses up its argument.
func sumDeltas(deltas []ownerDelta) []ownerDelta {
	slices.SortFunc(deltas, func(a, b ownerDelta) int { return cmp.Compare(a.cluster, b.cluster) })
	n := 0
	for _, d := range deltas {
		if n == 0 || deltas[n-1].cluster != d.cluster {
			deltas[n] = d
			n++
			continue
		}
		sum := &deltas[n-1]
		sum.shards += d.shards
		sum.fingerprint += d.fingerprint
		sum.epoch = max(sum.epoch, d.epoch)
	}
	return deltas[:n]
}
