package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"cairn"
	"cairn/nodeindex/durable"
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
	// Restored: what the directory holds was made of a backup, or of what one
	// replica of several had, and has not taken the place of the cluster's index
	// yet.
	Restored bool `json:"restored,omitempty"`
}

const identityFile = "cluster.json"

// claimDir makes sure that dir holds a replica of the index of a cluster, and
// returns its identity: it records so in a directory that has no record yet. Another
// cluster's is KindPrecondition with the reason DATA_DIR_OF_ANOTHER_CLUSTER, a
// damaged record KindCorrupt.
func claimDir(dir string, cluster *catalog.Cluster) (identity, error) {
	found, err := readIdentity(dir)
	if errors.Is(err, fs.ErrNotExist) {
		claimed := identity{Cluster: cluster.Name, UID: cluster.UID, Replica: cairn.NewUID()}
		return claimed, writeIdentity(durable.Disk{}, dir, claimed)
	}
	if err != nil {
		return identity{}, err
	}
	if found.UID != cluster.UID {
		return identity{}, cairn.Errorf(cairn.KindPrecondition, "DATA_DIR_OF_ANOTHER_CLUSTER",
			"%s holds the index of cluster %s with uid %s; the cluster %s that is applied has uid %s: name another directory, or the etcd that this one belongs to",
			dir, found.Cluster, found.UID, cluster.Name, cluster.UID)
	}
	return found, nil
}

// readIdentity is the identity of a directory: fs.ErrNotExist if it has none,
// KindCorrupt if that is damaged.
func readIdentity(dir string) (found identity, err error) {
	path := filepath.Join(dir, identityFile)
	content, err := os.ReadFile(path)
	if err != nil {
		return identity{}, fmt.Errorf("read whose index %s holds: %w", dir, err)
	}
	if err := json.Unmarshal(content, &found); err != nil || found.Replica == 0 {
		return identity{}, cairn.Errorf(cairn.KindCorrupt, "IDENTITY_BROKEN", "%s does not say whose index it stands beside: %q", path, content)
	}
	return found, nil
}

func writeIdentity(disk durable.Disk, dir string, id identity) error {
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
		err = disk.Sync(durable.Identity, file)
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = disk.Publish(durable.Identity, file.Name(), filepath.Join(dir, identityFile))
	}
	if err != nil {
		os.Remove(file.Name())
		return failed(err)
	}
	return nil
}
