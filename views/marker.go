package views

import (
	"cmp"
	"slices"
	"strings"

	"cairn"
)

// Marker makes the marks of runs of entries, and looks into those that others made.
// It is for one goroutine.
type Marker struct {
	state       state // of no entries: what attributes there are
	definitions []Definition
	row         row
	// rows are the values of a run's entries, one entry's behind the other's, and
	// keyed their keys.
	rows   []cairn.Value
	keyed  []cairn.Key
	placed []placed
}

// placed is an entry's place, with the beginning of what it is sorted by.
type placed struct {
	prefix uint64
	place  uint16
}

// NewMarker makes a Marker for views of a schema. A definition that it has no use
// for, since its sort is of an attribute that is not indexed, gets no places.
func NewMarker(schema *cairn.Schema, definitions []Definition) *Marker {
	of := New(schema)
	return &Marker{state: of.present, row: of.row, definitions: definitions}
}

// Mark makes the marks of a run of n entries, at most MaxMarked, in about so many
// bytes: views for which there is no more room get none.
func (m *Marker) Mark(n, room int, entry func(place int) (cairn.Key, cairn.Attributes)) *Marks {
	m.read(n, entry)
	marks := &Marks{}
	for i := range m.definitions {
		d := &m.definitions[i]
		if room -= (n + 7) / 8; room < 0 {
			return marks
		}
		marks.Members = append(marks.Members, m.members(d, n))
	}
	for i := range m.definitions {
		sort := m.definitions[i].Sort
		fields, err := m.state.sortFields("sort", sort)
		if err != nil || marks.sortedBy(sort) != nil {
			continue
		}
		if room -= 2 * n; room < 0 {
			return marks
		}
		marks.Sorted = append(marks.Sorted, SortMarks{Sort: sort, Places: m.sorted(n, sort, fields)})
	}
	return marks
}

// CheckOrder refuses marks, which have passed Check, by which entries are not in
// order. KindInvalid (MARKS_DISORDERED). A sort by what is no indexed attribute is
// passed over: nobody has such an order.
func (m *Marker) CheckOrder(marks *Marks, n int, entry func(place int) (cairn.Key, cairn.Attributes)) *cairn.Error {
	m.read(n, entry)
	for i := range marks.Sorted {
		each := &marks.Sorted[i]
		fields, err := m.state.sortFields("sort", each.Sort)
		if err != nil {
			continue
		}
		for at := 1; at < n; at++ {
			if one, two := each.Places[at-1], each.Places[at]; m.compare(int(one), int(two), each.Sort, fields) >= 0 {
				return cairn.Invalid("marks", "MARKS_DISORDERED", "sorted by %v, key %s does not come before key %s", each.Sort, m.keyed[one], m.keyed[two])
			}
		}
	}
	return nil
}

// read takes the values of a run's entries.
func (m *Marker) read(n int, entry func(place int) (cairn.Key, cairn.Attributes)) {
	m.rows, m.keyed = m.rows[:0], m.keyed[:0]
	for place := range n {
		key, attributes := entry(place)
		m.row.read(&m.state, attributes, nil)
		m.rows, m.keyed = append(m.rows, m.row.values...), append(m.keyed, key)
	}
}

// members tries a view's filter on the entries.
func (m *Marker) members(d *Definition, n int) MemberMarks {
	out := MemberMarks{View: d.View, Version: d.Version, Condition: ConditionOf(d.Filter), Bits: make([]byte, (n+7)/8)}
	width := len(m.row.values)
	for place := range n {
		copy(m.row.values, m.rows[place*width:])
		if d.Filter == nil || d.Filter.MatchOrdinal(&m.row, 0) {
			out.Bits[place/8] |= 1 << (place % 8)
		}
	}
	return out
}

// sorted is the places of the entries in order of a sort.
func (m *Marker) sorted(n int, sort []SortField, fields []int) []uint16 {
	m.placed = m.placed[:0]
	for place := range n {
		each := placed{place: uint16(place)}
		if len(fields) == 0 {
			each.prefix = textPrefix(m.keyed[place])
		} else {
			each.prefix = m.state.attributes[fields[0]].prefixOf(m.value(place, fields[0]), sort[0].Descending)
		}
		m.placed = append(m.placed, each)
	}
	slices.SortFunc(m.placed, func(a, b placed) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return m.compare(int(a.place), int(b.place), sort, fields)
	})
	places := make([]uint16, n)
	for i := range m.placed {
		places[i] = m.placed[i].place
	}
	return places
}

func (m *Marker) value(place, field int) cairn.Value { return m.rows[place*len(m.row.values)+field] }

// compare orders two entries as a comparer does.
func (m *Marker) compare(a, b int, sort []SortField, fields []int) int {
	for i, field := range fields {
		if order := compareValues(m.value(a, field), m.value(b, field), sort[i].Descending); order != 0 {
			return order
		}
	}
	return m.keyed[a].Compare(m.keyed[b])
}

// compareValues orders two values of an attribute, null standing for none.
func compareValues(a, b cairn.Value, descending bool) int {
	if a.Type() == cairn.TypeNull || b.Type() == cairn.TypeNull {
		return absentLast(a.Type() != cairn.TypeNull, b.Type() != cairn.TypeNull)
	}
	var order int
	if a.Type() == cairn.TypeString {
		order = strings.Compare(a.Text(), b.Text())
	} else {
		order = cmp.Compare(rank(a), rank(b))
	}
	if descending {
		return -order
	}
	return order
}
