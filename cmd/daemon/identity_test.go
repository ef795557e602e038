package daemon

import (
	"os"
	"path/filepath"
	"testing"

	"cairn"
	"cairn/shardmap/catalog"
)

func TestClaimDir(t *testing.T) {
	dir := t.TempDir()
	north := &catalog.Cluster{Name: "north", UID: 7}
	var replicas []cairn.UID
	for range 2 {
		replica, err := claimDir(dir, north)
		if err != nil {
			t.Fatal(err)
		}
		replicas = append(replicas, replica.Replica)
	}
	if replicas[0] == 0 || replicas[0] != replicas[1] {
		t.Errorf("the directory is of the replicas %v; want one", replicas)
	}
	for _, other := range []*catalog.Cluster{{Name: "south", UID: 8}, {Name: "north", UID: 9}} {
		if _, err := claimDir(dir, other); cairn.ReasonOf(err) != "DATA_DIR_OF_ANOTHER_CLUSTER" {
			t.Errorf("%s with uid %s: %v; want it refused", other.Name, other.UID, err)
		}
	}
	if _, err := claimDir(dir, &catalog.Cluster{Name: "renamed", UID: 7}); err != nil {
		t.Errorf("the same uid under another name: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestClaimDirWithABrokenRecord(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, identityFile), []byte(`{"uid":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := claimDir(dir, &catalog.Cluster{Name: "north", UID: 7}); cairn.KindOf(err) != cairn.KindCorrupt {
		t.Errorf("%v; want it refused as corrupt", err)
	}
}
