package views

import (
	"fmt"

	"cairn"
	"cairn/views/order"

	"github.com/RoaringBitmap/roaring/v2"
)

// Check goes through everything and reports what does not agree (KindCorrupt,
// VIEWS_INCONSISTENT): the orders themselves and their entries, memberships
// and filters, values and their bitmaps, and counts. It takes seconds where
// there are millions of entries.
func (v *Views) Check() error {
	s := &v.present
	masked := s.masked()
	for it := s.entries.read().Iterator(); it.HasNext(); {
		ordinal := it.Next()
		if err := v.checkEntry(ordinal, masked == nil || !masked.Contains(ordinal)); err != nil {
			return err
		}
	}
	for number, o := range v.orders {
		if o == nil {
			continue
		}
		if err := o.tree.Check(); err != nil {
			return inconsistent("order %d: %v", number, err)
		}
		want := s.entries.size() - int(o.waiting.GetCardinality())
		if o.tree.Len() > want || o.next == everyOrdinal && o.sorting == nil && o.tree.Len() != want {
			return inconsistent("order %d has %d of %d entries", number, o.tree.Len(), want)
		}
		lacking := o.waiting
		if o.sorting != nil {
			lacking = roaring.Or(lacking, o.sorting.entries)
		}
		if !roaring.AndNot(o.exposed, lacking).IsEmpty() {
			return inconsistent("order %d is not used for entries that it has", number)
		}
	}
	return v.checkCounts()
}

func inconsistent(format string, args ...any) error {
	return cairn.Errorf(cairn.KindCorrupt, "VIEWS_INCONSISTENT", "projections that do not agree: %s; rebuild them from the entries", fmt.Sprintf(format, args...))
}

func (v *Views) checkEntry(ordinal uint32, seen bool) error {
	s := &v.present
	if len(s.keys.get(ordinal)) == 0 {
		return inconsistent("entry %d has no key", ordinal)
	}
	for i := range s.attributes {
		a := &s.attributes[i]
		if number, present := a.column.get(ordinal); present && a.indexed && !a.values.get(uint32(number)).contains(ordinal) {
			return inconsistent("entry %d is not in the bitmap of its %s", ordinal, a.spec.Name)
		}
	}
	for slot, w := range s.views {
		if w != nil && s.members[slot].contains(ordinal) != (w.covers(ordinal) && w.matches(s, ordinal)) {
			return inconsistent("entry %d in view %s version %d", ordinal, w.View, w.Version)
		}
	}
	for number, o := range v.orders {
		if o == nil {
			continue
		}
		has, present := o.tree.Has(ordinal)
		if !present && o.next == everyOrdinal && (!o.lacks(ordinal) || seen && !o.exposed.Contains(ordinal)) {
			return inconsistent("entry %d in order %d", ordinal, number)
		}
		want := v.viewsOf(o, ordinal)
		if present && !sameViews(has, want, v.unfilled(o)) {
			return inconsistent("entry %d is in the views %b of order %d, not %b", ordinal, has, number, want)
		}
	}
	return nil
}

// unfilled are the views that an order need not have the members of yet.
func (v *Views) unfilled(o *sorted) order.ViewSet {
	var out order.ViewSet
	for _, slot := range o.slots {
		if w := v.present.views[slot]; !w.complete {
			out = out.With(w.number)
		}
	}
	return out
}

// sameViews reports whether two sets are the same but for some views.
func sameViews(a, b, but order.ViewSet) bool {
	for i := range max(len(a), len(b)) {
		var one, two uint64
		if i < len(a) {
			one = a[i]
		}
		if i < len(b) {
			two = b[i]
		}
		if i < len(but) {
			one, two = one&^but[i], two&^but[i]
		}
		if one != two {
			return false
		}
	}
	return true
}

func (v *Views) checkCounts() error {
	s := &v.present
	all := roaring.New()
	for at := range s.shardSize {
		each := s.shards.get(at)
		if each == nil {
			continue
		}
		ordinals := each.ordinals.read()
		if all.Intersects(ordinals) || int(ordinals.GetCardinality()) != each.ordinals.size() {
			return inconsistent("the entries of shard %s", each.id)
		}
		all.Or(ordinals)
		for slot, w := range s.views {
			if w == nil || !w.complete {
				continue
			}
			kept := 0
			if slot < len(each.counts) {
				kept = each.counts[slot]
			}
			if n := int(s.members[slot].read().AndCardinality(ordinals)); n != kept {
				return inconsistent("view %s version %d has %d members in shard %s, %d by its count", w.View, w.Version, n, each.id, kept)
			}
		}
	}
	if !all.Equals(s.entries.read()) {
		return inconsistent("%d entries, %d in shards", s.entries.size(), all.GetCardinality())
	}
	for slot, w := range s.views {
		if members := s.members[slot]; w != nil && w.complete && (int(members.read().GetCardinality()) != s.totals[slot] || members.size() != s.totals[slot]) {
			return inconsistent("view %s version %d has %d members, %d by its count", w.View, w.Version, members.size(), s.totals[slot])
		}
	}
	return nil
}
