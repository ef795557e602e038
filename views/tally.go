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
// is at least one. A block whose bounds are no news is only summed up, which
// soon is so of most.
func (t *tally) add(b *block, ordinals []uint32) {
	if t.count == 0 {
		t.least = b.get(ordinals[0])
		t.most = t.least
	}
	n := len(ordinals)
	t.count += n
	switch {
	case b.distances == nil:
		t.least, t.most = min(t.least, b.base), max(t.most, b.base)
		t.sum = t.sum.Add(cairn.TimesInt(b.base, n))
		t.floats.add(floatOfRank(b.base) * float64(n))
		return
	case t.kind == cairn.TypeFloat:
		t.floats.add(b.distances.sumFloats(b.base, ordinals))
	default:
		t.sum = t.sum.Add(cairn.TimesInt(b.base, n)).Add(b.distances.sum(ordinals))
	}
	if b.least < t.least || b.most > t.most {
		least, most := b.distances.bounds(ordinals)
		t.least, t.most = min(t.least, b.base+least), max(t.most, b.base+most)
	}
}

// addApart adds the numbers of ordinals that may be far apart.
func (t *tally) addApart(a *attribute, ordinals []uint32) {
	t.kind = a.spec.Type
	var numbers [gathered]uint64
	for len(ordinals) > 0 {
		some := ordinals[:min(len(ordinals), gathered)]
		ordinals = ordinals[len(some):]
		n := a.column.gatherPresent(some, &numbers)
		if n == 0 {
			continue
		}
		if t.count == 0 {
			t.least, t.most = numbers[0], numbers[0]
		}
		t.count += n
		var sum, upper uint64 // as in vector.sum
		var floats float64
		for _, number := range numbers[:n] {
			sum += number
			upper += number >> 32
			floats += floatOfRank(number)
			t.least, t.most = min(t.least, number), max(t.most, number)
		}
		if t.kind == cairn.TypeFloat {
			t.floats.add(floats)
		} else {
			t.sum = t.sum.Add(cairn.TimesInt(upper, 1<<32)).Add(cairn.IntSum{Low: sum - upper<<32})
		}
	}
}

// join adds what there is to say of others.
func (t *tally) join(other *tally) {
	if other.count == 0 {
		return
	}
	if t.count == 0 {
		*t = *other
		return
	}
	t.count += other.count
	t.least, t.most = min(t.least, other.least), max(t.most, other.most)
	t.sum = t.sum.Add(other.sum)
	t.floats.add(other.floats.total)
	t.floats.lost += other.floats.lost
}

// merge adds what a block has to say.
func (t *tally) merge(b *blockTally) {
	if t.count == 0 {
		t.least, t.most = b.least, b.most
	}
	t.least, t.most = min(t.least, b.least), max(t.most, b.most)
	t.count += b.count
	t.sum = t.sum.Add(b.sum)
	t.floats.add(b.floats)
}

func (v *vector[N]) sum(ordinals []uint32) cairn.IntSum {
	// The sum modulo 2^64, and that of the upper halves, which is no more than
	// 2^42. Together they are the whole sum, and neither waits for a carry.
	var sum, upper uint64
	for _, ordinal := range ordinals {
		distance := uint64(v[ordinal%blockSize])
		sum += distance
		upper += distance >> 32
	}
	return cairn.TimesInt(upper, 1<<32).Add(cairn.IntSum{Low: sum - upper<<32})
}

// sumFloats adds up every fourth number for itself: an addition of floats
// waits for the one before.
func (v *vector[N]) sumFloats(base uint64, ordinals []uint32) float64 {
	at := func(ordinal uint32) float64 { return floatOfRank(base + uint64(v[ordinal%blockSize])) }
	var one, two, three, four float64
	for ; len(ordinals) >= 4; ordinals = ordinals[4:] {
		one += at(ordinals[0])
		two += at(ordinals[1])
		three += at(ordinals[2])
		four += at(ordinals[3])
	}
	for _, ordinal := range ordinals {
		one += at(ordinal)
	}
	return one + two + (three + four)
}

func (v *vector[N]) bounds(ordinals []uint32) (least, most uint64) {
	least = math.MaxUint64
	for _, ordinal := range ordinals {
		distance := uint64(v[ordinal%blockSize])
		least, most = min(least, distance), max(most, distance)
	}
	return least, most
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
