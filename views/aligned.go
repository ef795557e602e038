package views

import (
	"slices"

	"cairn"
	"cairn/views/filter"
	"cairn/views/order"
)

// maxAligned is how many distinct values an attribute may have for each to
// have a bitset in every order, beside the views'. A page of a view narrowed
// to one such value is then read off the order like a page of a view, however
// the value and the order are correlated.
const maxAligned = 16

// aligns reports whether an attribute's values have bitsets in the orders.
func (a *attribute) aligns() bool { return a.indexed && !a.unaligned }

// unalign gives up the bitsets of an attribute that has too many values by
// now. It does not get them back: it would lose them again.
func (v *Views) unalign(index int) {
	v.present.attributes[index].unaligned = true
	for _, o := range v.orders {
		if o != nil {
			o.forgetValues(index)
		}
	}
}

// forgetValues gives up the bitsets of an attribute in an order.
func (o *sorted) forgetValues(index int) {
	if index >= len(o.values) {
		return
	}
	for _, number := range o.values[index] {
		if number != everything {
			o.tree.DropView(number)
		}
	}
	o.values = slices.Clone(o.values)
	o.values[index] = nil
}

// aligned is the bitset of an attribute's value in an order, made if there is
// none; none is 0, which is the bitset of all entries. A value that is gone
// leaves an empty bitset behind, for the value that takes its code.
func (o *sorted) aligned(index int, code uint32) order.View {
	if index < len(o.values) && int(code) < len(o.values[index]) && o.values[index][code] != 0 {
		return o.values[index][code]
	}
	if o.full.has(index) {
		return everything
	}
	number, err := o.tree.AddView()
	if err != nil {
		// An order full of views has no room for what only makes it faster. It gives up
		// the attribute: a bitset that is made later would lack the entries until then.
		o.full.add(index)
		o.forgetValues(index)
		return everything
	}
	// Snapshots have the old slices.
	o.values = slices.Clone(o.values)
	for index >= len(o.values) {
		o.values = append(o.values, nil)
	}
	codes := slices.Clone(o.values[index])
	for int(code) >= len(codes) {
		codes = append(codes, 0)
	}
	codes[code] = number
	o.values[index] = codes
	return number
}

// bitset is that of a value of an attribute, by its code, if the order has it.
func (o *ordered) bitset(index int, code uint32) (v order.View, found bool) {
	if index >= len(o.values) || int(code) >= len(o.values[index]) {
		return 0, false
	}
	v = o.values[index][code]
	return v, v != everything
}

// valueOf is the bitset of the value that a condition asks for, if it is one that the order
// has a bitset of, and how many entries have it.
func (o *ordered) valueOf(leaf *filter.Leaf) (v order.View, size int, found bool) {
	index, found := o.state.index(leaf.Attribute().ID)
	if !found || leaf.Absent() || len(leaf.Ranges()) != 1 {
		return 0, 0, false
	}
	a := &o.state.attributes[index]
	value, single := leaf.Ranges()[0].Single()
	if !single || !a.aligns() {
		return 0, 0, false
	}
	code := uint32(rank(value))
	if value.Type() == cairn.TypeString {
		if code, found = a.dictionary.find(value.Text()); !found {
			return 0, 0, false
		}
	}
	v, found = o.bitset(index, code)
	return v, a.values.get(code).size(), found
}

// everything is the view of an order that has all its entries.
const everything order.View = 0
