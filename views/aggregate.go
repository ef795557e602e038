package views

import (
	"math/big"
	"math/bits"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
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
	// Floats is the sum of floats, infinite if it overflows: runs of up to
	// 1,024 are added as they come, and their sums are compensated for
	// rounding, so that the error hardly grows with the entries.
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
	if a.spec.Type == cairn.TypeString {
		return a.aggregateText(set), nil
	}
	return a.aggregateNumbers(set), nil
}

// aggregateNumbers goes through the ordinals of a set.
func (a *attribute) aggregateNumbers(set *roaring.Bitmap) Aggregation {
	t := tally{kind: a.spec.Type}
	a.column.eachRun(set, t.add)
	if t.count == 0 {
		return Aggregation{}
	}
	out := Aggregation{Count: t.count, Min: ofRank(t.kind, t.least), Max: ofRank(t.kind, t.most)}
	switch t.kind {
	case cairn.TypeInt:
		// Each rank is its int plus 2^63.
		out.Ints = t.sum.minus(times(signBit, t.count))
	case cairn.TypeFloat:
		out.Floats = t.floats.sum()
	}
	return out
}

// aggregateText finds the first and the last string.
func (a *attribute) aggregateText(set *roaring.Bitmap) Aggregation {
	var out Aggregation
	seen := make([]uint64, len(a.dictionary.counts)/64+1)
	a.column.eachRun(set, func(b *block, ordinals []uint32) {
		out.Count += len(ordinals)
		for _, ordinal := range ordinals {
			code := b.get(ordinal)
			seen[code/64] |= 1 << (code % 64)
		}
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
