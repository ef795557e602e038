package shardmap

import (
	"cmp"
	"slices"

	"cairn"
	"cairn/shardmap/catalog"
)

// Builder gathers the shards of a Map as they are loaded. The zero Builder has
// none.
type Builder struct {
	shards map[cairn.UID][]Shard
	moves  []Move
	// Settings are those of the Map.
	Settings Settings
}

// Add adds a shard, in any order. It keeps the bounds until Build.
func (b *Builder) Add(s Shard) {
	if b.shards == nil {
		b.shards = map[cairn.UID][]Shard{}
	}
	b.shards[s.Keyspace] = append(b.shards[s.Keyspace], s)
}

// AddMove adds a move, in any order.
func (b *Builder) AddMove(m Move) { b.moves = append(b.moves, m) }

// Build makes the Map of a revision. It refuses as KindCorrupt, naming the
// keyspace, the shards and their bounds: a keyspace whose shards leave a hole
// or overlap, two shards of one id, a shard of no keyspace of the catalog, two
// active moves of one shard, and a record that can't be. The Builder must not be used again.
func (b *Builder) Build(revision uint64, c *catalog.Catalog) (*Map, error) {
	m := &Map{revision: revision, catalog: c, settings: b.Settings}
	var err error
	if m.moves, err = m.moves.with(b.moves, nil); err != nil {
		return nil, err
	}
	for uid, shards := range b.shards {
		keyspace, found := c.KeyspaceByUID(uid)
		if !found {
			return nil, orphan(shards[0])
		}
		t, err := checkedTable(keyspace, shards, revision)
		if err != nil {
			return nil, err
		}
		m.tables = append(m.tables, t)
	}
	slices.SortFunc(m.tables, func(a, b *table) int { return cmp.Compare(a.keyspace, b.keyspace) })
	return m, m.checkKeyspaces()
}

// checkedTable makes a table of shards in any order, or refuses them.
func checkedTable(keyspace *catalog.Keyspace, shards []Shard, revision uint64) (*table, error) {
	for _, s := range shards {
		if err := checkRecord(keyspace, s, revision); err != nil {
			return nil, err
		}
	}
	sortShards(shards)
	if err := checkCover(keyspace, shards); err != nil {
		return nil, err
	}
	return newTable(keyspace.UID, shards), nil
}

// checkKeyspaces refuses a Map in which a keyspace has no shards.
func (m *Map) checkKeyspaces() error {
	if len(m.tables) == len(m.catalog.Keyspaces()) {
		return nil // each table is of a keyspace
	}
	for _, keyspace := range m.catalog.Keyspaces() {
		if m.table(keyspace.UID) == nil {
			return checkCover(keyspace, nil)
		}
	}
	return nil
}

func orphan(s Shard) error {
	return cairn.Errorf(cairn.KindCorrupt, "SHARD_WITHOUT_KEYSPACE", "%s of keyspace %s, which the catalog does not have; remove its record", s, s.Keyspace)
}
