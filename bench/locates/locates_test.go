package locates_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"cairn/bench/etcd"
	"cairn/bench/load"
	"cairn/bench/locates"
	"cairn/bench/spawn"
	"cairn/bench/stack"
)

// TestMain lets this test's executable play the parts of Cairn and of etcd.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == spawn.Verb {
		name, args := os.Args[2], os.Args[3:]
		played, err := stack.Play(context.Background(), name, args)
		if !played {
			_, err = etcd.Play(context.Background(), name, args)
		}
		if err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// table is a Side that knows nodes by keys.
type table struct {
	mu    sync.Mutex
	nodes map[string]string
	asked map[string]int
	sizes map[int]int
}

func (s *table) Locate(ctx context.Context, batch *locates.Batch) error {
	return s.LocateBatch(ctx, batch)
}

func (s *table) LocateBatch(_ context.Context, batch *locates.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sizes[len(batch.Keys)]++
	for i, key := range batch.Keys {
		s.asked[batch.Texts[i]]++
		if err := batch.Put(i, s.nodes[string(key)]); err != nil {
			return err
		}
	}
	return nil
}

func newTable(entries int, node string) *table {
	s := &table{nodes: map[string]string{}, asked: map[string]int{}, sizes: map[int]int{}}
	for n := range entries {
		s.nodes[string(load.Key(n))] = node
	}
	return s
}

func TestMeasuredAsksForOtherKeysEachTime(t *testing.T) {
	side := newTable(1000, "a")
	asks := locates.Asks{Callers: 2, Size: 16, Choose: load.Uniform(1000)}
	for range 2 {
		for _, call := range asks.Calls(side) {
			if items, err := call(t.Context()); items != 16 || err != nil {
				t.Fatalf("%d items, %v; want 16", items, err)
			}
		}
	}
	if len(side.asked) < 40 || side.sizes[16] != 4 {
		t.Errorf("%d keys in calls of %v; want about 63 different ones in four calls of 16", len(side.asked), side.sizes)
	}
	if _, err := asks.Calls(newTable(10, "a"))[0](t.Context()); err == nil {
		t.Error("keys that are not there are found")
	}
}

func TestCompareFindsADifference(t *testing.T) {
	a, b := newTable(1000, "a"), newTable(1000, "a")
	if err := locates.Compare(t.Context(), a, b, 1000, 4); err != nil {
		t.Error(err)
	}
	if a.sizes[1] != 2 || a.sizes[128] != 2 {
		t.Errorf("it asked for batches of %v; want single keys and batches of 128", a.sizes)
	}
	if err := locates.Compare(t.Context(), a, newTable(1000, "b"), 1000, 4); err == nil {
		t.Error("no error for two answers")
	}
}

// TestCairnAndEtcdAnswerTheSame asks Cairn in both ways, and etcd.
func TestCairnAndEtcdAnswerTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a whole stack and etcd; leave out -short")
	}
	const entries = 1000
	ours, err := locates.Open(t.Context(), entries, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := ours.Close(); err != nil {
			t.Error(err)
		}
	}()
	peer, err := etcd.Start(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := peer.Stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := peer.Fill(t.Context(), entries, ours.Nodes); err != nil {
		t.Fatal(err)
	}
	for _, side := range []locates.Side{ours.InProcess(), ours.Remote()} {
		if err := locates.Compare(t.Context(), side, peer, entries, 4); err != nil {
			t.Error(err)
		}
	}
	if said, err := peer.Peer(t.Context()); err != nil || said.Version == "" {
		t.Errorf("etcd says it is %v, %v", said, err)
	}
	for _, pids := range [][]int{ours.PIDs(true), ours.PIDs(false), peer.PIDs()} {
		if used := spawn.Used(pids); used <= 0 || used > time.Hour || slices.Contains(pids, os.Getpid()) {
			t.Errorf("processes %v have used %v; want some time, of others than this", pids, used)
		}
	}
	if remote, inProcess := ours.PIDs(false), ours.PIDs(true); len(remote) != 2 || len(inProcess) != 1 {
		t.Errorf("%v and %v; want router and index, and the index", remote, inProcess)
	}
}
