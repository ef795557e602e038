package admin

import (
	"context"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Apply makes the declared resources true, all of them in one step or none.
//
// With ValidateOnly it also counts, as far as the indexes answer, what views
// whose filters change would gain and lose.
//
// Its errors are those of catalog's Plan; KindPrecondition IN_USE where a
// removed node holds entries; KindConflict PLAN_CHANGED where options.Plan is
// not the plan any more, and MAP_CHANGED where something changed while it was
// carried out; KindUnavailable where the store, or the index of a cluster that
// loses a node, can't be asked.
func (a *Admin) Apply(ctx context.Context, resources []catalog.Resource, options ApplyOptions) (Applied, error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return Applied{}, err
	}
	plan, err := m.Catalog().Plan(resources, catalog.Means{NewUID: cairn.NewUID, CheckFilter: a.config.CheckFilter})
	if err != nil {
		return Applied{}, err
	}
	if err := plan.Matches(options.Plan); err != nil {
		return Applied{}, err
	}
	if err := plan.CheckRemovals(func(removal catalog.NodeRemoval) (uint64, error) { return a.entriesOn(ctx, m, removal) }); err != nil {
		return Applied{}, err
	}
	applied := Applied{Changes: make([]ResourceChange, len(plan.Changes)), Plan: plan.Fingerprint()}
	for i, change := range plan.Changes {
		applied.Changes[i].ResourceChange = change
	}
	if options.ValidateOnly {
		a.countMembers(ctx, m, plan, applied.Changes)
		return applied, nil
	}
	if plan.Empty() {
		applied.Revision = m.Revision()
		return applied, nil
	}
	change, err := changeOf(m, plan)
	if err != nil {
		return Applied{}, err
	}
	applied.Revision, err = a.commit(ctx, change)
	return applied, err
}

// entriesOn counts the entries of a node that is to be removed, at a state of
// its index that knows the node as draining: no new ones come after it.
func (a *Admin) entriesOn(ctx context.Context, m *shardmap.Map, removal catalog.NodeRemoval) (uint64, error) {
	status, err := a.vouched(ctx, m, removal.Cluster, removal.Cluster.Revision)
	if err != nil {
		return 0, err
	}
	return status.NodeEntries[removal.Node.ID], nil
}

// vouched is the status of a cluster's index once it has noted the map revision
// epoch, from an index that holds every shard that the Map gives the cluster:
// another one, behind a wrong address, would count nothing. KindUnavailable
// (SHARDS_NOT_COUNTED) if it does not.
func (a *Admin) vouched(ctx context.Context, m *shardmap.Map, cluster *catalog.Cluster, epoch uint64) (cairn.IndexStatus, error) {
	given := m.Assignment(cluster.UID).Shards
	for _, shard := range given {
		epoch = max(epoch, shard.Epoch)
	}
	status, err := a.status(ctx, cluster, epoch)
	if err != nil {
		return cairn.IndexStatus{}, askIndex(cluster, err)
	}
	held := make(map[shardRef]bool, len(status.Shards))
	for _, s := range status.Shards {
		held[shardRef{s.Keyspace, s.Shard, s.Epoch}] = true
	}
	for _, shard := range given {
		if !held[shardRef{shard.Keyspace, shard.ID, shard.Epoch}] {
			return cairn.IndexStatus{}, cairn.Errorf(cairn.KindUnavailable, "SHARDS_NOT_COUNTED",
				"the index that answers for cluster %s at %s does not hold shard %s as the map at revision %d has it: check the cluster's index address, or try again if shards have just changed",
				cluster.Name, status.Replica, shard.ID, m.Revision())
		}
	}
	return status, nil
}

// shardRef is a shard at one epoch.
type shardRef struct {
	keyspace cairn.UID
	shard    cairn.ShardID
	epoch    uint64
}

// changeOf is a plan as one change: what it sets, and the compares of all that
// it was decided by.
func changeOf(m *shardmap.Map, plan *catalog.Plan) (shardmap.Change, error) {
	var change shardmap.Change
	set := map[string]bool{}
	for _, c := range plan.SetClusters {
		set[catalog.ClusterName(c.Name)] = true
		expected := uint64(0)
		if standing, found := m.Catalog().ClusterByName(c.Name); found {
			expected = standing.Revision
		}
		change.Clusters = append(change.Clusters, shardmap.ClusterChange{Name: c.Name, Expected: expected, Put: c})
	}
	for _, k := range plan.UpdateKeyspaces {
		set[catalog.KeyspaceName(k.Name)] = true
		next := *k
		next.Revision = 0 // the declaration changes
		change.Keyspaces = append(change.Keyspaces, shardmap.KeyspaceChange{Name: k.Name, Expected: k.ModRevision, Put: &next})
	}
	clusters := clustersAfter(m, plan)
	for _, k := range plan.CreateKeyspaces {
		set[catalog.KeyspaceName(k.Name)] = true
		created, err := shardmap.Create(k, clusters)
		if err != nil {
			return shardmap.Change{}, cairn.InField(catalog.KeyspaceName(k.Name), err)
		}
		change.Keyspaces = append(change.Keyspaces, created.Keyspaces...)
		change.Shards = append(change.Shards, created.Shards...)
	}
	declared := shardmap.DeclareViews(m, plan.SetViews, set)
	change.Views = append(change.Views, declared.Views...)
	change.Keyspaces = append(change.Keyspaces, declared.Keyspaces...)
	for _, v := range plan.SetViews {
		set[catalog.ViewName(v.Name)] = true
	}
	for _, k := range m.Catalog().Keyspaces() {
		if name := catalog.KeyspaceName(k.Name); plan.Touches(name) && !set[name] {
			change.Keyspaces = append(change.Keyspaces, shardmap.KeyspaceChange{Name: k.Name, Expected: k.ModRevision})
		}
	}
	for _, c := range m.Catalog().Clusters() {
		if name := catalog.ClusterName(c.Name); plan.Touches(name) && !set[name] {
			change.Clusters = append(change.Clusters, shardmap.ClusterChange{Name: c.Name, Expected: c.Revision})
		}
	}
	for _, v := range m.Catalog().Views() {
		if name := catalog.ViewName(v.Name); plan.Touches(name) && !set[name] {
			change.Views = append(change.Views, shardmap.ViewChange{Name: v.Name, Expected: v.Revision})
		}
	}
	return change, nil
}

// clustersAfter are the clusters as they stand once the plan is carried out.
func clustersAfter(m *shardmap.Map, plan *catalog.Plan) []*catalog.Cluster {
	set := map[cairn.UID]bool{}
	for _, c := range plan.SetClusters {
		set[c.UID] = true
	}
	clusters := append([]*catalog.Cluster{}, plan.SetClusters...)
	for _, c := range m.Catalog().Clusters() {
		if !set[c.UID] {
			clusters = append(clusters, c)
		}
	}
	return clusters
}

// commit makes a change and waits until this process sees it, so that what the
// caller asks next knows of it. KindUnknown (DONE_NOT_SEEN) if it does not
// see it in time: the change is made all the same.
func (a *Admin) commit(ctx context.Context, change shardmap.Change) (uint64, error) {
	revision, err := a.store.Commit(ctx, change)
	if err != nil {
		return 0, err
	}
	_, err = a.await(ctx, revision)
	return revision, err
}

// await is the Map after a change that was made at a revision.
func (a *Admin) await(ctx context.Context, revision uint64) (*shardmap.Map, error) {
	m, err := a.store.Wait(ctx, revision)
	if err != nil {
		return nil, cairn.Errorf(cairn.KindUnknown, "DONE_NOT_SEEN",
			"the change took effect at revision %d, but this router has not seen it yet (%w); do not repeat it", revision, err)
	}
	return m, nil
}

// askIndex says which index an error is of.
func askIndex(c *catalog.Cluster, err error) error {
	e := cairn.Errorf(cairn.KindOf(err), cairn.ReasonOf(err), "the index of cluster %s: %w", c.Name, err)
	if e.Reason == "" {
		e.Reason = "INDEX_UNAVAILABLE"
	}
	return e
}
