package daemon

import (
	"context"
	"slices"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/etcdstore"
)

// renewAtOnce is how many shards get new epochs in one transaction of etcd.
const renewAtOnce = 100

// renewPause is the wait where etcd does not answer.
const renewPause = time.Second

// admit makes sure, before anything is served, that an opened index and etcd
// belong together: that the index does not know of later changes than etcd does
// (KindPrecondition, MAP_OLDER), and that no other has taken its place
// (INDEX_SUPERSEDED). It gives the shards of an index that was restored new
// epochs and has its log note them.
func (h *host) admit(ctx context.Context, store *mapStore, founding etcdstore.Founding, self string) error {
	status, err := h.replica.Status(ctx, 0)
	if err != nil {
		return err
	}
	m, err := store.Refresh(ctx) // after it: what is noted came from etcd
	if err != nil {
		return err
	}
	if err := superseded(status.AppliedIndex, founding); err != nil {
		return err
	}
	known, err := h.replica.KnownMap()
	if err != nil {
		return err
	}
	if err := knowsMore(&known.Assignment, m); err != nil {
		return err
	}
	if founding.Generation == 0 || founding.Replica != self {
		return nil
	}
	return h.renewEpochs(ctx, store, founding, status.MapRevision)
}

// knowsMore refuses a map that is older than what an index has noted of it: etcd
// was restored from a backup, or is another. Going on with it would hand the same
// epochs out again, and the index let go of what it has by later ones.
func knowsMore(noted *cairn.Assignment, m *shardmap.Map) error {
	if noted.Revision > m.Revision() {
		return cairn.Errorf(cairn.KindPrecondition, "MAP_OLDER",
			"the index has noted map revision %d, and etcd is at %d: etcd was restored from a backup older than the index, or is another one. Restore a later one of etcd, or the index from one that is no later, or see cairn recover map",
			noted.Revision, m.Revision())
	}
	for i := range noted.Shards {
		has := &noted.Shards[i]
		// Epochs of a key only grow, whatever is split, merged or moved.
		if shard, found := m.Lookup(has.Keyspace, has.Start); found && shard.Epoch < has.Epoch {
			return cairn.Errorf(cairn.KindPrecondition, "MAP_OLDER",
				"the index knows shard %s of keyspace %s with epoch %d, and in etcd its keys have %d: etcd was restored from a backup older than the index. Restore a later one of etcd, or the index from one that is no later, or see cairn recover map",
				has.ID, has.Keyspace, has.Epoch, shard.Epoch)
		}
	}
	return nil
}

// mapLost refuses a map without the cluster of an index that owns shards, if these
// have not become others': a cluster that owns any is not deleted, so etcd has lost
// what it held, and what it gets by and by is not to be taken for the whole.
func mapLost(noted *cairn.Assignment, cluster cairn.UID, m *shardmap.Map) error {
	_, applied := m.Catalog().ClusterByUID(cluster)
	stands := func(has cairn.Shard) bool {
		shard, found := m.Lookup(has.Keyspace, has.Start)
		return !found || shard.Cluster == cluster || shard.Epoch <= has.Epoch
	}
	if applied || !slices.ContainsFunc(noted.Shards, stands) {
		return nil
	}
	return cairn.Errorf(cairn.KindPrecondition, "MAP_LOST",
		"etcd at revision %d does not have the cluster of this index, which owns %d shards: it has lost what it held, or is another one. The index keeps what it has; see cairn recover map", m.Revision(), len(noted.Shards))
}

// renewEpochs gives every shard of the cluster an epoch from after the restore,
// as far as it has none, and has the log note them. Whoever has decided by an
// older one refreshes its map first. noted is the map revision in the log.
func (h *host) renewEpochs(ctx context.Context, store *mapStore, founding etcdstore.Founding, noted uint64) error {
	for {
		m, err := store.Refresh(ctx)
		if err != nil {
			return err
		}
		change := shardmap.Renew(m, h.cluster.UID, founding.Revision, renewAtOnce)
		if change.Empty() {
			return h.noteEpochs(ctx, m.Assignment(h.cluster.UID), noted)
		}
		author := shardmap.Author{Who: "index of " + h.cluster.Name, Why: "restored"}
		_, err = store.Commit(shardmap.WithAuthor(ctx, author), change)
		switch cairn.KindOf(err) {
		case cairn.KindConflict: // by a newer map then
			continue
		case cairn.KindUnavailable, cairn.KindUnknown:
			h.log.Warn("the shards can't be given new epochs yet, so nothing is served; trying again", "err", err)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(renewPause):
			}
			continue
		}
		if err != nil {
			return err
		}
		h.log.Info("shards of a restored index get new epochs", "shards", len(change.Shards))
	}
}

// noteEpochs has the log note an assignment, unless it has all epochs of it. An
// index of several replicas has: it got the others when it was served.
func (h *host) noteEpochs(ctx context.Context, assignment cairn.Assignment, noted uint64) error {
	if len(h.replica.Members()) > 1 {
		return nil
	}
	for _, shard := range assignment.Shards {
		if shard.Epoch > noted {
			return h.replica.Assign(ctx, assignment)
		}
	}
	return nil
}
