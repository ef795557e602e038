package order

import "math/bits"

// blockWords is how many words hold a bit for each slot of a leaf.
const blockWords = 6

// words is a bit for each slot of a leaf. Bits past the leaf's end are zero.
type words [blockWords]uint64

func (w *words) get(slot int) uint64 { return w[slot>>6] >> (slot & 63) & 1 }

func (w *words) set(slot int) { w[slot>>6] |= 1 << (slot & 63) }

func (w *words) clear(slot int) { w[slot>>6] &^= 1 << (slot & 63) }

func (w *words) count() int {
	n := 0
	for _, word := range w {
		n += bits.OnesCount64(word)
	}
	return n
}

// fill makes exactly the first n bits one.
func (w *words) fill(n int) {
	*w = words{}
	for i := range n >> 6 {
		w[i] = ^uint64(0)
	}
	if n&63 != 0 {
		w[n>>6] = 1<<(n&63) - 1
	}
}

// insert moves the bits from a slot on up by one and sets the slot's.
func (w *words) insert(slot int, bit uint64) {
	i := slot >> 6
	word, low := w[i], uint64(1)<<(slot&63)-1
	carry := word >> 63
	w[i] = word&low | (word&^low)<<1 | bit<<(slot&63)
	for i++; i < blockWords; i++ {
		word = w[i]
		w[i] = word<<1 | carry
		carry = word >> 63
	}
}

// remove moves the bits after a slot down by one and is the slot's bit.
func (w *words) remove(slot int) uint64 {
	i := slot >> 6
	word, low := w[i], uint64(1)<<(slot&63)-1
	bit := word >> (slot & 63) & 1
	word = word&low | word>>1&^low
	for ; i < blockWords-1; i++ {
		next := w[i+1]
		w[i] = word | next<<63
		word = next >> 1
	}
	w[blockWords-1] = word
	return bit
}

// clearFrom makes the bits from a slot on zero.
func (w *words) clearFrom(slot int) {
	i := slot >> 6
	if i >= blockWords {
		return
	}
	w[i] &= 1<<(slot&63) - 1
	for i++; i < blockWords; i++ {
		w[i] = 0
	}
}

// clearBefore makes the bits below a slot zero.
func (w *words) clearBefore(slot int) {
	i := slot >> 6
	for below := range min(i, blockWords) {
		w[below] = 0
	}
	if i < blockWords {
		w[i] &^= 1<<(slot&63) - 1
	}
}

// and makes the bits zero that a view does not have in a leaf.
func (w *words) and(l *leaf, v int) {
	m := l.of(v)
	switch count := m.count(); {
	case count == int(l.n):
	case m.inBlock(int(l.n)):
		for i, word := range l.blockAt(m.block()) {
			w[i] &= word
		}
	default:
		var other words
		l.bits(v, &other)
		for i := range w {
			w[i] &= other[i]
		}
	}
}

// shiftDown moves every bit down by so many slots.
func (w *words) shiftDown(by int) {
	skip, shift := by>>6, by&63
	for i := range w {
		var word uint64
		if from := i + skip; from < blockWords {
			word = w[from] >> shift
			if shift != 0 && from+1 < blockWords {
				word |= w[from+1] << (64 - shift)
			}
		}
		w[i] = word
	}
}

// shiftUp moves every bit up by so many slots.
func (w *words) shiftUp(by int) {
	skip, shift := by>>6, by&63
	for i := blockWords - 1; i >= 0; i-- {
		var word uint64
		if from := i - skip; from >= 0 {
			word = w[from] << shift
			if shift != 0 && from > 0 {
				word |= w[from-1] >> (64 - shift)
			}
		}
		w[i] = word
	}
}

// before is how many bits below a slot are one.
func (w *words) before(slot int) int {
	n, i := 0, slot>>6
	for _, word := range w[:min(i, blockWords)] {
		n += bits.OnesCount64(word)
	}
	if i < blockWords {
		n += bits.OnesCount64(w[i] & (1<<(slot&63) - 1))
	}
	return n
}

// nth is the slot of the n-th one, counted from zero. There is one.
func (w *words) nth(n int) int {
	for i, word := range w {
		if ones := bits.OnesCount64(word); n >= ones {
			n -= ones
			continue
		}
		for range n {
			word &= word - 1
		}
		return i<<6 + bits.TrailingZeros64(word)
	}
	return leafCapacity
}
