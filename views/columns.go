package views

import (
	"math"

	"cairn"
)

// Number is an entry's value of an attribute that is no string, as
// filter.Columns wants it.
func (s *state) Number(id cairn.AttributeID, ordinal uint32) (int64, bool) {
	a := s.attribute(id)
	if a == nil {
		return 0, false
	}
	number, present := a.column.get(ordinal)
	switch {
	case !present:
		return 0, false
	case a.spec.Type == cairn.TypeFloat:
		return int64(math.Float64bits(floatOfRank(number))), true
	case a.spec.Type == cairn.TypeBool:
		return int64(number), true
	default:
		return intOfRank(number), true
	}
}

// Text is an entry's value of a string attribute.
func (s *state) Text(id cairn.AttributeID, ordinal uint32) (string, bool) {
	a := s.attribute(id)
	if a == nil {
		return "", false
	}
	code, present := a.column.get(ordinal)
	if !present {
		return "", false
	}
	return a.dictionary.texts.get(uint32(code)), true
}
