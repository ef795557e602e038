package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cairn"
	"cairn/nodeindex"
	"cairn/nodeindex/durable"
	"cairn/nodeindex/replica"
	"cairn/shardmap/catalog"
	"cairn/shardmap/etcdstore"
)

// An index is founded once, by one replica, which etcd keeps: a second would be
// another, empty index that answers for the same keys. A directory that was made
// of a backup takes the founder's place by an explicit act, as the next
// generation. Generations share no log index: each begins at one of its own, so
// that a token of one that is gone is never taken for one of another.

// generationShift is by how much a generation is shifted to be its first log
// index. A log of 100,000 commands a second lasts 89 years below the next.
const generationShift = 48

func firstIndex(generation uint64) uint64 { return generation << generationShift }

func generationOf(index uint64) uint64 { return index >> generationShift }

// begin tells who founded, or restored, the index of a cluster, after claiming
// that for a replica where that may. It has a restored directory begin its log.
//
// KindPrecondition: the index was founded by another and the directory is empty
// (INDEX_FOUNDED); the directory is restored and that it is to take the founder's
// place was not said (RESTORE_UNCLAIMED); said of one that is not (NOT_RESTORED);
// there is an index that lives (INDEX_ALIVE), or that was restored before
// (INDEX_RESTORED).
func begin(ctx context.Context, store *mapStore, cluster *catalog.Cluster, config hostConfig, id identity, settings replica.Config) (etcdstore.Founding, error) {
	self := id.Replica.String()
	switch {
	case id.Restored:
		return beginRestored(ctx, store, cluster, config, id, settings)
	case config.join:
		return store.FoundingOf(ctx, cluster.UID)
	case config.restored:
		founding, err := store.FoundingOf(ctx, cluster.UID)
		if err == nil && founding.Replica != self {
			err = cairn.Errorf(cairn.KindPrecondition, "NOT_RESTORED", "%s was not made by cairn restore or cairn recover; name one that was", config.dir)
		}
		return founding, err
	}
	founding, err := store.FoundIndex(ctx, cluster.UID, self)
	if err != nil || founding.Replica == self {
		return founding, err
	}
	_, err = os.Stat(filepath.Join(config.dir, "log"))
	if errors.Is(err, fs.ErrNotExist) {
		return founding, cairn.Errorf(cairn.KindPrecondition, "INDEX_FOUNDED",
			"the index of cluster %s was founded by replica %s, and %s is empty: start with --join to make this another replica, or with the directory of that one",
			cluster.Name, founding.Replica, config.dir)
	}
	if err != nil {
		return founding, cairn.Invalid("data", "DATA_DIR_UNUSABLE", "the data directory can't be read: %w", err)
	}
	return founding, nil
}

// beginRestored claims the place of the index that there is for a restored
// directory, and makes that the beginning of a log. Done again after a crash it
// goes on where it was.
func beginRestored(ctx context.Context, store *mapStore, cluster *catalog.Cluster, config hostConfig, id identity, settings replica.Config) (etcdstore.Founding, error) {
	self := id.Replica.String()
	founding, err := store.FoundingOf(ctx, cluster.UID)
	if err != nil {
		return founding, err
	}
	if founding.Replica != self {
		if founding, err = claimPlace(ctx, store, cluster, config, self, founding); err != nil {
			return founding, err
		}
	}
	if err := replica.Restart(settings, firstIndex(founding.Generation)); err != nil {
		return founding, err
	}
	id.Restored = false
	return founding, writeIdentity(durable.Disk{}, config.dir, id)
}

// claimPlace has a restored directory take the place of the index that before
// is of.
func claimPlace(ctx context.Context, store *mapStore, cluster *catalog.Cluster, config hostConfig, self string, before etcdstore.Founding) (etcdstore.Founding, error) {
	if !config.restored {
		return before, cairn.Errorf(cairn.KindPrecondition, "RESTORE_UNCLAIMED",
			"%s was restored and has not taken the place of the index of cluster %s: make sure that no server of that index runs or will, and start with --restored", config.dir, cluster.Name)
	}
	checkpoint, err := nodeindex.CheckpointOf(config.dir)
	if err != nil {
		return before, err
	}
	generation := generationOf(checkpoint.Index)
	switch {
	case config.replaces != "" && config.replaces != before.Replica:
		return before, cairn.Errorf(cairn.KindPrecondition, "INDEX_RESTORED",
			"the index of cluster %s is that of replica %q, not of %q; look at what became of that one first", cluster.Name, before.Replica, config.replaces)
	case config.replaces == "" && before.Replica != "" && before.Generation != generation:
		return before, cairn.Errorf(cairn.KindPrecondition, "INDEX_RESTORED",
			"the index of cluster %s has been restored since %s was saved, by replica %s: if that one is lost too, start with --replaces %s",
			cluster.Name, config.dir, before.Replica, before.Replica)
	}
	if alive := living(ctx, config.network, cluster, config.address); len(alive) > 0 {
		return before, cairn.Errorf(cairn.KindPrecondition, "INDEX_ALIVE",
			"replicas of the index of cluster %s still run, at %s: stop them, or go on with them instead of what was restored", cluster.Name, strings.Join(alive, ", "))
	}
	config.log.Warn("A RESTORED DIRECTORY TAKES THE PLACE OF THE INDEX; what was acknowledged after it was saved is lost",
		"cluster", cluster.Name, "dir", config.dir, "replica", self, "instead_of", before.Replica, "saved_at", checkpoint.Index)
	return store.RestoreIndex(ctx, cluster.UID, before, self, max(before.Generation, generation)+1)
}

// living are the addresses of a cluster, but for one's own, at which replicas
// answer that are part of an index.
func living(ctx context.Context, network *replicaNetwork, cluster *catalog.Cluster, own string) (alive []string) {
	for i, status := range network.probe(ctx, cluster.IndexReplicas) {
		if address := cluster.IndexReplicas[i]; status != nil && address != own && len(status.Members) > 0 {
			alive = append(alive, address)
		}
	}
	return alive
}

// superseded refuses an index that has applied a log index, where another
// generation has taken its place: KindPrecondition (INDEX_SUPERSEDED).
func superseded(applied uint64, founding etcdstore.Founding) error {
	if applied == 0 || generationOf(applied) >= founding.Generation {
		return nil
	}
	return cairn.Errorf(cairn.KindPrecondition, "INDEX_SUPERSEDED",
		"replica %s, which was restored, has taken the place of this index; keep the directory for what it has and that one lacks, and start with an empty one and --join", founding.Replica)
}
