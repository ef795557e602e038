package order

// membership is what a leaf holds of one view in one word: in the low bits how
// many of the leaf's entries are members, above them, from the count:
//
//	none        nothing
//	all         nothing
//	one to three   their slots, ascending
//	else        the number of the view's block
//
// A leaf of which all entries are members is "all", however few they are.
type membership uint64

const (
	countBits  = 10
	slotBits   = 9
	inlineMost = 3
)

func (m membership) count() int { return int(m & (1<<countBits - 1)) }

func (m membership) slot(k int) int {
	return int(m>>(countBits+slotBits*k)) & (1<<slotBits - 1)
}

func (m membership) block() int { return int(m >> countBits) }

func blockMembership(count, block int) membership {
	return membership(count) | membership(block)<<countBits
}

// withSlot is an inline membership with the k-th slot added.
func (m membership) withSlot(k, slot int) membership {
	return m | membership(slot)<<(countBits+slotBits*k)
}

// inBlock reports whether the members of a view in a leaf of n entries have a
// block.
func (m membership) inBlock(n int) bool { return m.count() > inlineMost && m.count() < n }

// of is a view's membership.
func (l *leaf) of(v int) membership {
	if v >= int(l.slots) {
		return 0
	}
	return membership(l.views[v])
}

// blockAt is the bits of a block.
func (l *leaf) blockAt(block int) *words {
	from := int(l.slots) + block*blockWords
	return (*words)(l.views[from : from+blockWords])
}

// bits fills w with the bits of a view and is how many are one.
func (l *leaf) bits(v int, w *words) int {
	m, n := l.of(v), int(l.n)
	switch count := m.count(); {
	case count == 0:
		*w = words{}
	case count == n:
		w.fill(n)
	case count <= inlineMost:
		*w = words{}
		for k := range count {
			w.set(m.slot(k))
		}
	default:
		*w = *l.blockAt(m.block())
	}
	return m.count()
}

// has is 1 if the entry at a slot is a member of a view, else 0.
func (l *leaf) has(v, slot int) uint64 {
	m := l.of(v)
	switch count := m.count(); {
	case count == 0:
		return 0
	case count == int(l.n):
		return 1
	case count <= inlineMost:
		for k := range count {
			if m.slot(k) == slot {
				return 1
			}
		}
		return 0
	default:
		return l.blockAt(m.block()).get(slot)
	}
}

// before is how many members of a view stand below a slot.
func (l *leaf) before(v, slot int) int {
	m := l.of(v)
	switch count := m.count(); {
	case count == 0:
		return 0
	case count == int(l.n):
		return slot
	case count <= inlineMost:
		below := 0
		for k := range count {
			if m.slot(k) < slot {
				below++
			}
		}
		return below
	default:
		return l.blockAt(m.block()).before(slot)
	}
}

// nth is the slot of the n-th member of a view, counted from zero. There is
// one.
func (l *leaf) nth(v, n int) int {
	m := l.of(v)
	switch count := m.count(); {
	case count == int(l.n):
		return n
	case count <= inlineMost:
		return m.slot(n)
	default:
		return l.blockAt(m.block()).nth(n)
	}
}
