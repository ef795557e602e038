package peer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cairn"
	"cairn/router/peer"
)

// BenchmarkLocate is what the wire costs: callers through one Peer over
// loopback to an index that answers at once.
func BenchmarkLocate(b *testing.B) {
	p := dial(b, serve(b, &trivial{}, "127.0.0.1:0").address)
	for _, batch := range []int{1, 16, 128, 1024} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				req := &cairn.LocateRequest{}
				for i := range batch {
					req.Keys = append(req.Keys, fmt.Appendf(nil, "customer:%011d", i))
				}
				var reply cairn.LocateReply
				for pb.Next() {
					if err := p.Locate(b.Context(), req, &reply); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}

// BenchmarkGroupLocate is BenchmarkLocate of one key by a Group of three.
func BenchmarkGroupLocate(b *testing.B) {
	var peers []*peer.Peer
	for range 3 {
		peers = append(peers, dial(b, serve(b, &trivial{}, "127.0.0.1:0").address))
	}
	g := peer.NewGroup(peers, nil)
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
		defer cancel()
		req := &cairn.LocateRequest{Keys: []cairn.Key{cairn.Key("customer:00000000001")}}
		var reply cairn.LocateReply
		for pb.Next() {
			if err := g.Locate(ctx, req, &reply); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkWrite is the same for writes.
func BenchmarkWrite(b *testing.B) {
	p := dial(b, serve(b, &trivial{}, "127.0.0.1:0").address)
	for _, batch := range []int{1, 128} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				keys := make([]string, batch)
				for i := range keys {
					keys[i] = fmt.Sprintf("customer:%011d", i)
				}
				req := put(1, keys...)
				for pb.Next() {
					if _, err := p.Write(b.Context(), req); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "writes/s")
		})
	}
}
