package simulate

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// VirtualNodes is how many points of the ring a cluster of weight 1 has.
const VirtualNodes = 128

// Ring is consistent hashing with virtual nodes (Karger et al., 1997), as many
// a cluster as its capacity says. It knows nothing of loads, unless it has a
// bound: then a key goes to the first cluster from its place on that has room
// for it ("Consistent Hashing with Bounded Loads", Mirrokni, Thorup and
// Zadimoghaddam, 2018).
type Ring struct {
	// Bound is how full a cluster may get relative to its fair share of the
	// measured load, as in 1.25; 0 sets none.
	Bound  float64
	points []point
	owners []int32
	starts []int32   // the point that each key comes to first
	built  []float64 // the capacities that points were made of
}

type point struct {
	hash    uint64
	cluster int32
}

// Name names it with its bound.
func (r *Ring) Name() string {
	if r.Bound == 0 {
		return "ring"
	}
	return "ring bounded to " + strconv.FormatFloat(r.Bound, 'f', -1, 64)
}

// Place never fails.
func (r *Ring) Place(w *World) ([]int32, error) {
	if r.owners == nil {
		r.owners, r.starts = make([]int32, len(w.Load)), make([]int32, len(w.Load))
	}
	changed := r.build(w)
	switch {
	case r.Bound > 0:
		r.placeBounded(w)
	case changed:
		for k, start := range r.starts {
			r.owners[k] = r.points[start].cluster
		}
	}
	return r.owners, nil
}

// build sets the points anew if a capacity has changed.
func (r *Ring) build(w *World) bool {
	capacities := make([]float64, len(w.Clusters))
	for i, c := range w.Clusters {
		capacities[i] = c.Capacity()
	}
	if slices.Equal(capacities, r.built) {
		return false
	}
	r.built, r.points = capacities, r.points[:0]
	for i, c := range w.Clusters {
		for k := range int(math.Round(VirtualNodes * capacities[i])) {
			r.points = append(r.points, point{xxhash.Sum64String(c.Name + "#" + strconv.Itoa(k)), int32(i)})
		}
	}
	slices.SortFunc(r.points, func(a, b point) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.cluster, b.cluster)) })
	for k := range r.starts {
		i, _ := slices.BinarySearchFunc(r.points, keyHash(k), func(p point, hash uint64) int { return cmp.Compare(p.hash, hash) })
		r.starts[k] = int32(i % len(r.points))
	}
	return true
}

// placeBounded takes the keys in the order of their numbers, which has nothing
// to do with their places on the ring or their loads.
func (r *Ring) placeBounded(w *World) {
	var whole, capacity float64
	for _, load := range w.Measured {
		whole += load
	}
	for _, c := range r.built {
		capacity += c
	}
	limit := r.Bound * whole / capacity
	loads := make([]float64, len(w.Clusters))
	for k, at := range r.starts {
		for range r.points {
			c := r.points[at].cluster
			if loads[c]+w.Measured[k] <= limit*r.built[c] {
				break
			}
			at = (at + 1) % int32(len(r.points))
		}
		r.owners[k] = r.points[at].cluster
		loads[r.owners[k]] += w.Measured[k]
	}
}

// keyHash is a key's place on the ring, which has nothing to do with its place
// among shards.
func keyHash(k int) uint64 {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(k))
	return xxhash.Sum64(number[:])
}
