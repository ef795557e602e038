package views

import (
	"encoding/binary"
	"math/bits"

	"github.com/RoaringBitmap/roaring/v2"
)

// chunkWords is how many words have a bit for each ordinal of a chunk.
const chunkWords = chunkSize / 64

// span is the numbers from low to high, both included.
type span struct{ low, high uint64 }

// within has a bit for each slot whose number is in a span.
func (c *chunk) within(s span) (found [chunkWords]uint64) {
	if s.high < c.base {
		return found
	}
	low, high := max(s.low, c.base)-c.base, s.high-c.base
	switch {
	case low > c.reach():
		return found
	case low == 0 && high >= c.reach():
		return c.present
	}
	// distance-low, as an unsigned number, is above high-low for distances on
	// either side; the borrow of a subtraction is that without a branch.
	length := high - low
	for i := range found {
		// One word at a time in a register: bits set in an array wait for
		// each other.
		switch c.width {
		case 1:
			found[i] = wordOfBytes((*[64]byte)(c.data[64*i:]), low, length)
		case 8:
			found[i] = wordOfWords((*[512]byte)(c.data[512*i:]), low, length)
		default:
			found[i] = c.wordOf(i, low, length)
		}
	}
	for i := range found {
		found[i] &= c.present[i]
	}
	return found
}

// wordOfBytes has a bit for each of 64 distances of one byte that is at least
// low and at most length above it.
func wordOfBytes(data *[64]byte, low, length uint64) (word uint64) {
	for slot, distance := range data {
		_, outside := bits.Sub64(length, uint64(distance)-low, 0)
		word |= (outside ^ 1) << (slot & 63)
	}
	return word
}

// wordOfWords is the same for distances of 8 bytes.
func wordOfWords(data *[512]byte, low, length uint64) (word uint64) {
	for slot := range 64 {
		_, outside := bits.Sub64(length, binary.LittleEndian.Uint64(data[8*slot:8*slot+8])-low, 0)
		word |= (outside ^ 1) << (slot & 63)
	}
	return word
}

// wordOf is the same for the distances of 2 to 7 bytes of 64 slots.
func (c *chunk) wordOf(which int, low, length uint64) (word uint64) {
	mask, width, data := reach(c.width), c.width, c.data
	at, slot := 64*which*width, 0
	for ; slot < 64 && at <= len(data)-8; slot++ {
		_, outside := bits.Sub64(length, binary.LittleEndian.Uint64(data[at:at+8])&mask-low, 0)
		word |= (outside ^ 1) << (slot & 63)
		at += width
	}
	for ; slot < 64; slot++ {
		_, outside := bits.Sub64(length, c.distance(at)-low, 0)
		word |= (outside ^ 1) << (slot & 63)
		at += width
	}
	return word
}

// scan is the ordinals of which select has a bit, chunk by chunk.
func (c *column) scan(choose func(*chunk) [chunkWords]uint64) *roaring.Bitmap {
	dense := make([]uint64, len(c.chunks.pages)*pageSize*chunkWords)
	for i, page := range c.chunks.pages {
		if page == nil {
			continue
		}
		for j, chunk := range page.items {
			if chunk == nil {
				continue
			}
			at := (i*pageSize + j) * chunkWords
			*(*[chunkWords]uint64)(dense[at:]) = choose(chunk)
		}
	}
	return roaring.FromDense(dense, false)
}

// has is the ordinals with a number.
func (c *column) has() *roaring.Bitmap {
	return c.scan(func(chunk *chunk) [chunkWords]uint64 { return chunk.present })
}

// within is the ordinals whose number is in a span.
func (c *column) within(s span) *roaring.Bitmap {
	return c.scan(func(chunk *chunk) [chunkWords]uint64 { return chunk.within(s) })
}

// pick is the candidates that have a number that passes a test.
func (c *column) pick(candidates *roaring.Bitmap, in tester) *roaring.Bitmap {
	var picked []uint32
	for it := candidates.Iterator(); it.HasNext(); {
		ordinal := it.Next()
		if number, has := c.get(ordinal); has && in.test(number) {
			picked = append(picked, ordinal)
		}
	}
	out := roaring.New()
	out.AddMany(picked)
	return out
}

func onesIn(words [chunkWords]uint64) (n int) {
	for _, word := range words {
		n += bits.OnesCount64(word)
	}
	return n
}

// among is the ordinals whose number is in a set of small numbers.
func (c *column) among(set []uint64) *roaring.Bitmap {
	return c.scan(func(chunk *chunk) (found [chunkWords]uint64) {
		chunk.each(func(slot uint32, number uint64) {
			found[slot/64] |= (set[number/64] >> (number % 64) & 1) << (slot % 64)
		})
		return found
	})
}

// chunksOf calls do for each chunk that has numbers of ordinals in a dense
// set, with a bit for each of those.
func (c *column) chunksOf(dense []uint64, do func(chunk *chunk, first uint32, which [chunkWords]uint64)) {
	for i, page := range c.chunks.pages {
		if page == nil {
			continue
		}
		for j, chunk := range page.items {
			at := (i*pageSize + j) * chunkWords
			if at >= len(dense) {
				return
			}
			if chunk == nil {
				continue
			}
			var which [chunkWords]uint64
			copy(which[:], dense[at:])
			for k := range which {
				which[k] &= chunk.present[k]
			}
			if which != [chunkWords]uint64{} {
				do(chunk, uint32(at)*64, which)
			}
		}
	}
}
