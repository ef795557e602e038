package nodeindex

import (
	"testing"

	"cairn"
)

// TestPlaceMergedAndSplit: a shard that was merged with one that a move brought, and
// split from it again at the same place, keeps what it holds, though the index hears
// of both at once and the shard has the other's move by then.
func TestPlaceMergedAndSplit(t *testing.T) {
	at := func(id cairn.ShardID, start, end string, epoch uint64, move cairn.UID) *cairn.Shard {
		return &cairn.Shard{Keyspace: testKeyspace, ID: id, Start: []byte(start), End: []byte(end), Epoch: epoch, Move: move}
	}
	left := &shard{Shard: *at(1, "", "m", 5, 0), population: newPopulation()}
	right := &shard{Shard: *at(2, "m", "", 6, 17), population: newPopulation()}
	old := newKeyspace(cairn.Keyspace{UID: testKeyspace}, nil, []*shard{left, right})
	placed, err := placeShards(old, map[cairn.ShardID]*cairn.Shard{1: at(1, "", "m", 9, 17), 2: nil, 3: at(3, "m", "", 9, 17)})
	if err != nil {
		t.Fatal(err)
	}
	if len(placed.withheld) > 0 || len(placed.shards) != 2 || placed.shards[0].population != left.population {
		t.Errorf("%d shards, %d withheld; wanted both served, the left one with what it held", len(placed.shards), len(placed.withheld))
	}

	// What a move brings back that the index has not heard of is another matter.
	placed, err = placeShards(old, map[cairn.ShardID]*cairn.Shard{1: at(1, "", "m", 9, 18)})
	if err != nil {
		t.Fatal(err)
	}
	if len(placed.withheld) != 1 || placed.withheld[0].ID != 1 {
		t.Errorf("%d withheld; wanted the shard that left and came back", len(placed.withheld))
	}
}

// TestPlaceReturnedAndSplit: an index that was restored from before a shard left, and
// hears that it came back by another move and was split, has nothing of either half:
// what it holds of their range is from before.
func TestPlaceReturnedAndSplit(t *testing.T) {
	before := &shard{Shard: cairn.Shard{Keyspace: testKeyspace, ID: 1, Epoch: 5, Move: 17}, population: newPopulation()}
	old := newKeyspace(cairn.Keyspace{UID: testKeyspace}, nil, []*shard{before})
	halves := func(move cairn.UID) map[cairn.ShardID]*cairn.Shard {
		return map[cairn.ShardID]*cairn.Shard{
			1: {Keyspace: testKeyspace, ID: 1, End: []byte("m"), Epoch: 9, Move: move},
			2: {Keyspace: testKeyspace, ID: 2, Start: []byte("m"), Epoch: 9, Move: move},
		}
	}
	for move, withheld := range map[cairn.UID]int{17: 0, 18: 2, 0: 0} {
		placed, err := placeShards(old, halves(move))
		if err != nil {
			t.Fatal(err)
		}
		if len(placed.withheld) != withheld || len(placed.shards) != 2-withheld {
			t.Errorf("by move %d: %d shards, %d withheld; want %d withheld", move, len(placed.shards), len(placed.withheld), withheld)
		}
	}
}
