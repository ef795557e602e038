package views

import (
	"maps"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe" // for Sizeof alone

	"cairn"
)

// blockTally is what a block has to say about some of its slots, and about which
// state of it: a block is copied before it changes after a snapshot, so that
// its generation tells its content.
type blockTally struct {
	generation uint64
	which      blockBits
	count      int
	// least and most are the least and the greatest number.
	least, most uint64
	// sum is that of the numbers, floats that of the floats whose ranks they are:
	// one of both, by the attribute's type.
	sum    cairn.IntSum
	floats float64
}

// look looks at slots of a block that are all present, of which there is at
// least one.
func (t *blockTally) look(b *block, which *blockBits, kind cairn.Type) {
	*t = blockTally{generation: b.generation, which: *which, count: which.count(), least: b.base, most: b.base}
	if b.distances == nil {
		t.sum = cairn.TimesInt(b.base, t.count)
		t.floats = floatOfRank(b.base) * float64(t.count)
		return
	}
	sum, least, most := b.distances.tally(which)
	t.least, t.most = b.base+least, b.base+most
	if kind == cairn.TypeFloat {
		t.floats = b.distances.tallyFloats(b.base, which)
	} else {
		t.sum = cairn.TimesInt(b.base, t.count).Add(sum)
	}
}

func (v *vector[N]) tally(which *blockBits) (total cairn.IntSum, least, most uint64) {
	least = math.MaxUint64
	var sum, upper uint64 // as in sum
	for i, word := range which {
		part := (*[64]N)(v[64*i:])
		for ; word != 0; word &= word - 1 {
			distance := uint64(part[bits.TrailingZeros64(word)&63])
			sum += distance
			upper += distance >> 32
			least, most = min(least, distance), max(most, distance)
		}
	}
	return cairn.TimesInt(upper, 1<<32).Add(cairn.IntSum{Low: sum - upper<<32}), least, most
}

// tallyFloats adds up what stands in even and in odd words of the bits each for
// itself: an addition of floats waits for the one before.
func (v *vector[N]) tallyFloats(base uint64, which *blockBits) float64 {
	var even, odd float64
	for i := 0; i < len(which); i += 2 {
		part := (*[128]N)(v[64*i:])
		at := func(slot int) float64 { return floatOfRank(base + uint64(part[slot&127])) }
		one, two := which[i], which[i+1]
		for ; one != 0 && two != 0; one, two = one&(one-1), two&(two-1) {
			even += at(bits.TrailingZeros64(one))
			odd += at(64 + bits.TrailingZeros64(two))
		}
		for ; one != 0; one &= one - 1 {
			even += at(bits.TrailingZeros64(one))
		}
		for ; two != 0; two &= two - 1 {
			odd += at(64 + bits.TrailingZeros64(two))
		}
	}
	return even + odd
}

// blockTallies keeps what blocks had to say about the members of views when it
// was last asked, for a few pairs of a view and an attribute. What is kept is of
// a block's generation and of these very slots, or it is worked out anew: there
// is nothing to keep up with changes, and nothing that can be out of date.
type blockTallies struct {
	mu     sync.Mutex
	asked  uint64
	tables map[tallied]*tallyTable
}

// tallied is what a table is about.
type tallied struct {
	view      cairn.UID
	version   uint64
	attribute cairn.AttributeID
}

// tallyTable has a tally for each block, nil where none was needed yet.
type tallyTable struct {
	asked  uint64 // when it was, by count
	blocks []atomic.Pointer[blockTally]
}

// mostTables is how many pairs are kept: those asked for last. One takes a fifth
// of a byte an entry.
const mostTables = 16

// table is the one of a pair, for so many blocks.
func (k *blockTallies) table(of tallied, blocks int) *tallyTable {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tables == nil {
		k.tables = make(map[tallied]*tallyTable)
	}
	t := k.tables[of]
	if t == nil || len(t.blocks) < blocks {
		grown := &tallyTable{blocks: make([]atomic.Pointer[blockTally], blocks+blocks/8)}
		if t != nil {
			for i := range t.blocks {
				grown.blocks[i].Store(t.blocks[i].Load())
			}
		}
		t = grown
		k.tables[of] = t
	}
	k.asked++
	t.asked = k.asked
	if len(k.tables) > mostTables {
		k.forgetOldest()
	}
	return t
}

func (k *blockTallies) forgetOldest() {
	var oldest tallied
	least := uint64(math.MaxUint64)
	for of, t := range k.tables {
		if t.asked < least {
			oldest, least = of, t.asked
		}
	}
	delete(k.tables, oldest)
}

// forget lets go of what is kept of a view.
func (k *blockTallies) forget(view cairn.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.tables, func(of tallied, _ *tallyTable) bool { return of.view == view })
}

// bytes is the memory that the tables take.
func (k *blockTallies) bytes() (total int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range k.tables {
		total += int64(len(t.blocks)) * int64(8+unsafe.Sizeof(blockTally{}))
	}
	return total
}

// fewToTally is how many entries there may be for each member of a view at most
// for going over whole blocks to be faster than over members.
const fewToTally = 128

// tallyMembers is what an attribute has to say about the members of a view.
func (s *Snapshot) tallyMembers(slot int, a *attribute) tally {
	t := tally{kind: a.spec.Type}
	members := s.members(slot)
	if int(members.GetCardinality())*fewToTally < s.state.entries.size() {
		a.column.eachRun(untested(members), t.add)
		return t
	}
	d := s.state.dense.empty(&a.column, members)
	defer s.state.dense.pool.Put(d)
	members.WriteDenseTo(d.words)
	view, n := s.state.views[slot], len(d.words)*64/blockSize
	table := s.state.tallies.table(tallied{view.View, view.Version, a.spec.ID}, n)
	var fresh []blockTally // for those to be looked at, several made at once
	for i := range n {
		which, b := d.bits(i), a.column.blocks.get(uint32(i))
		if b == nil {
			continue
		}
		if b.count < blockSize {
			which.and(&b.present)
		}
		known := table.blocks[i].Load()
		if known == nil || known.generation != b.generation || known.which != *which {
			if *which == (blockBits{}) {
				continue
			}
			if len(fresh) == 0 {
				fresh = make([]blockTally, 16)
			}
			known, fresh = &fresh[0], fresh[1:]
			known.look(b, which, a.spec.Type)
			table.blocks[i].Store(known)
		}
		t.merge(known)
	}
	return t
}
