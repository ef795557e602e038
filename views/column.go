package views

import (
	"slices"
	"unsafe" // for Sizeof alone

	"github.com/RoaringBitmap/roaring/v2"
)

// column is one number a ordinal, or none: the values of one attribute as
// their ranks (see rank), or the codes of its strings.
type column struct {
	blocks paged[*block]
}

// get is the number of an ordinal, and whether it has one.
func (c *column) get(ordinal uint32) (uint64, bool) {
	b := c.blocks.get(ordinal / blockSize)
	if slot := ordinal % blockSize; b != nil && b.has(slot) {
		return b.get(slot), true
	}
	return 0, false
}

// set gives an ordinal a number.
func (c *column) set(ordinal uint32, number uint64, generation uint64) {
	place := c.blocks.at(ordinal/blockSize, generation)
	switch old := *place; {
	case old == nil:
		*place = &block{generation: generation, base: number, least: number, most: number}
	case !old.fits(number):
		*place = old.widened(number, generation)
	default:
		*place = old.owned(generation)
	}
	(*place).put(ordinal%blockSize, number)
}

// unset takes the number of an ordinal away.
func (c *column) unset(ordinal uint32, generation uint64) {
	place := c.blocks.at(ordinal/blockSize, generation)
	if *place == nil {
		return
	}
	b := (*place).owned(generation)
	b.unset(ordinal % blockSize)
	*place = b
	if b.count == 0 {
		*place = nil
	}
}

// batchSize is how many ordinals of a set are looked at together.
const batchSize = 4096

// eachRun calls do with blocks of a column and ordinals of a set that have
// numbers there, at least one, ascending. A block may come twice, one time
// after the other. The ordinals are good until do returns.
func (c *column) eachRun(set *roaring.Bitmap, do func(b *block, ordinals []uint32)) {
	batch := make([]uint32, min(batchSize, set.GetCardinality()))
	for it := set.ManyIterator(); ; {
		left := batch[:it.NextMany(batch)]
		if len(left) == 0 {
			return
		}
		for len(left) > 0 {
			at := left[0] / blockSize
			run := left[:sameBlock(left)]
			left = left[len(run):]
			b := c.blocks.get(at)
			if b == nil {
				continue
			}
			if b.count < blockSize {
				run = slices.DeleteFunc(run, func(ordinal uint32) bool { return !b.has(ordinal % blockSize) })
			}
			if len(run) > 0 {
				do(b, run)
			}
		}
	}
}

// sameBlock is how many ordinals, which ascend, are in the block of the first.
func sameBlock(ordinals []uint32) int {
	const stride = 64
	last, n := ordinals[0]|(blockSize-1), 1
	for n+stride <= len(ordinals) && ordinals[n+stride-1] <= last {
		n += stride
	}
	for n < len(ordinals) && ordinals[n] <= last {
		n++
	}
	return n
}

// bytes is the memory that a column takes.
func (c *column) bytes() int64 {
	total := c.blocks.bytes()
	for _, page := range c.blocks.pages {
		if page == nil {
			continue
		}
		for _, b := range page.items {
			if b != nil {
				total += int64(unsafe.Sizeof(*b)) + int64(b.width()*blockSize)
			}
		}
	}
	return total
}
