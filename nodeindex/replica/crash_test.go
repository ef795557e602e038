package replica

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/hashicorp/raft-wal/types"

	"cairn"
	"cairn/nodeindex"
	"cairn/nodeindex/durable"
	"cairn/nodeindex/durable/crashtest"
)

// The points of a replica by itself are passed in crashes, those of a replica that
// takes a snapshot in TestInstallCrashes, those of a restore in cmd/daemon.
var pointsElsewhere = []durable.Step{durable.Receive, durable.Install, durable.Extract, durable.Rebase, durable.Recovered, durable.Identity, durable.Restore}

// crashConfig makes files small, so that all that happens to them does.
func crashConfig(dir string) Config {
	config := configure(dir)
	config.SegmentBytes = 4 << 10
	config.Index.ImageEntries = 20
	config.Index.KeysAtOnce = 2
	config.Index.MapBytes = 1 << 15
	config.Index.Changes.SegmentBytes = 512
	return config
}

// crashes has a replica do all that it does with its files, and returns what it
// wrote and a moment for each point that it passed.
func crashes(t *testing.T, seed uint64) (*ledger, map[durable.Point]*crashtest.Moment) {
	t.Helper()
	l := newLedger(seed)
	root := t.TempDir()
	recorder := crashtest.Record(t, root, seed, l.note)
	config := crashConfig(filepath.Join(root, "data"))
	config.Index.Disk = recorder.Disk()
	start := func() *Replica {
		r, err := Open(config)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := start()
	if err := r.Assign(t.Context(), viewedAssignment(t, 10)); err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		l.write(t, r, 12)
		taken := make(chan error)
		go func() { taken <- r.checkpointNow(t.Context()) }()
		l.write(t, r, 12)
		if err := <-taken; err != nil {
			t.Fatal(err)
		}
		switch round {
		case 1:
			backUp(t, r)
		case 2:
			stageFixture(t, r)
		case 3: // killed, by what its files are like, and started again
			saved(t, r)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			tear(t, filepath.Join(config.Dir, "log"))
			r = start()
		}
	}
	saved(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := nodeindex.Compact(recorder.Disk(), config.Dir); err != nil {
		t.Fatal(err)
	}
	r = start()
	l.write(t, r, 2)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return l, recorder.Moments()
}

// tear leaves a log as a loss of power does that comes while an entry of 2,000
// bytes is being written.
func tear(t *testing.T, dir string) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no segments: %v", err)
	}
	path := segments[len(segments)-1]
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found, err := scanSegment(types.SegmentInfo{}, bytes.TrimRight(content, "\x00"))
	if err != nil {
		t.Fatal(err)
	}
	torn := append([]byte{1, 0, 0, 0, 0xd0, 7, 0, 0}, "the beginning of it"...)
	if copy(content[found.end:], torn) < len(torn) {
		t.Fatal("the segment is full; take another seed")
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// saved waits for an image of the views.
func saved(t *testing.T, r *Replica) {
	t.Helper()
	eventually(t, "an image", func() bool {
		images, err := filepath.Glob(filepath.Join(r.config.Dir, "views", "*.image"))
		return err == nil && len(images) > 0
	})
}

// comeBack judges a replica from what a crash has left of its directory.
func comeBack(t *testing.T, l *ledger, dir string, acknowledged int) error {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, nodeindex.FileName)); err == nil {
		if report, err := nodeindex.Check(dir); err != nil {
			return fmt.Errorf("check: %w\n%v", err, report)
		}
	} else if acknowledged > 0 {
		return err
	}
	r, err := Open(crashConfig(dir))
	if err != nil {
		return err
	}
	if err = r.Assign(t.Context(), viewedAssignment(t, 10)); err == nil {
		err = l.judge(t, r, acknowledged)
	}
	if err == nil {
		_, err = write(r, put(1, "new"))
	}
	if err == nil {
		err = r.checkpointNow(t.Context())
	}
	if closed := r.Close(); err == nil {
		err = closed
	}
	if err == nil {
		_, err = nodeindex.Check(dir)
	}
	return err
}

// rounds is how often the tests of crashes run, and with which seed they begin:
// CAIRN_CRASH_ROUNDS and CAIRN_CRASH_SEED.
func crashRounds(t *testing.T) (rounds, seed uint64, long bool) {
	t.Helper()
	rounds, seed = 1, 1
	if text := os.Getenv("CAIRN_CRASH_ROUNDS"); text != "" {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		rounds, long = n, true
	}
	if text := os.Getenv("CAIRN_CRASH_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	return rounds, seed, long
}

// TestCrashes ends a replica before and after each step that makes something
// durable, by a kill and by losses of power, and starts it again from what is left.
func TestCrashes(t *testing.T) {
	rounds, seed, long := crashRounds(t)
	for seed := seed; seed < seed+rounds; rounds, seed = rounds-1, seed+1 {
		l, moments := crashes(t, seed)
		var left crashtest.States
		losses := crashtest.Losses()
		for i, point := range durable.Points() {
			m := moments[point]
			if elsewhere := slices.Contains(pointsElsewhere, point.Step); elsewhere != (m == nil) {
				t.Errorf("%s was passed: %v", point, m != nil)
			}
			switch {
			case m == nil:
			case long:
				left.AddMoment(m, seed, losses...)
			default:
				left.AddMoment(m, seed, losses[i%len(losses)])
			}
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			left.Each(t, func(t *testing.T, dir string, acknowledged int) {
				if err := comeBack(t, l, filepath.Join(dir, "data"), acknowledged); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// flipped are the files that bits are flipped in: all but the lock of a
// transaction that is not there.
var flippedFiles = map[string]func(path string) bool{
	"index":       func(path string) bool { return filepath.Base(path) == nodeindex.FileName },
	"log":         func(path string) bool { return filepath.Ext(path) == ".wal" },
	"log meta":    func(path string) bool { return filepath.Base(path) == "wal-meta.db" },
	"change log":  func(path string) bool { return filepath.Ext(path) == ".changes" },
	"view images": func(path string) bool { return filepath.Ext(path) == ".image" },
}

// TestFlips flips a bit of what a replica has: it is refused as damaged, by check
// or at the start, or everything is there and right.
func TestFlips(t *testing.T) {
	rounds, seed, _ := crashRounds(t)
	l, moments := crashes(t, seed)
	m := moments[durable.Point{Step: durable.Checkpoint, Act: durable.Commit, Done: true}]
	for name, may := range flippedFiles {
		t.Run(name, func(t *testing.T) {
			for i := range 6 * rounds {
				tree, where := m.Killed().Flip(seed+i, may)
				t.Run(where, func(t *testing.T) {
					t.Parallel()
					dir := t.TempDir()
					if err := tree.Write(dir); err != nil {
						t.Fatal(err)
					}
					err := comeBack(t, l, filepath.Join(dir, "data"), m.Note)
					if cairn.KindOf(err) != cairn.KindCorrupt && !errors.Is(err, errGoneChanges) && err != nil {
						t.Errorf("seed %d: %v", seed+i, err)
					}
				})
			}
		})
	}
}

// TestRestartCrashes ends the making of a group out of a backup at each step, and
// does it again.
func TestRestartCrashes(t *testing.T) {
	l := newLedger(1)
	r := open(t, configure(t.TempDir()))
	if err := r.Assign(t.Context(), viewedAssignment(t, 11)); err != nil {
		t.Fatal(err)
	}
	l.write(t, r, 20)
	backup := backUp(t, r)
	root := t.TempDir()
	config := crashConfig(filepath.Join(root, "data"))
	if err := os.Mkdir(config.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := nodeindex.ExtractBackup(durable.Disk{}, backup, config.Dir); err != nil {
		t.Fatal(err)
	}
	recorder := crashtest.Record(t, root, 1, l.note)
	config.Index.Disk = recorder.Disk()
	const begins = 1 << 40
	if err := Restart(config, begins); err != nil {
		t.Fatal(err)
	}
	var left crashtest.States
	moments := recorder.Moments()
	if moments[durable.Point{Step: durable.Rebase, Act: durable.Commit, Done: true}] == nil {
		t.Error("the file was not rebased")
	}
	for _, m := range moments {
		left.AddMoment(m, 1, crashtest.Nothing, crashtest.Some)
	}
	left.Each(t, func(t *testing.T, dir string, acknowledged int) {
		dir = filepath.Join(dir, "data")
		if err := Restart(crashConfig(dir), begins); err != nil {
			t.Fatal(err)
		}
		if err := comeBack(t, l, dir, acknowledged); !errors.Is(err, errGoneChanges) {
			t.Errorf("%v; wanted that of all but the changes before nothing is missing", err)
		}
	})
}

// TestFollowerCrashes ends a follower at each step of taking a snapshot, and has it
// come back to its group.
func TestFollowerCrashes(t *testing.T) {
	_, seed, long := crashRounds(t)
	root := t.TempDir()
	recorder := crashtest.Record(t, root, seed, nil)
	g, _ := recorded(t, 1, func(c *Config) {
		c.LogBytes = 1
		if c.Dir == filepath.Join(root, "b") {
			c.Index.Disk = recorder.Disk()
		}
	})
	leader := g.leader()
	if err := leader.Assign(t.Context(), viewedAssignment(t, 20)); err != nil {
		t.Fatal(err)
	}
	g.load("old", 4000)
	g.cut()
	g.dirs["b"], g.networks["b"] = filepath.Join(root, "b"), newTestNetwork(t)
	follower := g.start("b", false)
	if err := leader.AddLearner(t.Context(), "b", follower.config.Address); err != nil {
		t.Fatal(err)
	}
	g.reaches(follower)
	moments := recorder.Moments()
	g.stop("b")
	var left crashtest.States
	for _, point := range durable.Points() {
		if point.Step != durable.Receive && point.Step != durable.Install && !long {
			continue
		}
		switch m := moments[point]; {
		case m == nil && (point.Step == durable.Receive || point.Step == durable.Install):
			t.Errorf("%s was never passed", point)
		case m == nil:
		case long:
			left.AddMoment(m, seed, crashtest.Losses()...)
		default:
			left.AddMoment(m, seed)
		}
	}
	left.EachAlone(t, func(t *testing.T, dir string, _ int) {
		g.dirs["b"] = filepath.Join(dir, "b")
		follower := g.start("b", false)
		g.reaches(follower)
		wantEqual(t, leader, follower)
		g.stop("b")
		check(t, g.dirs["b"])
		delete(g.dirs, "b") // which is removed
	})
}
