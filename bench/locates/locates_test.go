package locates_test

import (
	"context"
	"sync"
	"testing"

	"cairn/bench/load"
	"cairn/bench/locates"
)

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
