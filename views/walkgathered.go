package views

import (
	"cairn/views/order"

	"github.com/RoaringBitmap/roaring/v2"
)

// Where a condition goes with the order its matches may lie far behind, and be
// so many that to compare them takes longer than to walk to them: they may have
// equal sort values, so that each comparison reads two keys. Then the matches are
// gathered first, as one bit for each ordinal, and the walk tests these alone.

const (
	// costWalkGathered is what a walked entry takes then, costTie what a
	// gathered one takes whose first sort value is that of many others, in
	// nanoseconds.
	costWalkGathered = 2
	costTie          = 400
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
	cost := costGather
	if p.order.ties() {
		cost = costTie
	}
	n := int(matches.GetCardinality())
	return n > p.need && n*cost > p.reader.Count(p.walks)*costWalkGathered
}

// ties tells whether many entries have the same first sort value.
func (c *comparer) ties() bool {
	return len(c.fields) == 0 || c.state.attributes[c.fields[0]].indexed
}

// walkGathered reads the page off the order where the matches are, from where
// a walk was given up if one was.
func (p *planned) walkGathered(matches *roaring.Bitmap, into []uint32) []uint32 {
	p.Method, p.Gathered = WalkGathered, int(matches.GetCardinality())
	p.Scanned = p.resolver.scanned
	room := p.snapshot.state.dense
	d := room.empty(nil, matches)
	defer room.pool.Put(d)
	matches.WriteDenseTo(d.words)
	set := d.words

	it, found := p.start(p.walks), roomFor(into, p.need)[:0]
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
