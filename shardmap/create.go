package shardmap

import (
	"bytes"
	"strconv"

	"cairn"
	"cairn/shardmap/catalog"
	"cairn/shardmap/placement"
)

// firstGeneration is under which a keyspace's first shards are stored, and
// firstShard the id of the first of them.
const (
	firstGeneration = 1
	firstShard      = 1
)

// Create decides a new keyspace's record and its first shards: under
// cairn.SchemeHash so many as InitialShards says, of even size, under
// cairn.SchemeRange those that InitialSplits divide. Each cluster gets its
// share of them by weight, rounded up or down, in alternation; the same input
// gives the same shards.
//
// Refused: no cluster with a weight (KindPrecondition, CLUSTERS_MISSING), and as
// KindInvalid a number of shards that is not 1 to catalog.MaxInitialShards
// (field "placement.initial_shards" or "placement.initial_splits") and splits
// that are not ascending keys (field as in "placement.initial_splits[2]").
func Create(k catalog.NewKeyspace, clusters []*catalog.Cluster) (Change, error) {
	starts, err := firstStarts(k)
	if err != nil {
		return Change{}, cairn.InField("placement", err)
	}
	owners, err := spread(k.Name, len(starts), clusters)
	if err != nil {
		return Change{}, err
	}
	record := *k.Keyspace
	record.Generation = firstGeneration
	record.NextShard = firstShard + cairn.ShardID(len(starts))
	change := Change{
		Keyspaces: []KeyspaceChange{{Name: record.Name, Put: &record}},
		Shards:    make([]ShardChange, len(starts)),
	}
	for i, start := range starts {
		shard := &Shard{
			Shard:   cairn.Shard{Keyspace: record.UID, ID: firstShard + cairn.ShardID(i), Start: start},
			Cluster: owners[i],
		}
		if i+1 < len(starts) {
			shard.End = starts[i+1]
		}
		change.Shards[i] = ShardChange{Keyspace: record.UID, Generation: firstGeneration, ID: shard.ID, Put: shard}
	}
	return change, nil
}

// firstStarts is where each first shard begins.
func firstStarts(k catalog.NewKeyspace) ([][]byte, error) {
	starts := [][]byte{nil}
	if k.Placement.Scheme == cairn.SchemeHash {
		if k.InitialShards < 1 || k.InitialShards > catalog.MaxInitialShards {
			return nil, outOfRange("initial_shards", k.InitialShards)
		}
		return append(starts, placement.Divide(k.InitialShards)...), nil
	}
	if n := len(k.InitialSplits) + 1; n > catalog.MaxInitialShards {
		return nil, outOfRange("initial_splits", n)
	}
	for i, at := range k.InitialSplits {
		if err := placement.Validate(k.Placement.Scheme, at); err != nil {
			return nil, cairn.InField(splitField(i), err)
		}
		if bytes.Compare(starts[i], at) >= 0 {
			return nil, cairn.Invalid(splitField(i), "INITIAL_SPLITS_UNSORTED", "%s is not after %s; give splits in ascending order of bytes", cairn.Key(at), cairn.Key(starts[i]))
		}
		starts = append(starts, at)
	}
	return starts, nil
}

func outOfRange(field string, n int) error {
	return cairn.Invalid(field, "INITIAL_SHARDS_OUT_OF_RANGE", "%d shards; a keyspace begins with 1 to %d", n, catalog.MaxInitialShards)
}

func splitField(i int) string { return "initial_splits[" + strconv.Itoa(i) + "]" }
