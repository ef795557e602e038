package filter

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"cairn"
)

// cut is a place in a type's order: just before one of its values. A value is
// after a cut if it is that value or a greater one. Ints are themselves,
// timestamps microseconds, bools 0 and 1, and floats their keys, which are in
// the order of the floats; strings are themselves. Since each int, timestamp,
// bool and float has a next one, and a string's next one is the string with a
// zero byte, a cut after a value is the cut before the next.
type cut struct {
	number int64
	text   string
	// end is the place after all values.
	end bool
}

func (a cut) compare(b cut) int {
	switch {
	case a.end || b.end:
		return cmp.Compare(truthOf(a.end), truthOf(b.end))
	case a.number != b.number:
		return cmp.Compare(a.number, b.number)
	default:
		return strings.Compare(a.text, b.text)
	}
}

// valueSet is a set of values of one type: ascending cuts, at each of which
// it changes whether values are in it. Before the first they are not. A set
// has one list of cuts only, so equal sets have equal lists.
type valueSet []cut

// The least and greatest values, where not all numbers are values.
var (
	firstTimestamp = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	lastTimestamp  = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()
)

// limits are a type's least value, as a cut, and its greatest.
func limits(t cairn.Type) (first cut, last int64) {
	switch t {
	case cairn.TypeBool:
		return cut{number: 0}, 1
	case cairn.TypeTimestamp:
		return cut{number: firstTimestamp}, lastTimestamp
	case cairn.TypeFloat:
		return cut{number: keyOfFloat(-math.MaxFloat64)}, keyOfFloat(math.MaxFloat64)
	case cairn.TypeInt:
		return cut{number: math.MinInt64}, math.MaxInt64
	default:
		return cut{}, math.MaxInt64
	}
}

// clamp moves a cut to where it divides a type's values alike.
func clamp(t cairn.Type, c cut) cut {
	first, last := limits(t)
	switch {
	case c.end || c.number > last:
		return cut{end: true}
	case c.compare(first) < 0:
		return first
	}
	return c
}

// keyOfFloat maps floats to ints of the same order; both zeros to 0.
func keyOfFloat(f float64) int64 { return keyOfBits(int64(math.Float64bits(f))) }

func keyOfBits(bits int64) int64 {
	if bits < 0 {
		return -(bits & math.MaxInt64)
	}
	return bits
}

func floatOfKey(key int64) float64 {
	if key < 0 {
		return -math.Float64frombits(uint64(-key))
	}
	return math.Float64frombits(uint64(key))
}

// around are the cuts before and after a constant in a type's order. They are
// one where no value of the type equals the constant.
func around(t cairn.Type, c constant) (before, after cut) {
	switch t {
	case cairn.TypeString:
		before, after = cut{text: c.text}, cut{text: c.text + "\x00"}
	case cairn.TypeInt:
		before, after = aroundInInts(c)
	case cairn.TypeFloat:
		before, after = aroundInFloats(c)
	case cairn.TypeTimestamp:
		micros := c.time.UnixMicro() // rounds down
		before, after = cut{number: micros}, cut{number: micros + 1}
		if c.time.Nanosecond()%1000 != 0 {
			before = after
		}
	default:
		before, after = cut{number: c.number}, cut{number: c.number + 1}
	}
	return clamp(t, before), clamp(t, after)
}

func aroundInInts(c constant) (before, after cut) {
	n := c.number
	if c.kind == floatConstant {
		switch {
		case c.float >= 1<<63:
			return cut{end: true}, cut{end: true}
		case c.float < -1<<63:
			return cut{number: math.MinInt64}, cut{number: math.MinInt64}
		}
		down := math.Floor(c.float)
		n = int64(down)
		if down != c.float {
			return cut{number: n + 1}, cut{number: n + 1} // n is far from the end: it has a fraction
		}
	}
	if n == math.MaxInt64 {
		return cut{number: n}, cut{end: true}
	}
	return cut{number: n}, cut{number: n + 1}
}

func aroundInFloats(c constant) (before, after cut) {
	if c.kind == floatConstant {
		key := keyOfFloat(c.float)
		return cut{number: key}, cut{number: key + 1}
	}
	// The nearest float is the int itself or one of its two neighbours.
	nearest := float64(c.number)
	key := keyOfFloat(nearest)
	switch compareIntFloat(c.number, nearest) {
	case -1:
		return cut{number: key}, cut{number: key}
	case 1:
		return cut{number: key + 1}, cut{number: key + 1}
	}
	return cut{number: key}, cut{number: key + 1}
}

// interval is the set from one cut to another.
func interval(low, high cut) valueSet {
	switch {
	case low.compare(high) >= 0:
		return nil
	case high.end:
		return valueSet{low}
	default:
		return valueSet{low, high}
	}
}

// everything is the set of all values of a type.
func everything(t cairn.Type) valueSet {
	first, _ := limits(t)
	return valueSet{first}
}

// points is the set of those values that equal one of the constants.
func points(t cairn.Type, constants []constant) valueSet {
	spans := make([][2]cut, 0, len(constants))
	for _, c := range constants {
		if before, after := around(t, c); before.compare(after) < 0 {
			spans = append(spans, [2]cut{before, after})
		}
	}
	slices.SortFunc(spans, func(a, b [2]cut) int { return a[0].compare(b[0]) })
	var out valueSet
	for i, span := range spans {
		switch {
		case i > 0 && span == spans[i-1]:
		case len(out) > 0 && out[len(out)-1] == span[0]:
			out[len(out)-1] = span[1]
		default:
			out = append(out, span[0], span[1])
		}
	}
	if len(out) > 0 && out[len(out)-1].end {
		out = out[:len(out)-1]
	}
	return out
}

// complement is the set of the type's other values.
func (s valueSet) complement(t cairn.Type) valueSet {
	first, _ := limits(t)
	if len(s) > 0 && s[0] == first {
		return s[1:]
	}
	return append(valueSet{first}, s...)
}

// full reports whether the set has all values of its type.
func (s valueSet) full(t cairn.Type) bool {
	first, _ := limits(t)
	return len(s) == 1 && s[0] == first
}

// combine is the set of the values for which keep holds of their being in a
// and in b.
func combine(a, b valueSet, keep func(inA, inB bool) bool) valueSet {
	var out valueSet
	inA, inB, in := false, false, false
	for len(a) > 0 || len(b) > 0 {
		var next cut
		if len(b) == 0 || len(a) > 0 && a[0].compare(b[0]) <= 0 {
			next = a[0]
		} else {
			next = b[0]
		}
		if len(a) > 0 && a[0] == next {
			inA, a = !inA, a[1:]
		}
		if len(b) > 0 && b[0] == next {
			inB, b = !inB, b[1:]
		}
		if now := keep(inA, inB); now != in {
			in = now
			out = append(out, next)
		}
	}
	return out
}

// prefixed is the set of the strings that begin with a prefix.
func prefixed(prefix string) valueSet {
	return interval(cut{text: prefix}, afterPrefix(prefix))
}

// afterPrefix is the cut after the strings with a prefix: at the prefix with
// its last character one greater. Strings are UTF-8, whose order bytewise is
// that of the characters.
func afterPrefix(prefix string) cut {
	for prefix != "" {
		last, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch last {
		case utf8.MaxRune:
			continue // the greatest: the character before it counts up
		case 0xD7FF:
			last = 0xDFFF // surrogates are not characters
		}
		return cut{text: prefix + string(last+1)}
	}
	return cut{end: true}
}
