package views

import (
	"math"

	"cairn"
)

// tally is what there is to say about the numbers of an attribute of a type.
type tally struct {
	kind  cairn.Type
	count int
	// least and most are the least and the greatest number, if there is one.
	least, most uint64
	// sum is that of the numbers unless they are ranks of floats; floats is
	// the sum of those.
	sum    cairn.IntSum
	floats compensated
}

// add adds the numbers of some ordinals of a block, all present, of which there
// is at least one.
func (t *tally) add(b *block, ordinals []uint32) {
	if t.count == 0 {
		t.least = b.get(ordinals[0])
		t.most = t.least
	}
	t.count += len(ordinals)
	switch {
	case b.distances == nil:
		t.least, t.most = min(t.least, b.base), max(t.most, b.base)
		t.sum = t.sum.Add(cairn.TimesInt(b.base, len(ordinals)))
		t.floats.add(floatOfRank(b.base) * float64(len(ordinals)))
	case t.kind == cairn.TypeFloat:
		b.distances.tallyFloats(b.base, ordinals, t)
	default:
		b.distances.tally(b.base, ordinals, t)
	}
}

func (v *vector[N]) tally(base uint64, ordinals []uint32, t *tally) {
	// The sum modulo 2^64, and that of the upper halves, which is no more than
	// 2^42. Together they are the whole sum, and neither waits for a carry.
	var sum, upper uint64
	least, length := t.least, t.most-t.least
	for _, ordinal := range ordinals {
		number := base + uint64(v[ordinal%blockSize])
		sum += number
		upper += number >> 32
		if number-least > length {
			least, length = extended(least, length, number)
		}
	}
	t.least, t.most = least, least+length
	t.sum = t.sum.Add(cairn.TimesInt(upper, 1<<32)).Add(cairn.IntSum{Low: sum - upper<<32})
}

// tallyFloats adds up every second number for itself: an addition of floats
// waits for the one before.
func (v *vector[N]) tallyFloats(base uint64, ordinals []uint32, t *tally) {
	var sum, other float64
	least, length := t.least, t.most-t.least
	if len(ordinals)%2 == 1 {
		number := base + uint64(v[ordinals[0]%blockSize])
		ordinals, sum = ordinals[1:], floatOfRank(number)
		least, length = extended(least, length, number)
	}
	for ; len(ordinals) >= 2; ordinals = ordinals[2:] {
		one, two := base+uint64(v[ordinals[0]%blockSize]), base+uint64(v[ordinals[1]%blockSize])
		sum += floatOfRank(one)
		other += floatOfRank(two)
		if one-least > length || two-least > length {
			least, length = extended(least, length, one)
			least, length = extended(least, length, two)
		}
	}
	t.least, t.most = least, least+length
	t.floats.add(sum + other)
}

// extended is the least number and the distance of the greatest from it, with
// one more number. As an unsigned number its distance from the least is above
// the length if it is outside on either side: that is one branch, which is
// hardly ever taken, where keeping up a minimum and a maximum makes each number
// wait for the one before.
func extended(least, length, number uint64) (uint64, uint64) {
	switch {
	case number < least:
		return number, length + (least - number)
	case number-least > length:
		return least, number - least
	}
	return least, length
}

// compensated is a sum of floats with what rounding lost.
type compensated struct{ total, lost float64 }

func (c *compensated) add(x float64) {
	// Knuth's two-sum: the rounding error without a branch.
	t := c.total + x
	part := t - c.total
	c.lost += (c.total - (t - part)) + (x - part)
	c.total = t
}

func (c *compensated) sum() float64 {
	if math.IsInf(c.total, 0) || math.IsNaN(c.total) {
		return c.total // what was lost is no number then
	}
	return c.total + c.lost
}
