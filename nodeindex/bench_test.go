package nodeindex

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"cairn"
)

// benchKeys is how many entries the benchmarks read and write among.
const benchKeys = 1_000_000

// benchIndex is an index of benchKeys entries, all of them in the file.
func benchIndex(b *testing.B) *replica {
	b.Helper()
	r := openReplica(b, Options{})
	r.x.db.NoSync = true
	a := testAssignment(b, cairn.SchemeHash, 64)
	a.Keyspaces[0].Replicas = 1
	r.assign(a)
	mutations := make([]cairn.Mutation, 0, 1000)
	for i := range benchKeys {
		mutations = append(mutations, put(benchKey(uint64(i)), size(int64(i)), name("customer")))
		if len(mutations) == cap(mutations) {
			r.write(mutations...)
			mutations = mutations[:0]
		}
		if (i+1)%(benchKeys/4) == 0 {
			r.checkpoint()
		}
	}
	return r
}

// benchKey is a key of 20 bytes, in no order.
func benchKey(i uint64) string { return fmt.Sprintf("customer-%011x", mix(i)>>20) }

func BenchmarkLocate(b *testing.B) {
	r := benchIndex(b)
	random := rand.New(rand.NewPCG(1, 2))
	keys := make([]cairn.Key, 1<<16)
	for i := range keys {
		keys[i] = cairn.Key(benchKey(random.Uint64N(benchKeys)))
	}
	b.Run("bbolt", func(b *testing.B) { // what a locate costs at least whose key is not in memory
		_, reader, err := r.x.acquire()
		if err != nil {
			b.Fatal(err)
		}
		defer reader.pool.release(reader)
		cursor := reader.keyspace(testKeyspace)
		next := 0
		b.ReportAllocs()
		for b.Loop() {
			key := keys[next%len(keys)]
			if found, _ := cursor.Seek(key); !bytes.Equal(found, key) {
				b.Fatal("not found")
			}
			next++
		}
	})
	for _, full := range []bool{false, true} {
		for _, batch := range []int{1, 128} {
			kind := "basic"
			if full {
				kind = "full"
			}
			b.Run(fmt.Sprintf("%s/batch=%d", kind, batch), func(b *testing.B) {
				req := cairn.LocateRequest{Read: cairn.Read{Keyspace: testKeyspace}, WithAttributes: full}
				var reply cairn.LocateReply
				next := 0
				b.ReportAllocs()
				for b.Loop() {
					req.Keys = keys[next : next+batch]
					next = (next + batch) % (len(keys) - batch)
					if err := r.x.Locate(&req, &reply); err != nil || reply.Results[0].State != cairn.Found {
						b.Fatal(err, reply.Results[0])
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/key")
			})
		}
	}
}

func BenchmarkApply(b *testing.B) {
	for _, existing := range []bool{false, true} {
		kind := "new"
		if existing {
			kind = "existing"
		}
		b.Run(kind, func(b *testing.B) {
			r := benchIndex(b)
			random := rand.New(rand.NewPCG(3, 4))
			const batch = 128
			var commands [][]byte
			for range 1024 {
				mutations := make([]cairn.Mutation, batch)
				for i := range mutations {
					id := random.Uint64N(benchKeys)
					if !existing {
						id += benchKeys + random.Uint64N(1<<40)
					}
					mutations[i] = put(benchKey(id), size(7), name("customer"))
				}
				commands = append(commands, r.x.Prepare(testTime, []*cairn.WriteRequest{{Keyspace: testKeyspace, Mutations: mutations}}))
			}
			next := 0
			b.ReportAllocs()
			for b.Loop() {
				r.apply(commands[next%len(commands)])
				next++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/mutation")
		})
	}
}

func BenchmarkPrepare(b *testing.B) {
	r := openReplica(b, Options{})
	r.assign(testAssignment(b, cairn.SchemeHash, 64))
	mutations := make([]cairn.Mutation, 128)
	for i := range mutations {
		mutations[i] = put(testKey(i), size(int64(i)))
	}
	requests := []*cairn.WriteRequest{{Keyspace: testKeyspace, Mutations: mutations}}
	b.ReportAllocs()
	for b.Loop() {
		r.x.Prepare(testTime, requests)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*128), "ns/mutation")
}

// BenchmarkCheckpoint writes 200,000 random keys into a file of a million, and
// reports what Freeze, which is all of it that writes wait for, takes.
func BenchmarkCheckpoint(b *testing.B) {
	r := benchIndex(b)
	r.x.db.NoSync = false
	random := rand.New(rand.NewPCG(5, 6))
	const keys = 200_000
	var frozen, written float64
	for b.Loop() {
		b.StopTimer()
		mutations := make([]cairn.Mutation, 0, 1000)
		for range keys {
			mutations = append(mutations, put(benchKey(random.Uint64N(2*benchKeys)), size(7), name("customer")))
			if len(mutations) == cap(mutations) {
				r.write(mutations...)
				mutations = mutations[:0]
			}
		}
		b.StartTimer()
		start := b.Elapsed()
		c, err := r.x.Freeze()
		if err != nil {
			b.Fatal(err)
		}
		frozen += float64((b.Elapsed() - start).Microseconds())
		index, term := c.Position()
		if err := c.Write(CheckpointMeta{Index: index, Term: term}); err != nil {
			b.Fatal(err)
		}
		written += keys
	}
	b.ReportMetric(frozen/float64(b.N), "µs/freeze")
	b.ReportMetric(written/b.Elapsed().Seconds(), "keys/s")
}
