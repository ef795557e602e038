package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cairn"
	"cairn/nodeindex"
	"cairn/nodeindex/durable"
)

// backUp takes a backup of a replica into a file.
func backUp(t *testing.T, r *Replica) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "backup")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Backup(t.Context(), "north", func(data []byte) error {
		_, err := file.Write(data)
		return err
	})
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// restored is a directory made of a backup, that has been restarted at an index.
func restored(t *testing.T, path string, index uint64) (config Config) {
	t.Helper()
	config = configure(t.TempDir())
	if _, _, err := nodeindex.ExtractBackup(durable.Disk{}, path, config.Dir); err != nil {
		t.Fatal(err)
	}
	if err := Restart(config, index); err != nil {
		t.Fatal(err)
	}
	return config
}

// TestBackupUnderLoad takes backups while others write: each has everything that
// was acknowledged before it began, and what is made of it is an index.
func TestBackupUnderLoad(t *testing.T) {
	g := newGroup(t, 1)
	g.load("old", 5_000)
	stop := g.keepWriting()
	defer stop()
	leader := g.leader()
	for round := range 3 {
		last := mustWrite(t, leader, put(round, "last"))
		path := backUp(t, leader)
		backup, err := nodeindex.ReadBackup(path)
		if err != nil || backup.Index < last.Index {
			t.Fatalf("after index %d: %+v, %v", last.Index, backup, err)
		}
		if report, err := nodeindex.Check(path); err != nil {
			t.Errorf("%v\n%v", err, report)
		}
		again := open(t, restored(t, path, 1<<40))
		if n, found := find(t, again, cairn.Read{}, "last"); !found || n != round {
			t.Errorf("round %d: found %v, %d", round, found, n)
		}
		if reply := mustWrite(t, again, put(1, "new")); reply.Index <= 1<<40 {
			t.Errorf("a write after it has index %d", reply.Index)
		}
		var reply cairn.LocateReply
		request := &cairn.LocateRequest{Read: cairn.Read{Keyspace: keyspace, Level: cairn.AtLeast}, Keys: []cairn.Key{cairn.Key("last")}}
		for index, lost := range map[uint64]bool{last.Index: false, backup.Index: false, backup.Index + 1: true, 1<<40 - 1: true, 1<<40 + 1: false} {
			request.Index = index
			err := again.Locate(t.Context(), request, &reply)
			if lost != (cairn.ReasonOf(err) == "DATA_LOSS") || !lost && err != nil {
				t.Errorf("at least %d: %v", index, err)
			}
		}
		err = again.Watch(t.Context(), cairn.WatchRequest{Keyspace: keyspace, After: backup.Index + 1}, nil)
		if cairn.ReasonOf(err) != "DATA_LOSS" {
			t.Errorf("a watch of what is lost: %v", err)
		}
	}
	if left, _ := os.ReadDir(backupsFolder(leader.config.Dir)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBackupIsRefused(t *testing.T) {
	g := newGroup(t, 3)
	leader := g.leader()
	for _, r := range g.replicas {
		if r == leader {
			continue
		}
		if err := r.Backup(t.Context(), "north", nil); cairn.ReasonOf(err) != "NOT_LEADER" {
			t.Errorf("of a follower: %v", err)
		}
	}
	alone := newGroup(t, 1) // which leads throughout
	alone.load("old", 10_000)
	leader = alone.leader()
	enough := errors.New("enough")
	if err := leader.Backup(t.Context(), "north", func([]byte) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("deliver's error came as %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := leader.Backup(ctx, "north", func([]byte) error { cancel(); return nil }); cairn.KindOf(err) != cairn.KindDeadline {
		t.Errorf("of a caller that went away: %v", err)
	}
	if left, _ := os.ReadDir(backupsFolder(leader.config.Dir)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	config := configure(t.TempDir())
	config.FreeSpace = func(string) (uint64, error) { return config.DiskReserve + 128<<20 + 1000, nil }
	r := open(t, config)
	mustWrite(t, r, put(1, "a"))
	if err := r.Backup(t.Context(), "north", nil); cairn.ReasonOf(err) != "DISK_FULL" {
		t.Errorf("without room beside the reserve: %v", err)
	}

	g.stop("a")
	stray := filepath.Join(backupsFolder(g.dirs["a"]), "stray")
	err := os.MkdirAll(filepath.Dir(stray), 0o700)
	if err == nil {
		err = os.WriteFile(stray, nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	g.start("a", false)
	if _, err := os.Stat(stray); err == nil {
		t.Error("what a former process left is still there")
	}
}

// TestRestartIsRepeated crashes between its steps, as far as a test can: what was
// done before is done again.
func TestRestartIsRepeated(t *testing.T) {
	r := open(t, configure(t.TempDir()))
	mustWrite(t, r, put(1, "a"))
	path := backUp(t, r)

	config := configure(t.TempDir())
	if err := Restart(config, 1<<40); cairn.ReasonOf(err) != "INDEX_MISSING" {
		t.Errorf("an empty directory: %v", err)
	}
	if _, _, err := nodeindex.ExtractBackup(durable.Disk{}, path, config.Dir); err != nil {
		t.Fatal(err)
	}
	// As it is, it is not served.
	if opened, err := Open(config); cairn.ReasonOf(err) != "LOG_MISSING" {
		t.Fatalf("without a restart: %v, %v", opened, err)
	}
	completed, err := config.completed()
	if err != nil {
		t.Fatal(err)
	}
	if err := beginLog(completed, 5); err != nil { // and a crash
		t.Fatal(err)
	}
	for range 3 {
		if err := Restart(config, 1<<40); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, config)
	reply := mustWrite(t, again, put(2, "a"))
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Restart(config, 1<<40); err != nil { // it has got there
		t.Fatal(err)
	}
	if err := Restart(config, 1<<41); cairn.ReasonOf(err) != "LOG_PRESENT" {
		t.Errorf("with a log: %v", err)
	}
	third, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	if n, found := find(t, third, cairn.Read{Level: cairn.AtLeast, Index: reply.Index}, "a"); !found || n != 2 {
		t.Errorf("found %v, %d", found, n)
	}
}

// TestRestartedLosesItsLog: a log that is lost after it was written to is noticed.
func TestRestartedLosesItsLog(t *testing.T) {
	r := open(t, configure(t.TempDir()))
	mustWrite(t, r, put(1, "a"))
	config := restored(t, backUp(t, r), 1<<40)
	if err := os.RemoveAll(filepath.Join(config.Dir, "log")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(config); cairn.ReasonOf(err) != "LOG_MISSING" {
		t.Errorf("opened with %v", err)
	}
}

// TestRestartedTakesFollowers has others join what was restored.
func TestRestartedTakesFollowers(t *testing.T) {
	alone := open(t, configure(t.TempDir()))
	if err := alone.Assign(t.Context(), viewedAssignment(t, 20)); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, alone, put(1, "a", "b", "c"))
	for i := range 1000 {
		mustWrite(t, alone, put(i, fmt.Sprintf("k-%d", i)))
	}
	path := backUp(t, alone)

	g := &group{t: t, base: t.TempDir(), replicas: map[string]*Replica{}, dirs: map[string]string{}, networks: map[string]*testNetwork{}}
	t.Cleanup(g.close)
	g.dirs["a"], g.networks["a"] = filepath.Join(g.base, "a"), newTestNetwork(t)
	if err := os.MkdirAll(g.dirs["a"], 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := nodeindex.ExtractBackup(durable.Disk{}, path, g.dirs["a"]); err != nil {
		t.Fatal(err)
	}
	config := configure(g.dirs["a"])
	config.ID, config.Address, config.Network = "a", g.networks["a"].address, g.networks["a"]
	if err := Restart(config, 1<<40); err != nil {
		t.Fatal(err)
	}
	g.start("a", false)
	g.start("b", false)
	g.join("b")
	g.start("c", false)
	g.join("c")
	g.load("new", 1000)
	for _, id := range []string{"b", "c"} {
		g.reaches(g.replicas[id])
		wantEqual(t, g.replicas["a"], g.replicas[id])
		if err := g.replicas[id].index.Lost(1 << 39); cairn.ReasonOf(err) != "DATA_LOSS" {
			t.Errorf("%s knows of no loss: %v", id, err)
		}
	}
	// Marks have compared them.
	time.Sleep(500 * time.Millisecond)
	for id, r := range g.replicas {
		if err := r.index.Diverged(); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	g.stop(g.leader().config.ID)
	g.load("newer", 100)
}

// TestRecover makes an index of what one replica of three has.
func TestRecover(t *testing.T) {
	g := newGroup(t, 3)
	g.load("old", 2_000)
	survivor := g.leader()
	if err := survivor.checkpointNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.load("tail", 1_000)
	g.reaches(survivor)
	for id, r := range g.replicas {
		if r != survivor {
			g.reaches(r)
			g.stop(id)
		}
	}
	had, _ := survivor.index.Position()
	checkpointed := survivor.index.Checkpointed().Index
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(survivor.config.Dir)); err != nil { // as kill -9 would leave it
		t.Fatal(err)
	}
	recovered, err := Recover(configure(dir))
	if err != nil {
		t.Fatal(err)
	}
	if recovered.Last < had || recovered.Checkpoint != checkpointed || recovered.Entries == 0 {
		t.Errorf("recovered %+v of one that had %d applied, %d in a checkpoint", recovered, had, checkpointed)
	}
	check(t, dir)
	config := configure(dir)
	if err := Restart(config, 1<<40); err != nil {
		t.Fatal(err)
	}
	again := open(t, config)
	for _, key := range []string{"old-000000", "tail-000999"} {
		if n, found := find(t, again, cairn.Read{Level: cairn.AtLeast, Index: had}, key); !found {
			t.Errorf("%s: found %v, %d", key, found, n)
		}
	}
	mustWrite(t, again, put(1, "new"))
}
