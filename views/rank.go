package views

import (
	"math"
	"time"

	"cairn"
)

// signBit turns the order of signed numbers into that of unsigned ones.
const signBit = 1 << 63

// rank is a number, timestamp or bool as an unsigned number of the same order
// among the values of its type. A float's negative zero gets zero's rank,
// since the two are equal.
func rank(v cairn.Value) uint64 {
	switch v.Type() {
	case cairn.TypeFloat:
		return rankOfFloat(v.Float())
	case cairn.TypeBool:
		if v.Bool() {
			return 1
		}
		return 0
	default:
		return uint64(v.Int()) ^ signBit
	}
}

func rankOfFloat(f float64) uint64 {
	if f == 0 {
		f = 0 // of negative zero
	}
	b := math.Float64bits(f)
	if b&signBit != 0 {
		return ^b
	}
	return b | signBit
}

// floatOfRank undoes rankOfFloat: of a positive number it turns the sign bit
// over, of a negative one all bits, without a branch.
func floatOfRank(r uint64) float64 {
	positive := uint64(int64(r) >> 63)
	return math.Float64frombits(r ^ (signBit | ^positive))
}

func intOfRank(r uint64) int64 { return int64(r ^ signBit) }

// ofRank is the value of a type that has a rank.
func ofRank(t cairn.Type, r uint64) cairn.Value {
	switch t {
	case cairn.TypeFloat:
		v, _ := cairn.Float(floatOfRank(r)) // a rank in a column is of a finite number
		return v
	case cairn.TypeBool:
		return cairn.Bool(r != 0)
	case cairn.TypeTimestamp:
		v, _ := cairn.Timestamp(time.UnixMicro(intOfRank(r))) // and of a timestamp in its range
		return v
	default:
		return cairn.Int(intOfRank(r))
	}
}
