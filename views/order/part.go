package order

import (
	"iter"
	"math/bits"
)

// Part is some members of a view in one leaf.
type Part struct {
	leaf *leaf
	is   words
	size int
}

// Parts yields the members of the iterator's view from its place up to that of another,
// if they are members of all of some other views, too: leaf by leaf, in order. A part is
// good until the next one.
func (it Iterator) Parts(end Iterator, also []View) iter.Seq[*Part] {
	return func(yield func(*Part) bool) {
		if it.leaf == nil || end.leaf == nil {
			return
		}
		var p Part
		for it.at.compare(end.at) <= 0 {
			p.fill(&it, end)
			for _, v := range also {
				p.is.and(it.leaf, int(v))
			}
			if len(also) > 0 {
				p.size = p.is.count()
			}
			if p.size > 0 && !yield(&p) || !it.nextLeaf() {
				return
			}
		}
	}
}

// LeavesTo is how many leaves there are from the iterator's place up to another's, at most.
func (it Iterator) LeavesTo(end Iterator) int {
	groups := (end.at.branch-it.at.branch)*fanout + end.at.group - it.at.group
	return max(groups*fanout+end.at.leaf-it.at.leaf+1, 0)
}

// fill makes the part what an iterator has in its leaf from its place up to another's.
func (p *Part) fill(it *Iterator, end Iterator) {
	p.leaf, p.is = it.leaf, *it.bitsOf(it.leaf, &p.is)
	if it.slot > 0 {
		p.is.clearBefore(it.slot)
	}
	if it.at == end.at {
		p.is.clearFrom(end.slot)
	}
	p.size = p.is.count()
}

// fillWhole makes the part all members of a view in a leaf.
func (p *Part) fillWhole(l *leaf, view int) {
	p.leaf = l
	p.size = l.bits(view, &p.is)
}

// Len is how many members there are, at least one.
func (p *Part) Len() int { return p.size }

// Count is how many are members of another view, too.
func (p *Part) Count(v View) int {
	m := p.leaf.of(int(v))
	switch count := m.count(); {
	case count == 0:
		return 0
	case count == int(p.leaf.n):
		return p.size
	case count <= inlineMost:
		n := 0
		for k := range count {
			n += int(p.is.get(m.slot(k)))
		}
		return n
	default:
		n := 0
		for i, word := range p.leaf.blockAt(m.block()) {
			n += bits.OnesCount64(word & p.is[i])
		}
		return n
	}
}

// MostInPart is how many members a Part has at most.
const MostInPart = leafCapacity

// Ordinals are the members in order, in the room given.
func (p *Part) Ordinals(room *[MostInPart]uint32) []uint32 {
	n := 0
	for i, word := range p.is {
		for ; word != 0; word &= word - 1 {
			room[n] = p.leaf.ordinals[i<<6+bits.TrailingZeros64(word)]
			n++
		}
	}
	return room[:n]
}
