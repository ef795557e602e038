package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"cairn"
	"cairn/shardmap/catalog"
)

// identity is whose index a directory holds. It is kept beside the index so
// that a directory that is handed to another cluster, or to a new cluster of
// an old name, is refused instead of served.
type identity struct {
	Cluster string    `json:"cluster"`
	UID     cairn.UID `json:"uid"`
	// Replica names the directory among those of the index's other replicas.
	Replica cairn.UID `json:"replica"`
}

const identityFile = "cluster.json"

// claimDir makes sure that dir holds a replica of the index of a cluster, and
// returns which: it records so in a directory that has no record yet. Another
// cluster's is KindPrecondition with the reason DATA_DIR_OF_ANOTHER_CLUSTER, a
// damaged record KindCorrupt.
func claimDir(dir string, cluster *catalog.Cluster) (replica cairn.UID, err error) {
	path := filepath.Join(dir, identityFile)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		claimed := identity{cluster.Name, cluster.UID, cairn.NewUID()}
		return claimed.Replica, writeIdentity(dir, path, claimed)
	}
	if err != nil {
		return 0, fmt.Errorf("read whose index %s holds: %w", dir, err)
	}
	var found identity
	if err := json.Unmarshal(content, &found); err != nil || found.Replica == 0 {
		return 0, cairn.Errorf(cairn.KindCorrupt, "IDENTITY_BROKEN", "%s does not say whose index it stands beside: %q", path, content)
	}
	if found.UID != cluster.UID {
		return 0, cairn.Errorf(cairn.KindPrecondition, "DATA_DIR_OF_ANOTHER_CLUSTER",
			"%s holds the index of cluster %s with uid %s; the cluster %s that is applied has uid %s: name another directory, or the etcd that this one belongs to",
			dir, found.Cluster, found.UID, cluster.Name, cluster.UID)
	}
	return found.Replica, nil
}

func writeIdentity(dir, path string, id identity) error {
	content, err := json.Marshal(id)
	if err != nil {
		return err
	}
	failed := func(err error) error { return fmt.Errorf("record whose index %s holds: %w", dir, err) }
	file, err := os.CreateTemp(dir, identityFile+".*")
	if err != nil {
		return failed(err)
	}
	_, err = file.Write(append(content, '\n'))
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
		return failed(err)
	}
	return syncDir(dir)
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}
