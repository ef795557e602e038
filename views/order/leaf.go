package order

import "slices"

// leafCapacity is how many ordinals a leaf has room for. What is copied for a
// change is mostly leaves, which speaks for small ones; pages of sparse views
// and what is held of each leaf speak for large ones. It is as many as make a
// leaf fill an allocation of 1,536 bytes with what stands before them.
const leafCapacity = 370

// leaf is a run of an order's entries with the views' bits of them.
type leaf struct {
	// views holds one membership for each of the first `slots` views, then
	// `blocks` blocks of blockWords each, every one of them in use. A view
	// beyond `slots` has no members here.
	views      []uint64
	generation uint64
	slots      uint16
	blocks     uint16
	n          uint32
	ordinals   [leafCapacity]uint32
	notes      notes
}

// clone is a copy that a generation may change.
func (l *leaf) clone(generation uint64) *leaf {
	c := new(leaf)
	c.generation, c.slots, c.blocks, c.n = generation, l.slots, l.blocks, l.n
	copy(c.ordinals[:l.n], l.ordinals[:l.n])
	c.views = slices.Clone(l.views)
	return c
}

// become makes the leaf one of other entries, with the bits of all views.
func (l *leaf) become(ordinals []uint32, members []words) {
	l.n = uint32(copy(l.ordinals[:], ordinals))
	blocks := uint16(0)
	for v := range members {
		if n := members[v].count(); n > inlineMost && n < int(l.n) {
			blocks++
		}
	}
	l.resetViews(uint16(len(members)), blocks)
	for v := range members {
		l.put(v, &members[v])
	}
}

// find is the slot of an ordinal, -1 if the leaf does not have it. It reads
// ordinals alone: comparing would read columns out of order.
func (l *leaf) find(ordinal uint32) int {
	return slices.Index(l.ordinals[:l.n], ordinal)
}

// insert puts an ordinal at a slot, as a member of views. The leaf has room
// for it, and memberships for all of the views.
func (l *leaf) insert(slot int, ordinal uint32, views ViewSet, e *edit) {
	copy(l.ordinals[slot+1:l.n+1], l.ordinals[slot:l.n])
	l.ordinals[slot] = ordinal
	l.n++
	l.insertSlot(slot, views, e)
}

// remove takes the entry at a slot away. e.was becomes the set of views that
// it was a member of.
func (l *leaf) remove(slot int, e *edit) {
	copy(l.ordinals[slot:l.n-1], l.ordinals[slot+1:l.n])
	l.n--
	l.removeSlot(slot, e)
}

// tail cuts off the entries from a slot on into a new leaf.
func (l *leaf) tail(at int, generation uint64) *leaf {
	right := &leaf{generation: generation, n: l.n - uint32(at)}
	copy(right.ordinals[:], l.ordinals[at:l.n])
	before := leaf{views: l.views, slots: l.slots, blocks: l.blocks, n: l.n}
	l.n = uint32(at)
	l.resetViews(before.slots, before.blocks)
	right.resetViews(before.slots, before.blocks)
	var all, part words
	for v := range int(before.slots) {
		if before.bits(v, &all) == 0 {
			continue
		}
		part = all
		part.clearFrom(at)
		l.put(v, &part)
		all.shiftDown(at)
		right.put(v, &all)
	}
	l.trim()
	right.trim()
	return right
}

// absorb appends the entries of the leaf to the right, which fit.
func (l *leaf) absorb(right *leaf) {
	before := leaf{views: l.views, slots: l.slots, blocks: l.blocks, n: l.n}
	copy(l.ordinals[l.n:], right.ordinals[:right.n])
	l.n += right.n
	l.resetViews(max(before.slots, right.slots), max(before.blocks, right.blocks))
	var all, part words
	for v := range int(l.slots) {
		if before.bits(v, &all)+right.bits(v, &part) == 0 {
			continue
		}
		part.shiftUp(int(before.n))
		for i := range all {
			all[i] |= part[i]
		}
		l.put(v, &all)
	}
	l.trim()
}
