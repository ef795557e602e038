package page

import (
	"cmp"

	"cairn"
)

// Direction is which way one field of a sort goes.
type Direction bool

// The directions. An absent value comes last in either.
const (
	Ascending  Direction = false
	Descending Direction = true
)

// Sort is the directions of a sort's fields, in order of significance.
type Sort []Direction

// SortOf is the directions of a view's or a query's sort.
func SortOf(fields []cairn.SortField) Sort {
	s := make(Sort, len(fields))
	for i, field := range fields {
		s[i] = Direction(field.Descending)
	}
	return s
}

// Position is where a row stands in a sorted view.
type Position = cairn.Position

// Compare orders two positions: negative where a comes before b. Both must
// have one value a field of the Sort, of the field's declared type or null.
func (s Sort) Compare(a, b Position) int {
	for i, direction := range s {
		if order := CompareValues(direction, a.Values[i], b.Values[i]); order != 0 {
			return order
		}
	}
	return a.Key.Compare(b.Key)
}

// CompareValues orders two values of one declared type, either of which may
// be null, for absent: it comes last in either direction.
func CompareValues(direction Direction, a, b cairn.Value) int {
	absentA, absentB := a.Type() == cairn.TypeNull, b.Type() == cairn.TypeNull
	switch {
	case absentA || absentB:
		return cmp.Compare(asNumber(absentA), asNumber(absentB))
	case direction == Descending:
		return b.Compare(a)
	default:
		return a.Compare(b)
	}
}

func asNumber(b bool) int {
	if b {
		return 1
	}
	return 0
}
