package order

import "math/bits"

// Order is the order of one sort spec with its views. One goroutine uses it;
// what Snapshot hands out, any.
type Order struct {
	comparer Comparer
	shape    shape
	// generation is of the nodes made since the last snapshot; root is the
	// present tree.
	generation uint64
	root       *root

	// used are the views there are; views is one more than the highest ever
	// used, and so how many memberships a leaf has at most.
	used  ViewSet
	views int

	edit     edit
	blending blending
	// members and revised are room that changes need again and again.
	members, revised ViewSet
}

// shape is how many children nodes have.
type shape struct {
	leaf, fan           int // at most
	leafLoad, fanLoad   int // after a load, and at most after a merge
	leafSmall, fanSmall int // below which a node looks for one to merge with
}

func newShape(leaf, fan int) shape {
	return shape{
		leaf: leaf, fan: fan,
		leafLoad: max(leaf*3/4, 1), fanLoad: max(fan*3/4, 1),
		leafSmall: leaf * 3 / 8, fanSmall: fan * 3 / 8,
	}
}

// entry is an ordinal as a position. Neither it nor place is behind an
// interface where the order looks for it: the compiler then makes code for
// each that compares without a detour.
type entry struct {
	comparer Comparer
	ordinal  uint32
	prefix   uint64
}

func (e entry) Compare(ordinal uint32) int {
	if ordinal == e.ordinal {
		return 0
	}
	return e.comparer.Compare(ordinal, e.ordinal)
}

func (e entry) Prefix() uint64 { return e.prefix }

// place is a caller's position.
type place struct{ Position }

// New makes an order without entries or views.
func New(comparer Comparer) *Order { return newOrder(comparer, newShape(leafCapacity, fanout)) }

func newOrder(comparer Comparer, s shape) *Order {
	return &Order{comparer: comparer, shape: s, generation: 1, root: &root{generation: 1}}
}

// Len is how many entries the order has.
func (o *Order) Len() int { return o.root.entries }

// Count is how many members a view has, zero if there is no such view.
func (o *Order) Count(v View) int { return o.root.count(int(v)) }

// Snapshot is the present state. It costs no more than what the next change
// has to copy, and holds the memory of what it alone still shows.
func (o *Order) Snapshot() Reader {
	o.generation++
	return Reader{root: o.root}
}

// seek is an ordinal as a position.
func (o *Order) seek(ordinal uint32) entry {
	return entry{o.comparer, ordinal, o.comparer.Prefix(ordinal)}
}

// Insert puts an entry in its place, as a member of those of the views that the
// order has. It is false, and nothing changes, if the order has the entry
// already. The values and the key that the entry is compared by are in place
// before.
func (o *Order) Insert(ordinal uint32, views ViewSet) bool {
	p := o.seek(ordinal)
	r := o.ownRoot()
	if len(r.branches) == 0 {
		o.plant()
	}
	at := locate(r, p, true)
	l := r.leaf(at)
	slot := search(l.ordinals[:l.n], p, false)
	if slot < int(l.n) && l.ordinals[slot] == ordinal {
		return false
	}
	if int(l.n) == o.shape.leaf {
		at, slot = o.split(at, slot)
	}
	b, g, l := o.own(at)
	views = o.known(views)
	if !views.isEmpty() {
		o.reserve(b, g, l)
	}
	l.insert(slot, ordinal, views, &o.edit)
	r.entries++
	if slot == 0 {
		o.separate(at)
	}
	for i, word := range views {
		for ; word != 0; word &= word - 1 {
			o.count(b, g, at, i<<6+bits.TrailingZeros64(word))
		}
	}
	return true
}

// known is the set without views that the order does not have.
func (o *Order) known(views ViewSet) ViewSet {
	o.members = o.members[:0]
	for i := range min(len(views), len(o.used)) {
		o.members = append(o.members, views[i]&o.used[i])
	}
	return o.members
}

// Delete takes an entry out of the order and of all views. It is false, and
// nothing changes, if the order does not have the entry. The values and the
// key that it was inserted with are still in place.
func (o *Order) Delete(ordinal uint32) bool {
	_, ok := o.Remove(ordinal)
	return ok
}

// Remove is Delete, and tells of which views the entry was a member. The set
// is the order's own until the next call.
func (o *Order) Remove(ordinal uint32) (was ViewSet, ok bool) {
	at, slot, ok := o.find(ordinal)
	if !ok {
		return nil, false
	}
	b, g, l := o.own(at)
	l.remove(slot, &o.edit)
	o.root.entries--
	for i, word := range o.edit.was {
		for ; word != 0; word &= word - 1 {
			o.discount(b, g, l, at, i<<6+bits.TrailingZeros64(word))
		}
	}
	if slot == 0 && l.n > 0 {
		o.separate(at)
	}
	if int(l.n) < o.shape.leafSmall || l.n == 0 {
		o.merge(at)
	}
	return o.edit.was, true
}

// Update makes an entry a member of exactly those of the views that the order
// has, where its sort values stay as they are. It is false, and nothing
// changes, if the order does not have the entry.
func (o *Order) Update(ordinal uint32, views ViewSet) bool {
	return o.Revise(ordinal, func(ViewSet) ViewSet { return views })
}

// Revise is Update to what revise makes of the set of views that the entry is
// a member of. It may change that set; it may add views to the order, but do
// nothing else to it.
func (o *Order) Revise(ordinal uint32, revise func(is ViewSet) ViewSet) bool {
	at, slot, ok := o.find(ordinal)
	if !ok {
		return false
	}
	o.memberships(at, slot)
	o.revised = append(o.revised[:0], o.edit.was...)
	was := o.revised
	views := o.known(revise(o.edit.was))
	changed := difference(was, views)
	if changed.isEmpty() {
		return true
	}
	o.revised = changed
	b, g, l := o.own(at)
	if !views.isEmpty() {
		o.reserve(b, g, l)
	}
	for i, word := range changed {
		for ; word != 0; word &= word - 1 {
			v := i<<6 + bits.TrailingZeros64(word)
			is := views.bit(v)
			l.set(v, slot, is, &o.edit)
			if is != 0 {
				o.count(b, g, at, v)
			} else {
				o.discount(b, g, l, at, v)
			}
		}
	}
	l.giveBack(&o.edit)
	return true
}

// difference is the views that are in one of two sets. It takes the room of
// the first.
func difference(a, b ViewSet) ViewSet {
	for len(a) < len(b) {
		a = append(a, 0)
	}
	for i, word := range b {
		a[i] ^= word
	}
	return a
}

// memberships makes o.edit.was the set of views of which an entry is a member.
func (o *Order) memberships(at path, slot int) {
	l := o.root.leaf(at)
	o.edit.reset(int(l.slots))
	for v, m := range l.views[:l.slots] {
		if m != 0 {
			o.edit.was[v>>6] |= l.has(v, slot) << (v & 63)
		}
	}
}

// Has reports whether the order has an entry, and of which of its views it is
// a member. The set is the order's own until the next call.
func (o *Order) Has(ordinal uint32) (ViewSet, bool) {
	at, slot, ok := o.find(ordinal)
	if !ok {
		return nil, false
	}
	o.memberships(at, slot)
	return o.edit.was, true
}

// find is where an entry stands.
func (o *Order) find(ordinal uint32) (at path, slot int, ok bool) {
	if o.root.entries == 0 {
		return path{}, 0, false
	}
	at = locate(o.root, o.seek(ordinal), true)
	slot = o.root.leaf(at).find(ordinal)
	return at, slot, slot >= 0
}

// count counts a new member of a view in a leaf, up to the root.
func (o *Order) count(b *branch, g *group, at path, v int) {
	g.add(v, at.leaf)
	b.add(v, at.group)
	o.root.totals[v]++
}

// discount counts a member fewer of a view in a leaf, up to the root.
func (o *Order) discount(b *branch, g *group, l *leaf, at path, v int) {
	g.change(v, at.leaf, -1, l.of(v).count())
	b.change(v, at.group, -1, g.count(v))
	o.root.totals[v]--
}
