package replica

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cairn"
	"cairn/nodeindex/durable"
)

// The child process of TestKill writes under these names.
const (
	childDirectory = "CAIRN_TEST_KILL_DIR"
	childRound     = "CAIRN_TEST_KILL_ROUND"
	childPoint     = "CAIRN_TEST_KILL_POINT"
	childPasses    = "CAIRN_TEST_KILL_PASSES"
	roundsWanted   = "CAIRN_TEST_KILL_ROUNDS"
	killWriters    = 8
)

// killConfig makes segments and checkpoints small, so that every kill finds
// the replica in the middle of something.
func killConfig(dir string) Config {
	config := configure(dir)
	config.SegmentBytes = 64 << 10
	config.CheckpointBytes = 32 << 10
	config.Index.KeysAtOnce = 20
	return config
}

// childMain is the process that gets killed: it writes as fast as it can and
// prints what was acknowledged. It is false in the test itself.
func childMain() bool {
	dir := os.Getenv(childDirectory)
	if dir == "" {
		return false
	}
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	round, err := strconv.Atoi(os.Getenv(childRound))
	if err != nil {
		fail(err)
	}
	config := killConfig(dir)
	if point := os.Getenv(childPoint); point != "" {
		passes, err := strconv.ParseInt(os.Getenv(childPasses), 10, 64)
		if err != nil {
			fail(err)
		}
		var left atomic.Int64
		left.Store(passes)
		config.Index.Disk.Watch = func(e durable.Event) {
			if e.Point.String() == point && left.Add(-1) == 0 {
				fail(syscall.Kill(os.Getpid(), syscall.SIGKILL))
			}
		}
	}
	r, err := Open(config)
	if err != nil {
		fail(err)
	}
	var printing sync.Mutex
	var running sync.WaitGroup
	for writer := range killWriters {
		running.Go(func() {
			for n := round * 1_000_000; ; n++ {
				key := fmt.Sprintf("w%d-%d", writer, n%50)
				if _, err := write(r, put(n, key)); err != nil {
					fail(err)
				}
				printing.Lock()
				fmt.Println(key, n)
				printing.Unlock()
			}
		})
	}
	running.Wait()
	return true
}

// killPoints are those that a process which writes passes again and again.
func killPoints() (out []durable.Point) {
	for _, point := range durable.Points() {
		switch point.Step {
		case durable.Changes:
			if point.Act == durable.Sync {
				out = append(out, point)
			}
		case durable.Append, durable.LogMeta, durable.Checkpoint, durable.Settle, durable.Apply:
			out = append(out, point)
		}
	}
	return out
}

// TestKill kills a writing process at random moments, or at points that it passes:
// everything that it saw acknowledged must be there afterwards, and the file sound.
func TestKill(t *testing.T) {
	rounds := 4
	if wanted, err := strconv.Atoi(os.Getenv(roundsWanted)); err == nil {
		rounds = wanted
	}
	dir := t.TempDir()
	r, err := Open(killConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Assign(t.Context(), assignment(t, 10)); err != nil {
		t.Fatal(err)
	}
	closeAndCheck(t, r)
	acknowledged := map[string]int{}
	total := 0
	for round := 1; round <= rounds; round++ {
		var at durable.Point
		passes := 0
		if round%2 == 0 {
			points := killPoints()
			at, passes = points[rand.IntN(len(points))], 1+rand.IntN(20)
		}
		total += killOnce(t, dir, round, at, passes, acknowledged)
		check(t, dir) // as the crash left it
		r, err := Open(killConfig(dir))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for key, least := range acknowledged {
			// What came after the last acknowledgement may have taken effect.
			if got, found := find(t, r, cairn.Read{Level: cairn.Linearizable}, key); !found || got < least {
				t.Errorf("round %d: %s is %d, %v; %d was acknowledged", round, key, got, found, least)
			}
		}
		closeAndCheck(t, r)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d acknowledged writes over %d kills", total, rounds)
}

// killOnce runs the child for a while, or until it has passed a point often enough,
// and notes what it got acknowledged.
func killOnce(t *testing.T, dir string, round int, at durable.Point, passes int, acknowledged map[string]int) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // kills with SIGKILL
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childDirectory+"="+dir, childRound+"="+strconv.Itoa(round))
	patience := time.Duration(50+rand.IntN(400)) * time.Millisecond
	if passes > 0 {
		child.Env = append(child.Env, childPoint+"="+at.String(), childPasses+"="+strconv.Itoa(passes))
		patience = time.Minute
	}
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	total := 0
	for lines := bufio.NewScanner(out); lines.Scan(); total++ {
		if total == 0 {
			defer time.AfterFunc(patience, cancel).Stop()
		}
		var key string
		var n int
		if _, err := fmt.Sscan(lines.Text(), &key, &n); err != nil {
			continue // the line that the kill cut off
		}
		acknowledged[key] = n
	}
	if err := child.Wait(); err == nil || total == 0 && passes == 0 {
		t.Fatalf("the child wrote %d times and ended by itself: %v", total, err)
	}
	if passes > 0 && ctx.Err() != nil {
		t.Errorf("the child did not pass %q %d times", at, passes)
	}
	return total
}
