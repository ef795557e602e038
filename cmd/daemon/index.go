package daemon

import (
	"context"
	"strings"

	"google.golang.org/grpc"

	"cairn/nodeindex/server"
	"cairn/shardmap/catalog"
)

// RunIndex serves the node index of one cluster until ctx ends. It waits for
// the Cluster to be applied, says so in its log, and is not ready until then.
//
// It returns nil when ctx ended; KindInvalid for a Config that can't be
// accepted; KindUnavailable when an address or the directory is in use;
// KindPrecondition (DATA_DIR_OF_ANOTHER_CLUSTER) when the directory holds
// another cluster's index; KindCorrupt when the index's file is damaged or not
// its own.
func RunIndex(ctx context.Context, config IndexConfig) error {
	config.prepare()
	if err := config.validate(); err != nil {
		return err
	}
	tuneGC()
	unlock, err := lockDir(config.Data)
	if err != nil {
		return err
	}
	defer unlock()
	metrics := newMetrics()
	edge, err := openEdge(config.Common, metrics)
	if err != nil {
		return err
	}
	defer edge.close()

	edge.waitFor("etcd at " + strings.Join(config.Etcd, ","))
	store, err := openStore(ctx, storeConfig{etcd: config.Etcd, log: config.Log})
	if err != nil {
		return unlessEnded(ctx, err)
	}
	defer store.close()
	metrics.watchMap(store)

	cluster, err := awaitCluster(ctx, store, config.Cluster, edge)
	if err != nil {
		return unlessEnded(ctx, err)
	}
	if len(cluster.IndexReplicas) == 0 {
		config.Log.Warn("the cluster names no index replicas, so no router will ask this one; add its address to the manifest",
			"cluster", cluster.Name, "address", edge.address())
	}
	opened, err := openHost(store, cluster, hostConfig{
		dir: config.Data, name: edge.address(), checkpoint: config.Checkpoint, log: config.Log,
	})
	if err != nil {
		return err
	}
	defer opened.close()
	metrics.watchIndexes(func() []localIndex { return []localIndex{{cluster.Name, opened.status}} })

	api := server.New(opened.replica)
	services := func() (*grpc.Server, error) {
		g := newGRPCServer(server.Options()...)
		api.Register(g)
		return g, nil
	}
	if err := edge.serve(services, api.Drain, ""); err != nil {
		return err
	}
	err = edge.wait(ctx)
	edge.close()
	return err
}

// awaitCluster returns the Cluster of a name as soon as it is applied.
func awaitCluster(ctx context.Context, store *mapStore, name string, edge *edge) (*catalog.Cluster, error) {
	changed, cancel := store.Subscribe()
	defer cancel()
	for said := false; ; said = true {
		if cluster, applied := store.Map().Catalog().ClusterByName(name); applied {
			return cluster, nil
		}
		if !said {
			edge.waitFor("the cluster " + name + " to be applied")
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
