package shardmap_test

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"cairn"
)

// maxChangeBytes is what one change of a Map may allocate.
const maxChangeBytes = 64 << 10

// TestChangeAllocatesLittle bounds what every single change allocates, not
// only the usual one, in a Map of many shards and clusters.
func TestChangeAllocatesLittle(t *testing.T) {
	for _, keyspace := range []cairn.UID{hashed, ranged} {
		m, random := evenMap(t, keyspace, 200_000, 1000), rand.New(rand.NewPCG(7, 8))
		var stats runtime.MemStats
		var most uint64
		for range 3000 {
			update, err := randomChange(t, m, keyspace, random).Update(m.Revision()+1, m.Catalog())
			if err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&stats)
			before := stats.TotalAlloc
			next, err := m.Apply(update)
			runtime.ReadMemStats(&stats)
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, stats.TotalAlloc-before)
			m = next
		}
		t.Logf("keyspace %s: at most %d bytes a change", keyspace, most)
		if most > maxChangeBytes {
			t.Errorf("keyspace %s: a change allocates %d bytes; want at most %d", keyspace, most, maxChangeBytes)
		}
	}
}
