package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"cairn"
	"cairn/nodeindex/replica"
	"cairn/shardmap/catalog"
)

// host is one cluster's node index in this process: its replica, and the
// goroutine that keeps its log informed of what the cluster owns.
type host struct {
	cluster *catalog.Cluster
	replica *replica.Replica
	log     *slog.Logger

	cancel context.CancelFunc
	group  sync.WaitGroup
}

// hostConfig is how a host's replica is opened.
type hostConfig struct {
	dir string
	// name is what the replica calls itself; empty for "in-process".
	name string
	// network connects it to the index's other replicas, which find it at
	// address; nil where there are none ever.
	network *replicaNetwork
	address string
	// join has a directory without an index wait to be made part of the index
	// that there is. Else it founds one, if none was founded before.
	join       bool
	checkpoint Checkpoint
	tune       func(*replica.Config) // IndexConfig.Tune
	log        *slog.Logger
}

// openHost opens the index of a cluster, making its directory if need be, and
// follows the map from then on.
//
// It returns KindUnavailable (DATA_DIR_IN_USE, ETCD_UNAVAILABLE),
// KindPrecondition (DATA_DIR_OF_ANOTHER_CLUSTER, INDEX_FOUNDED), or KindCorrupt
// for a damaged or foreign file.
func openHost(ctx context.Context, store *mapStore, cluster *catalog.Cluster, config hostConfig) (*host, error) {
	if err := os.MkdirAll(config.dir, 0o700); err != nil {
		return nil, cairn.Invalid("data", "DATA_DIR_UNUSABLE", "the data directory can't be made: %w", err)
	}
	id, err := claimDir(config.dir, cluster)
	if err != nil {
		return nil, err
	}
	log := config.log.With("cluster", cluster.Name)
	settings := replica.Config{
		Dir:             config.dir,
		Name:            config.name,
		Cluster:         cluster.UID,
		ID:              id.String(),
		Logger:          log,
		CheckpointBytes: config.checkpoint.Bytes,
		CheckpointAge:   config.checkpoint.Age,
		Refresh: func(ctx context.Context, revision uint64) (cairn.Assignment, error) {
			m, err := store.Wait(ctx, revision)
			if err != nil {
				return cairn.Assignment{}, err
			}
			return m.Assignment(cluster.UID), nil
		},
	}
	if config.network != nil {
		settings.Network, settings.Address = config.network, config.address
		if settings.Found, err = mayFound(ctx, store, cluster, config, id); err != nil {
			return nil, err
		}
	}
	if config.tune != nil {
		config.tune(&settings)
	}
	opened, err := replica.Open(settings)
	if err != nil {
		return nil, fmt.Errorf("open the index of cluster %s: %w", cluster.Name, err)
	}
	life, cancel := context.WithCancel(context.Background())
	h := &host{cluster: cluster, replica: opened, log: log, cancel: cancel}
	log.Info("index started", "dir", config.dir, "replica", id)
	h.group.Go(func() { h.follow(life, store) })
	if config.network != nil {
		h.group.Go(func() { h.keepMembers(life, store) })
	}
	return h, nil
}

// close stops following and closes the replica.
func (h *host) close() {
	h.cancel()
	h.group.Wait()
	if err := h.replica.Close(); err != nil {
		h.log.Error("the index did not close cleanly; its log brings it back at the next start", "err", err)
	}
	h.log.Info("index stopped")
}

// follow proposes each new assignment to the log, while the replica leads.
func (h *host) follow(ctx context.Context, store *mapStore) {
	changed, cancel := store.Subscribe()
	defer cancel()
	var assigned uint64
	var troubled, gone bool
	for {
		var retry <-chan time.Time
		leads, standing := h.replica.Standing()
		if m := store.Map(); m.Revision() > assigned && leads {
			if _, applied := m.Catalog().ClusterByUID(h.cluster.UID); !applied && !gone {
				gone = true
				h.log.Warn("the cluster is no longer applied; its index owns nothing", "uid", h.cluster.UID)
			}
			err := h.replica.Assign(ctx, m.Assignment(h.cluster.UID))
			switch {
			case err == nil:
				assigned, troubled = m.Revision(), false
			case ctx.Err() != nil:
				return
			case cairn.ReasonOf(err) == "NOT_LEADER":
				// The one that leads does it.
			default:
				if !troubled {
					h.log.Error("the index can't take note of a new map; trying again", "revision", m.Revision(), "err", err)
				}
				troubled = true
				retry = time.After(assignPause())
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-standing:
		case <-retry:
		}
	}
}

// assignPause is how long to wait before an assignment is proposed again.
func assignPause() time.Duration { return 100*time.Millisecond + rand.N(200*time.Millisecond) }

// status asks the replica, for metrics.
func (h *host) status(ctx context.Context, epoch uint64) (cairn.IndexStatus, error) {
	return h.replica.Status(ctx, epoch)
}
