package shardmap_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

const (
	benchShards   = 1_000_000
	benchClusters = 1_000
)

var schemes = []struct {
	name     string
	keyspace cairn.UID
}{{"hash", hashed}, {"range", ranged}}

// keyMaker makes placement keys all over a keyspace of evenMap, in place: a
// table of them would compete for the cache with what is measured.
type keyMaker struct {
	keyspace cairn.UID
	random   *rand.PCG
	buffer   []byte
}

func newKeyMaker(keyspace cairn.UID) *keyMaker {
	return &keyMaker{keyspace, rand.NewPCG(1, 2), append(rangeStart(0), "/0"...)}
}

// next is good until the next one.
func (k *keyMaker) next() []byte {
	n := k.random.Uint64()
	if k.keyspace == hashed {
		binary.BigEndian.PutUint64(k.buffer, n)
		return k.buffer[:8]
	}
	n %= benchShards
	for i := len(k.buffer) - len("/0") - 1; n > 0; i-- {
		k.buffer[i] = byte('0' + n%10)
		n /= 10
	}
	return k.buffer
}

func BenchmarkLookup(b *testing.B) {
	for _, scheme := range schemes {
		b.Run(scheme.name, func(b *testing.B) {
			m, keys := evenMap(b, scheme.keyspace, benchShards, benchClusters), newKeyMaker(scheme.keyspace)
			b.ReportAllocs()
			for b.Loop() {
				if _, found := m.Lookup(scheme.keyspace, keys.next()); !found {
					b.Fatal("not found")
				}
			}
		})
	}
}

// BenchmarkMemoryWait is what a lookup in a large Map can't be faster than:
// one random read, which the next one's place depends on, of as much memory.
func BenchmarkMemoryWait(b *testing.B) {
	lines := make([][8]uint64, benchShards)
	for i := range lines {
		lines[i][1] = 1 // or all of it would be one page of zeros
	}
	random := rand.NewPCG(1, 2)
	var last uint64
	for b.Loop() {
		last = lines[(random.Uint64()+last)%benchShards][0]
	}
	if last != 0 {
		b.Fatal("not what was written")
	}
}

func BenchmarkShardByID(b *testing.B) {
	for _, scheme := range schemes {
		b.Run(scheme.name, func(b *testing.B) {
			m, random := evenMap(b, scheme.keyspace, benchShards, benchClusters), rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			for b.Loop() {
				if _, found := m.Shard(scheme.keyspace, cairn.ShardID(random.IntN(benchShards)+1)); !found {
					b.Fatal("not found")
				}
			}
		})
	}
}

// BenchmarkMemory reports what a Map takes a shard, beside the bytes of the
// shards' bounds: as loaded, and after splits and merges all over it.
func BenchmarkMemory(b *testing.B) {
	for _, scheme := range schemes {
		for _, changes := range []int{0, benchShards / 50} {
			name := scheme.name + "/loaded"
			if changes > 0 {
				name = scheme.name + "/changed"
			}
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					before := heap()
					m := evenMap(b, scheme.keyspace, benchShards, benchClusters)
					random := rand.New(rand.NewPCG(1, 2))
					for range changes {
						m = commit(b, m, randomChange(b, m, scheme.keyspace, random))
					}
					after := heap()
					bounds := 0
					for s := range m.Shards(scheme.keyspace) {
						bounds += len(s.Start)
					}
					b.ReportMetric(float64(after-before-uint64(bounds))/float64(m.Count(scheme.keyspace)), "B/shard")
					runtime.KeepAlive(m)
				}
			})
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// randomChange splits or merges at a random place, as may be.
func randomChange(t testing.TB, m *shardmap.Map, keyspace cairn.UID, random *rand.Rand) shardmap.Change {
	for {
		key := binary.BigEndian.AppendUint64(nil, random.Uint64())
		if keyspace == ranged {
			key = fmt.Appendf(rangeStart(random.IntN(m.Count(keyspace))), "%04x", random.IntN(1<<16))
		}
		shard, _ := m.Lookup(keyspace, key)
		if random.IntN(2) == 0 {
			if change, err := shardmap.Merge(m, keyspace, shard.ID); err == nil {
				return change
			}
		}
		change, err := shardmap.Split(m, keyspace, shard.ID, key)
		switch {
		case err == nil:
			return change
		case cairn.ReasonOf(err) != "SPLIT_AT_START": // the key was drawn before
			t.Fatal(err)
		}
	}
}

// BenchmarkChange is one change of the Map: what the store's reader does for
// each. Catalogs are made beforehand; they are not the Map's.
func BenchmarkChange(b *testing.B) {
	for _, scheme := range schemes {
		m := evenMap(b, scheme.keyspace, benchShards, benchClusters)
		maker, keys := newKeyMaker(scheme.keyspace), make([][]byte, 0, 1024)
		for seen := map[string]bool{}; len(keys) < cap(keys); {
			if key := maker.next(); !seen[string(key)] {
				seen[string(key)] = true
				keys = append(keys, bytes.Clone(key))
			}
		}
		run := func(name string, changed *catalog.Catalog, update func(i int) shardmap.Update) {
			b.Run(scheme.name+"/"+name, func(b *testing.B) {
				updates := make([]shardmap.Update, 1024)
				for i := range updates {
					updates[i] = update(i)
					updates[i].Catalog = changed
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if _, err := m.Apply(updates[i%len(updates)]); err != nil {
						b.Fatal(err)
					}
					i++
				}
			})
		}
		at := func(i int) shardmap.Shard {
			shard, _ := m.Lookup(scheme.keyspace, keys[i])
			return shard
		}
		planned := func(change shardmap.Change, err error) shardmap.Update {
			if err != nil {
				b.Fatal(err)
			}
			update, err := change.Update(m.Revision()+1, m.Catalog())
			if err != nil {
				b.Fatal(err)
			}
			return update
		}
		run("split", m.Catalog(), func(i int) shardmap.Update {
			return planned(shardmap.Split(m, scheme.keyspace, at(i).ID, keys[i]))
		})
		run("owner", nil, func(i int) shardmap.Update {
			shard := at(i)
			shard.Cluster = clusterBase + (shard.Cluster-clusterBase+1)%benchClusters
			shard.Epoch, shard.Revision = m.Revision()+1, m.Revision()+1
			return shardmap.Update{Revision: m.Revision() + 1, Set: []shardmap.Shard{shard}}
		})
		// Neighbours of one cluster: the halves of a shard split before.
		whole, halves := m, make([]cairn.ShardID, 1024)
		for i, key := range keys {
			shard, _ := m.Lookup(scheme.keyspace, key)
			halves[i] = shard.ID
			m = commit(b, m, mustSplit(b, m, scheme.keyspace, key))
		}
		run("merge", nil, func(i int) shardmap.Update {
			return planned(shardmap.Merge(m, scheme.keyspace, halves[i]))
		})
		m = whole
	}
}

func mustSplit(t testing.TB, m *shardmap.Map, keyspace cairn.UID, key []byte) shardmap.Change {
	shard, _ := m.Lookup(keyspace, key)
	change, err := shardmap.Split(m, keyspace, shard.ID, key)
	if err != nil {
		t.Fatal(err)
	}
	return change
}
