package views

import (
	"slices"

	"cairn"
	"cairn/views/order"
)

// Put makes an entry what it is now: its key, its shard and its attributes.
// The ordinal is either new or has been Put with the same key and shard
// before; what has changed follows from what is held. Attributes must be
// valid for the schema; columns are values of the owner's own columns.
func (v *Views) Put(ordinal uint32, shardID cairn.ShardID, key cairn.Key, attributes cairn.Attributes, columns ...cairn.Attribute) {
	s := &v.present
	clear(v.row)
	for each := range attributes.All() {
		if i, indexed := s.index(each.ID); indexed {
			v.row[i] = each.Value
		}
	}
	for _, each := range columns {
		if i, known := s.index(each.ID); known {
			v.row[i] = each.Value
		}
	}
	exists := s.entries.contains(ordinal)
	var changed attributeSet
	for i := range s.attributes {
		if !exists && v.row[i].Type() != cairn.TypeNull || exists && !s.attributes[i].holds(ordinal, v.row[i]) {
			changed.add(i)
		}
	}
	if exists && changed == (attributeSet{}) {
		return
	}
	if exists {
		// An order finds an entry by its sort values, so it goes before they
		// change.
		for _, o := range v.orders {
			if o != nil && o.reads.meets(&changed) {
				o.tree.Delete(ordinal)
			}
		}
	} else {
		s.keys.set(ordinal, key, v.bitmaps.generation)
		s.entries = v.bitmaps.edit(s.entries)
		v.bitmaps.set(s.entries, ordinal, true)
	}
	for i := range s.attributes {
		if changed.has(i) {
			a := &s.attributes[i]
			a.set(ordinal, v.row[i], &v.bitmaps)
			if a.aligns() && a.dictionary.distinct() > maxAligned {
				v.unalign(i)
			}
		}
	}
	home := v.editShard(shardID)
	if !exists {
		home.ordinals = v.bitmaps.edit(home.ordinals)
		v.bitmaps.set(home.ordinals, ordinal, true)
	}
	v.place(ordinal, home, exists, &changed)
}

// place brings memberships and orders up to an entry's changed attributes.
func (v *Views) place(ordinal uint32, home *shard, exists bool, changed *attributeSet) {
	v.ownCounts()
	moved := v.moved[:0]
	v.forget()
	for slot, each := range v.present.views {
		if each == nil || !each.covers(ordinal) || exists && !each.reads.meets(changed) {
			continue
		}
		in := each.matches(&v.present, ordinal)
		v.know(slot, in)
		if v.setMember(slot, home, ordinal, in) {
			moved = append(moved, each.order)
		}
	}
	realigned := v.realigned(changed)
	for number, o := range v.orders {
		switch {
		case o == nil:
		case !exists || o.reads.meets(changed):
			if !o.defers(ordinal) {
				o.tree.Insert(ordinal, v.viewsOf(o, ordinal))
			}
		case realigned || slices.Contains(moved, number):
			o.tree.Update(ordinal, v.viewsOf(o, ordinal))
		}
	}
	v.moved = moved
	clear(v.known)
}

// knowledge is whether the entry that is put is a member of a view, if that
// is known already.
type knowledge uint8

const (
	unknown knowledge = iota
	inside
	outside
)

// forget begins with another entry.
func (v *Views) forget() {
	clear(v.known)
	for len(v.known) < len(v.present.views) {
		v.known = append(v.known, unknown)
	}
}

func (v *Views) know(slot int, in bool) {
	v.known[slot] = outside
	if in {
		v.known[slot] = inside
	}
}

// isMember looks an entry up among a view's members if it has to.
func (v *Views) isMember(slot int, ordinal uint32) bool {
	if slot >= len(v.known) || v.known[slot] == unknown {
		return v.present.members[slot].contains(ordinal)
	}
	return v.known[slot] == inside
}

// realigned reports whether a changed attribute has bitsets in the orders.
func (v *Views) realigned(changed *attributeSet) bool {
	for i := range v.present.attributes {
		if v.present.attributes[i].aligns() && changed.has(i) {
			return true
		}
	}
	return false
}

// setMember makes an entry a member of a view or not, and reports whether that
// is a change.
func (v *Views) setMember(slot int, home *shard, ordinal uint32, in bool) bool {
	place := &v.present.members[slot]
	if (*place).contains(ordinal) == in {
		return false
	}
	*place = v.bitmaps.edit(*place)
	v.bitmaps.set(*place, ordinal, in)
	// A view under construction is counted when it is complete.
	if !v.present.views[slot].complete {
		return true
	}
	if in {
		v.count(home, slot, 1)
	} else {
		v.count(home, slot, -1)
	}
	return true
}

// viewsOf is which of an order's views an entry is a member of, with the
// bitsets of its values. It is good until the next call.
func (v *Views) viewsOf(o *sorted, ordinal uint32) order.ViewSet {
	clear(v.viewSet)
	v.viewSet = v.viewSet.With(everything)
	for i := range v.present.attributes {
		if a := &v.present.attributes[i]; a.aligns() {
			if code, present := a.column.get(ordinal); present {
				v.viewSet = v.viewSet.With(o.aligned(i, uint32(code)))
			}
		}
	}
	for _, slot := range o.slots {
		if v.isMember(slot, ordinal) {
			v.viewSet = v.viewSet.With(v.present.views[slot].number)
		}
	}
	return v.viewSet
}

// Delete forgets an entry. The shard is the one it was Put with. An ordinal
// without an entry changes nothing.
func (v *Views) Delete(ordinal uint32, shardID cairn.ShardID) {
	s := &v.present
	if !s.entries.contains(ordinal) {
		return
	}
	for _, o := range v.orders {
		if o != nil {
			o.tree.Delete(ordinal)
			o.defers(ordinal)
		}
	}
	home := v.editShard(shardID)
	home.ordinals = v.bitmaps.edit(home.ordinals)
	v.bitmaps.set(home.ordinals, ordinal, false)
	v.ownCounts()
	for slot, each := range s.views {
		if each != nil {
			v.setMember(slot, home, ordinal, false)
		}
	}
	for i := range s.attributes {
		s.attributes[i].set(ordinal, cairn.Value{}, &v.bitmaps)
	}
	s.keys.set(ordinal, nil, v.bitmaps.generation)
	s.entries = v.bitmaps.edit(s.entries)
	v.bitmaps.set(s.entries, ordinal, false)
}
