package replica

import (
	"fmt"
	"testing"

	"cairn"
)

// BenchmarkWrite is synced writes of 64 callers in process.
func BenchmarkWrite(b *testing.B) {
	for _, batch := range []int{1, 128} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			config := configure(b.TempDir())
			config.SegmentBytes = 64 << 20
			r := open(b, config)
			before, _ := r.index.Position()
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				req := &cairn.WriteRequest{Keyspace: keyspace, Mutations: make([]cairn.Mutation, batch)}
				caller := cairn.NewUID()
				for n := 0; pb.Next(); n++ {
					for i := range req.Mutations {
						req.Mutations[i] = cairn.Mutation{Operation: cairn.Put, Key: fmt.Appendf(nil, "%x-%d-%d", uint64(caller), n, i)}
					}
					if _, err := write(r, req); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			after, _ := r.index.Position()
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "writes/s")
			b.ReportMetric(float64(b.N)/float64(after-before), "requests/command")
		})
	}
}

// BenchmarkLocate is reads in process, by level.
func BenchmarkLocate(b *testing.B) {
	r := open(b, configure(b.TempDir()))
	req := put(1)
	for i := range 1000 {
		req.Mutations = append(req.Mutations, cairn.Mutation{Operation: cairn.Put, Key: fmt.Appendf(nil, "key %d", i)})
	}
	mustWrite(b, r, req)
	for _, level := range []cairn.Level{cairn.Eventual, cairn.Linearizable} {
		b.Run(level.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				var reply cairn.LocateReply
				request := &cairn.LocateRequest{Read: cairn.Read{Keyspace: keyspace, Level: level}, Keys: []cairn.Key{cairn.Key("key 77")}}
				for pb.Next() {
					if err := r.Locate(b.Context(), request, &reply); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
