package floor

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/RoaringBitmap/roaring/v2"

	"cairn/bench/load"
)

// MapReads is a caller that reads random keys of a Go map of entries.
func MapReads(entries int, seed uint64) load.Call {
	all := make(map[string]uint32, entries)
	for n := range entries {
		all[string(load.Key(n))] = uint32(n)
	}
	random := rand.New(rand.NewPCG(seed, 0))
	key := make([]byte, 0, 32)
	return func(context.Context) (int, error) {
		for range readsACall {
			n := random.IntN(entries)
			key = load.AppendKey(key[:0], n)
			if found, ok := all[string(key)]; !ok || int(found) != n {
				return 0, fmt.Errorf("the map does not have %q", key)
			}
		}
		return readsACall, nil
	}
}

// bitmapsDrawn is how many bitmaps an intersection is drawn from.
const bitmapsDrawn = 16

// Intersections is a caller that counts what two Roaring bitmaps of ordinals have in
// common: one with an eighth of the entries, as a view has, and one with a quarter, as a
// value of an attribute has, drawn from some each time.
func Intersections(entries int, seed uint64) load.Call {
	random := rand.New(rand.NewPCG(seed, 0))
	some := func(part int) (all []*roaring.Bitmap) {
		for range bitmapsDrawn {
			bitmap := roaring.New()
			for n := range entries {
				if random.IntN(part) == 0 {
					bitmap.Add(uint32(n))
				}
			}
			all = append(all, bitmap)
		}
		return all
	}
	views, values := some(8), some(4)
	return func(context.Context) (int, error) {
		if views[random.IntN(bitmapsDrawn)].AndCardinality(values[random.IntN(bitmapsDrawn)]) == 0 {
			return 0, fmt.Errorf("two bitmaps of %d entries have nothing in common", entries)
		}
		return 1, nil
	}
}
