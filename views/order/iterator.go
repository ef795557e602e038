package order

import "math/bits"

// none is no view.
const none = -1

// Iterator walks a view's members in either direction. It stands between two
// of them, before the first or after the last: Fill reads on from there,
// FillBack reads back. A copy is an iterator of its own at the same place.
type Iterator struct {
	root *root
	// Members of view are walked or, if and is one, of both.
	view, and int
	// The place is before a slot of a leaf, which may be the leaf's end. An
	// order without entries has no leaf.
	at    path
	slot  int
	group *group
	leaf  *leaf
}

// And is the iterator at the same place that walks only what is a member of
// another view too. It knows the leaves that have members of both only by
// looking at all that have members of each.
func (it Iterator) And(other View) Iterator {
	it.and = int(other)
	return it
}

// Next is the next member, which is then behind; false if there is none.
func (it *Iterator) Next() (uint32, bool) {
	var one [1]uint32
	return one[0], it.Fill(one[:]) == 1
}

// Prev is the member before, which is then ahead; false if there is none.
func (it *Iterator) Prev() (uint32, bool) {
	var one [1]uint32
	return one[0], it.FillBack(one[:]) == 1
}

// Fill reads the next members in order and is how many there were: fewer than
// there is room for only at the end.
func (it *Iterator) Fill(page []uint32) int {
	if it.leaf == nil {
		return 0
	}
	for n := 0; ; {
		n += it.fillLeaf(page[n:])
		if n == len(page) || !it.nextLeaf() {
			return n
		}
	}
}

// FillBack reads the members before, the nearest first, and is how many there
// were: fewer than there is room for only at the beginning.
func (it *Iterator) FillBack(page []uint32) int {
	if it.leaf == nil {
		return 0
	}
	for n := 0; ; {
		n += it.fillLeafBack(page[n:])
		if n == len(page) || !it.prevLeaf() {
			return n
		}
	}
}

// fillLeaf reads members from the place on to the end of the leaf.
func (it *Iterator) fillLeaf(page []uint32) int {
	l := it.leaf
	m := l.of(it.view)
	count, n := m.count(), 0
	if it.and == none {
		switch {
		case count == 0:
			return 0
		case count == int(l.n):
			n = copy(page, l.ordinals[it.slot:l.n])
			it.slot += n
			return n
		case count <= inlineMost:
			for k := range count {
				slot := m.slot(k)
				if slot < it.slot {
					continue
				}
				if n == len(page) {
					return n
				}
				page[n] = l.ordinals[slot]
				n++
				it.slot = slot + 1
			}
			return n
		}
	}
	var both words
	w := it.bitsOf(l, &both)
	for i, word := it.slot>>6, ^uint64(0)<<(it.slot&63); i < blockWords; i, word = i+1, ^uint64(0) {
		for word &= w[i]; word != 0; word &= word - 1 {
			if n == len(page) {
				return n
			}
			slot := i<<6 + bits.TrailingZeros64(word)
			page[n] = l.ordinals[slot]
			n++
			it.slot = slot + 1
		}
	}
	return n
}

// fillLeafBack reads members from the place back to the beginning of the leaf.
func (it *Iterator) fillLeafBack(page []uint32) int {
	l := it.leaf
	n := 0
	if m := l.of(it.view); it.and == none && m.count() <= inlineMost && m.count() < int(l.n) {
		for k := m.count() - 1; k >= 0 && n < len(page); k-- {
			if slot := m.slot(k); slot < it.slot {
				page[n] = l.ordinals[slot]
				n++
				it.slot = slot
			}
		}
		return n
	}
	var both words
	w := it.bitsOf(l, &both)
	for i, word := it.slot>>6, uint64(1)<<(it.slot&63)-1; i >= 0; i, word = i-1, ^uint64(0) {
		for word &= w[i]; word != 0; {
			if n == len(page) {
				return n
			}
			high := bits.Len64(word) - 1
			word &^= 1 << high
			page[n] = l.ordinals[i<<6+high]
			n++
			it.slot = i<<6 + high
		}
	}
	return n
}

// bitsOf is the bits of what is walked in a leaf; it may use room for them.
func (it *Iterator) bitsOf(l *leaf, room *words) *words {
	m := l.of(it.view)
	if it.and == none && m.inBlock(int(l.n)) {
		return l.blockAt(m.block())
	}
	l.bits(it.view, room)
	if it.and != none {
		var other words
		l.bits(it.and, &other)
		for i := range room {
			room[i] &= other[i]
		}
	}
	return room
}

// enter goes to the beginning of a leaf.
func (it *Iterator) enter(at path) {
	if it.root == nil || len(it.root.branches) == 0 {
		return
	}
	it.at, it.slot = at, 0
	it.group = it.root.group(at)
	it.leaf = it.group.children[at.leaf]
}

// nextLeaf goes to the beginning of the next leaf that may have what is
// walked. If there is none it goes to the end of the present leaf, after which
// nothing is, and is false.
func (it *Iterator) nextLeaf() bool {
	it.slot = int(it.leaf.n)
	// In Go, shifting by all 64 bits and more leaves zero.
	if some := occupied(it.group, it) >> (it.at.leaf + 1) << (it.at.leaf + 1); some != 0 {
		it.at.leaf = bits.TrailingZeros64(some)
		it.leaf, it.slot = it.group.children[it.at.leaf], 0
		return true
	}
	from := it.at.group + 1
	for i := it.at.branch; i < len(it.root.branches); i, from = i+1, 0 {
		b := it.root.branches[i]
		for groups := occupied(b, it) >> from << from; groups != 0; groups &= groups - 1 {
			j := bits.TrailingZeros64(groups)
			if some := occupied(b.children[j], it); some != 0 {
				it.enter(path{i, j, bits.TrailingZeros64(some)})
				return true
			}
		}
	}
	return false
}

// prevLeaf goes to the end of the leaf before that may have what is walked. If
// there is none it goes to the beginning of the present leaf and is false.
func (it *Iterator) prevLeaf() bool {
	it.slot = 0
	if some := occupied(it.group, it) & (1<<it.at.leaf - 1); some != 0 {
		it.at.leaf = bits.Len64(some) - 1
		it.leaf = it.group.children[it.at.leaf]
		it.slot = int(it.leaf.n)
		return true
	}
	below := uint64(1)<<it.at.group - 1
	for i := it.at.branch; i >= 0; i, below = i-1, ^uint64(0) {
		b := it.root.branches[i]
		for groups := occupied(b, it) & below; groups != 0; {
			j := bits.Len64(groups) - 1
			groups &^= 1 << j
			if some := occupied(b.children[j], it); some != 0 {
				it.enter(path{i, j, bits.Len64(some) - 1})
				it.slot = int(it.leaf.n)
				return true
			}
		}
	}
	return false
}

// occupied has a bit for each child that may have what is walked.
func occupied[C any](f *fan[C], it *Iterator) uint64 {
	some := f.occupied(it.view)
	if it.and != none {
		some &= f.occupied(it.and)
	}
	return some
}
