package router_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"cairn"
	"cairn/router/internal/bed"
)

// TestConcurrentCallersSeeTheirWrites has callers, each with keys of its own,
// write and read while shards move between clusters.
func TestConcurrentCallersSeeTheirWrites(t *testing.T) {
	b, r := open(t, 3, 8)
	b.Faults = rotate([]bed.Fault{bed.None, bed.None, bed.NotYet, bed.None, bed.Unreachable, bed.None, bed.None})
	stop := time.Now().Add(time.Second)
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(caller), 1))
			keys := make([]cairn.Key, 16)
			for i := range keys {
				keys[i] = fmt.Appendf(nil, "k%03d-%d", i*60, caller)
			}
			for round := int64(1); time.Now().Before(stop) && !t.Failed(); round++ {
				keyspace := []string{bed.Things, bed.Ordered}[round%2]
				var writes []cairn.Write
				for _, key := range keys {
					writes = append(writes,
						cairn.Write{Operation: cairn.Delete, Key: key},
						cairn.Write{Operation: cairn.Put, Key: key, Attributes: cairn.NamedValues{{Name: "size", Value: cairn.Int(round)}}})
				}
				outcomes, token, err := r.BatchWrite(t.Context(), keyspace, writes, cairn.RequestID{})
				if err != nil {
					t.Error(err)
					return
				}
				for _, outcome := range outcomes {
					if outcome.Err != nil {
						t.Error(outcome.Err)
					}
				}
				level := []cairn.Level{cairn.Eventual, cairn.AtLeast, cairn.Linearizable}[random.IntN(3)]
				locations, _, err := r.BatchLocate(t.Context(), keyspace, keys, cairn.Reading{
					WithAttributes: true, Freshness: cairn.Freshness{Level: level, Token: token},
				})
				if err != nil {
					t.Error(err)
					return
				}
				for i, location := range locations {
					if size, _ := location.Attributes.Get("size"); location.Err != nil || size.Int() != round {
						t.Errorf("%s: %+v; want size %d", keys[i], location, round)
					}
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(7, 7))
	for time.Now().Before(stop) {
		m := b.Map()
		declared, _ := m.Catalog().KeyspaceByName([]string{bed.Things, bed.Ordered}[random.IntN(2)])
		shards := slices.Collect(m.Shards(declared.UID))
		clusters := m.Catalog().Clusters()
		if err := b.Move(declared.UID, shards[random.IntN(len(shards))].ID, clusters[random.IntN(len(clusters))].UID); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Millisecond)
	}
	callers.Wait()
}
