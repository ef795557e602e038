package filter

import (
	"slices"

	"cairn"
)

// Leaf is a condition on one attribute in the normal form: its value is in a
// set, or it is absent where that passes too. A leaf is true or false, never
// unknown.
type Leaf struct {
	attribute cairn.AttributeSpec
	absent    bool
	values    valueSet
	text      string

	// The cuts once more, without what the attribute's type has no use for.
	numbers []int64
	texts   []string
	ranges  []Range
	// excluded are the ranges of the values that are not in the set, where
	// they are the better way to compute it.
	excluded []Range
	exclude  bool
}

func newLeaf(attribute cairn.AttributeSpec, absent bool, values valueSet) *Leaf {
	l := &Leaf{attribute: attribute, absent: absent, values: values}
	for _, c := range values {
		if attribute.Type == cairn.TypeString {
			l.texts = append(l.texts, c.text)
		} else {
			l.numbers = append(l.numbers, c.number)
		}
	}
	l.ranges = rangesOf(attribute.Type, values)
	if values.full(attribute.Type) {
		return l
	}
	// What is left out costs less to compute if it is fewer ranges, or single
	// values where the set itself has wide ranges: a != 5.
	excluded := rangesOf(attribute.Type, values.complement(attribute.Type))
	if len(excluded) < len(l.ranges) || allSingle(excluded) && !allSingle(l.ranges) {
		l.exclude, l.excluded = true, excluded
	}
	return l
}

func rangesOf(t cairn.Type, values valueSet) []Range {
	var out []Range
	for i := 0; i < len(values); i += 2 {
		r := Range{kind: t, low: values[i], high: cut{end: true}}
		if i+1 < len(values) {
			r.high = values[i+1]
		}
		out = append(out, r)
	}
	return out
}

func allSingle(ranges []Range) bool {
	return !slices.ContainsFunc(ranges, func(r Range) bool {
		_, single := r.Single()
		return !single
	})
}

// Attribute is what the condition is on.
func (l *Leaf) Attribute() cairn.AttributeSpec { return l.attribute }

// Absent reports whether entries without the attribute pass.
func (l *Leaf) Absent() bool { return l.absent }

// Ranges are the values that pass: ascending, with values between them that
// do not. They are none if only entries without the attribute pass. The
// caller does not change them.
func (l *Leaf) Ranges() []Range { return l.ranges }

// Present reports whether all values pass.
func (l *Leaf) Present() bool { return l.values.full(l.attribute.Type) }

// String is the leaf as an expression.
func (l *Leaf) String() string { return l.text }

// Match reports whether a value of the attribute passes. A value of another
// type does not.
func (l *Leaf) Match(v cairn.Value) bool {
	switch {
	case v.Type() != l.attribute.Type:
		return false
	case v.Type() == cairn.TypeString:
		return l.MatchText(v.Text())
	default:
		return l.matchKey(numberOf(v))
	}
}

// MatchText reports whether a value of a string attribute passes.
func (l *Leaf) MatchText(text string) bool {
	low, high := 0, len(l.texts)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if l.texts[middle] <= text {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low&1 == 1
}

// MatchNumber reports whether a value of an attribute of another type passes,
// given as [Columns] give it.
func (l *Leaf) MatchNumber(number int64) bool {
	if l.attribute.Type == cairn.TypeFloat {
		number = keyOfBits(number)
	}
	return l.matchKey(number)
}

// matchKey counts the cuts up to a number: an odd count is inside.
func (l *Leaf) matchKey(key int64) bool {
	if len(l.numbers) <= 8 {
		inside := false
		for _, c := range l.numbers {
			if key < c {
				break
			}
			inside = !inside
		}
		return inside
	}
	low, high := 0, len(l.numbers)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if l.numbers[middle] <= key {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low&1 == 1
}
