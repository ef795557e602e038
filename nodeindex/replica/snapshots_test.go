package replica

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn"
)

// record is what replicas log.
type record struct {
	mu    sync.Mutex // guards lines
	lines bytes.Buffer
}

func (r *record) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines.Write(line)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines.String()
}

func (r *record) count(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.lines.String(), text)
}

func (r *record) installs() int { return r.count("goes on from a snapshot") }

// recorded has the replicas of a group of n checkpoint and cut their logs all
// the time, and what they log recorded.
func recorded(t *testing.T, n int, change func(*Config)) (*group, *record) {
	t.Helper()
	log := &record{}
	return newGroupOf(t, n, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(log, nil))
		c.SegmentBytes, c.CheckpointBytes, c.CheckpointAge = 32<<10, 16<<10, 50*time.Millisecond
		if change != nil {
			change(c)
		}
	}), log
}

// load writes entries, many at a time.
func (g *group) load(prefix string, entries int) {
	g.t.Helper()
	for first := 0; first < entries; first += 500 {
		req := &cairn.WriteRequest{Keyspace: keyspace}
		for i := first; i < min(first+500, entries); i++ {
			req.Mutations = append(req.Mutations, cairn.Mutation{Operation: cairn.Put, Key: fmt.Appendf(nil, "%s-%06d", prefix, i), Attributes: number(i % 1000)})
		}
		g.write(req)
	}
}

// churn writes more commands than trail a checkpoint, and waits for that.
func (g *group) churn() {
	g.t.Helper()
	for n := range 2 * trailingEntries {
		g.write(put(n, "churn"))
	}
	leader := g.leader()
	applied, _ := leader.index.Position()
	eventually(g.t, "a checkpoint", func() bool { return leader.index.Checkpointed().Index >= applied })
}

// cut churns until the log has nothing of what it has now.
func (g *group) cut() {
	g.t.Helper()
	log := g.leader().log.Load().store
	last, err := log.LastIndex()
	if err != nil {
		g.t.Fatal(err)
	}
	g.churn()
	eventually(g.t, "a cut", func() bool {
		first, err := log.FirstIndex()
		return err == nil && first > last
	})
}

// keepWriting writes one entry after the other until it is told to stop.
func (g *group) keepWriting() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	leader := g.leader()
	for w := range 4 {
		running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if _, err := write(leader, put(n%1000, fmt.Sprintf("steady-%d-%04d", w, n%3000))); err != nil {
					g.t.Error(err)
					return
				}
			}
		})
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// reaches waits until a replica has applied what the leader has now.
func (g *group) reaches(r *Replica) {
	g.t.Helper()
	applied, _ := g.leader().index.Position()
	ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
	defer cancel()
	if err := r.index.Wait(ctx, 0, applied); err != nil {
		g.t.Fatal(err)
	}
}

// wantEqual compares all entries and the view of two replicas that have applied
// the same.
func wantEqual(t *testing.T, a, b *Replica) {
	t.Helper()
	of := func(r *Replica) (out []string) {
		req := &cairn.ListRequest{Read: cairn.Read{Keyspace: keyspace}}
		for {
			reply, err := r.List(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range reply.Entries {
				out = append(out, fmt.Sprint(e))
			}
			if !reply.More {
				return out
			}
			req.Start = append(slices.Clone(reply.Entries[len(reply.Entries)-1].Key), 0)
		}
	}
	first, second := of(a), of(b)
	if len(first) == 0 || !slices.Equal(first, second) {
		t.Errorf("one has %d entries, the other %d, or not the same", len(first), len(second))
	}
	groups := func(r *Replica) string {
		var reply *cairn.ViewReply
		eventually(t, "the view", func() (built bool) {
			var err error
			reply, err = r.AskView(t.Context(), &cairn.ViewRequest{Read: cairn.Read{Keyspace: keyspace}, View: 1, Version: 1, Asked: cairn.AskGroups, Attributes: []cairn.AttributeID{1}})
			if err != nil && cairn.ReasonOf(err) != "VIEW_BUILDING" {
				t.Fatal(err)
			}
			return err == nil
		})
		return fmt.Sprint(reply.Groups)
	}
	if of, as := groups(a), groups(b); of != as || len(of) < 10 {
		t.Errorf("one's view has %d bytes of groups, the other's %d, or not the same", len(of), len(as))
	}
}

// viewed is assignment with a view of everything.
func viewedAssignment(t testing.TB, revision uint64) cairn.Assignment {
	a := assignment(t, revision)
	a.Views = []cairn.View{{UID: 1, Version: 1, Name: "all", Keyspace: keyspace, Sort: []cairn.SortField{{Attribute: 1}}}}
	return a
}

// slowConn reads no more than so many bytes a second.
type slowConn struct {
	net.Conn
	perSecond int
}

func (c *slowConn) Read(data []byte) (int, error) {
	n, err := c.Conn.Read(data[:min(len(data), 16<<10)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(c.perSecond))
	return n, err
}

func slow(perSecond int) func(net.Conn) net.Conn {
	return func(conn net.Conn) net.Conn { return &slowConn{conn, perSecond} }
}

// TestLateFollower adds a replica, over a link that is slow, to a group that
// is written to all the time and keeps next to no log behind a checkpoint: it
// has to catch up, and by one snapshot. Reads there go on meanwhile.
func TestLateFollower(t *testing.T) {
	g, log := loadedAlone(t, nil)
	leader := g.leader()
	stop := g.keepWriting()
	follower := g.start("b", false)
	g.networks["b"].goThrough(slow(200 << 10))
	if err := leader.AddLearner(t.Context(), "b", follower.config.Address); err != nil {
		t.Fatal(err)
	}
	installed := readsStayWhole(t, follower)
	g.reaches(follower)
	g.reaches(follower)
	if n := log.installs(); n != 1 {
		t.Errorf("it took %d snapshots", n)
	}
	if !installed() {
		t.Error("no read saw the installed state")
	}
	stop()
	g.reaches(follower)
	wantEqual(t, leader, follower)
	if files, err := os.ReadDir(filepath.Join(leader.config.Dir, "snapshots")); err != nil || len(files) != 0 {
		t.Errorf("what was sent is left behind: %v, %v", files, err)
	}
}

// readsStayWhole lists what a replica has until the returned function is
// called, which tells whether everything was ever there. There may be all of
// the old entries or none.
func readsStayWhole(t *testing.T, r *Replica) func() bool {
	t.Helper()
	over, done := make(chan struct{}), make(chan struct{})
	var whole atomic.Bool
	go func() {
		defer close(done)
		for {
			var listed cairn.ListReply
			err := r.index.List(&cairn.ListRequest{Read: cairn.Read{Keyspace: keyspace}, Start: cairn.Key("old"), End: cairn.Key("old."), Limit: 10_000, MaxBytes: 100 << 20}, &listed)
			if n := len(listed.Entries); err != nil || n != 0 && n != 10_000 {
				t.Errorf("listed %d: %v", n, err)
				return
			}
			if len(listed.Entries) > 0 {
				whole.Store(true)
			}
			select {
			case <-over:
				return
			default:
			}
		}
	}()
	return func() bool {
		close(over)
		<-done
		return whole.Load()
	}
}

// TestFollowerComesBack has a follower that was away come back by the log if
// that may be kept for it, and by a snapshot if not.
func TestFollowerComesBack(t *testing.T) {
	for name, limit := range map[string]int64{"by the log": 64 << 20, "by a snapshot": 1} {
		t.Run(name, func(t *testing.T) {
			g, log := recorded(t, 2, func(c *Config) { c.LogBytes = limit })
			leader := g.leader()
			if err := leader.Assign(t.Context(), viewedAssignment(t, 20)); err != nil {
				t.Fatal(err)
			}
			g.load("old", 2000)
			third := g.start("c", false)
			g.join("c")
			g.reaches(third)
			installs := log.installs()
			g.stop("c")
			g.load("new", 2000)
			for range 3 {
				g.churn()
			}
			third = g.start("c", false)
			g.reaches(third)
			wantEqual(t, leader, third)
			if by := log.installs() - installs; (by > 0) != (limit == 1) {
				t.Errorf("%d snapshots were installed", by)
			}
			if gaveUp := log.count("not kept any longer for a replica that lags"); (gaveUp > 0) != (limit == 1) {
				t.Errorf("the log was given up %d times", gaveUp)
			}
		})
	}
}

// damagingConn flips a bit of what it reads, once, far behind what anything but
// a snapshot has.
type damagingConn struct {
	net.Conn
	left int
	once *atomic.Bool
}

func (c *damagingConn) Read(data []byte) (int, error) {
	n, err := c.Conn.Read(data)
	if c.left >= 0 && c.left < n && c.once.CompareAndSwap(false, true) {
		data[c.left] ^= 4
	}
	c.left -= n
	return n, err
}

// loadedAlone is a group of one with some entries, whose log is cut.
func loadedAlone(t *testing.T, change func(*Config)) (*group, *record) {
	t.Helper()
	g, log := recorded(t, 1, change)
	if err := g.leader().Assign(t.Context(), viewedAssignment(t, 20)); err != nil {
		t.Fatal(err)
	}
	g.load("old", 10_000)
	g.cut()
	return g, log
}

func TestDamagedStream(t *testing.T) {
	g, log := loadedAlone(t, nil)
	follower := g.start("b", false)
	var once atomic.Bool
	g.networks["b"].goThrough(func(conn net.Conn) net.Conn { return &damagingConn{conn, 300 << 10, &once} })
	g.join("b")
	g.reaches(follower)
	wantEqual(t, g.leader(), follower)
	if !once.Load() || log.count("is not what was sent") == 0 || log.installs() != 1 {
		t.Errorf("damaged: %v, noticed: %d, installed: %d", once.Load(), log.count("is not what was sent"), log.installs())
	}
}

// TestFollowerWithoutSpace has a follower that finds no space for a snapshot,
// gives up, and gets it once there is some.
func TestFollowerWithoutSpace(t *testing.T) {
	for _, reserve := range []bool{false, true} {
		g, log := loadedAlone(t, nil)
		dir := mountSmall(t, 8<<20)
		var full atomic.Bool
		change := g.change
		g.change = func(c *Config) {
			change(c)
			if c.ID == "b" {
				c.FreeSpace = func(string) (uint64, error) {
					if full.Load() && reserve {
						return 1 << 20, nil
					}
					return 1 << 40, nil
				}
			}
		}
		g.dirs["b"], g.networks["b"] = filepath.Join(dir, "b"), newTestNetwork(t)
		follower := g.start("b", false)
		empty := func() { full.Store(false) }
		if reserve {
			full.Store(true)
		} else {
			empty = fill(t, dir)
		}
		if err := g.leader().AddLearner(t.Context(), "b", g.networks["b"].address); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a snapshot without space", func() bool { return log.count("below its reserve") > 0 || log.count("no space left") > 0 })
		if applied, _ := follower.index.Position(); applied != 0 || log.installs() != 0 {
			t.Errorf("it has applied %d", applied)
		}
		if _, err := os.Stat(filepath.Join(g.dirs["b"], "index.db.incoming")); err == nil && !reserve {
			eventually(t, "the removal", func() bool {
				_, err := os.Stat(filepath.Join(g.dirs["b"], "index.db.incoming"))
				return err != nil
			})
		}
		empty()
		g.reaches(follower)
		wantEqual(t, g.leader(), follower)
		g.stop("b")
		check(t, g.dirs["b"])
		delete(g.dirs, "b") // unmounted before the group is checked
	}
}

// TestCrashAfterInstall goes on from the directory as it is between the new
// file and the removal of the log that it took the place of.
func TestCrashAfterInstall(t *testing.T) {
	g, log := loadedAlone(t, func(c *Config) { c.LogBytes = 1 })
	leader := g.leader()
	follower := g.start("b", false)
	if err := leader.AddLearner(t.Context(), "b", follower.config.Address); err != nil {
		t.Fatal(err)
	}
	g.reaches(follower)
	g.write(put(1, "k"))
	g.reaches(follower)
	g.stop("b")
	before := log.installs()
	g.load("new", 10_000)
	g.cut()
	g.networks["b"].set(true) // until it can be watched
	follower = g.start("b", false)
	crashed, lost := filepath.Join(g.base, "crashed"), filepath.Join(g.base, "lost")
	follower.machine.mu.Lock()
	installed := follower.machine.installed
	follower.machine.installed = func() {
		for _, clone := range []string{crashed, lost} {
			if err := os.CopyFS(clone, os.DirFS(g.dirs["b"])); err != nil {
				t.Error(err)
			}
		}
		installed()
	}
	follower.machine.mu.Unlock()
	g.networks["b"].set(false)
	eventually(t, "the snapshot", func() bool { return log.installs() > before })
	g.reaches(follower)
	g.stop("b")

	g.dirs["b"] = crashed
	follower = g.start("b", false)
	if n := log.count("the log is removed"); n != 1 {
		t.Errorf("the log was removed %d times", n)
	}
	g.reaches(follower)
	g.write(put(2, "k"))
	g.reaches(follower)
	wantEqual(t, leader, follower)
	g.stop("b")

	// Without any log this is not what an install leaves.
	if err := os.RemoveAll(filepath.Join(lost, "log")); err != nil {
		t.Fatal(err)
	}
	config := configure(lost)
	config.ID, config.Network = "b", g.networks["b"]
	if _, err := Open(config); cairn.ReasonOf(err) != "LOG_MISSING" {
		t.Errorf("a log that is lost: %v", err)
	}
}

// TestCloseWhileSending closes both ends of a snapshot that would take hours.
func TestCloseWhileSending(t *testing.T) {
	for _, first := range []string{"a", "b"} {
		g, _ := loadedAlone(t, nil)
		g.start("b", false)
		g.networks["b"].goThrough(slow(64 << 10))
		if err := g.leader().AddLearner(t.Context(), "b", g.networks["b"].address); err != nil {
			t.Fatal(err)
		}
		incoming := filepath.Join(g.dirs["b"], "index.db.incoming")
		eventually(t, "the beginning", func() bool { info, err := os.Stat(incoming); return err == nil && info.Size() > 0 })
		start := time.Now()
		g.stop(first)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("closing %s took %v", first, took)
		}
	}
}
