package shardmap

import (
	"cmp"
	"hash/fnv"
	"math/bits"
	"slices"
	"strings"

	"cairn"
	"cairn/shardmap/catalog"
)

// spread chooses an owner for each of n first shards of a keyspace.
//
// How many a cluster gets is by systematic sampling: the clusters' weights are
// laid end to end and a point is set every n-th part of the whole, beginning
// where the keyspace's name says. So each gets its exact share, rounded up or
// down, and the single shards of many keyspaces are spread by weight too. It
// goes by names alone, so that the same manifests make the same map anywhere.
func spread(keyspace string, n int, clusters []*catalog.Cluster) ([]cairn.UID, error) {
	weighted := slices.DeleteFunc(slices.Clone(clusters), func(c *catalog.Cluster) bool { return c.Weight == 0 })
	if len(weighted) == 0 {
		return nil, cairn.Errorf(cairn.KindPrecondition, "CLUSTERS_MISSING", "no cluster of a weight above 0 to own the first shards; apply one first")
	}
	slices.SortFunc(weighted, func(a, b *catalog.Cluster) int { return strings.Compare(a.Name, b.Name) })
	var whole uint64
	for _, c := range weighted {
		whole += uint64(c.Weight)
	}

	// A turn is the k-th of count shards of a cluster. Turns are taken in
	// order of (2k+1)/(2 count): each cluster's stand evenly apart.
	type turn struct {
		owner    cairn.UID
		k, count uint64
	}
	turns := make([]turn, 0, n)
	hash := fnv.New64a()
	hash.Write([]byte(keyspace))
	phase := hash.Sum64() % whole
	var before, laid uint64
	for _, c := range weighted {
		laid += uint64(c.Weight)
		upTo := points(laid, uint64(n), whole, phase)
		for k := range upTo - before {
			turns = append(turns, turn{c.UID, k, upTo - before})
		}
		before = upTo
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare((2*a.k+1)*b.count, (2*b.k+1)*a.count) })
	owners := make([]cairn.UID, n)
	for i, t := range turns {
		owners[i] = t.owner
	}
	return owners, nil
}

// points is (laid * n + phase) / whole without overflow: how many of n points
// lie in the first part of a whole, its last one included.
func points(laid, n, whole, phase uint64) uint64 {
	high, low := bits.Mul64(laid, n)
	low, carry := bits.Add64(low, phase, 0)
	quotient, _ := bits.Div64(high+carry, low, whole)
	return quotient
}
