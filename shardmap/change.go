package shardmap

import (
	"cairn"
	"cairn/shardmap/catalog"
)

// Change is what one transaction is to do, as data: records to put, to delete
// or only to compare, each with the revision that it was decided on. It takes
// effect as a whole, and only if every one of its records still stands at its
// Expected revision; else it has lost to another change (cairn.KindConflict)
// and nothing happens.
type Change struct {
	Keyspaces []KeyspaceChange
	Clusters  []ClusterChange
	Views     []ViewChange
	Shards    []ShardChange
	Moves     []MoveChange
	// Settings are nil where they are not concerned.
	Settings *SettingsChange
}

// KeyspaceChange is what a Change does to a keyspace's record: Put replaces
// it, Delete removes it, with neither it is only compared.
type KeyspaceChange struct {
	Name string
	// Expected is the record's ModRevision, 0 if there must be none.
	Expected uint64
	// Put is the new record. A Revision of 0 stands for the transaction's.
	Put    *catalog.Keyspace
	Delete bool
}

// ClusterChange is what a Change does to a cluster's record: Put replaces it,
// Delete removes it, with neither it is only compared.
type ClusterChange struct {
	Name string
	// Expected is the record's Revision, 0 if there must be none.
	Expected uint64
	Put      *catalog.Cluster
	Delete   bool
}

// ViewChange is what a Change does to a view's record: Put replaces it, Delete
// removes it, with neither it is only compared.
type ViewChange struct {
	Name string
	// Expected is the record's Revision, 0 if there must be none.
	Expected uint64
	Put      *catalog.View
	Delete   bool
}

// ShardChange is what a Change does to a shard's record: Put replaces it,
// Delete removes it, with neither it is only compared.
//
// Where the shard's keyspace is created by the same Change, its shards may be
// written before, in transactions of their own: nobody sees them until the
// keyspace's record names their generation.
type ShardChange struct {
	Keyspace   cairn.UID
	Generation uint64
	ID         cairn.ShardID
	// Expected is the record's Revision, 0 if there must be none.
	Expected uint64
	// Put is the new record. An Epoch of 0 stands for the transaction's
	// revision: its owner or bounds change. Its Revision means nothing.
	Put    *Shard
	Delete bool
}

// MoveChange is what a Change does to a move's record: Put replaces it, Delete
// removes it.
type MoveChange struct {
	UID cairn.UID
	// Expected is the record's Revision, 0 if there must be none.
	Expected uint64
	// Put is the new record. Its Revision means nothing.
	Put    *Move
	Delete bool
}

// SettingsChange is what a Change does to the settings.
type SettingsChange struct {
	// Expected is the record's Revision, 0 if there must be none.
	Expected uint64
	// Put are the new ones. Their Revision means nothing.
	Put Settings
}

// Empty tells whether the change does nothing.
func (c Change) Empty() bool {
	return len(c.Keyspaces)+len(c.Clusters)+len(c.Views)+len(c.Shards)+len(c.Moves) == 0 && c.Settings == nil
}

// Update is what a committed Change does to a Map, once its revision is known:
// Map.Apply of it gives the Map that a reader of the store gets. The catalog
// must be that of the Map the Change was decided on.
func (c Change) Update(revision uint64, from *catalog.Catalog) (Update, error) {
	update := Update{Revision: revision}
	for _, change := range c.Shards {
		switch {
		case change.Put != nil:
			shard := *change.Put
			shard.Revision = revision
			if shard.Epoch == 0 {
				shard.Epoch = revision
			}
			update.Set = append(update.Set, shard)
		case change.Delete:
			update.Remove = append(update.Remove, ShardRef{change.Keyspace, change.ID})
		}
	}
	for _, change := range c.Moves {
		switch {
		case change.Put != nil:
			move := *change.Put
			move.Revision = revision
			update.SetMoves = append(update.SetMoves, move)
		case change.Delete:
			update.RemoveMoves = append(update.RemoveMoves, change.UID)
		}
	}
	if c.Settings != nil {
		settings := c.Settings.Put
		settings.Revision = revision
		update.Settings = &settings
	}
	var err error
	update.Catalog, err = from.With(c.edit(revision, from))
	return update, err
}

// edit is what a committed Change does to the catalog.
func (c Change) edit(revision uint64, from *catalog.Catalog) (edit catalog.Edit) {
	for _, change := range c.Keyspaces {
		switch {
		case change.Put != nil:
			keyspace := *change.Put
			keyspace.ModRevision = revision
			if keyspace.Revision == 0 {
				keyspace.Revision = revision
			}
			edit.SetKeyspaces = append(edit.SetKeyspaces, &keyspace)
		case change.Delete:
			if keyspace, found := from.KeyspaceByName(change.Name); found {
				edit.RemoveKeyspaces = append(edit.RemoveKeyspaces, keyspace.UID)
			}
		}
	}
	for _, change := range c.Clusters {
		switch {
		case change.Put != nil:
			cluster := *change.Put
			cluster.Revision = revision
			edit.SetClusters = append(edit.SetClusters, &cluster)
		case change.Delete:
			if cluster, found := from.ClusterByName(change.Name); found {
				edit.RemoveClusters = append(edit.RemoveClusters, cluster.UID)
			}
		}
	}
	for _, change := range c.Views {
		switch {
		case change.Put != nil:
			view := *change.Put
			view.Revision = revision
			edit.SetViews = append(edit.SetViews, &view)
		case change.Delete:
			if view, found := from.ViewByName(change.Name); found {
				edit.RemoveViews = append(edit.RemoveViews, view.UID)
			}
		}
	}
	return edit
}
