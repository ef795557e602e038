package views

import (
	"encoding/binary"
	"math/bits"
)

// chunkSize is how many ordinals share a chunk of a column.
const chunkSize = 128

// column is one number a ordinal, or none: the values of one attribute as
// their ranks (see rank), or the codes of its strings.
type column struct {
	chunks paged[*chunk]
}

// chunk is the numbers of chunkSize ordinals, each as its distance from the
// least of them in as many bytes as the largest distance needs.
type chunk struct {
	generation uint64
	base       uint64
	present    [chunkWords]uint64
	width      int    // bytes a number, 0 to 8
	data       []byte // width * chunkSize
}

func (c *chunk) has(slot uint32) bool { return c.present[slot/64]>>(slot%64)&1 != 0 }

// get is the number in a slot that is present.
func (c *chunk) get(slot uint32) uint64 {
	switch c.width {
	case 0:
		return c.base
	case 1:
		return c.base + uint64(c.data[slot])
	case 8:
		return c.base + binary.LittleEndian.Uint64(c.data[8*slot:])
	}
	return c.base + c.distance(int(slot)*c.width)
}

// distance is the number of 2 to 7 bytes at an offset. A chunk has at least 8
// bytes, so 8 can be read wherever the number lies.
func (c *chunk) distance(offset int) uint64 {
	at := min(offset, len(c.data)-8)
	return binary.LittleEndian.Uint64(c.data[at:]) >> (8 * (offset - at)) & (1<<(8*c.width) - 1)
}

// reach is the largest distance that fits.
func (c *chunk) reach() uint64 { return reach(c.width) }

func reach(width int) uint64 {
	if width == 8 {
		return ^uint64(0)
	}
	return 1<<(8*width) - 1
}

// put writes a number that is within reach.
func (c *chunk) put(slot uint32, number uint64) {
	distance := number - c.base
	at := c.data[int(slot)*c.width:][:c.width]
	for i := range at {
		at[i] = byte(distance)
		distance >>= 8
	}
}

// widened is c with room for one more number.
func (c *chunk) widened(number uint64, generation uint64) *chunk {
	least, most := number, number
	c.each(func(_ uint32, n uint64) { least, most = min(least, n), max(most, n) })
	width := (bits.Len64(most-least) + 7) / 8
	if width == 8 {
		least = 0 // so that no number makes it do this again
	}
	wide := &chunk{generation: generation, base: least, present: c.present, width: width, data: make([]byte, width*chunkSize)}
	c.each(wide.put)
	return wide
}

// eachOf calls do with the numbers of some slots that are present, in order.
func (c *chunk) eachOf(which [chunkWords]uint64, do func(number uint64)) {
	for word, left := range which {
		for ; left != 0; left &= left - 1 {
			do(c.get(uint32(word*64 + bits.TrailingZeros64(left))))
		}
	}
}

// each calls do with the slots that are present, in order.
func (c *chunk) each(do func(slot uint32, number uint64)) {
	for word, left := range c.present {
		for ; left != 0; left &= left - 1 {
			slot := uint32(word*64 + bits.TrailingZeros64(left))
			do(slot, c.get(slot))
		}
	}
}

// get is the number of an ordinal, and whether it has one.
func (c *column) get(ordinal uint32) (uint64, bool) {
	chunk := c.chunks.get(ordinal / chunkSize)
	if slot := ordinal % chunkSize; chunk != nil && chunk.has(slot) {
		return chunk.get(slot), true
	}
	return 0, false
}

// set gives an ordinal a number.
func (c *column) set(ordinal uint32, number uint64, generation uint64) {
	place := c.chunks.at(ordinal/chunkSize, generation)
	slot := ordinal % chunkSize
	switch old := *place; {
	case old == nil:
		*place = &chunk{generation: generation, base: number}
	case number < old.base || number-old.base > old.reach():
		*place = old.widened(number, generation)
	default:
		*place = old.owned(generation)
	}
	chunk := *place
	chunk.put(slot, number)
	chunk.present[slot/64] |= 1 << (slot % 64)
}

// unset takes the number of an ordinal away.
func (c *column) unset(ordinal uint32, generation uint64) {
	place := c.chunks.at(ordinal/chunkSize, generation)
	if *place == nil {
		return
	}
	chunk := (*place).owned(generation)
	slot := ordinal % chunkSize
	chunk.present[slot/64] &^= 1 << (slot % 64)
	*place = chunk
	if chunk.present == [chunkWords]uint64{} {
		*place = nil
	}
}

// owned is c if the generation made it, else a copy.
func (c *chunk) owned(generation uint64) *chunk {
	if c.generation == generation {
		return c
	}
	own := *c
	own.generation = generation
	own.data = append([]byte(nil), c.data...)
	return &own
}

// bytes is the memory that a column takes.
func (c *column) bytes() int64 {
	total := c.chunks.bytes()
	for _, page := range c.chunks.pages {
		if page == nil {
			continue
		}
		for _, chunk := range page.items {
			if chunk != nil {
				total += 72 + int64(cap(chunk.data))
			}
		}
	}
	return total
}
