package order

import (
	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// AddView adds a view without members and is its number. It is refused
// (KindExhausted) beyond MaxViews.
func (o *Order) AddView() (View, error) {
	v := 0
	for v < o.views && o.used.Has(View(v)) {
		v++
	}
	if v == MaxViews {
		return 0, cairn.Errorf(cairn.KindExhausted, "ORDER_VIEWS_EXHAUSTED",
			"an order has at most %d views; drop one of those with this sort", MaxViews)
	}
	o.used = o.used.With(View(v))
	o.views = max(o.views, v+1)
	return View(v), nil
}

// DropView takes a view with all its memberships away and gives the memory
// back, leaf by leaf where it has members. Iterators of earlier snapshots go
// on as before. A view that the order does not have is ignored.
func (o *Order) DropView(v View) {
	if !o.used.Has(v) {
		return
	}
	o.eachLeaf(func(at path, _ *leaf) { o.setLeaf(at, int(v), &words{}) })
	o.used.remove(v)
	for o.views > 0 && !o.used.Has(View(o.views-1)) {
		o.views--
	}
}

// Views is how many views the order has.
func (o *Order) Views() int {
	n := 0
	o.used.each(func(int) { n++ })
	return n
}

// FillView makes exactly the entries for which member is true the members of a
// view, in one pass over the order. A view that the order does not have is
// ignored.
func (o *Order) FillView(v View, member func(ordinal uint32) bool) {
	if !o.used.Has(v) {
		return
	}
	o.eachLeaf(func(at path, l *leaf) {
		is := judge(l, member)
		o.setLeaf(at, int(v), &is)
	})
}

// eachLeaf calls do with all leaves; do may change them, but not their number.
func (o *Order) eachLeaf(do func(path, *leaf)) {
	for i := range o.root.branches {
		for j := range o.root.branches[i].n {
			for k := range o.root.group(path{branch: i, group: j}).n {
				at := path{i, j, k}
				do(at, o.root.leaf(at))
			}
		}
	}
}

// FillViewFrom makes exactly the entries in a bitmap the members of a view.
// Ordinals of the bitmap that the order does not have are ignored.
func (o *Order) FillViewFrom(v View, members *roaring.Bitmap) {
	// Ordinals come in no order here: a bit of a flat array is found in a
	// tenth of the time that a container takes.
	dense := members.ToDense()
	o.FillView(v, func(ordinal uint32) bool {
		i := int(ordinal >> 6)
		return i < len(dense) && dense[i]>>(ordinal&63)&1 != 0
	})
}

// FillViewStep does a part of FillView, so that the order may change between
// the parts: it fills some leaves, at least one, from the one on that has the
// first entry after a position, from the first one if after is nil. It reports
// whether there is more to fill, and if so the last entry of what it filled:
// its values and key make the position to go on from. Entries that are
// inserted or updated meanwhile must be given the view in their sets.
func (o *Order) FillViewStep(v View, after Position, leaves int, member func(ordinal uint32) bool) (last uint32, more bool) {
	if !o.used.Has(v) || o.root.entries == 0 {
		return 0, false
	}
	var at path
	if after != nil {
		at = locate(o.root, place{after}, true)
		l := o.root.leaf(at)
		if search(l.ordinals[:l.n], place{after}, true) == int(l.n) {
			if at, more = o.root.next(at); !more {
				return 0, false
			}
		}
	}
	for {
		l := o.root.leaf(at)
		is := judge(l, member)
		o.setLeaf(at, int(v), &is)
		leaves--
		next, ok := o.root.next(at)
		if !ok || leaves <= 0 {
			return l.ordinals[l.n-1], ok
		}
		at = next
	}
}

// next is the leaf to the right, if there is one.
func (r *root) next(at path) (path, bool) {
	switch {
	case at.leaf+1 < r.group(at).n:
		return path{at.branch, at.group, at.leaf + 1}, true
	case at.group+1 < r.branches[at.branch].n:
		return path{at.branch, at.group + 1, 0}, true
	case at.branch+1 < len(r.branches):
		return path{branch: at.branch + 1}, true
	}
	return at, false
}

// judge is the bits of the entries of a leaf for which member is true.
func judge(l *leaf, member func(ordinal uint32) bool) words {
	var is words
	for slot, ordinal := range l.ordinals[:l.n] {
		var bit uint64
		if member(ordinal) {
			bit = 1
		}
		is[slot>>6] |= bit << (slot & 63)
	}
	return is
}

// setLeaf sets the bits of a view in a leaf. A leaf in which nothing changes
// is not copied.
func (o *Order) setLeaf(at path, v int, is *words) {
	var was words
	before := o.root.leaf(at).bits(v, &was)
	if *is == was {
		return
	}
	b, g, l := o.own(at)
	o.reserve(b, g, l)
	if m := l.of(v); m.inBlock(int(l.n)) {
		o.edit.freed = append(o.edit.freed[:0], uint16(m.block()))
		l.views[v] = 0
		l.giveBack(&o.edit)
	}
	l.put(v, is)
	after := l.of(v).count()
	g.change(v, at.leaf, after-before, after)
	b.change(v, at.group, after-before, g.count(v))
	o.root.totals[v] += uint32(after - before)
}
