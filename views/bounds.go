package views

import (
	"cairn"
	"cairn/views/filter"
	"cairn/views/order"
)

// bound is the place in an order before or after all entries with a value in
// the first field.
type bound struct {
	*comparer
	value cairn.Value
}

// Compare orders an entry and the bound by the first field alone.
func (b bound) Compare(ordinal uint32) int {
	return b.state.attributes[b.fields[0]].compareWith(ordinal, b.value, b.sort[0].Descending)
}

// Prefix is the bound's own.
func (b bound) Prefix() uint64 {
	return b.state.attributes[b.fields[0]].prefixOf(b.value, b.sort[0].Descending)
}

// stretch is a part of a view in its order, by ranks: all of the view that a
// condition on the order's first field can be true of.
type stretch struct {
	from, to int
	// alone is set if the condition is true of all in it.
	alone bool
}

// stretchOf is the stretch that a condition confines a view to, if it has a
// range of numbers or times in the order's first field that must hold.
func stretchOf(o *comparer, reader *order.Reader, view order.View, where *filter.Filter) (part stretch, found bool) {
	if where == nil || len(o.fields) == 0 {
		return part, false
	}
	root := where.Root()
	tests := []*filter.Node{root}
	if root.Kind() == filter.And {
		tests = root.Children()
	}
	a := &o.state.attributes[o.fields[0]]
	if a.spec.Type == cairn.TypeString || a.spec.Type == cairn.TypeBool {
		return part, false
	}
	for _, test := range tests {
		leaf := test.Leaf()
		if test.Kind() != filter.Test || leaf.Attribute().ID != a.spec.ID || leaf.Absent() || len(leaf.Ranges()) != 1 {
			continue
		}
		s := spanOf(leaf.Ranges()[0])
		first, last := ofRank(a.spec.Type, s.low), ofRank(a.spec.Type, s.high)
		if o.sort[0].Descending {
			first, last = last, first
		}
		begin, end := reader.Seek(view, bound{o, first}), reader.SeekPast(view, bound{o, last})
		return stretch{from: begin.Rank(), to: end.Rank(), alone: root.Kind() == filter.Test}, true
	}
	return part, false
}
