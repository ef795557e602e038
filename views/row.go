package views

import (
	"math"
	"slices"

	"cairn"
)

// row is the values of the entry that is put, as filter.Columns gives them:
// filters that are tried on it read what is at hand, not columns.
type row struct {
	ids    []cairn.AttributeID // of the attributes
	values []cairn.Value       // by attribute, null where absent
	// last is where the attribute stands that was asked for last, since many
	// filters ask for the same one.
	last int
}

// read takes the values of those attributes that are indexed, and those of the
// owner's columns.
func (r *row) read(s *state, attributes cairn.Attributes, columns []cairn.Attribute) {
	clear(r.values)
	for each := range attributes.All() {
		if i, indexed := s.index(each.ID); indexed {
			r.values[i] = each.Value
		}
	}
	for _, each := range columns {
		if i, known := s.index(each.ID); known {
			r.values[i] = each.Value
		}
	}
}

// value is that of an attribute, null where it is not indexed.
func (r *row) value(id cairn.AttributeID) cairn.Value {
	if r.last == len(r.ids) || r.ids[r.last] != id {
		if r.last = slices.Index(r.ids, id); r.last < 0 {
			r.last = len(r.ids)
			return cairn.Value{}
		}
	}
	return r.values[r.last]
}

// Number is the value of an attribute that is no string.
func (r *row) Number(id cairn.AttributeID, _ uint32) (int64, bool) {
	v := r.value(id)
	switch v.Type() {
	case cairn.TypeNull:
		return 0, false
	case cairn.TypeFloat:
		return int64(math.Float64bits(v.Float())), true
	case cairn.TypeBool:
		return int64(rank(v)), true
	default:
		return v.Int(), true
	}
}

// Text is the value of a string attribute.
func (r *row) Text(id cairn.AttributeID, _ uint32) (string, bool) {
	v := r.value(id)
	return v.Text(), v.Type() != cairn.TypeNull
}
