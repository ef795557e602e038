package admin

import (
	"context"
	"strings"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// GetKeyspace shows a keyspace; KindNotFound if there is none of that name.
func (a *Admin) GetKeyspace(ctx context.Context, name string) (KeyspaceInfo, error) {
	m, k, err := a.keyspace(ctx, name)
	if err != nil {
		return KeyspaceInfo{}, err
	}
	return KeyspaceInfo{k, m.Count(k.UID)}, nil
}

// ListKeyspaces shows a page of the keyspaces in ascending order of name: at
// most size of those after the name after. more tells whether others follow.
func (a *Admin) ListKeyspaces(ctx context.Context, after string, size int) (page []KeyspaceInfo, more bool, err error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, k := range m.Catalog().Keyspaces() {
		if k.Name <= after {
			continue
		}
		if len(page) == size {
			return page, true, nil
		}
		page = append(page, KeyspaceInfo{k, m.Count(k.UID)})
	}
	return page, false, nil
}

// DeleteKeyspace deletes a keyspace that holds no entries and has no views. It
// first has the
// indexes refuse writes to it, so that none comes in between; if it is refused,
// they are taken again.
//
// KindNotFound if there is none of that name; KindPrecondition IN_USE, with
// their names, while it has views, or with the count, while it holds entries;
// KindConflict if it was changed meanwhile;
// KindUnavailable if an index that owns shards of it can't be asked: the
// keyspace stays.
func (a *Admin) DeleteKeyspace(ctx context.Context, name string) error {
	m, k, err := a.keyspace(ctx, name)
	if err != nil {
		return err
	}
	if err := checkViews(m, k); err != nil && !k.Deleting {
		return err // before writes are refused in vain
	}
	if err := usedByMove(m, catalog.KeyspaceName(k.Name), func(move shardmap.Move) bool { return move.Keyspace == k.UID }); err != nil {
		return err
	}
	if !k.Deleting { // else an earlier attempt did not come to its end
		if err := a.mark(ctx, k, true); err != nil {
			if cairn.KindOf(err) == cairn.KindConflict {
				return err // nothing was marked
			}
			return a.lift(ctx, k, err)
		}
	}
	marked := k
	m, k, err = a.keyspace(ctx, name)
	if err != nil {
		return a.lift(ctx, marked, err)
	}
	if !k.Deleting {
		return cairn.Errorf(cairn.KindConflict, "MAP_CHANGED", "another attempt to delete the keyspace was given up meanwhile; try again")
	}
	// No view comes any more: declaring one compares the keyspace's record.
	if err := checkViews(m, k); err != nil {
		return a.lift(ctx, k, err)
	}
	if err := a.checkUnused(ctx, m, k); err != nil {
		return a.lift(ctx, k, err)
	}
	_, err = a.commit(ctx, shardmap.Change{Keyspaces: []shardmap.KeyspaceChange{{Name: k.Name, Expected: k.ModRevision, Delete: true}}})
	return err
}

// checkViews refuses a keyspace that has views.
func checkViews(m *shardmap.Map, k *catalog.Keyspace) error {
	var names []string
	for _, view := range m.Catalog().ViewsOf(k.UID) {
		names = append(names, view.Name)
	}
	if len(names) == 0 {
		return nil
	}
	err := cairn.Errorf(cairn.KindPrecondition, "IN_USE", "keyspace %s has views: %s; delete them first", k.Name, strings.Join(names, ", "))
	err.Field = catalog.KeyspaceName(k.Name)
	return err
}

// checkUnused refuses a keyspace of which any owner holds entries once its log
// knows that no more are taken.
func (a *Admin) checkUnused(ctx context.Context, m *shardmap.Map, k *catalog.Keyspace) error {
	var entries uint64
	for _, owner := range m.Owners(k.UID) {
		cluster, found := m.Catalog().ClusterByUID(owner.Cluster)
		if !found {
			continue // no index, no entries
		}
		status, err := a.vouched(ctx, m, cluster, max(k.Revision, owner.MaxEpoch))
		if err != nil {
			return err
		}
		for _, shard := range status.Shards {
			if shard.Keyspace == k.UID {
				entries += shard.Entries
			}
		}
	}
	if entries == 0 {
		return nil
	}
	err := cairn.Errorf(cairn.KindPrecondition, "IN_USE", "keyspace %s holds %d entries; delete them first", k.Name, entries)
	err.Field = catalog.KeyspaceName(k.Name)
	return err
}

// mark sets or lifts the mark that a keyspace is being deleted.
func (a *Admin) mark(ctx context.Context, k *catalog.Keyspace, deleting bool) error {
	next := *k
	next.Deleting, next.Revision = deleting, 0
	_, err := a.commit(ctx, shardmap.Change{Keyspaces: []shardmap.KeyspaceChange{{Name: k.Name, Expected: k.ModRevision, Put: &next}}})
	return err
}

// lift takes writes again after a refused deletion, whatever became of the
// caller's deadline. If that fails, deleting again or for good is what helps.
func (a *Admin) lift(ctx context.Context, k *catalog.Keyspace, refused error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), liftTimeout)
	defer cancel()
	// As it stands now: whether the mark was set may not be known.
	_, now, err := a.keyspace(ctx, k.Name)
	switch {
	case err != nil && cairn.KindOf(err) == cairn.KindNotFound:
		return refused
	case err == nil && (now.UID != k.UID || !now.Deleting):
		return refused
	case err == nil:
		err = a.mark(ctx, now, false)
	}
	if err != nil && cairn.KindOf(err) != cairn.KindConflict {
		return cairn.Errorf(cairn.KindOf(refused), cairn.ReasonOf(refused), "%w; and it still refuses writes, since %w: delete it again", refused, err)
	}
	return refused
}

// keyspace finds a keyspace in a fresh Map.
func (a *Admin) keyspace(ctx context.Context, name string) (*shardmap.Map, *catalog.Keyspace, error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return nil, nil, err
	}
	k, found := m.Catalog().KeyspaceByName(name)
	if !found {
		return nil, nil, cairn.Errorf(cairn.KindNotFound, "KEYSPACE_NOT_FOUND", "there is no keyspace %q", name)
	}
	return m, k, nil
}
