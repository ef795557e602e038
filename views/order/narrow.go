package order

import "math/bits"

// Select reads on as Fill does, but keeps only members for which keep is true,
// and looks at no more than about `most` places: every member that keep is
// asked about is one, and every leaf that is opened. It is how many it kept
// and how many places it looked at. The iterator stands after the last member
// that was looked at, so that calling again goes on. Nothing is left if it
// kept fewer than there is room for and looked at fewer than most.
func (it *Iterator) Select(page []uint32, most int, keep func(ordinal uint32) bool) (kept, looked int) {
	if it.leaf == nil || len(page) == 0 {
		return 0, 0
	}
	// One place for the leaf, one for a member: less would never get on.
	most = max(most, 2)
	var room words
	for {
		looked++
		w := it.bitsOf(it.leaf, &room)
		for i, word := it.slot>>6, ^uint64(0)<<(it.slot&63); i < blockWords; i, word = i+1, ^uint64(0) {
			for word &= w[i]; word != 0; word &= word - 1 {
				if looked >= most {
					return kept, looked
				}
				slot := i<<6 + bits.TrailingZeros64(word)
				ordinal := it.leaf.ordinals[slot]
				it.slot = slot + 1
				looked++
				if !keep(ordinal) {
					continue
				}
				page[kept] = ordinal
				if kept++; kept == len(page) {
					return kept, looked
				}
			}
		}
		if looked >= most || !it.nextLeaf() {
			return kept, looked
		}
	}
}

// SelectBack is Select backwards: it reads the members before, the nearest
// first.
func (it *Iterator) SelectBack(page []uint32, most int, keep func(ordinal uint32) bool) (kept, looked int) {
	if it.leaf == nil || len(page) == 0 {
		return 0, 0
	}
	// One place for the leaf, one for a member: less would never get on.
	most = max(most, 2)
	var room words
	for {
		looked++
		w := it.bitsOf(it.leaf, &room)
		for i, word := it.slot>>6, uint64(1)<<(it.slot&63)-1; i >= 0; i, word = i-1, ^uint64(0) {
			for word &= w[i]; word != 0; {
				if looked >= most {
					return kept, looked
				}
				high := bits.Len64(word) - 1
				word &^= 1 << high
				ordinal := it.leaf.ordinals[i<<6+high]
				it.slot = i<<6 + high
				looked++
				if !keep(ordinal) {
					continue
				}
				page[kept] = ordinal
				if kept++; kept == len(page) {
					return kept, looked
				}
			}
		}
		if looked >= most || !it.prevLeaf() {
			return kept, looked
		}
	}
}
