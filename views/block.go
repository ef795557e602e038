package views

import (
	"math/bits"

	"cairn"
)

// blockSize is how many ordinals share a block of a column. What goes over a
// column pays a little for each block, and the first change after a snapshot
// copies one.
const blockSize = 1024

// block is the numbers of blockSize ordinals, each as its distance from a
// base in one, two, four or eight bytes, whichever all of them fit.
type block struct {
	generation uint64
	base       uint64
	// least and most bound the numbers that there are. They are exact when the
	// block is made for a width and may be too far apart later.
	least, most uint64
	// distances are nil while all numbers are the base.
	distances distances
	// count is how many slots are present.
	count   int
	present blockBits
}

// distances is a vector of any width. Single distances are read and written
// around the interface, see block.get.
type distances interface {
	clone() distances
	// within takes the bits of those that are below low, or above it by more
	// than length, out of which.
	within(low, length uint64, which *blockBits)
	// pass puts those of some ordinals whose distances are at least low, and
	// above it by no more than length, first, in their order, and returns how
	// many they are. What is behind them is any of the ordinals.
	pass(low, length uint64, ordinals []uint32) int
	// sum is that of those of some ordinals, and sumFloats that of the floats
	// whose ranks they are with a base.
	sum(ordinals []uint32) cairn.IntSum
	sumFloats(base uint64, ordinals []uint32) float64
	// bounds are the least and the greatest of those of some ordinals, of
	// which there is at least one.
	bounds(ordinals []uint32) (least, most uint64)
	// tally is the sum, the least and the greatest of those of some slots, of
	// which there is at least one, and tallyFloats the sum of the floats whose
	// ranks they are with a base.
	tally(which *blockBits) (sum cairn.IntSum, least, most uint64)
	tallyFloats(base uint64, which *blockBits) float64
}

// vector is the distances of a block in one width. An array knows its length,
// so that reading it needs no check.
type vector[N uint8 | uint16 | uint32 | uint64] [blockSize]N

func (v *vector[N]) clone() distances {
	own := *v
	return &own
}

// newDistances is room for distances up to a greatest one.
func newDistances(greatest uint64) distances {
	switch {
	case greatest == 0:
		return nil
	case greatest < 1<<8:
		return new(vector[uint8])
	case greatest < 1<<16:
		return new(vector[uint16])
	case greatest < 1<<32:
		return new(vector[uint32])
	default:
		return new(vector[uint64])
	}
}

// width is how many bytes a distance takes.
func (b *block) width() int {
	switch b.distances.(type) {
	case nil:
		return 0
	case *vector[uint8]:
		return 1
	case *vector[uint16]:
		return 2
	case *vector[uint32]:
		return 4
	default:
		return 8
	}
}

// get is the number in a slot that is present.
func (b *block) get(slot uint32) uint64 {
	slot %= blockSize
	switch v := b.distances.(type) {
	case *vector[uint8]:
		return b.base + uint64(v[slot])
	case *vector[uint16]:
		return b.base + uint64(v[slot])
	case *vector[uint32]:
		return b.base + uint64(v[slot])
	case *vector[uint64]:
		return b.base + v[slot]
	}
	return b.base
}

// fits reports whether a number is within reach of the base.
func (b *block) fits(number uint64) bool {
	return number >= b.base && (number-b.base)>>(8*b.width()) == 0
}

// put writes a number that fits.
func (b *block) put(slot uint32, number uint64) {
	distance := number - b.base
	switch v := b.distances.(type) {
	case *vector[uint8]:
		v[slot%blockSize] = uint8(distance)
	case *vector[uint16]:
		v[slot%blockSize] = uint16(distance)
	case *vector[uint32]:
		v[slot%blockSize] = uint32(distance)
	case *vector[uint64]:
		v[slot%blockSize] = distance
	}
	b.least, b.most = min(b.least, number), max(b.most, number)
	if !b.present.has(slot) {
		b.present.set(slot)
		b.count++
	}
}

// unset takes the number of a slot away.
func (b *block) unset(slot uint32) {
	if b.present.has(slot) {
		b.present.clear(slot)
		b.count--
	}
}

// has reports whether a slot is present.
func (b *block) has(slot uint32) bool { return b.count == blockSize || b.present.has(slot) }

// widened is b with room for one more number.
func (b *block) widened(number uint64, generation uint64) *block {
	wide := &block{generation: generation, least: number, most: number}
	b.each(func(_ uint32, n uint64) { wide.least, wide.most = min(wide.least, n), max(wide.most, n) })
	wide.base = wide.least
	wide.distances = newDistances(wide.most - wide.least)
	if _, widest := wide.distances.(*vector[uint64]); widest {
		wide.base = 0 // so that no number makes it do this again
	}
	b.each(wide.put)
	return wide
}

// owned is b if the generation made it, else a copy.
func (b *block) owned(generation uint64) *block {
	if b.generation == generation {
		return b
	}
	own := *b
	own.generation = generation
	if b.distances != nil {
		own.distances = b.distances.clone()
	}
	return &own
}

// each calls do with the slots that are present, in order.
func (b *block) each(do func(slot uint32, number uint64)) {
	b.present.each(func(slot uint32) { do(slot, b.get(slot)) })
}

// within leaves in which only the slots whose numbers are in a span, of some
// that are all present.
func (b *block) within(s span, which *blockBits) {
	switch low, length, all, none := b.reach(s); {
	case none:
		*which = blockBits{}
	case !all:
		b.distances.within(low, length, which)
	}
}

// reach is the part of a span that the block's numbers may be in, as distances,
// with how much of it there is above the least. All is set if they all are in
// it, none if none is.
func (b *block) reach(s span) (low, length uint64, all, none bool) {
	switch {
	case s.low > b.most || s.high < b.least:
		return 0, 0, false, true
	case s.low <= b.least && s.high >= b.most:
		return 0, 0, true, false
	}
	// There are at least two numbers, so there are distances.
	low, high := max(s.low, b.least)-b.base, min(s.high, b.most)-b.base
	return low, high - low, false, false
}

// among leaves in which only the slots whose numbers are in a set of small
// numbers.
func (b *block) among(set []uint64, which *blockBits) {
	of := *which
	of.each(func(slot uint32) {
		if number := b.get(slot); set[number/64]>>(number%64)&1 == 0 {
			which.clear(slot)
		}
	})
}

// blockBits is a bit for each slot of a block.
type blockBits [blockSize / 64]uint64

func (w *blockBits) has(slot uint32) bool { return w[slot/64%(blockSize/64)]>>(slot%64)&1 != 0 }

func (w *blockBits) set(slot uint32) { w[slot/64%(blockSize/64)] |= 1 << (slot % 64) }

func (w *blockBits) clear(slot uint32) { w[slot/64%(blockSize/64)] &^= 1 << (slot % 64) }

func (w *blockBits) and(other *blockBits) {
	for i := range w {
		w[i] &= other[i]
	}
}

func (w *blockBits) count() (n int) {
	for _, word := range w {
		n += bits.OnesCount64(word)
	}
	return n
}

// each calls do with the slots that have a bit, in order.
func (w *blockBits) each(do func(slot uint32)) {
	for i, word := range w {
		for ; word != 0; word &= word - 1 {
			do(uint32(64*i + bits.TrailingZeros64(word)))
		}
	}
}
