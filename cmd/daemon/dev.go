package daemon

import (
	"context"
	"fmt"
	"path/filepath"
)

// RunDev serves the development stack until ctx ends: an embedded etcd on
// loopback, a router, and the index of every applied Cluster that names no
// index replicas of its own. Run again with the same directory it serves the
// same data.
//
// It returns nil when ctx ended; KindInvalid for a Config that can't be
// accepted; KindUnavailable with the reason DATA_DIR_IN_USE when another
// process has the directory, ADDRESS_IN_USE when one has an address;
// KindCorrupt when a file of it is damaged.
func RunDev(ctx context.Context, config DevConfig) error {
	if err := config.prepare(); err != nil {
		return err
	}
	if err := config.validate(); err != nil {
		return err
	}
	TuneGC(ctx)
	unlock, err := lockDir(config.Data)
	if err != nil {
		return err
	}
	defer unlock()
	metrics := newMetrics()
	edge, err := openEdge(config.Common, metrics, nil)
	if err != nil {
		return err
	}
	defer edge.close()

	edge.refuse()
	edge.waitFor("the embedded etcd")
	etcd, err := startEtcd(ctx, config.Data, "127.0.0.1:0")
	if err != nil {
		return unlessEnded(ctx, err)
	}
	defer etcd.close()
	store, err := openStore(ctx, storeConfig{etcd: []string{etcd.URL}, sweep: true, log: config.Log})
	if err != nil {
		return unlessEnded(ctx, err)
	}
	defer store.close()
	metrics.watchMap(store)

	nodes := startHealth(store, everyCluster, metrics, config.Log)
	defer nodes.stop()

	edge.waitFor("the indexes")
	runner, err := startIndexes(store, filepath.Join(config.Data, "clusters"), hostConfig{checkpoint: config.Checkpoint, down: nodes.Down, log: config.Log})
	if err != nil {
		return err
	}
	defer runner.close()
	metrics.watchIndexes(runner.hosts.local)

	routing, err := openRouting(store, runner.hosts, nodes, routingConfig{transport: config.transport, cache: config.Cache}, metrics, config.Log)
	if err != nil {
		return err
	}
	defer routing.close()
	if err := edge.serve(routing.services, routing.drain, etcd.URL); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-etcd.Failed():
			cancel(fmt.Errorf("the embedded etcd ended: %w", err))
		case <-ctx.Done():
		}
	}()
	err = edge.wait(ctx)
	edge.close()
	return err
}
