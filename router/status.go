package router

import (
	"context"

	"cairn"
	"cairn/shardmap/catalog"
)

// Status asks a cluster's node index about itself, once its log has noted the
// map revision epoch. It fails as an Index's Status does, and with
// KindUnavailable where the cluster has no index yet.
func (r *Router) Status(ctx context.Context, cluster *catalog.Cluster, epoch uint64) (cairn.IndexStatus, error) {
	m, err := r.mapAt(ctx, 0)
	if err != nil {
		return cairn.IndexStatus{}, asError(err)
	}
	d := r.connections.directory(m)
	at, found := d.find(cluster.UID)
	if !found {
		return cairn.IndexStatus{}, clusterGone(cluster)
	}
	index, err := d.members[at].connection.get(d.members[at].cluster)
	if err != nil {
		return cairn.IndexStatus{}, asError(err)
	}
	ctx, own := r.bound(ctx)
	defer own.end()
	return index.Status(ctx, epoch)
}
