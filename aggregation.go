package cairn

import (
	"math"
	"math/big"
	"math/bits"
)

// Aggregation is what there is to say about one attribute of a selection. Two
// of different entries make one by Merge.
type Aggregation struct {
	// Count is how many entries of the selection have the attribute.
	Count int
	// Min and Max are its least and greatest value; null if Count is 0.
	Min, Max Value
	// Ints is the exact sum of ints.
	Ints IntSum
	// Floats is the sum of floats, infinite if it overflows: runs of up to
	// 1,024 are added as they come, and their sums are compensated for
	// rounding, so that the error hardly grows with the entries.
	Floats float64
}

// IntSum is an exact sum of ints: 128 bits hold that of every entry there can be.
type IntSum struct {
	High int64
	Low  uint64
}

// Add is the sum of two sums.
func (s IntSum) Add(other IntSum) IntSum {
	low, carry := bits.Add64(s.Low, other.Low, 0)
	return IntSum{High: s.High + other.High + int64(carry), Low: low}
}

// Minus is their difference.
func (s IntSum) Minus(other IntSum) IntSum {
	low, borrow := bits.Sub64(s.Low, other.Low, 0)
	return IntSum{High: s.High - other.High - int64(borrow), Low: low}
}

// TimesInt is a number that is not negative, n times.
func TimesInt(number uint64, n int) IntSum {
	high, low := bits.Mul64(number, uint64(n))
	return IntSum{High: int64(high), Low: low}
}

// Int is the sum; ok is false if it is not in the range of an int.
func (s IntSum) Int() (sum int64, ok bool) {
	sum = int64(s.Low)
	return sum, s.High == sum>>63
}

// String is the sum in decimal.
func (s IntSum) String() string { return s.big().String() }

// ParseIntSum reads what String writes.
func ParseIntSum(text string) (IntSum, error) {
	malformed := Invalid("", "SUM_MALFORMED", "%q is not a whole number of 128 bits", text)
	const longest = 40 // digits and a sign
	if len(text) > longest {
		return IntSum{}, malformed
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return IntSum{}, malformed
	}
	low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64))
	high := new(big.Int).Rsh(n, 64)
	if !high.IsInt64() {
		return IntSum{}, malformed
	}
	return IntSum{High: high.Int64(), Low: low.Uint64()}, nil
}

// big is the sum at any size.
func (s IntSum) big() *big.Int {
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
	a.Ints = a.Ints.Add(b.Ints)
	a.Floats += b.Floats
	return a
}

// Sum is the sum as a value. It is refused for attributes that are neither
// ints nor floats (KindInvalid, field "sum", AGGREGATE_TYPE), and if it is out
// of its type's range (KindInvalid, field "sum", SUM_OVERFLOW). Of no entries
// it is null.
func (a Aggregation) Sum() (Value, error) {
	switch a.Min.Type() {
	case TypeNull:
		return Value{}, nil
	case TypeInt:
		sum, ok := a.Ints.Int()
		if !ok {
			return Value{}, Invalid("sum", "SUM_OVERFLOW", "the sum is %s, which is no 64-bit int; narrow the selection, or ask for the mean", a.Ints.big())
		}
		return Int(sum), nil
	case TypeFloat:
		sum, err := Float(a.Floats)
		if err != nil {
			return Value{}, Invalid("sum", "SUM_OVERFLOW", "the sum is beyond the range of floats; narrow the selection")
		}
		return sum, nil
	}
	return Value{}, Invalid("sum", "AGGREGATE_TYPE", "only ints and floats have a sum, not a %s", a.Min.Type())
}

// Mean is the mean as a float; refused as Sum is, but for ints it does not
// overflow.
func (a Aggregation) Mean() (Value, error) {
	if a.Min.Type() == TypeInt {
		mean, _ := new(big.Rat).SetFrac(a.Ints.big(), big.NewInt(int64(a.Count))).Float64()
		return Float(mean)
	}
	sum, err := a.Sum()
	if err != nil || a.Count == 0 {
		return Value{}, InField("mean", err)
	}
	return Float(sum.Float() / float64(a.Count))
}
