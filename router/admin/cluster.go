package admin

import (
	"context"
	"fmt"
	"strings"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// GetCluster shows a cluster; KindNotFound if there is none of that name.
func (a *Admin) GetCluster(ctx context.Context, name string) (ClusterInfo, error) {
	m, c, err := a.cluster(ctx, name)
	if err != nil {
		return ClusterInfo{}, err
	}
	return ClusterInfo{c, shardsOf(m, c.UID)}, nil
}

// ListClusters shows a page of the clusters in ascending order of name: at
// most size of those after the name after. more tells whether others follow.
func (a *Admin) ListClusters(ctx context.Context, after string, size int) (page []ClusterInfo, more bool, err error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, c := range m.Catalog().Clusters() {
		if c.Name <= after {
			continue
		}
		if len(page) == size {
			return page, true, nil
		}
		page = append(page, ClusterInfo{c, shardsOf(m, c.UID)})
	}
	return page, false, nil
}

// DeleteCluster deletes a cluster that owns no shards: KindPrecondition IN_USE
// otherwise, naming the keyspaces. KindNotFound if there is none of that name;
// KindConflict if the catalog was changed meanwhile.
func (a *Admin) DeleteCluster(ctx context.Context, name string) error {
	m, c, err := a.cluster(ctx, name)
	if err != nil {
		return err
	}
	change := shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: c.Name, Expected: c.Revision, Delete: true}}}
	var uses []string
	for _, k := range m.Catalog().Keyspaces() {
		if owner, owns := m.Owner(k.UID, c.UID); owns {
			uses = append(uses, fmt.Sprintf("%d of keyspace %s", owner.Shards, k.Name))
		}
	}
	if err := usedByMove(m, catalog.ClusterName(c.Name), func(move shardmap.Move) bool { return move.To == c.UID || move.From == c.UID }); err != nil {
		return err
	}
	if len(uses) > 0 {
		err := cairn.Errorf(cairn.KindPrecondition, "IN_USE", "cluster %s owns shards: %s; move them, or delete the keyspaces, first", c.Name, strings.Join(uses, ", "))
		err.Field = catalog.ClusterName(c.Name)
		return err
	}
	// Whoever gives a shard to a cluster compares the cluster's record.
	_, err = a.commit(ctx, change)
	return err
}

// IndexStatus asks a cluster's node index about itself, as it is now.
// KindNotFound if there is no cluster of that name; KindUnavailable if the
// index can't be asked.
func (a *Admin) IndexStatus(ctx context.Context, name string) (cairn.IndexStatus, *catalog.Cluster, error) {
	_, c, err := a.cluster(ctx, name)
	if err != nil {
		return cairn.IndexStatus{}, nil, err
	}
	status, err := a.status(ctx, c, 0)
	if err != nil {
		return cairn.IndexStatus{}, nil, askIndex(c, err)
	}
	return status, c, nil
}

// cluster finds a cluster in a fresh Map.
func (a *Admin) cluster(ctx context.Context, name string) (*shardmap.Map, *catalog.Cluster, error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, found := m.Catalog().ClusterByName(name)
	if !found {
		return nil, nil, cairn.Errorf(cairn.KindNotFound, "CLUSTER_NOT_FOUND", "there is no cluster %q", name)
	}
	return m, c, nil
}

// shardsOf counts the shards that a cluster owns in all keyspaces.
func shardsOf(m *shardmap.Map, cluster cairn.UID) (n int) {
	for _, k := range m.Catalog().Keyspaces() {
		owner, _ := m.Owner(k.UID, cluster)
		n += owner.Shards
	}
	return n
}
