package views

import (
	"math"
	"math/big"
	"math/bits"

	"cairn"
)

// Aggregation is what there is to say about one attribute of a selection. Two
// of different entries make one by Merge.
type Aggregation struct {
	// Count is how many entries of the selection have the attribute.
	Count int
	// Min and Max are its least and greatest value; null if Count is 0.
	Min, Max cairn.Value
	// Ints is the exact sum of ints.
	Ints Sum
	// Floats is the sum of floats, compensated for rounding; infinite if
	// it overflows.
	Floats float64
}

// Sum is an exact sum of ints: 128 bits hold that of every entry there can be.
type Sum struct {
	High int64
	Low  uint64
}

func (s Sum) add(other Sum) Sum {
	low, carry := bits.Add64(s.Low, other.Low, 0)
	return Sum{High: s.High + other.High + int64(carry), Low: low}
}

func (s Sum) minus(other Sum) Sum {
	low, borrow := bits.Sub64(s.Low, other.Low, 0)
	return Sum{High: s.High - other.High - int64(borrow), Low: low}
}

// times is a product.
func times(number uint64, n int) Sum {
	high, low := bits.Mul64(number, uint64(n))
	return Sum{High: int64(high), Low: low}
}

// Int is the sum; ok is false if it is not in the range of an int.
func (s Sum) Int() (sum int64, ok bool) {
	sum = int64(s.Low)
	return sum, s.High == sum>>63
}

// big is the sum at any size.
func (s Sum) big() *big.Int {
	out := big.NewInt(s.High)
	return out.Add(out.Lsh(out, 64), new(big.Int).SetUint64(s.Low))
}

// Merge is the aggregation of both sets of entries.
func (a Aggregation) Merge(b Aggregation) Aggregation {
	switch {
	case a.Count == 0:
		return b
	case b.Count == 0:
		return a
	}
	a.Count += b.Count
	if b.Min.Compare(a.Min) < 0 {
		a.Min = b.Min
	}
	if b.Max.Compare(a.Max) > 0 {
		a.Max = b.Max
	}
	a.Ints = a.Ints.add(b.Ints)
	a.Floats += b.Floats
	return a
}

// Sum is the sum as a value. It is refused for attributes that are neither
// ints nor floats (KindInvalid, field "sum", AGGREGATE_TYPE), and if it is out
// of its type's range (KindInvalid, field "sum", SUM_OVERFLOW). Of no entries
// it is null.
func (a Aggregation) Sum() (cairn.Value, error) {
	switch a.Min.Type() {
	case cairn.TypeNull:
		return cairn.Value{}, nil
	case cairn.TypeInt:
		sum, ok := a.Ints.Int()
		if !ok {
			return cairn.Value{}, cairn.Invalid("sum", "SUM_OVERFLOW", "the sum is %s, which is no 64-bit int; narrow the selection, or ask for the mean", a.Ints.big())
		}
		return cairn.Int(sum), nil
	case cairn.TypeFloat:
		sum, err := cairn.Float(a.Floats)
		if err != nil {
			return cairn.Value{}, cairn.Invalid("sum", "SUM_OVERFLOW", "the sum is beyond the range of floats; narrow the selection")
		}
		return sum, nil
	}
	return cairn.Value{}, cairn.Invalid("sum", "AGGREGATE_TYPE", "only ints and floats have a sum, not a %s", a.Min.Type())
}

// Mean is the mean as a float; refused as Sum is, but for ints it does not
// overflow.
func (a Aggregation) Mean() (cairn.Value, error) {
	if a.Min.Type() == cairn.TypeInt {
		mean, _ := new(big.Rat).SetFrac(a.Ints.big(), big.NewInt(int64(a.Count))).Float64()
		return cairn.Float(mean)
	}
	sum, err := a.Sum()
	if err != nil || a.Count == 0 {
		return cairn.Value{}, cairn.InField("mean", err)
	}
	return cairn.Float(sum.Float() / float64(a.Count))
}

// Aggregate aggregates one attribute of a selection. It is refused as Count
// is, and for an attribute that is not indexed (KindInvalid, field
// "attribute", ATTRIBUTE_UNKNOWN).
func (s *Snapshot) Aggregate(sel Selection, id cairn.AttributeID) (Aggregation, error) {
	a := s.state.attribute(id)
	if a == nil {
		return Aggregation{}, cairn.Invalid("attribute", "ATTRIBUTE_UNKNOWN", "there is no indexed attribute number %d", id)
	}
	slot, _, err := s.view(sel.View, sel.Version)
	if err != nil {
		return Aggregation{}, err
	}
	set, err := s.selected(&sel, slot)
	if err != nil {
		return Aggregation{}, err
	}
	dense := set.ToDense()
	if a.spec.Type == cairn.TypeString {
		return a.aggregateText(dense), nil
	}
	return a.aggregateNumbers(dense), nil
}

// aggregateNumbers goes through the ordinals of a dense set, chunk by chunk.
func (a *attribute) aggregateNumbers(dense []uint64) Aggregation {
	all := tally{least: math.MaxUint64}
	var floats compensated
	a.column.chunksOf(dense, func(c *chunk, _ uint32, which [chunkWords]uint64) {
		if a.spec.Type == cairn.TypeFloat {
			floats.addAll(c, which)
		}
		all.add(c, which)
	})
	out := Aggregation{Count: all.count}
	if out.Count == 0 {
		return out
	}
	out.Min, out.Max = ofRank(a.spec.Type, all.least), ofRank(a.spec.Type, all.most)
	out.Floats = floats.sum()
	if a.spec.Type == cairn.TypeInt {
		// Each rank is its int plus 2^63.
		out.Ints = all.sum.minus(times(signBit, out.Count))
	}
	return out
}

// aggregateText finds the first and the last string.
func (a *attribute) aggregateText(dense []uint64) Aggregation {
	var out Aggregation
	seen := make([]uint64, len(a.dictionary.counts)/64+1)
	a.column.chunksOf(dense, func(c *chunk, _ uint32, which [chunkWords]uint64) {
		out.Count += onesIn(which)
		c.eachOf(which, func(code uint64) { seen[code/64] |= 1 << (code % 64) })
	})
	for code := range a.dictionary.all() {
		if seen[code/64]>>(code%64)&1 == 0 {
			continue
		}
		if out.Min.Type() == cairn.TypeNull {
			out.Min = a.ofNumber(uint64(code))
		}
		out.Max = a.ofNumber(uint64(code))
	}
	return out
}

// compensated is a sum of floats with what rounding lost.
type compensated struct{ total, lost float64 }

// addAll adds the floats in some slots of a chunk of ranks.
func (n *compensated) addAll(c *chunk, which [chunkWords]uint64) {
	total, lost := n.total, n.lost
	for word, left := range which {
		for ; left != 0; left &= left - 1 {
			x := floatOfRank(c.get(uint32(word*64 + bits.TrailingZeros64(left))))
			// Knuth's two-sum: the rounding error without a branch.
			t := total + x
			part := t - total
			lost += (total - (t - part)) + (x - part)
			total = t
		}
	}
	n.total, n.lost = total, lost
}

func (n *compensated) sum() float64 {
	if math.IsInf(n.total, 0) || math.IsNaN(n.total) {
		return n.total // what was lost is no number then
	}
	return n.total + n.lost
}
