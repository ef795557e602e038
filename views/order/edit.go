package order

import "slices"

// edit is the room that changes of leaves need again and again.
type edit struct {
	// was is the set of views that a removed or changed entry was a member of.
	was ViewSet
	// freed are blocks that lost their use while the memberships of a leaf
	// change. They are given back together, when all memberships agree with
	// the leaf's number of entries again.
	freed []uint16
}

func (e *edit) reset(slots int) {
	e.freed = e.freed[:0]
	for len(e.was) < (slots+63)>>6 {
		e.was = append(e.was, 0)
	}
	clear(e.was)
}

// reserve makes room for memberships of the first so many views.
func (l *leaf) reserve(slots int) {
	if int(l.slots) >= slots {
		return
	}
	grown := make([]uint64, slots, slots+int(l.blocks)*blockWords)
	copy(grown, l.views[:l.slots])
	l.views = append(grown, l.views[l.slots:]...)
	l.slots = uint16(slots)
}

// resetViews makes the leaf one without members, with room for blocks.
func (l *leaf) resetViews(slots, blocks uint16) {
	l.slots, l.blocks = slots, 0
	l.views = make([]uint64, slots, int(slots)+int(blocks)*blockWords)
}

// trim gives back room of more than half a block and an eighth of what is used.
func (l *leaf) trim() {
	if cap(l.views)-len(l.views) > blockWords/2+len(l.views)/8 {
		l.views = slices.Clone(l.views)
	}
}

// newBlock is a block of zeroes.
func (l *leaf) newBlock() int {
	if cap(l.views)-len(l.views) < blockWords {
		grown := make([]uint64, len(l.views), len(l.views)+blockWords*(1+int(l.blocks)/8))
		copy(grown, l.views)
		l.views = grown
	}
	l.views = append(l.views, make([]uint64, blockWords)...)
	l.blocks++
	return int(l.blocks) - 1
}

// giveBack frees e.freed: the last blocks move into their places, so that the
// blocks in use lie together.
func (l *leaf) giveBack(e *edit) {
	if len(e.freed) == 0 {
		return
	}
	// From the highest on, so that the last block is always one in use, or
	// the freed one itself.
	slices.Sort(e.freed)
	for _, freed := range slices.Backward(e.freed) {
		last := int(l.blocks) - 1
		if int(freed) != last {
			*l.blockAt(int(freed)) = *l.blockAt(last)
			l.renumber(last, int(freed))
		}
		l.blocks--
		l.views = l.views[:len(l.views)-blockWords]
	}
	e.freed = e.freed[:0]
	l.trim()
}

// renumber changes the number of the block of whichever view has it.
func (l *leaf) renumber(from, to int) {
	for v := range l.views[:l.slots] {
		m := membership(l.views[v])
		if m.inBlock(int(l.n)) && m.block() == from {
			l.views[v] = uint64(blockMembership(m.count(), to))
			return
		}
	}
}

// put sets the bits of a view that has no block yet.
func (l *leaf) put(v int, w *words) {
	count := w.count()
	m := membership(count)
	switch {
	case count == 0 || count == int(l.n):
	case count <= inlineMost:
		m = inline(w, count)
	default:
		block := l.newBlock()
		*l.blockAt(block) = *w
		m = blockMembership(count, block)
	}
	l.views[v] = uint64(m)
}

// inline is the membership of at most three members.
func inline(w *words, count int) membership {
	m := membership(count)
	for k := range count {
		m = m.withSlot(k, w.nth(k))
	}
	return m
}

// set makes the entry at a slot a member of a view or not; the caller has
// found that it changes, and calls giveBack when done.
func (l *leaf) set(v, slot int, bit uint64, e *edit) {
	m := membership(l.views[v])
	if m.inBlock(int(l.n)) {
		count := m.count() - 1
		block := l.blockAt(m.block())
		if bit != 0 {
			block.set(slot)
			count += 2
		} else {
			block.clear(slot)
		}
		l.settle(v, count, m.block(), e)
		return
	}
	var w words
	l.bits(v, &w)
	if bit != 0 {
		w.set(slot)
	} else {
		w.clear(slot)
	}
	l.put(v, &w)
}

// settle notes a new count of a view that has a block, and frees the block if
// it is needed no more.
func (l *leaf) settle(v, count, block int, e *edit) {
	m := membership(count)
	switch {
	case count == int(l.n):
		e.freed = append(e.freed, uint16(block))
	case count <= inlineMost:
		m = inline(l.blockAt(block), count)
		e.freed = append(e.freed, uint16(block))
	default:
		m = blockMembership(count, block)
	}
	l.views[v] = uint64(m)
}

// insertSlot makes room for a slot in the bits of all views, after the leaf
// has got the entry.
func (l *leaf) insertSlot(slot int, views ViewSet, e *edit) {
	n := int(l.n) - 1 // as the memberships still have it
	for v := range int(l.slots) {
		m, bit := membership(l.views[v]), views.bit(v)
		count := m.count()
		switch {
		case count == n && bit != 0:
			l.views[v] = uint64(n + 1)
		case count == 0:
			if bit != 0 {
				l.views[v] = uint64(membership(1).withSlot(0, slot))
			}
		case count == n:
			var w words
			w.fill(n + 1)
			w.clear(slot)
			l.put(v, &w)
		case count < inlineMost || count == inlineMost && bit == 0:
			l.views[v] = uint64(m.insert(slot, bit))
		case count == inlineMost:
			var w words
			for k := range count {
				w.set(m.slot(k))
			}
			w.insert(slot, 1)
			l.put(v, &w)
		default:
			l.blockAt(m.block()).insert(slot, bit)
			l.views[v] = uint64(m) + bit
		}
	}
	l.giveBack(e)
}

// removeSlot takes a slot out of the bits of all views, after the leaf has
// lost the entry.
func (l *leaf) removeSlot(slot int, e *edit) {
	n := int(l.n) + 1 // as the memberships still have it
	e.reset(int(l.slots))
	for v := range int(l.slots) {
		m := membership(l.views[v])
		count := m.count()
		var bit uint64
		switch {
		case count == 0:
			continue
		case count == n:
			bit = 1
			l.views[v] = uint64(n - 1)
		case count <= inlineMost:
			m, bit = m.remove(slot)
			if m.count() == n-1 || m.count() == 0 {
				m = membership(m.count())
			}
			l.views[v] = uint64(m)
		default:
			bit = l.blockAt(m.block()).remove(slot)
			if count -= int(bit); count == n-1 || count <= inlineMost {
				l.settle(v, count, m.block(), e)
			} else {
				l.views[v] = uint64(m) - bit
			}
		}
		e.was[v>>6] |= bit << (v & 63)
	}
	l.giveBack(e)
}

// insert is an inline membership with a slot put in, a member's or not. With
// it there are at most three members.
func (m membership) insert(slot int, bit uint64) membership {
	out := membership(m.count())
	k, put := 0, false
	for i := range m.count() {
		s := m.slot(i)
		if s >= slot {
			if bit != 0 && !put {
				out = out.withSlot(k, slot)
				k, put = k+1, true
			}
			s++
		}
		out = out.withSlot(k, s)
		k++
	}
	if bit != 0 && !put {
		out = out.withSlot(k, slot)
	}
	return out + membership(bit)
}

// remove is an inline membership with a slot taken out, and the slot's bit.
func (m membership) remove(slot int) (membership, uint64) {
	var out membership
	var bit uint64
	k := 0
	for i := range m.count() {
		s := m.slot(i)
		if s == slot {
			bit = 1
			continue
		}
		if s > slot {
			s--
		}
		out = out.withSlot(k, s)
		k++
	}
	return out | membership(k), bit
}
