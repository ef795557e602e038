package router_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
	"cairn/shardmap/catalog"
)

// secretive is an index that keeps what has changed to itself.
type secretive struct{ router.Index }

func (x secretive) Watch(ctx context.Context, request cairn.WatchRequest, deliver func(cairn.WatchBatch) error) error {
	return x.Index.Watch(ctx, request, func(batch cairn.WatchBatch) error {
		batch.Changes = nil
		return deliver(batch)
	})
}

// TestChecks compares every answer of a cache, in front of an index that tells of changes
// and of one that does not.
func TestChecks(t *testing.T) {
	for _, secret := range []bool{false, true} {
		name := "told"
		if secret {
			name = "secret"
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testChecks(t, secret) })
		})
	}
}

func testChecks(t *testing.T, secret bool) {
	s := newShelter(t, 1)
	var mu sync.Mutex
	outcomes := map[router.Checked]int{}
	s.router = s.newRouterOver(router.Config{
		Topology: s.topology, Cache: router.CacheConfig{Bytes: 1 << 20, CheckEvery: 1},
		Events: router.Events{Check: func(e router.CheckEvent) {
			mu.Lock()
			defer mu.Unlock()
			outcomes[e.Outcome]++
		}},
	}, func(cluster *catalog.Cluster) (router.Index, error) {
		index, err := s.bed.Dial(cluster)
		if secret {
			index = secretive{index}
		}
		return index, err
	})
	want := func(what string, told, secretly router.Checked) {
		t.Helper()
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if secret {
			told = secretly
		}
		if outcomes[told] == 0 || len(outcomes) != 1 {
			t.Errorf("%s: the checks came out as %v, want %s", what, outcomes, told)
		}
		clear(outcomes)
	}
	change := func(key string, size int64) {
		t.Helper()
		s.put(key, size)
		synctest.Wait()
		s.locate(key, cairn.Freshness{})
		s.locate(key, cairn.Freshness{})
	}

	s.put("a", 1)
	s.warm("a")
	s.locate("a", cairn.Freshness{})
	want("unchanged", router.CheckAgreed, router.CheckAgreed)

	change("a", 2)
	want("changed", router.CheckAgreed, router.CheckDisagreed)

	s.locate("b", cairn.Freshness{})
	change("b", 1)
	want("come", router.CheckAgreed, router.CheckDisagreed)

	if _, _, err := s.writer.Delete(t.Context(), bed.Things, cairn.Key("b"), cairn.Condition{}, cairn.RequestID{}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	if secret {
		// What it said of b was that it is not there.
		if _, _, err := s.writer.Delete(t.Context(), bed.Things, cairn.Key("a"), cairn.Condition{}, cairn.RequestID{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.locate("a", cairn.Freshness{})
	} else {
		s.locate("b", cairn.Freshness{})
		s.locate("b", cairn.Freshness{})
	}
	want("deleted", router.CheckAgreed, router.CheckDisagreed)
}
