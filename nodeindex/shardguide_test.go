package nodeindex

import (
	"bytes"
	"slices"
	"testing"

	"cairn"

	"pgregory.net/rapid"
)

// TestShardGuide looks for keys of any bytes among shards with any bounds, some of which
// begin alike, and some of whose neighbours are other clusters'.
func TestShardGuide(t *testing.T) {
	placementKey := rapid.OneOf(
		rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xff}), 1, 10),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 3), func(end []byte) []byte { return append([]byte("customers/"), end...) }),
		rapid.SliceOfN(rapid.Byte(), 8, 8),
	)
	rapid.Check(t, func(t *rapid.T) {
		bounds := rapid.SliceOfN(placementKey, 0, 40).Draw(t, "bounds")
		slices.SortFunc(bounds, bytes.Compare)
		bounds = slices.CompactFunc(bounds, bytes.Equal)
		var shards []*shard
		for i := range len(bounds) + 1 {
			s := &shard{}
			if i > 0 {
				s.Start = bounds[i-1]
			}
			if i < len(bounds) {
				s.End = bounds[i]
			}
			if rapid.IntRange(0, 3).Draw(t, "elsewhere") > 0 {
				shards = append(shards, s)
			}
		}
		k := newKeyspace(cairn.Keyspace{}, nil, shards)
		for _, key := range append(rapid.SliceOfN(placementKey, 1, 20).Draw(t, "keys"), bounds...) {
			var want *shard
			for _, s := range shards {
				if contains(&s.Shard, key) {
					want = s
				}
			}
			if got := k.find(key); got != want {
				t.Fatalf("%x is in %+v, want %+v", key, got, want)
			}
		}
	})
}
