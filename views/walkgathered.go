package views

import (
	"sync"

	"cairn/views/order"

	"github.com/RoaringBitmap/roaring/v2"
)

// Where a condition goes with the order its matches may lie far behind, and be
// so many that to compare them takes longer than to walk to them: they may have
// equal sort values, so that each comparison reads two keys. Then the matches are
// gathered first, as one bit for each ordinal, and the walk tests these alone.

const (
	// costWalkGathered is what a walked entry takes then, costTie what a
	// gathered one takes whose sort values are those of others, in nanoseconds.
	costWalkGathered = 2
	costTie          = 60
)

// given is a walk that was given up: where it was, and what it had found.
type given struct {
	at    order.Iterator
	found []uint32
	up    bool
}

// walksToGathered tells whether to walk on to a set of matches rather than to
// compare them.
func (p *planned) walksToGathered(matches *roaring.Bitmap) bool {
	if p.reader == nil {
		return false
	}
	n := int(matches.GetCardinality())
	return n > p.need && n*costTie > p.reader.Count(p.walks)*costWalkGathered
}

// bitsets are the room for matches as bits, used again.
var bitsets = sync.Pool{New: func() any { return new([]uint64) }}

// walkGathered reads the page off the order where the matches are, from where
// a walk was given up if one was.
func (p *planned) walkGathered(matches *roaring.Bitmap, room []uint32) []uint32 {
	p.Method, p.Gathered = WalkGathered, int(matches.GetCardinality())
	p.Scanned = p.resolver.scanned
	bits := bitsets.Get().(*[]uint64)
	defer bitsets.Put(bits)
	size := int(matches.DenseSize())
	if cap(*bits) < size {
		*bits = make([]uint64, size)
	}
	set := (*bits)[:size]
	clear(set)
	matches.WriteDenseTo(set)

	it, found := p.start(p.walks), roomFor(room, p.need)[:0]
	if p.given.up {
		it, found = p.given.at, p.given.found
	}
	var batch [leastWalk]uint32
	for len(found) < p.need {
		n := it.Fill(batch[:])
		p.Walked += n
		for _, ordinal := range batch[:n] {
			word := int(ordinal >> 6)
			if word < len(set) && set[word]>>(ordinal&63)&1 != 0 {
				if found = append(found, ordinal); len(found) == p.need {
					break
				}
			}
		}
		if n < len(batch) {
			break // that was all
		}
	}
	return found[min(p.query.Offset, len(found)):]
}
