package filter

import (
	"time"

	"cairn"
)

// Range is an interval of one attribute's values. It has at least one.
type Range struct {
	kind      cairn.Type
	low, high cut
}

// Type is that of the values. It says which of Numbers, Floats and Strings
// gives the bounds.
func (r Range) Type() cairn.Type { return r.kind }

// Compare is -1 for a value before the range, 0 for one in it and 1 for one
// after it, so that the range of a sorted list of values is found by binary
// search. The value is of the range's type.
func (r Range) Compare(v cairn.Value) int {
	at := cut{text: v.Text()}
	if r.kind != cairn.TypeString {
		at = cut{number: numberOf(v)}
	}
	switch {
	case at.compare(r.low) < 0:
		return -1
	case at.compare(r.high) >= 0:
		return 1
	default:
		return 0
	}
}

// Numbers are the least and the greatest value of a range of ints, of
// timestamps (in microseconds since 1970) or of bools (0 and 1).
func (r Range) Numbers() (low, high int64) {
	_, last := limits(r.kind)
	if !r.high.end {
		last = r.high.number - 1
	}
	return r.low.number, last
}

// Floats are the least and the greatest value of a range of floats; both
// zeros are in it or none.
func (r Range) Floats() (low, high float64) {
	first, last := r.Numbers()
	return floatOfKey(first), floatOfKey(last)
}

// Strings are the bounds of a range of strings, bytewise: low is in it, high
// is not, and it has no upper bound if bounded is false.
func (r Range) Strings() (low, high string, bounded bool) {
	return r.low.text, r.high.text, !r.high.end
}

// Single is the range's value if it has just one.
func (r Range) Single() (cairn.Value, bool) {
	switch r.kind {
	case cairn.TypeString:
		if r.high.end || r.high.text != r.low.text+"\x00" {
			return cairn.Value{}, false
		}
	default:
		if low, high := r.Numbers(); low != high {
			return cairn.Value{}, false
		}
	}
	return valueAt(r.kind, r.low), true
}

// valueAt is the value that a cut stands before; the cut is not at the end.
func valueAt(t cairn.Type, c cut) cairn.Value {
	var value cairn.Value
	switch t {
	case cairn.TypeString:
		value, _ = cairn.String(c.text) // no literal is longer than a value may be
	case cairn.TypeFloat:
		value, _ = cairn.Float(floatOfKey(c.number)) // cuts are clamped to the finite
	case cairn.TypeTimestamp:
		value, _ = cairn.Timestamp(time.UnixMicro(c.number)) // and to the years 1 to 9999
	case cairn.TypeBool:
		value = cairn.Bool(c.number != 0)
	default:
		value = cairn.Int(c.number)
	}
	return value
}

// numberOf is a value that is no string as it is ordered.
func numberOf(v cairn.Value) int64 {
	switch v.Type() {
	case cairn.TypeFloat:
		return keyOfFloat(v.Float())
	case cairn.TypeBool:
		if v.Bool() {
			return 1
		}
		return 0
	default:
		return v.Int()
	}
}
