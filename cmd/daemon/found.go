package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"cairn"
	"cairn/shardmap/catalog"
)

// mayFound tells whether a replica may begin the index of its cluster. Only one
// ever may, which etcd keeps: a second would be another, empty index that
// answers for the same keys. So an empty directory of any other replica is
// KindPrecondition (INDEX_FOUNDED) unless it is to join.
func mayFound(ctx context.Context, store *mapStore, cluster *catalog.Cluster, config hostConfig, replica cairn.UID) (bool, error) {
	if config.join {
		return false, nil
	}
	founder, err := store.FoundIndex(ctx, cluster.UID, replica.String())
	if err != nil {
		return false, err
	}
	if founder == replica.String() {
		return true, nil
	}
	_, err = os.Stat(filepath.Join(config.dir, "log"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, cairn.Errorf(cairn.KindPrecondition, "INDEX_FOUNDED",
			"the index of cluster %s was founded by replica %s, and %s is empty: start with --join to make this another replica, or with the directory of that one",
			cluster.Name, founder, config.dir)
	}
	if err != nil {
		return false, cairn.Invalid("data", "DATA_DIR_UNUSABLE", "the data directory can't be read: %w", err)
	}
	return false, nil
}
