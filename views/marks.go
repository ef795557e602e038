package views

import (
	"hash/fnv"
	"slices"

	"cairn"
	"cairn/views/filter"
)

// Marks tell of a run of entries what would else be worked out of each of them: who
// is a member of which views, and how they are sorted. They mean entries by their
// places in the run, so that they are good wherever the entries go.
type Marks struct {
	Members []MemberMarks
	Sorted  []SortMarks
}

// MemberMarks are the members of one version of a view.
type MemberMarks struct {
	View    cairn.UID
	Version uint64
	// Condition is the ConditionOf the filter by which they were found.
	Condition uint64
	// Bits has a bit for each entry, eight in a byte, the lowest first.
	Bits []byte
}

// SortMarks are the places of a run's entries in order of a sort, and of keys where
// its values are equal.
type SortMarks struct {
	Sort   []SortField
	Places []uint16
}

// MaxMarked is how many entries a run with marks has at most.
const MaxMarked = 1 << 16

// ConditionOf is a number of what a filter asks for, nil for everything: of its text
// and of the attributes that the names in it stand for. Where it differs, a view is
// not the same.
func ConditionOf(f *filter.Filter) uint64 {
	if f == nil {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(f.String())) // never fails
	for _, spec := range f.Attributes() {
		_, _ = h.Write([]byte{0, byte(spec.ID >> 24), byte(spec.ID >> 16), byte(spec.ID >> 8), byte(spec.ID), byte(spec.Type)})
	}
	return h.Sum64()
}

// Check refuses marks that can't be those of a run of so many entries, whatever the
// entries are: bits of other entries, or places that are not each of theirs once.
// KindInvalid (MARKS_MALFORMED).
func (m *Marks) Check(entries int) *cairn.Error {
	if entries > MaxMarked {
		return malformed("%d entries; a run with marks has at most %d", entries, MaxMarked)
	}
	for i := range m.Members {
		each := &m.Members[i]
		if len(each.Bits) != (entries+7)/8 || entries%8 > 0 && each.Bits[len(each.Bits)-1]>>(entries%8) != 0 {
			return malformed("the members of view %s version %d are not among the %d entries", each.View, each.Version, entries)
		}
	}
	var seen []bool
	for i := range m.Sorted {
		each := &m.Sorted[i]
		seen = append(seen[:0], make([]bool, entries)...)
		for _, place := range each.Places {
			if int(place) >= entries || seen[place] {
				return malformed("sorted by %v it has place %d twice, or beyond its %d entries", each.Sort, place, entries)
			}
			seen[place] = true
		}
		if len(each.Places) != entries {
			return malformed("sorted by %v it has %d places for %d entries", each.Sort, len(each.Places), entries)
		}
	}
	return nil
}

func malformed(format string, args ...any) *cairn.Error {
	return cairn.Invalid("marks", "MARKS_MALFORMED", format, args...)
}

// has tells whether an entry is one of the members.
func (m *MemberMarks) has(place int) bool { return m.Bits[place/8]>>(place%8)&1 != 0 }

// of is what is told of a view, nil for nothing.
func (m *Marks) of(w *view) *MemberMarks {
	for i := range m.Members {
		if each := &m.Members[i]; each.View == w.View && each.Version == w.Version && each.Condition == ConditionOf(w.Filter) {
			return each
		}
	}
	return nil
}

// sortedBy is what is told of a sort, nil for nothing.
func (m *Marks) sortedBy(sort []SortField) []uint16 {
	for i := range m.Sorted {
		if slices.Equal(m.Sorted[i].Sort, sort) {
			return m.Sorted[i].Places
		}
	}
	return nil
}
