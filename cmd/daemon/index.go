package daemon

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
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
// another cluster's index, or (INDEX_FOUNDED) is empty although the cluster has
// an index and it is not to join that; for the other reasons of begin and admit;
// KindCorrupt when the index's file is damaged or not its own.
func RunIndex(ctx context.Context, config IndexConfig) error {
	if err := config.prepare(); err != nil {
		return err
	}
	if err := config.validate(); err != nil {
		return err
	}
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	TuneGC(ctx)
	unlock, err := lockDir(config.Data)
	if err != nil {
		return err
	}
	defer unlock()
	metrics := newMetrics()
	var shared *junction
	edge, err := openEdge(config.Common, metrics, func(listener net.Listener) net.Listener {
		shared = newJunction(listener, config.Log)
		return shared
	})
	if err != nil {
		return err
	}
	defer edge.close()
	address := cmp.Or(config.Advertise, edge.address())

	store, err := awaitStore(ctx, edge, storeConfig{etcd: config.Etcd, transport: config.transport, log: config.Log})
	if err != nil {
		return unlessEnded(ctx, err)
	}
	defer store.close()
	metrics.watchMap(store)

	cluster, err := awaitCluster(ctx, store, config.Cluster, edge)
	if err != nil {
		return unlessEnded(ctx, err)
	}
	if !slices.Contains(cluster.IndexReplicas, address) {
		config.Log.Warn("the cluster does not name this address under index.replicas, so no router will ask here; add it to the manifest, or say with --advertise by which name it is there",
			"cluster", cluster.Name, "address", address, "declared", strings.Join(cluster.IndexReplicas, ", "))
	}
	nodes := startHealth(store, func(c *catalog.Cluster) bool { return c.UID == cluster.UID }, metrics, config.Log)
	defer nodes.stop()
	opened, err := openHost(ctx, store, cluster, hostConfig{
		dir: config.Data, name: address, checkpoint: config.Checkpoint, changes: config.Changes, down: nodes.Down, log: config.Log,
		network: &replicaNetwork{junction: shared, transport: config.transport, cluster: cluster.UID}, address: address, join: config.Join,
		restored: config.Restored, replaces: config.Replaces, failed: failed, tune: config.Tune,
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

// awaitCluster returns the Cluster of a name as soon as it is applied. Until
// then it tells which there are: the name may be misspelled.
func awaitCluster(ctx context.Context, store *mapStore, name string, edge *edge) (*catalog.Cluster, error) {
	changed, cancel := store.Subscribe()
	defer cancel()
	for said := ""; ; {
		known := store.Map().Catalog()
		if cluster, applied := known.ClusterByName(name); applied {
			return cluster, nil
		}
		if what := "the cluster " + name + " to be applied; " + describeClusters(known.Clusters()); what != said {
			edge.waitFor(what)
			said = what
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// mostNamed is how many clusters a message names.
const mostNamed = 10

// describeClusters names the clusters that there are, or the first of many.
func describeClusters(clusters []*catalog.Cluster) string {
	if len(clusters) == 0 {
		return "no cluster is applied yet"
	}
	names := make([]string, min(len(clusters), mostNamed))
	for i := range names {
		names[i] = clusters[i].Name
	}
	text := "those applied are " + strings.Join(names, ", ")
	if more := len(clusters) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
