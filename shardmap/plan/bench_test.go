package plan_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/plan"
)

// BenchmarkMake plans for a million shards on a thousand clusters: with loads
// that are skewed a little, with ones where the whole budget goes into moves,
// with a new cluster in every ten, and with one in ten to be emptied.
func BenchmarkMake(b *testing.B) {
	const shards, clusters = 1_000_000, 1_000
	for _, test := range []struct {
		name    string
		skew    float64 // a shard's load is u^-skew, u even in (0, 1]
		owners  int     // how many clusters own shards
		drained int
	}{
		{"even", 0, clusters, 0},
		{"skewed", 0.5, clusters, 0},
		{"hot", 0.9, clusters, 0},
		{"grown", 0.5, clusters * 9 / 10, 0},
		{"drained", 0.5, clusters, clusters / 10},
	} {
		b.Run(test.name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			owners := make([]int, shards)
			for i := range owners {
				owners[i] = random.IntN(test.owners)
			}
			weights := make([]uint32, clusters)
			for i := range weights {
				weights[i] = 1
			}
			s := newScene(b, weights...).keyspace(hashed, owners, times(shards, 1000))
			for id := range cairn.ShardID(shards) {
				s.loads[shardmap.ShardRef{Keyspace: hashed, ID: id + 1}] = plan.Load{Entries: 1000, Reads: math.Pow(1-random.Float64(), -test.skew)}
			}
			in := s.input()
			in.Settings.Measure = plan.ByLoad()
			for i := range test.drained {
				in.Drain = append(in.Drain, firstCluster+cairn.UID(i))
			}
			b.ResetTimer()
			for b.Loop() {
				p := mustMake(b, in)
				b.ReportMetric(float64(len(p.Steps)), "steps")
				b.ReportMetric(p.Before.Imbalance, "imbalance-before")
				b.ReportMetric(p.After.Imbalance, "imbalance-after")
			}
		})
	}
}
