package daemon

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cairn/nodeindex"
)

// roundsEnv sets how often the torture kills; without it, often enough for
// every change.
const roundsEnv = "CAIRN_TORTURE_ROUNDS"

// TestKilledImport loads a development stack as an import does and kills it
// (kill -9) at random moments, over and over in the same directory: after each
// kill every index file checks clean, and after each restart everything that
// was ever acknowledged is there.
func TestKilledImport(t *testing.T) {
	rounds := 3
	if text := os.Getenv(roundsEnv); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("%s is %q; want how many rounds", roundsEnv, text)
		}
		rounds = n
	}
	torture := newTorture(t)
	for round := range rounds {
		if round > 0 && rand.N(5) == 0 {
			torture.killWhileStarting()
		}
		torture.killWhileLoading()
		if t.Failed() {
			t.Fatalf("in round %d of %d", round+1, rounds)
		}
		t.Logf("round %d of %d: %d writes acknowledged", round+1, rounds, len(torture.acknowledged))
	}
	torture.finish()
}

type torture struct {
	t      *testing.T
	config child
	// next is the first number that was never written.
	next atomic.Int64

	mu           sync.Mutex
	acknowledged []int
	// verified is how many of acknowledged were seen after a restart.
	verified int
}

func newTorture(t *testing.T) *torture {
	return &torture{t: t, config: child{Kind: "dev", Data: t.TempDir(),
		// Small, so that kills hit checkpoints too, and old files are
		// written over.
		CheckpointBytes: 256 << 10,
	}}
}

// killWhileStarting starts the stack and kills it before, or just when, it
// serves.
func (x *torture) killWhileStarting() {
	p := start(x.t, x.config)
	time.Sleep(rand.N(1200 * time.Millisecond))
	p.kill()
	x.check()
}

// killWhileLoading starts the stack, looks for what was acknowledged before,
// and kills it while it takes writes.
func (x *torture) killWhileLoading() {
	p := start(x.t, x.config)
	c := call(x.t, p.ready().Listen)
	defer c.conn.Close()
	if x.next.Load() == 0 {
		c.apply(orders(), cluster("north"), cluster("south"), ordersByAmount())
		c.count("north") // waits until the index runs
		c.count("south")
	}
	x.verify(c)

	ctx, stop := context.WithCancel(x.t.Context())
	defer stop()
	var loaders sync.WaitGroup
	for range 4 {
		loaders.Go(func() { x.load(ctx, c) })
	}
	time.Sleep(20*time.Millisecond + rand.N(900*time.Millisecond))
	p.kill()
	stop()
	loaders.Wait()
	x.check()
}

// load writes one batch of new keys after the other until ctx ends, and keeps
// the numbers of those that were acknowledged.
func (x *torture) load(ctx context.Context, c *caller) {
	const batch = 250
	for ctx.Err() == nil {
		first := int(x.next.Add(batch)) - batch
		done, _ := c.writeRange(ctx, first, first+batch)
		x.mu.Lock()
		x.acknowledged = append(x.acknowledged, done...)
		x.mu.Unlock()
	}
}

// verify looks for what was acknowledged since the last look, and for some of
// what was before.
func (x *torture) verify(c *caller) {
	x.t.Helper()
	wanted := append([]int(nil), x.acknowledged[x.verified:]...)
	if x.verified > 0 {
		for range 2000 {
			wanted = append(wanted, x.acknowledged[rand.N(x.verified)])
		}
	}
	c.expect(wanted)
	c.expectView()
	x.verified = len(x.acknowledged)
}

// check checks the file of every index, which nobody has open.
func (x *torture) check() {
	x.t.Helper()
	files, err := filepath.Glob(filepath.Join(x.config.Data, "clusters", "*", nodeindex.FileName))
	if err != nil {
		x.t.Fatal(err)
	}
	for _, file := range files {
		if report, err := nodeindex.Check(file); err != nil {
			x.t.Errorf("%s: %v\n%v", file, err, report)
		}
	}
}

// finish looks for everything once more, and for what was never written.
func (x *torture) finish() {
	x.t.Helper()
	p := start(x.t, x.config)
	c := call(x.t, p.ready().Listen)
	c.expect(x.acknowledged)
	c.expectView()
	found := map[string]bool{}
	for _, k := range c.list() {
		found[k] = true
	}
	for _, i := range x.acknowledged {
		if !found[string(key(i))] {
			x.t.Fatalf("key %d is located but not listed", i)
		}
	}
	written := int(x.next.Load())
	for i := range written {
		delete(found, string(key(i)))
	}
	for k := range found {
		x.t.Fatalf("%s is listed and was never written", k)
	}
	p.terminate(syscall.SIGTERM)
	x.check()
}
