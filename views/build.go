package views

import (
	"slices"

	"cairn"
)

// Progress is how far a view is built.
type Progress struct {
	View    cairn.UID
	Version uint64
	// Done of Total entries are in it or known not to be. A view whose order
	// is new goes through them twice, and Total counts both.
	Done, Total int
	// Complete views are seen.
	Complete bool
}

// Build goes through up to limit entries for the views that are not complete,
// and reports whether any is left. A view becomes seen in the step that
// completes it.
func (v *Views) Build(limit int) (more bool) {
	for _, o := range v.orders {
		if o == nil || o.next == everyOrdinal {
			continue
		}
		if limit <= 0 {
			return true
		}
		o.next, limit = v.each(o.next, limit, func(ordinal uint32) {
			o.tree.Insert(ordinal, v.viewsOf(o, ordinal))
		})
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
	return slices.ContainsFunc(v.present.views, func(w *view) bool { return w != nil && !w.complete })
}

// each calls do with up to limit entries from an ordinal on, and returns what
// is next and left. It ends at everyOrdinal when there are no more.
func (v *Views) each(next uint64, limit int, do func(ordinal uint32)) (uint64, int) {
	it := v.present.entries.read().Iterator()
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

// buildView goes on with one view whose order is complete.
func (v *Views) buildView(slot, limit int) (left int) {
	v.ownCounts()
	w := *v.present.views[slot]
	o := v.orders[w.order]
	w.next, left = v.each(w.next, limit, func(ordinal uint32) {
		if w.matches(&v.present, ordinal) {
			v.flip(slot, nil, ordinal, true)
			o.tree.Update(ordinal, v.viewsOf(o, ordinal))
		}
	})
	if w.next == everyOrdinal {
		w.complete = true
		v.countMembers(slot)
	}
	v.present.views = slices.Clone(v.present.views)
	v.present.views[slot] = &w
	return left
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
			p.Total, p.Done = total, v.below(w.next)
			if next := v.orders[w.order].next; next != everyOrdinal {
				p.Total, p.Done = 2*total, v.below(next)
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
