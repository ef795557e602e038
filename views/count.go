package views

import (
	"cairn"
	"cairn/views/filter"
	"cairn/views/order"
)

// Count is how many entries a selection has: from kept counts if nothing
// narrows the view, from an order's where that knows what does. A condition is refused as
// in Page, and one on an attribute without an index also where more than Budget entries
// would have to be tested.
func (s *Snapshot) Count(sel Selection) (int, error) {
	slot, _, err := s.view(sel.View, sel.Version)
	if err != nil {
		return 0, err
	}
	if sel.Where == nil {
		return s.kept(slot), nil
	}
	if c, found := s.confine(&sel, slot); found && (len(c.values) == 0 || s.state.scansFor(sel.Where)) {
		if !sel.Brief || c.cost() <= countedBriefly {
			return c.count(), nil
		}
	}
	if n, told := s.countValue(&sel, slot); told {
		return n, nil
	}
	if sel.Brief {
		return 0, ErrLong
	}
	selected, err := s.selected(&sel, slot)
	if err != nil {
		return 0, err
	}
	return selected.count(), nil
}

// countValue counts the members that have a value which the view's order has a bitset of,
// from what is kept with the order.
func (s *Snapshot) countValue(sel *Selection, slot int) (n int, told bool) {
	w := s.state.views[slot]
	o, root := s.orders[w.order], sel.Where.Root()
	if root.Kind() != filter.Test || !o.usable || s.masked() != nil {
		return 0, false
	}
	value, _, aligned := o.valueOf(root.Leaf())
	if !aligned {
		return 0, false
	}
	all := confined{order: o, walks: w.number, part: stretch{begin: o.reader.First(w.number), end: o.reader.End(w.number), to: o.reader.Count(w.number)}}
	counts, told := all.countEach([]order.View{value}, countedBriefly)
	if !told {
		return 0, false
	}
	return counts[0], true
}

// selected is the entries of a selection.
func (s *Snapshot) selected(sel *Selection, slot int) (passing, error) {
	if err := sel.usable(); err != nil {
		return passing{}, err
	}
	members := s.members(slot)
	switch {
	case sel.Where == nil:
		return untested(members), nil
	case sel.Where.Plan().Exact():
		return s.narrowed(members, sel.Where), nil
	}
	found, err := s.test(sel, sel.Where.Plan().Select(&resolver{state: &s.state}, members), &Plan{})
	return untested(found), err
}

// Explanation is why an entry is in a view or not.
type Explanation struct {
	// Member tells whether it is; Hidden that it is not seen because its
	// shard is not.
	Member, Hidden bool
	// Filter says which clauses decide; nil if the view has no filter.
	Filter *filter.Explanation
}

// Explain says why an entry is in a view or not. Attributes are the entry's,
// of the snapshot's state. It is refused as Count is. An ordinal without an
// entry is no member of anything.
func (s *Snapshot) Explain(uid cairn.UID, version uint64, ordinal uint32, attributes cairn.Attributes) (Explanation, error) {
	slot, w, err := s.view(uid, version)
	if err != nil {
		return Explanation{}, err
	}
	var out Explanation
	masked := s.masked()
	out.Hidden = masked != nil && masked.Contains(ordinal)
	out.Member = !out.Hidden && s.state.members[slot].contains(ordinal)
	if w.Filter != nil {
		why := w.Filter.Explain(attributes)
		out.Filter = &why
	}
	return out, nil
}
