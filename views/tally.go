package views

import (
	"encoding/binary"
	"math/bits"
)

// tally is the count, least, greatest and sum of numbers.
type tally struct {
	count       int
	least, most uint64
	sum         Sum
}

// add adds the numbers in some slots of a chunk that are present; there is at
// least one.
func (t *tally) add(c *chunk, which [chunkWords]uint64) {
	n := onesIn(which)
	t.count += n
	least, most, high, low := uint64(0), uint64(0), uint64(0), uint64(0)
	switch c.width {
	case 0:
	case 8:
		least, most, high, low = c.tallyWords(which)
	default:
		least, most, low = c.tallyBytes(which)
	}
	t.least, t.most = min(t.least, c.base+least), max(t.most, c.base+most)
	t.sum = t.sum.add(Sum{High: int64(high), Low: low}).add(times(c.base, n))
}

// tallyWords is the least, the greatest and the 128 bits of the sum of
// distances of 8 bytes.
func (c *chunk) tallyWords(which [chunkWords]uint64) (least, most, high, low uint64) {
	least = ^uint64(0)
	for word, left := range which {
		data := c.data[512*word:][:512]
		for ; left != 0; left &= left - 1 {
			distance := binary.LittleEndian.Uint64(data[8*bits.TrailingZeros64(left):])
			least, most = min(least, distance), max(most, distance)
			var carry uint64
			low, carry = bits.Add64(low, distance, 0)
			high += carry
		}
	}
	return least, most, high, low
}

// tallyBytes is the same for distances of 1 to 7 bytes. 128 of them add up to
// less than 2^63.
func (c *chunk) tallyBytes(which [chunkWords]uint64) (least, most, sum uint64) {
	least = ^uint64(0)
	mask, width, data, last := reach(c.width), c.width, c.data, len(c.data)-8
	for word, left := range which {
		for ; left != 0; left &= left - 1 {
			at := (64*word + bits.TrailingZeros64(left)) * width
			var distance uint64
			if at <= last {
				distance = binary.LittleEndian.Uint64(data[at:]) & mask
			} else {
				distance = c.distance(at)
			}
			least, most = min(least, distance), max(most, distance)
			sum += distance
		}
	}
	return least, most, sum
}
