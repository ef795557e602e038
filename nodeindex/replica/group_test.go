package replica

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cairn"
)

// group is the replicas of one index, in this process, over real sockets.
type group struct {
	t        testing.TB
	base     string
	replicas map[string]*Replica
	dirs     map[string]string
	networks map[string]*testNetwork
	// hanging are channels that syncs of a replica's log wait for.
	hanging sync.Map
	// change, if it is there, makes a replica's Config another.
	change func(*Config)
}

// hang has the syncs of a replica's log wait until a channel is closed.
func (g *group) hang(id string, until <-chan struct{}) { g.hanging.Store(id, until) }

// testNetwork is a Network that can be cut, slow, or damage what it carries.
type testNetwork struct {
	address string
	mu      sync.Mutex // guards what follows
	cut     bool
	conns   map[net.Conn]bool
	// through, if it is there, is what a connection goes through.
	through func(net.Conn) net.Conn
}

func newTestNetwork(t testing.TB) *testNetwork {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return &testNetwork{address: listener.Addr().String(), conns: map[net.Conn]bool{}}
}

func (n *testNetwork) Listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", n.address)
	if err != nil {
		return nil, err
	}
	return &testListener{listener, n}, nil
}

func (n *testNetwork) Dial(address string, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", address, timeout)
	if err != nil {
		return nil, err
	}
	return n.keep(conn)
}

func (n *testNetwork) keep(conn net.Conn) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut {
		conn.Close()
		return nil, fmt.Errorf("cut off")
	}
	n.conns[conn] = true
	if n.through != nil {
		return n.through(conn), nil
	}
	return conn, nil
}

// goThrough has new connections go through something.
func (n *testNetwork) goThrough(through func(net.Conn) net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.through = through
}

// set cuts the network off, or connects it again.
func (n *testNetwork) set(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
	if cut {
		for conn := range n.conns {
			conn.Close()
		}
		clear(n.conns)
	}
}

type testListener struct {
	net.Listener
	of *testNetwork
}

func (l *testListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if kept, err := l.of.keep(conn); err == nil {
			return kept, nil
		}
	}
}

// newGroup founds a group and makes it one of n voters.
func newGroup(t testing.TB, n int) *group { return newGroupOf(t, n, nil) }

// newGroupOf is newGroup with another Config.
func newGroupOf(t testing.TB, n int, change func(*Config)) *group {
	t.Helper()
	// The directory first: it is removed last.
	g := &group{
		t: t, base: t.TempDir(), replicas: map[string]*Replica{}, dirs: map[string]string{}, networks: map[string]*testNetwork{},
		change: change,
	}
	t.Cleanup(g.close)
	for i := range n {
		id := string(rune('a' + i))
		g.start(id, i == 0)
		if i == 0 {
			if err := g.replicas[id].Assign(t.Context(), assignment(t, 10)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		g.join(id)
	}
	return g
}

// start opens a replica, in the directory that it had before if it had one.
func (g *group) start(id string, found bool) *Replica {
	g.t.Helper()
	if g.dirs[id] == "" {
		g.dirs[id], g.networks[id] = filepath.Join(g.base, id), newTestNetwork(g.t)
	}
	config := configure(g.dirs[id])
	config.ID, config.Address, config.Network, config.Found = id, g.networks[id].address, g.networks[id], found
	config.ElectionTimeout, config.MarkInterval = 200*time.Millisecond, 100*time.Millisecond
	config.BeforeSync = func() {
		if until, hangs := g.hanging.Load(id); hangs {
			<-until.(<-chan struct{})
		}
	}
	if g.change != nil {
		g.change(&config)
	}
	r, err := Open(config)
	if err != nil {
		g.t.Fatal(err)
	}
	g.replicas[id] = r
	return r
}

// join makes a started replica a voter.
func (g *group) join(id string) {
	g.t.Helper()
	leader := g.leader()
	if err := leader.AddLearner(g.t.Context(), id, g.networks[id].address); err != nil {
		g.t.Fatal(err)
	}
	applied, _ := leader.index.Position()
	eventually(g.t, id+" has caught up", func() bool { mine, _ := g.replicas[id].index.Position(); return mine >= applied })
	if err := leader.AddVoter(g.t.Context(), id, g.networks[id].address); err != nil {
		g.t.Fatal(err)
	}
}

// stop closes a replica.
func (g *group) stop(id string) {
	g.t.Helper()
	r := g.replicas[id]
	delete(g.replicas, id)
	if err := r.Close(); err != nil {
		g.t.Error(err)
	}
}

func (g *group) close() {
	for id := range g.replicas {
		g.stop(id)
	}
	for _, dir := range g.dirs {
		check(g.t, dir)
	}
}

// leader waits for a replica that leads.
func (g *group) leader() *Replica {
	g.t.Helper()
	var found *Replica
	eventually(g.t, "a leader", func() bool {
		for _, r := range g.replicas {
			if leads, _ := r.Standing(); leads {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

// write has a request take effect wherever the leader is.
func (g *group) write(req *cairn.WriteRequest) *cairn.WriteReply {
	g.t.Helper()
	var reply *cairn.WriteReply
	eventually(g.t, "a write", func() bool {
		for _, r := range g.replicas {
			var err error
			if reply, err = write(r, req); err == nil {
				return true
			}
			if cairn.KindOf(err) != cairn.KindUnavailable && cairn.KindOf(err) != cairn.KindUnknown {
				g.t.Fatal(err)
			}
		}
		return false
	})
	return reply
}

func TestGroupReplicates(t *testing.T) {
	g := newGroup(t, 3)
	reply := g.write(put(7, "k"))
	for id, r := range g.replicas {
		if n, found := find(t, r, cairn.Read{Level: cairn.AtLeast, Index: reply.Index}, "k"); !found || n != 7 {
			t.Errorf("replica %s has %d, %v", id, n, found)
		}
		members := r.Members()
		if len(members) != 3 {
			t.Errorf("replica %s knows %v", id, members)
		}
	}
}

func TestFollowersNameTheLeader(t *testing.T) {
	g := newGroup(t, 3)
	leader := g.leader()
	for id, r := range g.replicas {
		if r == leader {
			continue
		}
		eventually(t, "it knows its leader", func() bool { return r.log.Load().refusal() != nil })
		_, written := r.Write(t.Context(), put(1, "k"))
		var located cairn.LocateReply
		read := r.Locate(t.Context(), &cairn.LocateRequest{Read: cairn.Read{Keyspace: keyspace, Level: cairn.Linearizable}, Keys: []cairn.Key{cairn.Key("k")}}, &located)
		assigned := r.Assign(t.Context(), assignment(t, 11))
		for what, err := range map[string]error{"write": written, "read": read, "assign": assigned} {
			refusal, is := err.(*cairn.Error)
			if !is || refusal.Reason != "NOT_LEADER" || refusal.Instead != leader.config.Address {
				t.Errorf("%s at %s: %v", what, id, err)
			}
		}
	}
}

func TestLeaderIsReplaced(t *testing.T) {
	g := newGroup(t, 3)
	for round := range 3 {
		g.write(put(round, "k"))
		lost := g.leader().config.ID
		g.stop(lost)
		reply := g.write(put(round+100, fmt.Sprint("k", round)))
		for _, r := range g.replicas {
			find(t, r, cairn.Read{Level: cairn.AtLeast, Index: reply.Index}, "k")
		}
		if n, found := find(t, g.leader(), cairn.Read{Level: cairn.Linearizable}, "k"); !found || n != round {
			t.Errorf("round %d: the new leader has %d, %v", round, n, found)
		}
		back := g.start(lost, false)
		eventually(t, "it catches up", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return back.index.Wait(ctx, 0, reply.Index) == nil
		})
	}
}

// TestCutOffLeader has a leader that the others do not hear: it must not
// answer a linearizable read, nor acknowledge a write.
func TestCutOffLeader(t *testing.T) {
	g := newGroup(t, 3)
	g.write(put(1, "k"))
	old := g.leader()
	g.networks[old.config.ID].set(true)
	delete(g.replicas, old.config.ID)
	g.write(put(2, "k"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var reply cairn.LocateReply
	request := &cairn.LocateRequest{Read: cairn.Read{Keyspace: keyspace, Level: cairn.Linearizable}, WithAttributes: true, Keys: []cairn.Key{cairn.Key("k")}}
	if err := old.Locate(ctx, request, &reply); err == nil {
		t.Errorf("a leader cut off answers a linearizable read: %+v", reply)
	}
	if _, err := old.Write(ctx, put(3, "k")); err == nil {
		t.Error("a leader cut off acknowledges a write")
	}
	g.replicas[old.config.ID] = old
	g.networks[old.config.ID].set(false)
	reached := g.write(put(4, "l"))
	eventually(t, "it follows again", func() bool { applied, _ := old.index.Position(); return applied >= reached.Index })
	if n, _ := find(t, old, cairn.Read{}, "k"); n != 2 {
		t.Errorf("it has %d", n)
	}
}

func TestMembersCome(t *testing.T) {
	g := newGroup(t, 1)
	g.write(put(1, "k"))
	waiting := g.start("b", false)
	if _, err := waiting.Write(t.Context(), put(1, "k")); cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("a replica without a group: %v", err)
	}
	if members := waiting.Members(); len(members) != 0 {
		t.Errorf("it is part of %v", members)
	}
	if err := g.replicas["a"].RemoveMember(t.Context(), "a"); cairn.ReasonOf(err) != "LAST_REPLICA" {
		t.Errorf("removing the last replica: %v", err)
	}
	g.join("b")
	if err := g.replicas["a"].HandOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b leads", func() bool { leads, _ := waiting.Standing(); return leads })
	if err := waiting.RemoveMember(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	g.stop("a")
	g.write(put(2, "k"))
	if n, _ := find(t, waiting, cairn.Read{Level: cairn.Linearizable}, "k"); n != 2 {
		t.Errorf("b alone has %d", n)
	}
}

// TestReplicaThatDivergedAnswersNothing has a follower hold something else than
// the others, as after damage.
func TestReplicaThatDivergedAnswersNothing(t *testing.T) {
	g := newGroup(t, 3)
	leader := g.leader()
	var odd *Replica
	for _, r := range g.replicas {
		if r != leader {
			odd = r
		}
	}
	reply := g.write(put(1, "k"))
	if err := odd.index.Wait(t.Context(), 0, reply.Index); err != nil {
		t.Fatal(err)
	}
	// A command that nobody else has, unless a mark of the leader's is there first.
	command := odd.index.Prepare(time.Now(), []*cairn.WriteRequest{put(2, "k")})
	for applied := false; !applied; {
		index, _ := odd.index.Position()
		applied = len(odd.index.Apply(index+1, 1, command).Requests) > 0
	}
	delete(g.replicas, odd.config.ID) // it takes no writes from now on
	g.write(put(3, "l"))
	eventually(t, "the difference is noticed", func() bool { return odd.index.Diverged() != nil })
	var located cairn.LocateReply
	if err := odd.Locate(t.Context(), &cairn.LocateRequest{Read: cairn.Read{Keyspace: keyspace}, Keys: []cairn.Key{cairn.Key("k")}}, &located); cairn.ReasonOf(err) != "DIVERGED" {
		t.Errorf("it answers: %v", err)
	}
	status, err := odd.Status(t.Context(), 0)
	if err != nil || status.WriteRefusal == "" {
		t.Errorf("it does not say so: %+v, %v", status, err)
	}
	for id, r := range g.replicas {
		if err := r.index.Diverged(); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	g.write(put(4, "m"))
	g.replicas[odd.config.ID] = odd
}

// TestDiskThatHangs has a leader's sync not return: another must lead within
// 5 s, and what was under way is not acknowledged by either in the meantime.
func TestDiskThatHangs(t *testing.T) {
	g := newGroup(t, 3)
	g.write(put(1, "k"))
	sick := g.leader()
	hang := make(chan struct{})
	g.hang(sick.config.ID, hang)
	began := time.Now()
	waiting := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_, err := sick.Write(ctx, put(2, "k"))
		waiting <- err
	}()
	delete(g.replicas, sick.config.ID)
	g.write(put(3, "k"))
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("another leads after %s", took)
	}
	if _, err := sick.Write(t.Context(), put(4, "k")); cairn.ReasonOf(err) != "DISK_HANGS" {
		t.Errorf("the sick replica takes a write: %v", err)
	}
	close(hang)
	if err := <-waiting; err == nil {
		t.Error("the write under way was acknowledged, and another leads")
	}
	g.replicas[sick.config.ID] = sick
	reached := g.write(put(5, "l"))
	eventually(t, "it follows again", func() bool { applied, _ := sick.index.Position(); return applied >= reached.Index })
	if n, _ := find(t, sick, cairn.Read{}, "k"); n != 3 {
		t.Errorf("it has %d", n)
	}
}

// TestFullLeaderStepsAside has a leader's disk fill up while the others have
// room.
func TestFullLeaderStepsAside(t *testing.T) {
	var full sync.Map
	g := newGroupOf(t, 3, func(c *Config) {
		id := c.ID
		c.FreeSpace = func(string) (uint64, error) {
			if _, is := full.Load(id); is {
				return 0, nil
			}
			return 1 << 40, nil
		}
	})
	g.write(put(1, "k"))
	sick := g.leader()
	full.Store(sick.config.ID, true)
	eventually(t, "another leads", func() bool { leads, _ := sick.Standing(); return !leads })
	delete(g.replicas, sick.config.ID)
	g.write(put(2, "k"))
	full.Delete(sick.config.ID)
	eventually(t, "it has room again", func() bool { return sick.refusals.get() == nil })
	g.replicas[sick.config.ID] = sick
	g.write(put(3, "l"))
}
