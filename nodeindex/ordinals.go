package nodeindex

import (
	"slices"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// blockSize is how many ordinals a block has: those of one container of a
// roaring bitmap.
const blockSize = 1 << 16

// ownBlocksFrom is from how many entries on a shard takes its ordinals from
// blocks of its own. Smaller shards share blocks: one of its own would be less
// than half full, and what views count is by the block, full or not. A view of
// an eighth of all has a bitset in a block that is full, and sorted lists in
// four that are not, which take many times as long to intersect.
const ownBlocksFrom = blockSize / 2

// ordinals hands out the numbers of entries. Guarded by Index.mu.
type ordinals struct {
	blocks []block // by number
	shared []uint16
}

// block is 65,536 ordinals.
type block struct {
	// next is the lowest that was never used; freed are those to use again.
	next  uint32
	freed []uint16
	owned bool
}

func (b *block) full() bool { return b.next == blockSize && len(b.freed) == 0 }

func (b *block) take(number uint16) uint32 {
	low := b.next
	if n := len(b.freed); n > 0 {
		low, b.freed = uint32(b.freed[n-1]), b.freed[:n-1]
	} else {
		b.next++
	}
	return uint32(number)<<16 | low
}

var errOrdinals = cairn.Errorf(cairn.KindExhausted, "ORDINALS_EXHAUSTED",
	"the cluster's index has no number left for another entry; move shards to another cluster")

// take is a free ordinal for an entry of a shard; it is false if none is left.
func (o *ordinals) take(p *population) (uint32, bool) {
	if p.entries() >= ownBlocksFrom {
		for _, number := range slices.Backward(p.blocks) {
			if b := &o.blocks[number]; !b.full() {
				return b.take(number), true
			}
		}
		if number, ok := o.newBlock(); ok {
			o.blocks[number].owned = true
			p.blocks = append(p.blocks, number)
			return o.blocks[number].take(number), true
		}
	}
	for n := len(o.shared); n > 0; n = len(o.shared) {
		number := o.shared[n-1]
		if b := &o.blocks[number]; !b.full() {
			return b.take(number), true
		}
		o.shared = o.shared[:n-1]
	}
	if number, ok := o.newBlock(); ok {
		o.shared = append(o.shared, number)
		return o.blocks[number].take(number), true
	}
	// All blocks are in use: whatever is free in any of them serves.
	for number := range o.blocks {
		if b := &o.blocks[number]; !b.full() {
			return b.take(uint16(number)), true
		}
	}
	return 0, false
}

func (o *ordinals) newBlock() (uint16, bool) {
	if len(o.blocks) == blockSize {
		return 0, false
	}
	o.blocks = append(o.blocks, block{})
	return uint16(len(o.blocks) - 1), true
}

// release takes back ordinals that no reader and no file knows any more.
func (o *ordinals) release(freed []uint32) {
	for _, ordinal := range freed {
		number := uint16(ordinal >> 16)
		b := &o.blocks[number]
		if !b.owned && b.full() && !slices.Contains(o.shared, number) {
			o.shared = append(o.shared, number)
		}
		b.freed = append(b.freed, uint16(ordinal))
	}
}

// disown makes a block shared, as when its shard is gone.
func (o *ordinals) disown(number uint16) {
	o.blocks[number].owned = false
	if !slices.Contains(o.shared, number) {
		o.shared = append(o.shared, number)
	}
}

// newOrdinals is the state in which exactly those in use are taken, and the
// populations' blocks are their own.
func newOrdinals(inUse *roaring.Bitmap, populations []*population) *ordinals {
	o := &ordinals{}
	if !inUse.IsEmpty() {
		o.blocks = make([]block, inUse.Maximum()>>16+1)
	}
	for _, p := range populations {
		for _, number := range p.blocks {
			for int(number) >= len(o.blocks) {
				o.blocks = append(o.blocks, block{})
			}
			o.blocks[number].owned = true
		}
	}
	it := inUse.Iterator()
	for number := range o.blocks {
		b, base := &o.blocks[number], uint32(number)<<16
		for it.HasNext() && it.PeekNext()>>16 == uint32(number) {
			low := it.Next() - base
			for ; b.next < low; b.next++ {
				b.freed = append(b.freed, uint16(b.next))
			}
			b.next = low + 1
		}
		if !b.owned && !b.full() {
			o.shared = append(o.shared, uint16(number))
		}
	}
	return o
}
