package router_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

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
	benchBatches(b, func(ctx context.Context, r *router.Router, keys []cairn.Key) error {
		_, _, err := r.BatchLocate(ctx, bed.Things, keys, cairn.Reading{})
		return err
	})
}

func BenchmarkBatchLocateInParts(b *testing.B) {
	benchBatches(b, func(ctx context.Context, r *router.Router, keys []cairn.Key) error {
		return r.BatchLocateInParts(ctx, bed.Things, keys, cairn.Reading{}, func([]cairn.Location, []int32, cairn.Token) {})
	})
}

func benchBatches(b *testing.B, locate func(ctx context.Context, r *router.Router, keys []cairn.Key) error) {
	for _, clusters := range []int{1, 2} {
		b.Run(fmt.Sprintf("clusters=%d", clusters), func(b *testing.B) {
			r, keys := benchRouter(b, clusters, 64)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if err := locate(ctx, r, keys); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(keys)), "ns/key")
		})
	}
}

// heard is an instant index whose changes can be followed: there are none.
type heard struct{ instant }

func (x heard) Watch(ctx context.Context, _ cairn.WatchRequest, deliver func(cairn.WatchBatch) error) error {
	if err := deliver(cairn.WatchBatch{Answer: cairn.Answer{Revision: 1, Index: 1}}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// BenchmarkCachedLocate locates keys of a million that are cached, from as many
// goroutines as -cpu says: in random order, which is mostly the time to wait for memory,
// and by a zipf distribution.
func BenchmarkCachedLocate(b *testing.B) {
	const entries = 1_000_000
	world, err := bed.New(2, 64)
	if err != nil {
		b.Fatal(err)
	}
	r, err := router.New(router.Config{
		Topology: world.Topology(), Cache: router.CacheConfig{Bytes: 1 << 30, Staleness: time.Hour, CheckEvery: math.MaxUint32},
		Dial: func(*catalog.Cluster) (router.Index, error) { return heard{instant{nodes: []cairn.NodeID{1}}}, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	key := func(i uint64) cairn.Key { return fmt.Appendf(nil, "customer-%011d", i) }
	ctx := context.Background()
	held := func() int {
		stats, _ := r.CacheStats()
		return stats.Entries
	}
	for i := uint64(0); held() < entries; i++ {
		if _, _, err := r.Locate(ctx, bed.Things, key(i%entries), cairn.Reading{}); err != nil {
			b.Fatal(err)
		}
	}
	_, token, err := r.BatchLocate(ctx, bed.Things, []cairn.Key{key(1), key(2), key(3), key(4), key(5)}, cairn.Reading{})
	if err != nil {
		b.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(random, 1.1, 1, entries-1)
	for _, way := range []struct {
		name string
		next func() uint64
	}{
		{"uniform", func() uint64 { return random.Uint64N(entries) }},
		{"zipf", zipf.Uint64},
	} {
		// One beside the other, as a key that has just come in a request is at hand.
		picks := make([]cairn.Key, 1<<18)
		var room []byte
		for i := range picks {
			room = append(room, key(way.next())...)
			picks[i] = room[len(room)-len(key(0)):]
		}
		for _, freshness := range []cairn.Freshness{{}, {Level: cairn.AtLeast, Token: token}} {
			b.Run(fmt.Sprintf("%s/%s", way.name, freshness.Level), func(b *testing.B) {
				read := cairn.Reading{Freshness: freshness}
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for i := rand.IntN(len(picks)); pb.Next(); i++ {
						if _, _, err := r.Locate(ctx, bed.Things, picks[i&(len(picks)-1)], read); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
	if stats, _ := r.CacheStats(); stats.Sources[0].Misses+stats.Sources[1].Misses > 2*entries {
		b.Errorf("not from the cache: %+v", stats)
	}
}
