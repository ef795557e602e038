package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"cairn"
	"cairn/nodeindex"
	"cairn/nodeindex/durable"
	"cairn/nodeindex/durable/crashtest"
	"cairn/nodeindex/replica"
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

// TestRestoreCrashes makes a directory of a backup, and another of what one replica
// has, and goes on from what is left by a crash at each step: the directory is whole
// or not there, and the next attempt succeeds.
func TestRestoreCrashes(t *testing.T) {
	backup, data := smallBackup(t), smallReplica(t)
	passed := make(map[durable.Step]bool)
	for name, attempt := range map[string]func(disk durable.Disk, dir string) error{
		"restored": func(disk durable.Disk, dir string) error {
			_, err := restore(disk, backup, dir)
			return err
		},
		"recovered": func(disk durable.Disk, dir string) error {
			from, err := os.MkdirTemp(data, "copy") // one at a time may be made of it
			if err == nil {
				err = os.CopyFS(from, os.DirFS(filepath.Join(data, "data")))
			}
			if err == nil {
				_, err = recoverIndex(disk, from, dir, func(Recovered) error { return nil })
			}
			return err
		},
	} {
		root := t.TempDir()
		recorder := crashtest.Record(t, root, 1, nil)
		if err := attempt(recorder.Disk(), filepath.Join(root, "dir")); err != nil {
			t.Fatal(err)
		}
		var left crashtest.States
		for point, m := range recorder.Moments() {
			passed[point.Step] = true
			left.AddMoment(m, 1, crashtest.Nothing, crashtest.Some)
		}
		t.Run(name, func(t *testing.T) {
			left.Each(t, func(t *testing.T, dir string, _ int) {
				dir = filepath.Join(dir, "dir")
				if _, err := os.Stat(dir); err != nil {
					if err := attempt(durable.Disk{}, dir); err != nil {
						t.Errorf("again: %v", err)
					}
				}
				if left, _ := filepath.Glob(dir + "*"); len(left) != 1 {
					t.Error(left)
				}
				if id, err := readIdentity(dir); err != nil || !id.Restored || id.Replica == 0 {
					t.Errorf("the identity is %+v, %v", id, err)
				}
				if report, err := nodeindex.Check(dir); err != nil {
					t.Errorf("%v\n%v", err, report)
				}
				if _, err := os.Stat(filepath.Join(dir, "log")); err == nil {
					t.Error("it has a log")
				}
			})
		})
	}
	for _, step := range []durable.Step{durable.Extract, durable.Recovered, durable.Identity, durable.Restore} {
		if !passed[step] {
			t.Errorf("%s was never passed", step)
		}
	}
}

// smallReplica is a directory in which data is that of a replica that has been
// stopped.
func smallReplica(t *testing.T) string {
	t.Helper()
	base := t.TempDir()
	dir := filepath.Join(base, "data")
	r, err := replica.Open(replica.Config{Dir: dir, SegmentBytes: 16 << 10, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Assign(t.Context(), cairn.Assignment{Revision: 1}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := writeIdentity(durable.Disk{}, dir, identity{Cluster: "north", UID: 7, Replica: 9}); err != nil {
		t.Fatal(err)
	}
	return base
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
