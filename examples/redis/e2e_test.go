package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cairn"
	"cairn/cmd/daemon"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"

	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	keyspace = "profiles"
	writers  = 8
	seeded   = 400 // keys that there are before anything moves
	shards   = 2
)

// TestMovesUnderWrites moves both shards of a keyspace to other Redis servers, and back
// while the mover is restarted, and writes values at full speed all the time. Then each
// acknowledged value is where the index says, and nowhere else.
func TestMovesUnderWrites(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	w := openWorld(ctx, t, map[string]int{"north": 2, "south": 2})
	if err := w.store.Put(ctx, cairn.Key("stale"), "before"); err != nil {
		t.Fatal(err)
	}
	stale, _, err := w.cairn.Locate(ctx, keyspace, cairn.Key("stale"), cairn.Reading{})
	if err != nil {
		t.Fatal(err)
	}
	ledger := w.write(ctx, t)
	w.move(ctx, t, "south")
	if _, err := w.store.node(stale.Primary.Address).run(ctx, "write", keyspace, w.store.placed(cairn.Key("stale")), stale.Epoch, "stale", "after"); cairn.ReasonOf(err) != "CAIRNEPOCH" {
		t.Errorf("a write under the epoch of before the move: %v", err)
	}
	restarts := make(chan struct{})
	go func() {
		defer close(restarts)
		for range 2 {
			time.Sleep(200 * time.Millisecond)
			w.restartMover(ctx, t)
		}
	}()
	w.move(ctx, t, "north")
	<-restarts
	w.cancelOne(ctx, t)
	ledger.stop()
	w.check(ctx, t, ledger)
}

// world is the development stack, the mover, and Redis servers for each cluster.
type world struct {
	cairn     *client.Client
	store     *Store
	servers   map[string]*redis.Client // by address
	address   string                   // of the mover
	stopMover func()
}

// openWorld has so many servers for each cluster.
func openWorld(ctx context.Context, t *testing.T, nodes map[string]int) *world {
	t.Helper()
	binary := redisServer(t)
	w := &world{servers: map[string]*redis.Client{}, address: freeAddress(t)}
	clusters := map[string][]string{}
	for cluster, n := range nodes {
		for range n {
			address := freeAddress(t)
			w.servers[address] = startRedis(ctx, t, binary, address)
			clusters[cluster] = append(clusters[cluster], address)
		}
	}
	w.startMover(t)
	t.Cleanup(func() { w.stopMover() })
	w.cairn = startCairn(t)
	w.store = &Store{Cairn: w.cairn, Keyspace: keyspace, Placement: cairn.Placement{Scheme: cairn.SchemeHash}}
	t.Cleanup(w.store.Close)
	var resources []*cairnv1.Resource
	for name, addresses := range clusters {
		weight := uint32(1)
		if name == "south" {
			weight = 0 // it begins without shards
		}
		cluster := &cairnv1.Cluster{Name: "clusters/" + name, Weight: &weight}
		for i, address := range addresses {
			cluster.Nodes = append(cluster.Nodes, &cairnv1.Node{Name: fmt.Sprintf("%s-%d", name, i), Address: address})
		}
		resources = append(resources, &cairnv1.Resource{Resource: &cairnv1.Resource_Cluster{Cluster: cluster}})
	}
	resources = append(resources, &cairnv1.Resource{Resource: &cairnv1.Resource_Keyspace{Keyspace: &cairnv1.Keyspace{
		Name: "keyspaces/" + keyspace, Placement: &cairnv1.Placement{Scheme: cairnv1.Placement_HASH, InitialShards: shards}, Mover: w.address,
	}}})
	if _, err := w.cairn.Admin().Apply(ctx, &cairnv1.ApplyRequest{Resources: resources}); err != nil {
		t.Fatal(err)
	}
	return w
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func startRedis(ctx context.Context, t *testing.T, binary, address string) *redis.Client {
	t.Helper()
	_, port, _ := net.SplitHostPort(address)
	var out bytes.Buffer
	command := exec.Command(binary, "--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--appendonly", "no")
	command.Stdout = &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := command.Process.Kill(); err != nil {
			t.Error(err)
		}
		command.Wait() // it was killed
	})
	c := redis.NewClient(&redis.Options{Addr: address})
	t.Cleanup(func() { c.Close() })
	for c.Ping(ctx).Err() != nil {
		if ctx.Err() != nil {
			t.Fatalf("redis-server does not answer: %s", out.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
	return c
}

func startCairn(t *testing.T) *client.Client {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- daemon.RunDev(ctx, daemon.DevConfig{
			Data:   filepath.Join(t.TempDir(), "cairn"),
			Common: daemon.Common{Listen: "127.0.0.1:0", Ready: func(a daemon.Addresses) { ready <- a.Listen }},
		})
	}()
	var address string
	select {
	case address = <-ready:
	case err := <-ended:
		t.Fatalf("cairn ended: %v", err)
	}
	c, err := client.Dial(address, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c
}

func (w *world) startMover(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", w.address)
	if err != nil {
		t.Error(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener) }()
	w.stopMover = func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// restartMover has another mover take the place of the one there is, which so forgets
// what it knew.
func (w *world) restartMover(_ context.Context, t *testing.T) {
	w.stopMover()
	w.startMover(t)
}

// ledger is the values that were acknowledged, of each key the last, and those that may
// have been written after.
type ledger struct {
	stop             func()
	mu               sync.Mutex
	acked, attempted map[string]int
}

// write writes values at full speed, of keys that there are and of new ones. Each key is
// one writer's, who reads it first: what was acknowledged must be there, at any time.
func (w *world) write(ctx context.Context, t *testing.T) *ledger {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	l := &ledger{acked: map[string]int{}, attempted: map[string]int{}}
	var group sync.WaitGroup
	var ready sync.WaitGroup
	ready.Add(writers)
	var count atomic.Int64
	for writer := range writers {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if n == seeded/writers {
					ready.Done()
				}
				key := fmt.Sprintf("%d-%d", writer, n%(seeded/writers+n/100)) // now and then a new one
				if n < seeded/writers {
					key = fmt.Sprintf("%d-%d", writer, n)
				}
				l.mu.Lock()
				acked, value := l.acked[key], l.attempted[key]+1
				l.attempted[key] = value
				l.mu.Unlock()
				if text, _, err := w.store.Get(ctx, cairn.Key(key)); err == nil && acked > 0 {
					if read, err := strconv.Atoi(text); err != nil || read < acked || read >= value {
						t.Errorf("%s is %q; %d was acknowledged", key, text, acked)
					}
				}
				if err := w.store.Put(ctx, cairn.Key(key), fmt.Sprint(value)); err != nil {
					if ctx.Err() == nil && !errors.Is(err, context.Canceled) {
						t.Errorf("writing %s: %v", key, err)
					}
					continue
				}
				count.Add(1)
				l.mu.Lock()
				l.acked[key] = value
				l.mu.Unlock()
			}
		})
	}
	ready.Wait()
	l.stop = func() {
		cancel()
		group.Wait()
		t.Logf("%d values were written of %d keys", count.Load(), len(l.acked))
	}
	return l
}

// begin begins to move a shard.
func (w *world) begin(ctx context.Context, t *testing.T, shard int, to string) string {
	t.Helper()
	begun, err := w.cairn.Admin().CreateMove(ctx, &cairnv1.CreateMoveRequest{
		Shard: fmt.Sprintf("keyspaces/%s/shards/%d", keyspace, shard), To: "clusters/" + to, Keep: durationpb.New(0),
	})
	if err != nil {
		t.Fatal(err)
	}
	return begun.GetMove().GetName()
}

// move moves all shards to a cluster.
func (w *world) move(ctx context.Context, t *testing.T, to string) {
	t.Helper()
	began := time.Now()
	var moves []string
	for shard := 1; shard <= shards; shard++ {
		moves = append(moves, w.begin(ctx, t, shard, to))
	}
	told := false
	for _, name := range moves {
		m := w.await(ctx, t, name, func(m *cairnv1.Move) bool {
			told = told || m.GetData().GetValuesCopied() > 0 && m.KeysChangingNodes != nil && m.GetKeysChangingNodes() == m.GetEntriesTotal()
			return m.GetPhase() >= cairnv1.Move_DONE
		})
		if m.GetPhase() != cairnv1.Move_DONE {
			t.Fatalf("%s", m)
		}
	}
	if !told {
		t.Errorf("no look at the moves showed how many values were copied")
	}
	t.Logf("to %s in %s", to, time.Since(began).Round(time.Millisecond))
}

// cancelOne cancels a move that copies values.
func (w *world) cancelOne(ctx context.Context, t *testing.T) {
	t.Helper()
	name := w.begin(ctx, t, 1, "south")
	w.await(ctx, t, name, func(m *cairnv1.Move) bool {
		return m.GetData().GetValuesCopied() > 0 || m.GetPhase() >= cairnv1.Move_COMMITTED
	})
	_, err := w.cairn.Admin().CancelMove(ctx, &cairnv1.CancelMoveRequest{Name: name})
	m := w.await(ctx, t, name, func(m *cairnv1.Move) bool { return m.GetPhase() >= cairnv1.Move_DONE })
	if err == nil && m.GetPhase() != cairnv1.Move_CANCELLED {
		t.Errorf("cancelled, it is %s", m)
	}
	t.Logf("cancelled: %v, %s", err == nil, m.GetPhase())
}

func (w *world) await(ctx context.Context, t *testing.T, name string, is func(*cairnv1.Move) bool) *cairnv1.Move {
	t.Helper()
	for {
		m, err := w.cairn.Admin().GetMove(ctx, &cairnv1.GetMoveRequest{Name: name})
		if err != nil {
			t.Fatalf("%v; %s", err, m)
		}
		if is(m) {
			return m
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("it does not get on: %s", m)
		}
	}
}

// check looks for each value at every server.
func (w *world) check(ctx context.Context, t *testing.T, l *ledger) {
	t.Helper()
	at := map[string]string{}
	for key := range l.acked {
		location, _, err := w.cairn.Locate(ctx, keyspace, cairn.Key(key), cairn.Reading{Freshness: cairn.Freshness{Level: cairn.Linearizable}})
		if err != nil || location.State != cairn.Found {
			t.Fatalf("%s: %+v, %v", key, location, err)
		}
		at[key] = location.Primary.Address
	}
	lost, elsewhere := 0, 0
	for try := 0; ; try++ { // what was left goes when the moves have been cleaned up
		lost, elsewhere = 0, 0
		for address, server := range w.servers {
			for key, value := range l.acked {
				found, err := server.Get(ctx, "cairn:value:"+keyspace+":"+key).Int()
				switch {
				case address != at[key] && !errors.Is(err, redis.Nil):
					elsewhere++
				case address == at[key] && (err != nil || found < value || found > l.attempted[key]):
					lost++
				}
			}
		}
		if lost > 0 || elsewhere == 0 || ctx.Err() != nil || try == 100 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if lost+elsewhere > 0 {
		t.Errorf("of %d acknowledged values %d are not where the index says, and %d are elsewhere too", len(l.acked), lost, elsewhere)
	}
}
