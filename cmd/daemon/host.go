package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"cairn"
	"cairn/nodeindex"
	"cairn/nodeindex/changelog"
	"cairn/nodeindex/replica"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/etcdstore"
)

// host is one cluster's node index in this process: its replica, and the
// goroutine that keeps its log informed of what the cluster owns.
type host struct {
	cluster *catalog.Cluster
	replica *replica.Replica
	network *replicaNetwork // nil where there are no other replicas ever
	log     *slog.Logger
	// failed is told that another has taken the index's place; nil where none
	// can.
	failed func(error)

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
	join bool
	// restored has a restored directory take the place of the index that there
	// is; replaces is the replica that has that, where it is another than when
	// the directory was saved.
	restored bool
	replaces string
	// failed is told why an index must not go on.
	failed     func(error)
	checkpoint Checkpoint
	changes    Changes
	// down tells of a node that it does not answer; nil where nobody knows.
	down func(cluster cairn.UID, node cairn.NodeID) bool
	tune func(*replica.Config) // IndexConfig.Tune
	log  *slog.Logger
}

// openHost opens the index of a cluster, making its directory if need be, and
// follows the map from then on.
//
// It returns KindUnavailable (DATA_DIR_IN_USE, ETCD_UNAVAILABLE),
// KindPrecondition (DATA_DIR_OF_ANOTHER_CLUSTER, MAP_OLDER, or as begin does), or
// KindCorrupt for a damaged or foreign file.
func openHost(ctx context.Context, store *mapStore, cluster *catalog.Cluster, config hostConfig) (*host, error) {
	if err := os.MkdirAll(config.dir, 0o700); err != nil {
		return nil, cairn.Invalid("data", "DATA_DIR_UNUSABLE", "the data directory can't be made: %w", err)
	}
	id, err := claimDir(config.dir, cluster)
	if err != nil {
		return nil, err
	}
	log := config.log.With("cluster", cluster.Name)
	h := &host{cluster: cluster, network: config.network, log: log, failed: config.failed}
	settings := replica.Config{
		Dir:             config.dir,
		Name:            config.name,
		Cluster:         cluster.UID,
		ID:              id.Replica.String(),
		Logger:          log,
		CheckpointBytes: config.checkpoint.Bytes,
		CheckpointAge:   config.checkpoint.Age,
		Index:           nodeindex.Options{Changes: changelog.Options{Bytes: config.changes.Bytes, Age: config.changes.Age}},
		Refresh: func(ctx context.Context, revision uint64) (cairn.Assignment, error) {
			m, err := store.Wait(ctx, revision)
			if err != nil {
				return cairn.Assignment{}, err
			}
			return h.assignment(ctx, store, m)
		},
		Latest: func(ctx context.Context) (cairn.Assignment, error) {
			m, err := store.Refresh(ctx)
			if err != nil {
				return cairn.Assignment{}, err
			}
			return h.assignment(ctx, store, m)
		},
	}
	if config.down != nil {
		settings.Index.Down = func(node cairn.NodeID) bool { return config.down(cluster.UID, node) }
	}
	var founding etcdstore.Founding
	if config.network != nil {
		settings.Network, settings.Address = config.network, config.address
		if founding, err = begin(ctx, store, cluster, config, id, settings); err != nil {
			return nil, err
		}
		settings.Found = founding.Replica == settings.ID
	} else if id.Restored {
		return nil, cairn.Errorf(cairn.KindPrecondition, "RESTORE_UNCLAIMED", "%s was restored: serve it with cairn index --restored", config.dir)
	}
	if config.tune != nil {
		config.tune(&settings)
	}
	if h.replica, err = replica.Open(settings); err != nil {
		return nil, fmt.Errorf("open the index of cluster %s: %w", cluster.Name, err)
	}
	if err := h.admit(ctx, store, founding, settings.ID); err != nil {
		log.Error("THE INDEX IS NOT SERVED", "dir", config.dir, "err", err)
		return nil, errors.Join(err, h.replica.Close())
	}
	life, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	log.Info("index started", "dir", config.dir, "replica", id.Replica)
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
	var unconcerned lateness
	for {
		var retry <-chan time.Time
		leads, standing := h.replica.Standing()
		if m := store.Map(); m.Revision() > assigned && leads {
			if _, applied := m.Catalog().ClusterByUID(h.cluster.UID); !applied && !gone {
				gone = true
				h.log.Warn("the cluster is no longer applied; its index owns nothing", "uid", h.cluster.UID)
			}
			wait, err := h.note(ctx, store, m, &unconcerned)
			switch {
			case err == nil && wait > 0:
				retry = time.After(wait)
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

// note has the log note a map, or tells how long that may wait.
func (h *host) note(ctx context.Context, store *mapStore, m *shardmap.Map, unconcerned *lateness) (wait time.Duration, err error) {
	assignment, err := h.assignment(ctx, store, m)
	if err != nil {
		return 0, err
	}
	if wait = unconcerned.left(h.replica.Concerns(assignment), time.Now()); wait > 0 {
		return wait, nil
	}
	return 0, h.replica.Assign(ctx, assignment)
}

// notedLate is how long a map in which nothing of the cluster has changed may be noted
// later: each step of each move makes one, and an entry of the log would be in the way of
// what that step is about. Whoever needs the revision has it noted at once.
const notedLate = 100 * time.Millisecond

// lateness is since when there are maps to note that do not concern a cluster.
type lateness struct{ since time.Time }

// left is how long the next map may wait to be noted: not at all if it concerns the
// cluster, and no longer than notedLate after the first that did not.
func (l *lateness) left(concerns bool, now time.Time) time.Duration {
	if l.since.IsZero() {
		l.since = now
	}
	if wait := l.since.Add(notedLate).Sub(now); !concerns && wait > 0 {
		return wait
	}
	l.since = time.Time{}
	return 0
}

// assignment is what the cluster owns by a map, for the log to note. An index
// whose place another has taken must not: the other's shards have new epochs, and
// by noting them it would answer for them. The other claimed the place before
// it renewed them, so that whoever sees these in a map sees the claim after. Nor is a
// map noted that etcd has from before, or in which it has lost the cluster: the index
// would let go of its shards. KindPrecondition: INDEX_SUPERSEDED, MAP_LOST, MAP_OLDER.
func (h *host) assignment(ctx context.Context, store *mapStore, m *shardmap.Map) (cairn.Assignment, error) {
	var founding etcdstore.Founding // where failed is nil, nobody takes the index's place
	if h.failed != nil {
		var err error
		if founding, err = store.FoundingSeen(ctx, h.cluster.UID); err != nil {
			return cairn.Assignment{}, err
		}
	}
	known, err := h.replica.KnownMap() // after that: what it has applied is no older
	if err != nil {
		return cairn.Assignment{}, err
	}
	if err := superseded(known.Applied, founding); err != nil {
		h.log.Error("THIS INDEX HAS BEEN SUPERSEDED and ends", "err", err)
		h.failed(err)
		return cairn.Assignment{}, err
	}
	if known.Revision < m.Revision() { // else it is of no effect
		if err := errors.Join(mapLost(&known.Assignment, h.cluster.UID, m), knowsMore(&known.Assignment, m)); err != nil {
			return cairn.Assignment{}, err
		}
	}
	return m.Assignment(h.cluster.UID), nil
}

// assignPause is how long to wait before an assignment is proposed again.
func assignPause() time.Duration { return 100*time.Millisecond + rand.N(200*time.Millisecond) }

// status asks the replica, for metrics.
func (h *host) status(ctx context.Context, epoch uint64) (cairn.IndexStatus, error) {
	return h.replica.Status(ctx, epoch)
}
