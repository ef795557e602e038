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
	"testing"
	"time"

	"cairn"
)

// The child process of TestKill writes under these names.
const (
	childDirectory = "CAIRN_TEST_KILL_DIR"
	childRound     = "CAIRN_TEST_KILL_ROUND"
	roundsWanted   = "CAIRN_TEST_KILL_ROUNDS"
	killWriters    = 8
)

// killConfig makes segments and checkpoints small, so that every kill finds
// the replica in the middle of something.
func killConfig(dir string) Config {
	config := configure(dir)
	config.SegmentBytes = 64 << 10
	config.CheckpointBytes = 32 << 10
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
	r, err := Open(killConfig(dir))
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

// TestKill kills a writing process at random moments: everything that it saw
// acknowledged must be there afterwards, and the file sound.
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
		total += killOnce(t, dir, round, acknowledged)
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

// killOnce runs the child for a while and notes what it got acknowledged.
func killOnce(t *testing.T, dir string, round int, acknowledged map[string]int) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // kills with SIGKILL
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childDirectory+"="+dir, childRound+"="+strconv.Itoa(round))
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
			time.AfterFunc(time.Duration(50+rand.IntN(400))*time.Millisecond, cancel)
		}
		var key string
		var n int
		if _, err := fmt.Sscan(lines.Text(), &key, &n); err != nil {
			continue // the line that the kill cut off
		}
		acknowledged[key] = n
	}
	if err := child.Wait(); err == nil || total == 0 {
		t.Fatalf("the child wrote %d times and ended by itself: %v", total, err)
	}
	return total
}
