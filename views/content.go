package views

import "math/bits"

// What an image holds of columns, dictionaries and keys, and how it comes
// back. A block is imageBlock ordinals; block numbers count from ordinal 0.

// mask has a bit for each ordinal of a block.
type mask [blockWords]uint64

func (m *mask) set(slot uint32) { m[slot/64] |= 1 << (slot % 64) }

func (m *mask) has(slot uint32) bool { return m[slot/64]>>(slot%64)&1 != 0 }

func (m *mask) count() int { return bits.OnesCount64(m[0]) + bits.OnesCount64(m[1]) }

// within reports whether all of it is in another.
func (m *mask) within(other *mask) bool {
	return m[0]&^other[0]|m[1]&^other[1] == 0
}

// each calls do with all of its slots.
func (m *mask) each(do func(slot uint32)) {
	for word, left := range m {
		for ; left != 0; left &= left - 1 {
			do(uint32(word*64 + bits.TrailingZeros64(left)))
		}
	}
}

// imageBlocks is how many of an image's blocks a block of a column has.
const imageBlocks = blockSize / imageBlock

// block is who has a number in a block; their numbers are put into numbers.
func (c *column) block(number uint32, numbers *[imageBlock]uint64) (present mask, n int) {
	b := c.blocks.get(number / imageBlocks)
	if b == nil {
		return present, 0
	}
	first := number % imageBlocks * imageBlock
	copy(present[:], b.present[first/64:])
	present.each(func(slot uint32) {
		numbers[n] = b.get(first + slot)
		n++
	})
	return present, n
}

// setBlock gives a block that has no numbers its numbers.
func (c *column) setBlock(number uint32, present mask, numbers []uint64, generation uint64) {
	n := 0
	present.each(func(slot uint32) {
		c.set(number*imageBlock+slot, numbers[n], generation)
		n++
	})
}

// setBlock gives a block that has no keys the keys of some ordinals, by their
// lengths and the bytes of one after the other.
func (k *keys) setBlock(block uint32, present mask, lengths []int, text []byte, generation uint64) {
	made := &arena{generation: generation, text: append(make([]byte, 0, len(text)), text...)}
	n, end := 0, uint32(0)
	for slot := range uint32(arenaSize) {
		if present.has(slot) {
			end += uint32(lengths[n])
			n++
		}
		made.ends[slot] = end
	}
	*k.arenas.at(block, generation) = made
}

// codes has a bit for each code in use, and the number of codes there are.
func (d *dictionary) codes() (used []uint64, codes uint32) {
	used = make([]uint64, len(d.counts)/64+1)
	for code := range d.all() {
		used[code/64] |= 1 << (code % 64)
		codes = max(codes, code+1)
	}
	return used, codes
}

// add gives the next code to a text, or to none.
func (d *dictionary) add(text string, used bool, generation uint64) {
	code := uint32(len(d.counts))
	d.counts = append(d.counts, 0)
	if used {
		*d.texts.at(code, generation) = text
	} else {
		d.free = append(d.free, code)
	}
}

// arrange puts the codes of all texts, in order of the texts, in place.
func (d *dictionary) arrange(codes []uint32, generation uint64) {
	const load = codeBlockSize * 3 / 4
	d.order = codeOrder{generation: generation, size: len(codes)}
	for len(codes) > 0 {
		n := min(load, len(codes))
		d.order.blocks = append(d.order.blocks, &codeBlock{generation: generation, codes: append([]uint32(nil), codes[:n]...)})
		codes = codes[n:]
	}
}

// rankBlock numbers the codes of a block of the order from a number on, and is
// the next number.
func (d *dictionary) rankBlock(block int, from uint32, ranks []uint32) (next uint32) {
	for _, code := range d.order.blocks[block].codes {
		ranks[code] = from
		from++
	}
	return from
}

// inUse reports whether exactly the codes that have a text were counted.
func (d *dictionary) inUse() bool {
	unused := 0
	for _, n := range d.counts {
		if n == 0 {
			unused++
		}
	}
	for _, code := range d.free {
		if d.counts[code] != 0 {
			return false
		}
	}
	return unused == len(d.free)
}
