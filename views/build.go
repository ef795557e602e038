package views

import (
	"slices"

	"cairn"
	"cairn/views/order"

	"github.com/RoaringBitmap/roaring/v2"
)

// Progress is how far a view is built.
type Progress struct {
	View    cairn.UID
	Version uint64
	// Done of Total is how far it is, in entries: a view goes through them
	// twice, for its members and for its order, which if it is new goes
	// through them twice as well, and Total counts each time.
	Done, Total int
	// Complete views are seen.
	Complete bool
}

// Build goes on with the views that are not complete, and folds in what waits
// outside the orders (see GatherShard), as far as going through up to limit
// entries takes it, and reports whether any of that is left. A step takes
// about as long whatever the number of entries: some milliseconds for ten
// thousand. A view becomes seen in the step that completes it.
//
// A new order is sorted as it was when Build began with it, and what changed
// since is inserted at last; it takes 30 bytes an entry meanwhile.
func (v *Views) Build(limit int) (more bool) {
	for _, o := range v.orders {
		if o == nil || !v.unfinished(o) {
			continue
		}
		if limit <= 0 {
			return true
		}
		limit = v.buildOrder(o, limit)
	}
	for slot, w := range v.present.views {
		if w == nil || w.complete || v.orders[w.order].next != everyOrdinal {
			continue
		}
		if limit <= 0 {
			return true
		}
		limit = v.buildView(slot, limit)
	}
	return slices.ContainsFunc(v.present.views, func(w *view) bool { return w != nil && !w.complete }) ||
		slices.ContainsFunc(v.orders, func(o *sorted) bool { return o != nil && v.unfinished(o) })
}

// unfinished reports whether Build has something to do in an order.
func (v *Views) unfinished(o *sorted) bool {
	return o.next != everyOrdinal || o.sorting != nil || v.foldsNow(o)
}

// eachOf calls do with up to limit ordinals of a bitmap from one on, and
// returns what is next and left. It ends at everyOrdinal when there are no
// more.
func eachOf(b *roaring.Bitmap, next uint64, limit int, do func(ordinal uint32)) (uint64, int) {
	it := b.Iterator()
	it.AdvanceIfNeeded(uint32(next))
	for ; it.HasNext() && limit > 0; limit-- {
		ordinal := it.Next()
		next = uint64(ordinal) + 1
		do(ordinal)
	}
	if !it.HasNext() {
		return everyOrdinal, limit
	}
	return next, limit
}

// buildView goes on with one view whose order is complete: first finds its
// members, then fills the order.
func (v *Views) buildView(slot, limit int) (left int) {
	v.ownCounts()
	w := *v.present.views[slot]
	if w.next != everyOrdinal {
		w.next, left = eachOf(v.present.entries.read(), w.next, limit, func(ordinal uint32) {
			if w.Filter != nil {
				v.effort.Evaluated++
			}
			if w.matches(&v.present, ordinal) {
				v.flip(slot, nil, ordinal, true)
			}
		})
	} else if left = v.fillSome(slot, &w, limit); w.complete {
		v.countMembers(slot)
	}
	v.present.views = slices.Clone(v.present.views)
	v.present.views[slot] = &w
	return left
}

// leafEntries is about how many entries a leaf of an order has.
const leafEntries = 256

// fillSome fills some more of a view's order. Changes meanwhile find the view
// complete, since its members are known.
func (v *Views) fillSome(slot int, w *view, limit int) (left int) {
	o, members := v.orders[w.order], v.present.members[slot]
	var after order.Position
	if w.last != nil {
		after = *w.last
	}
	judged := 0
	last, more := o.tree.FillViewStep(w.number, after, max(limit/leafEntries, 1), func(ordinal uint32) bool {
		judged++
		return members.contains(ordinal)
	})
	w.filled += judged
	if !more {
		w.complete, w.last = true, nil
		return limit - judged
	}
	c := &comparer{state: &v.present, sort: o.sort, fields: o.fields}
	w.last = &position{comparer: c, key: v.present.keys.get(last)}
	for _, field := range o.fields {
		w.last.values = append(w.last.values, v.present.attributes[field].value(last))
	}
	return limit - judged
}

// countMembers counts the members of a view for the first time.
func (v *Views) countMembers(slot int) {
	members := v.present.members[slot].read()
	for _, at := range v.shards {
		s := v.present.shards.get(at)
		if n := int(members.AndCardinality(s.ordinals.read())); n > 0 {
			v.count(v.editShard(s.id), slot, n)
		}
	}
}

// Progress is how far each version of each view is built.
func (v *Views) Progress() []Progress {
	var out []Progress
	total := v.present.entries.size()
	for _, w := range v.present.views {
		if w == nil {
			continue
		}
		p := Progress{View: w.View, Version: w.Version, Complete: w.complete}
		if !w.complete {
			p.Total, p.Done = 2*total, v.below(w.next)+min(w.filled, total)
			if o := v.orders[w.order]; o.next != everyOrdinal {
				p.Total = 4 * total
				if o.sorting != nil {
					p.Done = min(o.sorting.done, 2*total)
				}
			}
		}
		out = append(out, p)
	}
	return out
}

// below is how many entries have an ordinal below next.
func (v *Views) below(next uint64) int {
	if next == 0 {
		return 0
	}
	return int(v.present.entries.read().Rank(uint32(min(next, everyOrdinal) - 1)))
}
