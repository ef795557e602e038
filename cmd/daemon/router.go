package daemon

import (
	"context"
	"path/filepath"
	"time"

	"cairn/router/server"
)

// RunRouter serves the public API over the map in etcd and the index servers
// that its clusters name, until ctx ends.
//
// It returns nil when ctx ended; KindInvalid for a Config that can't be
// accepted, a listener off loopback without Insecure included;
// KindUnavailable when an address or the directory is in use. An etcd that
// does not answer is no error: from the journal it serves at once, without one
// it answers UNAVAILABLE and waits.
func RunRouter(ctx context.Context, config RouterConfig) error {
	if err := config.prepare(); err != nil {
		return err
	}
	if err := config.validate(); err != nil {
		return err
	}
	TuneGC(ctx)
	var journal string
	if config.Data != "" {
		unlock, err := lockDir(config.Data)
		if err != nil {
			return err
		}
		defer unlock()
		journal = filepath.Join(config.Data, "map.journal")
	}
	metrics := newMetrics()
	edge, err := openEdge(config.Common, metrics, nil)
	if err != nil {
		return err
	}
	defer edge.close()
	others, err := openFleet(config, metrics)
	if err != nil {
		return err
	}
	defer others.close()

	edge.refuse()
	store, err := awaitStore(ctx, edge, storeConfig{etcd: config.Etcd, transport: config.transport, journal: journal, sweep: true, log: config.Log})
	if err != nil {
		return unlessEnded(ctx, err)
	}
	defer store.close()
	metrics.watchMap(store)

	nodes := startHealth(store, everyCluster, metrics, config.Log)
	defer nodes.stop()
	routing, err := openRouting(store, &hosts{}, nodes, routingConfig{transport: config.transport, zone: config.Zone, others: others, choose: config.Choose, moves: config.Moves, cache: config.Cache}, metrics, config.Log)
	if err != nil {
		return err
	}
	defer routing.close()
	routing.admission = server.NewAdmission(config.Callers, time.Now)
	others.join(store, routing.router)
	if err := edge.serve(routing.services, routing.drain, ""); err != nil {
		return err
	}
	err = edge.wait(ctx)
	others.close() // first: what others ask of it they can ask of the indexes
	edge.close()
	return err
}

// unlessEnded is err, or nil if that came of ctx's end.
func unlessEnded(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}
