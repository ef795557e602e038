package shardmap

import (
	"cmp"
	"iter"
	"slices"

	"cairn"
	"cairn/shardmap/catalog"
)

// Map is the catalog and every shard at one revision of the store. It is
// immutable and safe for any number of readers.
type Map struct {
	revision uint64
	catalog  *catalog.Catalog
	tables   []*table // ascending by keyspace
	moves    *moves
	settings Settings
}

// Revision is the revision of the store that the Map is of.
func (m *Map) Revision() uint64 { return m.revision }

// Catalog is the keyspaces and clusters at the Map's revision.
func (m *Map) Catalog() *catalog.Catalog { return m.catalog }

// Lookup finds the shard that a placement key is in. It is false only if the
// Map does not have the keyspace: shards leave no hole. It does not allocate.
func (m *Map) Lookup(keyspace cairn.UID, placementKey []byte) (Shard, bool) {
	t := m.table(keyspace)
	if t == nil {
		return Shard{}, false
	}
	leaf, i := t.root.find(placementKey)
	return leaf.shard(keyspace, i), true
}

// LookupOwner is Lookup for who needs no more than the shard's owner and epoch: of many
// keys, copying shards costs as much as finding them.
func (m *Map) LookupOwner(keyspace cairn.UID, placementKey []byte) (cluster cairn.UID, epoch uint64, found bool) {
	t := m.table(keyspace)
	if t == nil {
		return 0, 0, false
	}
	leaf, i := t.root.find(placementKey)
	row := &leaf.rows[i]
	return row.cluster, row.epoch, true
}

// Shard finds a shard by its id.
func (m *Map) Shard(keyspace cairn.UID, id cairn.ShardID) (Shard, bool) {
	t := m.table(keyspace)
	if t == nil {
		return Shard{}, false
	}
	return t.byID(id)
}

// Count is how many shards a keyspace has, 0 if the Map does not have it.
func (m *Map) Count(keyspace cairn.UID) int {
	t := m.table(keyspace)
	if t == nil {
		return 0
	}
	return t.shards
}

// Shards yields a keyspace's shards in placement order.
func (m *Map) Shards(keyspace cairn.UID) iter.Seq[Shard] { return m.ShardsFrom(keyspace, nil) }

// ShardsFrom yields a keyspace's shards in placement order, beginning with the
// one that start is in. The End of the last shard of a page is where the next
// page begins; an empty one says that there is none.
func (m *Map) ShardsFrom(keyspace cairn.UID, start []byte) iter.Seq[Shard] {
	return func(yield func(Shard) bool) {
		if t := m.table(keyspace); t != nil {
			t.root.each(keyspace, start, yield)
		}
	}
}

// Owners are the clusters that own shards of a keyspace, ascending by cluster.
// The slice is the Map's.
func (m *Map) Owners(keyspace cairn.UID) []Owner {
	t := m.table(keyspace)
	if t == nil {
		return nil
	}
	return t.ownerList()
}

// Owner is what one cluster owns of a keyspace; false if that is nothing.
func (m *Map) Owner(keyspace, cluster cairn.UID) (Owner, bool) {
	t := m.table(keyspace)
	if t == nil {
		return Owner{}, false
	}
	return t.owners.get(cluster)
}

// Assignment is what a cluster's node index needs to know at the Map's
// revision: its nodes, and of each keyspace in which it owns shards the
// keyspace, its views and those shards, ascending by keyspace, in placement order;
// and the records of all that. A cluster that the catalog does not have has no nodes. It reads every shard of
// these keyspaces, some milliseconds for a million.
func (m *Map) Assignment(cluster cairn.UID) cairn.Assignment {
	a := cairn.Assignment{Revision: m.revision}
	c, found := m.catalog.ClusterByUID(cluster)
	if found {
		a.Nodes = c.Nodes
	}
	pinned := map[cairn.UID][]cairn.ShardID{}
	for _, t := range m.tables {
		owner, owns := t.owners.get(cluster)
		if !owns {
			continue
		}
		keyspace, _ := m.catalog.KeyspaceByUID(t.keyspace) // Apply and Build see to that
		a.Keyspaces = append(a.Keyspaces, keyspace.Keyspace)
		for _, view := range m.catalog.ViewsOf(t.keyspace) {
			a.Views = append(a.Views, view.Versions()...)
		}
		a.Shards = slices.Grow(a.Shards, owner.Shards)
		t.root.each(t.keyspace, nil, func(s Shard) bool {
			if s.Cluster == cluster {
				a.Shards = append(a.Shards, s.Shard)
				if s.Pinned {
					pinned[t.keyspace] = append(pinned[t.keyspace], s.ID)
				}
			}
			return true
		})
	}
	a.Records = m.records(c, &a, pinned)
	return a
}

func (m *Map) table(keyspace cairn.UID) *table {
	// By hand: a call of a comparing function would take a part of a lookup
	// that can be measured.
	low, high := 0, len(m.tables)
	for low < high {
		middle := int(uint(low+high) / 2)
		if m.tables[middle].keyspace < keyspace {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == len(m.tables) || m.tables[low].keyspace != keyspace {
		return nil
	}
	return m.tables[low]
}

func (m *Map) findTable(keyspace cairn.UID) (int, bool) {
	return slices.BinarySearchFunc(m.tables, keyspace, func(t *table, uid cairn.UID) int { return cmp.Compare(t.keyspace, uid) })
}
