package views

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

// span is the numbers from low to high, both included.
type span struct{ low, high uint64 }

// fewInWord is up to how many of 64 distances are tested one by one; of more,
// all are, without a branch.
const fewInWord = 4

func (v *vector[N]) within(low, length uint64, which *blockBits) {
	for i, word := range which {
		if word == 0 {
			continue
		}
		part := (*[64]N)(v[64*i:])
		if bits.OnesCount64(word) > fewInWord {
			which[i] = word & wordWithin(part, low, length)
			continue
		}
		for left := word; left != 0; left &= left - 1 {
			slot := bits.TrailingZeros64(left) & 63
			word &^= misses(part[slot], low, length) << slot
		}
		which[i] = word
	}
}

// wordWithin has a bit for each of 64 distances that is at least low and at
// most length above it. The bits of eight meet in registers: bits set one by
// one in a word wait for each other.
func wordWithin[N uint8 | uint16 | uint32 | uint64](part *[64]N, low, length uint64) (word uint64) {
	for i := 0; i < 64; i += 8 {
		of := (*[8]N)(part[i:])
		eight := misses(of[0], low, length) | misses(of[1], low, length)<<1 |
			misses(of[2], low, length)<<2 | misses(of[3], low, length)<<3 |
			misses(of[4], low, length)<<4 | misses(of[5], low, length)<<5 |
			misses(of[6], low, length)<<6 | misses(of[7], low, length)<<7
		word |= eight << (i & 63)
	}
	return ^word
}

// misses is 1 if a distance is below low, or above it by more than length.
// As unsigned numbers both are one comparison, and its borrow is the bit.
func misses[N uint8 | uint16 | uint32 | uint64](distance N, low, length uint64) uint64 {
	_, borrow := bits.Sub64(length, uint64(distance)-low, 0)
	return borrow
}

// dense is a set of ordinals as a bit each. Its length is of whole blocks.
type dense struct{ words []uint64 }

// denseSets keeps the room of dense sets for the next ones.
type denseSets struct{ pool sync.Pool }

// empty is a set without ordinals, with room for those of a column, if there is
// one, and for those of another set.
func (s *denseSets) empty(c *column, set *roaring.Bitmap) *dense {
	d, _ := s.pool.Get().(*dense)
	if d == nil {
		d = &dense{}
	}
	const inBlock = blockSize / 64
	size := 0
	if c != nil {
		size = len(c.blocks.pages) * pageSize * inBlock
	}
	if set != nil {
		size = max(size, (int(set.DenseSize())+inBlock-1)/inBlock*inBlock)
	}
	if cap(d.words) < size {
		d.words = make([]uint64, size)
	}
	d.words = d.words[:size]
	clear(d.words)
	return d
}

// bits are those of a block.
func (d *dense) bits(block int) *blockBits { return (*blockBits)(d.words[block*blockSize/64:]) }

// narrow is the ordinals of a set, nil for all, that have a number in a column,
// without those that keep leaves out of a block's.
func (s *denseSets) narrow(c *column, set *roaring.Bitmap, keep func(b *block, which *blockBits)) *roaring.Bitmap {
	d := s.empty(c, set)
	defer s.pool.Put(d)
	if set != nil {
		set.WriteDenseTo(d.words)
	}
	for i := range len(d.words) * 64 / blockSize {
		which, b := d.bits(i), c.blocks.get(uint32(i))
		switch {
		case b == nil:
			*which = blockBits{}
			continue
		case set == nil:
			*which = b.present
		default:
			which.and(&b.present)
		}
		if *which != (blockBits{}) {
			keep(b, which)
		}
	}
	return roaring.FromDense(d.words, true)
}

// pass has no branch that depends on a number: the processor would guess it
// wrong every other time, and would not fetch the next numbers meanwhile, which
// are in other lines of memory.
func (v *vector[N]) pass(low, length uint64, ordinals []uint32) (n int) {
	for _, ordinal := range ordinals {
		ordinals[n] = ordinal
		n += int(1 - misses(v[ordinal%blockSize], low, length))
	}
	return n
}

// pass is those of some ordinals of a block, all present, that pass the test.
// It uses their room.
func (t *tester) pass(b *block, ordinals []uint32) []uint32 {
	if t.codes != nil {
		return slices.DeleteFunc(ordinals, func(ordinal uint32) bool {
			code := b.get(ordinal)
			return t.codes[code/64]>>(code%64)&1 == 0
		})
	}
	switch low, length, all, none := b.reach(t.span); {
	case none:
		return nil
	case all:
		return ordinals
	default:
		return ordinals[:b.distances.pass(low, length, ordinals)]
	}
}

// pick is the candidates that have a number that passes a test.
func (c *column) pick(candidates *roaring.Bitmap, in *tester) *roaring.Bitmap {
	p := passing{set: candidates, tests: []columnTest{{c, *in}}}
	return p.bitmap()
}
