package router_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router/internal/bed"
	"cairn/shardmap/catalog"
)

// moveByProtocol gives a shard to the next cluster, with a fence and a record.
func moveByProtocol(t *testing.T, b *bed.Bed, keyspace string, turn int) {
	t.Helper()
	m := b.Map()
	declared, _ := m.Catalog().KeyspaceByName(keyspace)
	shards := slices.Collect(m.Shards(declared.UID))
	shard := shards[turn%len(shards)]
	clusters := m.Catalog().Clusters()
	at := slices.IndexFunc(clusters, func(c *catalog.Cluster) bool { return c.UID == shard.Cluster })
	move, err := b.Fence(declared.UID, shard.ID, clusters[(at+1)%len(clusters)].UID)
	if err == nil {
		err = b.CommitMove(move)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(move); err != nil {
		t.Fatal(err)
	}
}

// TestWatchFollowsMoves has shards go round while they are written to, with
// clusters that can't be watched for a while each, so that a new owner is heard
// before the former one has said all, and a client that breaks off and begins
// again: every change comes in its order.
func TestWatchFollowsMoves(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { watchMoves(t, seed) })
		})
	}
}

func watchMoves(t *testing.T, seed uint64) {
	b, r := open(t, 3, 4)
	random := rand.New(rand.NewPCG(seed, 2))
	var mu sync.Mutex
	chance := func(n int) bool {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n) == 0
	}
	down := map[string]time.Time{}
	b.Faults = func(cluster string, call bed.Call) bed.Fault {
		if call != bed.CallWatch {
			return bed.None
		}
		off := chance(10)
		mu.Lock()
		defer mu.Unlock()
		if off {
			down[cluster] = time.Now().Add(time.Duration(random.IntN(3000)) * time.Millisecond)
		}
		if time.Now().Before(down[cluster]) {
			return bed.Unreachable
		}
		return bed.None
	}
	const keys, rounds = 20, 60
	begun := make(chan struct{})
	w := &watcher{t: t, last: map[string]int64{}, begun: begun, breaks: func() bool { return chance(8) }}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- w.watch(ctx, r, func(last map[string]int64) bool {
			for k := range keys {
				if last[fmt.Sprintf("key-%d", k)] != rounds {
					return false
				}
			}
			return true
		})
	}()
	<-begun
	for round := range rounds {
		for k := range keys {
			put(t, r, bed.Things, fmt.Appendf(nil, "key-%d", k), int64(round+1))
		}
		moveByProtocol(t, b, bed.Things, round)
		time.Sleep(100 * time.Millisecond)
	}
	if err := <-done; err != nil {
		t.Error(err, w.last)
	}
}

// TestWatchFollowsAFormerOwner begins again where a cluster has more to tell that
// owns nothing any more.
func TestWatchFollowsAFormerOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, r := open(t, 2, 1)
		var from cairn.Token
		if err := r.Watch(t.Context(), bed.Things, cairn.Token{}, func(c cairn.Changes) error {
			from = c.Token
			return errEnough
		}); !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		for n := range 3 {
			put(t, r, bed.Things, cairn.Key("key"), int64(n+1))
		}
		moveByProtocol(t, b, bed.Things, 0)
		for n := range 3 {
			put(t, r, bed.Things, cairn.Key("key"), int64(n+4))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w := &watcher{t: t, token: from, last: map[string]int64{}, breaks: func() bool { return false }}
		if err := w.watch(ctx, r, func(last map[string]int64) bool { return last["key"] == 6 }); err != nil {
			t.Error(err, w.last)
		}
		if owners := b.Map().Owners(mustKeyspace(b)); len(owners) != 1 {
			t.Errorf("%d owners", len(owners))
		}
	})
}

func mustKeyspace(b *bed.Bed) cairn.UID {
	declared, _ := b.Map().Catalog().KeyspaceByName(bed.Things)
	return declared.UID
}
