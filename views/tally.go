package views

import (
	"math"
	"math/bits"

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
	sum    Sum
	floats compensated
}

// add adds the numbers in some slots of a block, all present, of which there
// is at least one.
func (t *tally) add(b *block, which *blockBits) {
	n := which.count()
	if t.count == 0 {
		t.least = b.get(which.first())
		t.most = t.least
	}
	t.count += n
	switch {
	case b.distances == nil:
		t.least, t.most = min(t.least, b.base), max(t.most, b.base)
		t.sum = t.sum.add(times(b.base, n))
		t.floats.add(floatOfRank(b.base) * float64(n))
	case t.kind == cairn.TypeFloat:
		b.distances.tallyFloats(b.base, which, t)
	default:
		b.distances.tally(b.base, which, t)
	}
}

func (v *vector[N]) tally(base uint64, which *blockBits, t *tally) {
	// The sum modulo 2^64, and that of the upper halves, which is no more than
	// 2^42. Together they are the whole sum, and neither waits for a carry.
	var sum, upper uint64
	within := extent{t.least, t.most - t.least}
	for i, word := range which {
		part := (*[64]N)(v[64*i:])
		if word == math.MaxUint64 {
			for _, distance := range part {
				number := base + uint64(distance)
				sum += number
				upper += number >> 32
				if number-within.least > within.length {
					within.extend(number)
				}
			}
			continue
		}
		for ; word != 0; word &= word - 1 {
			number := base + uint64(part[bits.TrailingZeros64(word)&63])
			sum += number
			upper += number >> 32
			if number-within.least > within.length {
				within.extend(number)
			}
		}
	}
	t.least, t.most = within.least, within.least+within.length
	t.sum = t.sum.add(times(upper, 1<<32)).add(Sum{Low: sum - upper<<32})
}

// tallyFloats adds up the words of even and of odd index each for themselves:
// an addition of floats waits for the one before.
func (v *vector[N]) tallyFloats(base uint64, which *blockBits, t *tally) {
	var even, odd float64
	within := extent{t.least, t.most - t.least}
	for i := 0; i < len(which); i += 2 {
		part := (*[64]N)(v[64*i:])
		for word := which[i]; word != 0; word &= word - 1 {
			number := base + uint64(part[bits.TrailingZeros64(word)&63])
			even += floatOfRank(number)
			if number-within.least > within.length {
				within.extend(number)
			}
		}
		part = (*[64]N)(v[64*i+64:])
		for word := which[i+1]; word != 0; word &= word - 1 {
			number := base + uint64(part[bits.TrailingZeros64(word)&63])
			odd += floatOfRank(number)
			if number-within.least > within.length {
				within.extend(number)
			}
		}
	}
	t.least, t.most = within.least, within.least+within.length
	t.floats.add(even + odd)
}

// extent is the numbers from the least to the greatest so far. A number is
// outside if its distance from the least, as an unsigned number, is above the
// length: one branch, which is hardly ever taken, where keeping a minimum and
// a maximum up makes each number wait for the one before.
type extent struct{ least, length uint64 }

func (e *extent) extend(number uint64) {
	if number < e.least {
		e.least, e.length = number, e.least+e.length-number
	} else {
		e.length = number - e.least
	}
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
