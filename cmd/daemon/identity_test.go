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
	for range 2 {
		if err := claimDir(dir, north); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range []*catalog.Cluster{{Name: "south", UID: 8}, {Name: "north", UID: 9}} {
		if err := claimDir(dir, other); cairn.ReasonOf(err) != "DATA_DIR_OF_ANOTHER_CLUSTER" {
			t.Errorf("%s with uid %s: %v; want it refused", other.Name, other.UID, err)
		}
	}
	if err := claimDir(dir, &catalog.Cluster{Name: "renamed", UID: 7}); err != nil {
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
	if err := claimDir(dir, &catalog.Cluster{Name: "north", UID: 7}); cairn.KindOf(err) != cairn.KindCorrupt {
		t.Errorf("%v; want it refused as corrupt", err)
	}
}
