package router_test

import (
	"testing"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
	"cairn/shardmap/catalog"
)

// A batch in parts is told of its own keys, whatever became of those of the batch before.
func TestBatchInPartsKnowsNothingOfTheOneBefore(t *testing.T) {
	world, err := bed.New(2, 64)
	if err != nil {
		t.Fatal(err)
	}
	r, err := router.New(router.Config{
		Topology: world.Topology(),
		Dial:     func(*catalog.Cluster) (router.Index, error) { return instant{nodes: []cairn.NodeID{1}}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	good, bad := cairn.Key("key"), cairn.Key(nil)
	for _, keys := range [][]cairn.Key{{bad, bad, bad, good}, {good, good, bad}, {good, bad, good, good}} {
		states := make([]cairn.LocateState, len(keys))
		told := make([]int, len(keys))
		err := r.BatchLocateInParts(t.Context(), bed.Things, keys, cairn.Reading{}, func(locations []cairn.Location, positions []int32, _ cairn.Token) {
			for _, at := range positions { // never of all: one key can't be
				states[at] = locations[at].State
				told[at]++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, key := range keys {
			if isGood := len(key) > 0; told[i] != 1 || (states[i] == cairn.Found) != isGood {
				t.Errorf("key %d of %q was told %d times, with state %v", i, keys, told[i], states[i])
			}
		}
	}
}
