package daemon

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// indexes runs the index of every applied Cluster that names no index replicas
// of its own, each in a directory that is named by the cluster's uid.
type indexes struct {
	hosts  *hosts
	store  *mapStore
	dir    string
	config hostConfig // of each, but for the directory
	log    *slog.Logger

	cancel context.CancelFunc
	group  sync.WaitGroup
}

// openAgain is how long to wait before an index that did not open is tried
// again.
const openAgain = time.Second

// startIndexes opens the indexes of the clusters that are applied now, and
// follows the map from then on. An index that does not open at the start is an
// error; one that does not open later is logged, and tried again.
func startIndexes(store *mapStore, dir string, config hostConfig) (*indexes, error) {
	ctx, cancel := context.WithCancel(context.Background())
	x := &indexes{hosts: newHosts(), store: store, dir: dir, config: config, log: config.log, cancel: cancel}
	changed, unsubscribe := store.Subscribe()
	if err := x.match(store.Map()); err != nil {
		unsubscribe()
		x.close()
		return nil, err
	}
	x.group.Go(func() {
		defer unsubscribe()
		x.follow(ctx, changed)
	})
	return x, nil
}

func (x *indexes) follow(ctx context.Context, changed <-chan struct{}) {
	var failure string
	for {
		var retry <-chan time.Time
		if err := x.match(x.store.Map()); err != nil {
			if failure != err.Error() {
				x.log.Error("an index did not open; trying again", "err", err)
			}
			failure, retry = err.Error(), time.After(openAgain)
		} else {
			failure = ""
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-retry:
		}
	}
}

// match opens the indexes that a map asks for and closes those that it does
// not. It opens all it can, and returns the first error.
func (x *indexes) match(m *shardmap.Map) (first error) {
	wanted := wantedHere(m.Catalog())
	for _, gone := range x.hosts.take(func(h *host) bool { return wanted[h.cluster.UID] == nil }) {
		gone.close()
	}
	for uid, cluster := range wanted {
		if _, runs := x.hosts.get(uid); runs {
			continue
		}
		config := x.config
		config.dir = filepath.Join(x.dir, uid.String())
		opened, err := openHost(context.Background(), x.store, cluster, config)
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		x.hosts.set(opened)
	}
	return first
}

// wantedHere are the clusters whose index this process is to run.
func wantedHere(c *catalog.Catalog) map[cairn.UID]*catalog.Cluster {
	wanted := map[cairn.UID]*catalog.Cluster{}
	for _, cluster := range c.Clusters() {
		if len(cluster.IndexReplicas) == 0 {
			wanted[cluster.UID] = cluster
		}
	}
	return wanted
}

// close stops following and closes the indexes. Their directories stay.
func (x *indexes) close() {
	x.cancel()
	x.group.Wait()
	x.hosts.close()
}
