package views

import (
	"math/bits"
	"slices"
	"sync"

	"cairn/views/filter"

	"github.com/RoaringBitmap/roaring/v2"
)

// passing is the ordinals of a set that pass tests of columns. What is done
// with them is done as they pass: a bitmap of them would cost as much again.
type passing struct {
	set   *roaring.Bitmap
	tests []columnTest
	// room is for the set as bits, which are tested 64 at a time; nil where the
	// set has too few of all ordinals for that.
	room *denseSets
}

// columnTest tests the numbers of a column.
type columnTest struct {
	column *column
	in     tester
}

// untested is a set without tests.
func untested(set *roaring.Bitmap) passing { return passing{set: set} }

// narrowed is what an exact condition leaves of a set.
func (s *Snapshot) narrowed(set *roaring.Bitmap, where *filter.Filter) passing {
	found, left := where.Plan().Narrow(&resolver{state: &s.state}, set)
	p := untested(found)
	for _, leaf := range left {
		a := s.state.attribute(leaf.Attribute().ID)
		p.tests = append(p.tests, columnTest{&a.column, a.tester(leaf.Ranges()[0])})
	}
	if len(p.tests) > 0 && int(found.GetCardinality())*fewToPass >= s.state.entries.size() {
		p.room = s.state.dense
	}
	return p
}

// fewToPass is how many times fewer ordinals there must be than entries for
// testing each of them to be faster than testing all of 64 at once.
const fewToPass = 5

// batchSize is how many ordinals of a set are looked at together.
const batchSize = 4096

var batches = sync.Pool{New: func() any { return new([batchSize]uint32) }}

// runs calls do with ordinals that pass, at least one, ascending, all in one
// block of the columns, which may come twice, one time after the other. The
// ordinals are good until do returns, and do may change them.
func (p *passing) runs(do func(block uint32, ordinals []uint32)) {
	if p.room != nil {
		p.runsOfBits(do)
		return
	}
	batch := batches.Get().(*[batchSize]uint32)
	defer batches.Put(batch)
	for it := p.set.ManyIterator(); ; {
		left := batch[:it.NextMany(batch[:])]
		if len(left) == 0 {
			return
		}
		for len(left) > 0 {
			at, run := left[0]/blockSize, left[:sameBlock(left)]
			left = left[len(run):]
			for i := range p.tests {
				run = p.tests[i].pass(at, run)
			}
			if len(run) > 0 {
				do(at, run)
			}
		}
	}
}

// pass is those of some ordinals of a block that pass. It uses their room.
func (t *columnTest) pass(at uint32, ordinals []uint32) []uint32 {
	b := t.column.blocks.get(at)
	if b == nil {
		return nil
	}
	return t.in.pass(b, b.having(ordinals))
}

// count is how many pass.
func (p *passing) count() (n int) {
	if len(p.tests) == 0 {
		return int(p.set.GetCardinality())
	}
	if p.room != nil {
		p.bits(func(_ uint32, which *blockBits) { n += which.count() })
		return n
	}
	p.runs(func(_ uint32, ordinals []uint32) { n += len(ordinals) })
	return n
}

// bits calls do with the bits of those that pass, of each block that has any.
func (p *passing) bits(do func(block uint32, which *blockBits)) {
	d := p.room.empty(p.tests[0].column, p.set)
	defer p.room.pool.Put(d)
	p.set.WriteDenseTo(d.words)
	for i := range uint32(len(d.words) * 64 / blockSize) {
		which := d.bits(int(i))
		for _, test := range p.tests {
			b := test.column.blocks.get(i)
			if b == nil {
				*which = blockBits{}
				break
			}
			which.and(&b.present)
			test.in.keep(b, which)
		}
		if *which != (blockBits{}) {
			do(i, which)
		}
	}
}

// runsOfBits is runs by bits.
func (p *passing) runsOfBits(do func(block uint32, ordinals []uint32)) {
	batch := batches.Get().(*[batchSize]uint32)
	defer batches.Put(batch)
	p.bits(func(block uint32, which *blockBits) {
		n := 0
		for i, word := range which {
			for at := block*blockSize + uint32(64*i); word != 0; word &= word - 1 {
				batch[n] = at + uint32(bits.TrailingZeros64(word))
				n++
			}
		}
		do(block, batch[:n])
	})
}

// bitmap is those that pass, the set itself where there are no tests.
func (p *passing) bitmap() *roaring.Bitmap {
	if len(p.tests) == 0 {
		return p.set
	}
	out := roaring.New()
	p.runs(func(_ uint32, ordinals []uint32) { out.AddMany(ordinals) })
	return out
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

// having is those of some ordinals of a block that have a number. It uses their
// room.
func (b *block) having(ordinals []uint32) []uint32 {
	if b.count == blockSize {
		return ordinals
	}
	return slices.DeleteFunc(ordinals, func(ordinal uint32) bool { return !b.has(ordinal % blockSize) })
}
