package views

import (
	"cairn"
	"cairn/views/order"
)

// Put makes an entry what it is now: its key, its shard and its attributes.
// The ordinal is either new or has been Put with the same key and shard
// before; what has changed follows from what is held. Attributes must be
// valid for the schema; columns are values of the owner's own columns.
func (v *Views) Put(ordinal uint32, shardID cairn.ShardID, key cairn.Key, attributes cairn.Attributes, columns ...cairn.Attribute) {
	s := &v.present
	v.row.read(s, attributes, columns)
	exists := s.entries.contains(ordinal)
	var changed attributeSet
	for i := range s.attributes {
		if !exists && v.row.values[i].Type() != cairn.TypeNull || exists && !s.attributes[i].holds(ordinal, v.row.values[i]) {
			changed.add(i)
		}
	}
	switch {
	case !exists:
		s.keys.set(ordinal, key, v.bitmaps.generation)
		s.entries = v.bitmaps.edit(s.entries)
		v.bitmaps.set(s.entries, ordinal, true)
	case changed == (attributeSet{}):
		return
	default:
		v.lift(ordinal, &changed)
	}
	realigned := false
	for i := range s.attributes {
		if changed.has(i) {
			v.setValue(i, ordinal)
			realigned = realigned || s.attributes[i].aligns()
		}
	}
	home := v.editShard(shardID)
	if !exists {
		home.ordinals = v.bitmaps.edit(home.ordinals)
		v.bitmaps.set(home.ordinals, ordinal, true)
	}
	v.ownCounts()
	for number, o := range v.orders {
		switch {
		case o == nil:
		case !exists && home.gathers:
			v.judge(o, home, ordinal, standing{in: true}, nil)
			o.waiting.Add(ordinal)
			o.loose.Add(ordinal)
		case !exists:
			o.insert(ordinal, v.judge(o, home, ordinal, standing{in: true}, nil))
		case o.reads.meets(&changed):
			o.insert(ordinal, v.judge(o, home, ordinal, v.lifted[number], &changed))
		case realigned || o.watches.meets(&changed):
			revised := o.tree.Revise(ordinal, func(is order.ViewSet) order.ViewSet {
				return v.judge(o, home, ordinal, standing{is, true}, &changed)
			})
			if !revised {
				v.judge(o, home, ordinal, standing{}, &changed)
			}
		}
	}
}

// setValue makes the value of an attribute what the row has.
func (v *Views) setValue(i int, ordinal uint32) {
	a := &v.present.attributes[i]
	a.set(ordinal, v.row.values[i], &v.bitmaps)
	if a.aligns() && a.dictionary.distinct() > maxAligned {
		v.unalign(i)
	}
}

// standing is how an entry stood in an order: in it, as a member of views, or
// outside.
type standing struct {
	views order.ViewSet
	in    bool
}

// insert puts an entry in its place, unless that is done later.
func (o *sorted) insert(ordinal uint32, views order.ViewSet) {
	switch {
	case o.waiting.Contains(ordinal):
		o.loose.Add(ordinal) // a run has it where it stood
	case !o.defers(ordinal):
		o.effort.Placed++
		o.tree.Insert(ordinal, views)
	}
}

// lift takes an entry out of the orders that it has another place in with
// changed attributes, and notes how it stood there. An order finds an entry by
// its sort values, so it goes before they change.
func (v *Views) lift(ordinal uint32, changed *attributeSet) {
	for len(v.lifted) < len(v.orders) {
		v.lifted = append(v.lifted, standing{})
	}
	for number, o := range v.orders {
		if o != nil && o.reads.meets(changed) {
			views, in := o.tree.Remove(ordinal)
			v.lifted[number] = standing{append(v.lifted[number].views[:0], views...), in}
		}
	}
}

// judge is which of an order's views the entry that is put is a member of now,
// with the bitsets of its values, and brings members and counts up to that. It
// was in some of the views. The order knows that at the place where the entry
// is anyway: the views' bitmaps, a cache miss each, are left alone unless they
// change or the entry was outside. Only filters that ask for changed attributes
// are tried, all if changed is nil. The set is good until the next call.
func (v *Views) judge(o *sorted, home *shard, ordinal uint32, was standing, changed *attributeSet) order.ViewSet {
	is := v.valuesOf(o, ordinal)
	for _, slot := range o.slots {
		w := v.present.views[slot]
		in := v.wasMember(slot, ordinal, was)
		if w.covers(ordinal) && (changed == nil || w.reads.meets(changed)) {
			if matches := w.Filter == nil || v.evaluate(w, ordinal); matches != in {
				in = matches
				v.flip(slot, home, ordinal, in)
			}
		}
		if in {
			is = is.With(w.number)
		}
	}
	v.viewSet = is
	return is
}

// evaluate tries a view's filter on the entry that is put.
func (v *Views) evaluate(w *view, ordinal uint32) bool {
	v.effort.Evaluated++
	return w.Filter.MatchOrdinal(&v.row, ordinal)
}

// wasMember reports whether an entry that stood somehow in an order is a member
// of one of its views. While a view is built its bitmap is ahead of the order.
func (v *Views) wasMember(slot int, ordinal uint32, was standing) bool {
	if w := v.present.views[slot]; w.complete && was.in {
		return was.views.Has(w.number)
	}
	return v.present.members[slot].contains(ordinal)
}

// flip makes an entry a member of a view that it is not in, or takes it out.
func (v *Views) flip(slot int, home *shard, ordinal uint32, in bool) {
	place := &v.present.members[slot]
	*place = v.bitmaps.edit(*place)
	v.bitmaps.set(*place, ordinal, in)
	// A view under construction is counted when it is complete.
	if !v.present.views[slot].complete {
		return
	}
	if in {
		v.count(home, slot, 1)
	} else {
		v.count(home, slot, -1)
	}
}

// valuesOf is the bitsets of an order that an entry is in for its values.
func (v *Views) valuesOf(o *sorted, ordinal uint32) order.ViewSet {
	clear(v.viewSet)
	v.viewSet = v.viewSet.With(everything)
	for i := range v.present.attributes {
		if a := &v.present.attributes[i]; a.aligns() {
			if code, present := a.column.get(ordinal); present {
				v.viewSet = v.viewSet.With(o.aligned(i, uint32(code)))
			}
		}
	}
	return v.viewSet
}

// viewsOf is which of an order's views an entry is a member of, with the
// bitsets of its values. It is good until the next call.
func (v *Views) viewsOf(o *sorted, ordinal uint32) order.ViewSet {
	is := v.valuesOf(o, ordinal)
	for _, slot := range o.slots {
		if v.present.members[slot].contains(ordinal) {
			is = is.With(v.present.views[slot].number)
		}
	}
	v.viewSet = is
	return is
}

// Delete forgets an entry. The shard is the one it was Put with. An ordinal
// without an entry changes nothing.
func (v *Views) Delete(ordinal uint32, shardID cairn.ShardID) {
	s := &v.present
	if !s.entries.contains(ordinal) {
		return
	}
	home := v.editShard(shardID)
	home.ordinals = v.bitmaps.edit(home.ordinals)
	v.bitmaps.set(home.ordinals, ordinal, false)
	v.ownCounts()
	for _, o := range v.orders {
		if o == nil {
			continue
		}
		var was standing
		if !o.forget(ordinal) {
			was.views, was.in = o.tree.Remove(ordinal)
			o.defers(ordinal)
		}
		for _, slot := range o.slots {
			if v.wasMember(slot, ordinal, was) {
				v.flip(slot, home, ordinal, false)
			}
		}
	}
	for i := range s.attributes {
		s.attributes[i].set(ordinal, cairn.Value{}, &v.bitmaps)
	}
	s.keys.set(ordinal, nil, v.bitmaps.generation)
	s.entries = v.bitmaps.edit(s.entries)
	v.bitmaps.set(s.entries, ordinal, false)
}
