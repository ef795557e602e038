package daemon

import (
	"os"
	"path/filepath"
	"testing"

	"cairn"
	"cairn/nodeindex"
)

// smallBackup is a backup of an empty index of a cluster.
func smallBackup(t *testing.T) (path string) {
	t.Helper()
	x, err := nodeindex.Open(t.TempDir(), nodeindex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	path = filepath.Join(t.TempDir(), "backup")
	if _, err := x.WriteBackup(path, nodeindex.BackupLabel{Cluster: "north", UID: 7}); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRestoreCrashes ends a restore before each of its steps: the directory is
// whole or not there, and the next attempt succeeds.
func TestRestoreCrashes(t *testing.T) {
	backup := smallBackup(t)
	var steps []string
	if _, err := restore(backup, filepath.Join(t.TempDir(), "dir"), func(step string) { steps = append(steps, step) }); err != nil {
		t.Fatal(err)
	}
	if len(steps) != 4 {
		t.Fatalf("the steps are %v", steps)
	}
	for _, step := range steps {
		dir := filepath.Join(t.TempDir(), "dir")
		crashed := func() (crashed bool) {
			defer func() { crashed = recover() != nil }()
			_, _ = restore(backup, dir, func(at string) {
				if at == step {
					panic("crash")
				}
			})
			return false
		}()
		if !crashed {
			t.Fatalf("it did not crash before %s", step)
		}
		if _, err := os.Stat(dir); err == nil {
			if step != "sync" {
				t.Errorf("before %s the directory is there", step)
			}
			if id, err := readIdentity(dir); err != nil || !id.Restored || id.Replica == 0 {
				t.Errorf("before %s its identity is %+v, %v", step, id, err)
			}
			continue
		}
		if _, err := Restore(backup, dir); err != nil {
			t.Errorf("after a crash before %s: %v", step, err)
		}
		if left, _ := filepath.Glob(dir + "*"); len(left) != 1 {
			t.Errorf("after a crash before %s: %v", step, left)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	backup := smallBackup(t)
	dir := filepath.Join(t.TempDir(), "dir")
	first, err := Restore(backup, dir)
	if err != nil || first.Cluster != "north" || first.UID != 7 {
		t.Fatalf("%+v, %v", first, err)
	}
	if _, err := Restore(backup, dir); cairn.ReasonOf(err) != "DIR_NOT_EMPTY" {
		t.Errorf("a directory that holds something: %v", err)
	}
	empty := t.TempDir()
	second, err := Restore(backup, empty)
	if err != nil || second.UID != 7 {
		t.Errorf("an empty directory: %v", err)
	}
	one, err := readIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := readIdentity(empty); err != nil || other.Replica == one.Replica {
		t.Errorf("two restored directories are one replica: %+v, %+v, %v", one, other, err)
	}
	other := filepath.Join(t.TempDir(), "other")
	unlock, err := lockDir(other + restoringTag)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(backup, other); cairn.ReasonOf(err) != "DATA_DIR_IN_USE" {
		t.Errorf("a directory that another is making: %v", err)
	}
	unlock()
	content, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(backup, content, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad")
	if _, err := Restore(backup, bad); cairn.KindOf(err) != cairn.KindCorrupt {
		t.Errorf("a damaged backup: %v", err)
	}
	if left, _ := filepath.Glob(bad + "*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
