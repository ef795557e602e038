package shardmap

import (
	"cmp"
	"slices"

	"cairn"
	"cairn/shardmap/catalog"
)

// ShardRef names a shard.
type ShardRef struct {
	Keyspace cairn.UID
	ID       cairn.ShardID
}

// Update is what became of the store between a Map and a later revision.
type Update struct {
	// Revision is that of the new Map.
	Revision uint64
	// Catalog is the new one, nil if it did not change. A keyspace that it no
	// longer has takes its shards along; one that it has anew comes with all
	// of its shards in Set.
	Catalog *catalog.Catalog
	// Set are the shards that were put, in any order, each once, with their
	// Epoch and Revision.
	Set []Shard
	// Remove are the shards that were deleted and not put again. One that the
	// Map does not have is passed over.
	Remove []ShardRef
	// SetMoves are the moves that were put, RemoveMoves those that were deleted.
	SetMoves    []Move
	RemoveMoves []cairn.UID
	// Settings are the new ones, nil if they did not change.
	Settings *Settings
}

// Apply is the Map that m becomes by an update. It takes some microseconds and
// kilobytes for each changed shard, whatever the size of the Map, and leaves m
// as it is.
//
// It refuses as KindStale (MAP_REVISION, SHARD_REVISION_STALE) an update to an
// older revision than the Map's and a shard or move older than the one it has
// (MOVE_REVISION_STALE); as KindCorrupt what Builder.Build refuses. What is refused has no effect: load
// the Map anew.
func (m *Map) Apply(u Update) (*Map, error) {
	if u.Revision < m.revision {
		return nil, cairn.Errorf(cairn.KindStale, "MAP_REVISION", "an update to revision %d of a map of revision %d", u.Revision, m.revision)
	}
	out := &Map{revision: u.Revision, catalog: m.catalog, tables: slices.Clone(m.tables)}
	var err error
	if out.moves, err = m.moves.with(u.SetMoves, u.RemoveMoves); err != nil {
		return nil, err
	}
	if out.settings = m.settings; u.Settings != nil {
		out.settings = *u.Settings
	}
	if u.Catalog != nil {
		out.catalog = u.Catalog
		out.tables = slices.DeleteFunc(out.tables, func(t *table) bool {
			_, stays := u.Catalog.KeyspaceByUID(t.keyspace)
			return !stays
		})
	}
	set := slices.Clone(u.Set)
	slices.SortStableFunc(set, func(a, b Shard) int { return cmp.Compare(a.Keyspace, b.Keyspace) })
	remove := slices.Clone(u.Remove)
	slices.SortFunc(remove, func(a, b ShardRef) int { return cmp.Or(cmp.Compare(a.Keyspace, b.Keyspace), cmp.Compare(a.ID, b.ID)) })
	remove = slices.Compact(remove)
	for len(set)+len(remove) > 0 {
		uid := first(set, remove)
		sets := countWhile(set, func(s Shard) bool { return s.Keyspace == uid })
		removes := countWhile(remove, func(r ShardRef) bool { return r.Keyspace == uid })
		if err := out.applyKeyspace(uid, set[:sets], remove[:removes]); err != nil {
			return nil, err
		}
		set, remove = set[sets:], remove[removes:]
	}
	if err := out.checkKeyspaces(); err != nil {
		return nil, err
	}
	return out, nil
}

// first is the lowest keyspace that has anything to change.
func first(set []Shard, remove []ShardRef) cairn.UID {
	switch {
	case len(set) == 0:
		return remove[0].Keyspace
	case len(remove) == 0:
		return set[0].Keyspace
	}
	return min(set[0].Keyspace, remove[0].Keyspace)
}

// applyKeyspace changes one keyspace's table. It may reorder set.
func (m *Map) applyKeyspace(uid cairn.UID, set []Shard, remove []ShardRef) error {
	keyspace, found := m.catalog.KeyspaceByUID(uid)
	switch {
	case !found && len(set) > 0:
		return orphan(set[0])
	case !found:
		return nil
	}
	i, found := m.findTable(uid)
	if !found {
		if len(set) == 0 {
			return nil
		}
		t, err := checkedTable(keyspace, set, m.revision)
		if err == nil {
			m.tables = slices.Insert(m.tables, i, t)
		}
		return err
	}
	t, err := m.tables[i].apply(keyspace, set, remove, m.revision)
	if err == nil {
		m.tables[i] = t
	}
	return err
}

// apply is t with shards set and removed, or why not. It may reorder set.
func (t *table) apply(keyspace *catalog.Keyspace, set []Shard, remove []ShardRef, revision uint64) (*table, error) {
	touched := make(map[cairn.ShardID]bool, len(set)+len(remove))
	before := make([]Shard, 0, len(set)+len(remove))
	for _, s := range set {
		if err := checkRecord(keyspace, s, revision); err != nil {
			return nil, err
		}
		if touched[s.ID] {
			return nil, cairn.Errorf(cairn.KindCorrupt, "SHARD_TWICE", "keyspace %s: shard %s stands twice in one update", keyspace.Name, s.ID)
		}
		touched[s.ID] = true
		old, found := t.byID(s.ID)
		if found && old.Revision > s.Revision {
			return nil, cairn.Errorf(cairn.KindStale, "SHARD_REVISION_STALE", "keyspace %s: %s is of revision %d; the map has it of revision %d",
				keyspace.Name, s, s.Revision, old.Revision)
		}
		if found {
			before = append(before, old)
		}
	}
	for _, ref := range remove {
		if touched[ref.ID] {
			return nil, cairn.Errorf(cairn.KindCorrupt, "SHARD_TWICE", "keyspace %s: shard %s is set and removed in one update", keyspace.Name, ref.ID)
		}
		touched[ref.ID] = true
		if old, found := t.byID(ref.ID); found {
			before = append(before, old)
		}
	}
	sortShards(before)
	sortShards(set)
	at, same := cuts(before, set)
	if same {
		return t.replace(before, set, at), nil
	}
	all := slices.DeleteFunc(t.all(), func(s Shard) bool { return touched[s.ID] })
	all = append(all, set...)
	sortShards(all)
	return nil, checkCover(keyspace, all)
}
