package router_test

import (
	"context"
	"fmt"
	"testing"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
	"cairn/shardmap/catalog"
)

// instant answers every locate at once, so that what is measured is the
// router.
type instant struct {
	router.Index
	nodes []cairn.NodeID
}

func (x instant) Locate(_ context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) error {
	reply.Answer = cairn.Answer{Revision: req.Epoch, Index: 1}
	reply.Results = reply.Results[:0]
	for range req.Keys {
		reply.Results = append(reply.Results, cairn.Located{State: cairn.Found, Stamp: cairn.Stamp{Epoch: req.Epoch, Index: 1}, Nodes: x.nodes})
	}
	return nil
}

func benchRouter(b *testing.B, clusters, shards int) (*router.Router, []cairn.Key) {
	world, err := bed.New(clusters, shards)
	if err != nil {
		b.Fatal(err)
	}
	r, err := router.New(router.Config{
		Topology: world.Topology(),
		Dial:     func(*catalog.Cluster) (router.Index, error) { return instant{nodes: []cairn.NodeID{1}}, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	keys := make([]cairn.Key, 128)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "customer-%011d", i*7919)
	}
	return r, keys
}

func BenchmarkLocate(b *testing.B) {
	r, keys := benchRouter(b, 2, 64)
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := r.Locate(ctx, bed.Things, keys[i%len(keys)], cairn.Reading{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLocateAtLeast(b *testing.B) {
	r, keys := benchRouter(b, 2, 64)
	ctx := context.Background()
	_, token, err := r.BatchLocate(ctx, bed.Things, keys, cairn.Reading{})
	if err != nil {
		b.Fatal(err)
	}
	read := cairn.Reading{Freshness: cairn.Freshness{Level: cairn.AtLeast, Token: token}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := r.Locate(ctx, bed.Things, keys[i%len(keys)], read); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBatchLocate(b *testing.B) {
	for _, clusters := range []int{1, 2} {
		b.Run(fmt.Sprintf("clusters=%d", clusters), func(b *testing.B) {
			r, keys := benchRouter(b, clusters, 64)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := r.BatchLocate(ctx, bed.Things, keys, cairn.Reading{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(keys)), "ns/key")
		})
	}
}
