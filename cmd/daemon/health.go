package daemon

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"cairn"
	"cairn/router/health"
	"cairn/shardmap/catalog"
)

// nodeHealth checks the nodes of clusters, as the map declares.
type nodeHealth struct {
	*health.Checker
	stop func()
}

// startHealth checks the nodes of the clusters that are wanted, until it is closed.
func startHealth(store *mapStore, wanted func(*catalog.Cluster) bool, metrics *metrics, log *slog.Logger) *nodeHealth {
	checker := health.New(health.Config{
		Changed: func(t health.Target, err error) {
			cluster, node := nodeNames(store, t.Cluster, t.Node)
			if err == nil {
				log.Info("the node passes its checks again", "cluster", cluster, "node", node, "address", t.Address)
				return
			}
			log.Warn("the node fails its checks: new keys do not get it, and readers are sent to others",
				"cluster", cluster, "node", node, "address", t.Address, "err", err)
		},
		Doubted: func(uid cairn.UID, doubted bool) {
			cluster, _ := nodeNames(store, uid, 0)
			if doubted {
				log.Warn("most of the cluster's nodes fail their checks, which is taken for a fault of this process or its network: all are used", "cluster", cluster)
				return
			}
			log.Info("no longer do most of the cluster's nodes fail their checks", "cluster", cluster)
		},
	})
	metrics.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cairn_nodes_failing",
		Help: "Nodes that fail the checks of this process.",
	}, func() float64 { return float64(checker.Failing()) }))
	changed, unsubscribe := store.Subscribe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			checker.Targets(healthTargets(store.Map().Catalog(), wanted))
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return &nodeHealth{checker, func() {
		cancel()
		<-done
		unsubscribe()
		checker.Close()
	}}
}

// healthTargets are the nodes to check: those that are declared down nobody asks
// anyway.
func healthTargets(c *catalog.Catalog, wanted func(*catalog.Cluster) bool) (targets []health.Target) {
	for _, cluster := range c.Clusters() {
		if cluster.Health == cairn.HealthNone || !wanted(cluster) {
			continue
		}
		for _, n := range cluster.Nodes {
			if n.State != cairn.NodeDown {
				targets = append(targets, health.Target{Cluster: cluster.UID, Node: n.ID, Address: n.Address, How: cluster.Health})
			}
		}
	}
	return targets
}

// nodeNames are the names of a cluster and a node, or what stands for them.
func nodeNames(store *mapStore, uid cairn.UID, id cairn.NodeID) (cluster, node string) {
	declared, found := store.Map().Catalog().ClusterByUID(uid)
	if !found {
		return uid.String(), ""
	}
	n, _ := declared.NodeByID(id)
	return declared.Name, n.Name
}

// everyCluster is for who may be asked about any.
func everyCluster(*catalog.Cluster) bool { return true }
