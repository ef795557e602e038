package views

import (
	"iter"
	"slices"

	"cairn"
	"cairn/views/filter"
	"cairn/views/order"

	"github.com/RoaringBitmap/roaring/v2"
)

// confined is a selection that an order tells from its bitsets alone: the members of a view
// in a stretch of it that have some values. It may be another view than was asked for, with
// the same filter in another order: one sorted by tier and score tells how many members of
// any such view have a tier and more than some score. All orders tell of a view of all.
type confined struct {
	order  *ordered
	walks  order.View
	part   stretch
	values []order.View
}

// How many leaves of an order are looked at: for counts where the answer is to be brief,
// each takes a tenth of a microsecond; for sums then and otherwise, up to four.
const (
	countedBriefly = 200
	talliedBriefly = 12
	talliedAtMost  = 64
)

// confine finds the order that says most of a selection. There is none if conditions are left
// that no order has bitsets of, and where shards are hidden, which orders do not know.
func (s *Snapshot) confine(sel *Selection, slot int) (best confined, found bool) {
	if sel.Where == nil || s.masked() != nil {
		return best, false
	}
	try := func(o *ordered, walks order.View) {
		if o == nil || !o.usable {
			return
		}
		if c, confines := o.confine(walks, sel.Where); confines && (!found || c.cost() < best.cost()) {
			best, found = c, true
		}
	}
	asked := s.state.views[slot]
	if asked.Filter == nil {
		for _, o := range s.orders {
			try(o, everything)
		}
		return best, found
	}
	for _, w := range s.state.views {
		if w != nil && w.complete && w.sameFilter(asked) {
			try(s.orders[w.order], w.number)
		}
	}
	return best, found
}

// sameFilter tells whether two views have the same members, of which one has a filter.
func (w *view) sameFilter(other *view) bool {
	return w.Filter != nil && w.Filter.String() == other.Filter.String()
}

// confine is a condition as far as the order says it; false if that is not all of it.
func (o *ordered) confine(walks order.View, where *filter.Filter) (c confined, all bool) {
	part, found := stretchOf(&o.comparer, &o.reader, walks, where)
	if !found {
		return confined{}, false
	}
	c = confined{order: o, walks: walks, part: part}
	for _, node := range part.left {
		if node.Kind() != filter.Test {
			return confined{}, false
		}
		value, _, aligned := o.valueOf(node.Leaf())
		if !aligned {
			return confined{}, false
		}
		c.values = append(c.values, value)
	}
	return c, true
}

// cost is how many leaves have to be looked at to count the members, at most: none where
// ranks tell.
func (c *confined) cost() int {
	if len(c.values) == 0 {
		return 0
	}
	return c.leaves()
}

// leaves is how many leaves the members are in, at most.
func (c *confined) leaves() int {
	return min(c.part.to-c.part.from, c.part.begin.LeavesTo(c.part.end))
}

// parts are the members, in order.
func (c *confined) parts() iter.Seq[*order.Part] { return c.part.begin.Parts(c.part.end, c.values) }

func (c *confined) count() (n int) {
	if len(c.values) == 0 {
		return c.part.to - c.part.from
	}
	for p := range c.parts() {
		n += p.Len()
	}
	return n
}

// bitmap is the members as a set of ordinals.
func (c *confined) bitmap(s *state) *roaring.Bitmap {
	d := s.dense.empty(nil, s.entries.read())
	defer s.dense.pool.Put(d)
	var room [order.MostInPart]uint32
	for p := range c.parts() {
		for _, ordinal := range p.Ordinals(&room) {
			d.words[ordinal/64] |= 1 << (ordinal % 64)
		}
	}
	return roaring.FromDense(d.words, true)
}

// group counts by one or two attributes. It does not where one has values that the order
// has no bitsets of, or where more leaves than most, if that is not 0, would have to be
// looked at.
func (c confined) group(attributes []*attribute, most int) (groups []cairn.Group, done bool) {
	last := attributes[len(attributes)-1]
	values, views, all := c.order.bitsetsOf(last)
	if !all {
		return nil, false
	}
	row := func(counts []int, first ...cairn.Value) {
		for i, n := range counts {
			groups = appendGroup(groups, n, append(slices.Clip(first), values[i])...)
		}
	}
	if len(attributes) == 1 {
		counts, done := c.countEach(views, most)
		row(counts)
		return groups, done
	}
	firsts, with, all := c.order.bitsetsOf(attributes[0])
	if !all || most > 0 && len(firsts)*c.leaves() > most {
		return nil, false
	}
	left, _ := c.countEach(views, 0)
	for i, v := range with {
		part := c
		part.values = append(slices.Clip(c.values), v)
		counts, _ := part.countEach(views, 0)
		row(counts, firsts[i])
		for at, n := range counts {
			left[at] -= n
		}
	}
	row(left, cairn.Value{})
	return groups, true
}

// counted are how many members have each of an attribute's values, and then, behind the last
// of these, how many there are in all.
type counted [maxAligned + 1]int

// countedKey tells digests of counts by some views from others of a node.
type countedKey struct {
	walks order.View
	by    [maxAligned]order.View
}

// countEach is how many members each of some views has, too, and then how many none has;
// not done where that needs more than most, as in group.
func (c *confined) countEach(views []order.View, most int) (each []int, done bool) {
	if most > 0 && c.cost() > most {
		return nil, false
	}
	all := len(views)
	add := func(to *counted, p *order.Part) {
		to[all] += p.Len()
		for i, v := range views {
			to[i] += p.Count(v)
		}
	}
	var n counted
	if len(c.values) > 0 {
		for p := range c.parts() {
			add(&n, p)
		}
	} else {
		key := countedKey{walks: c.walks}
		copy(key.by[:], views)
		digests := order.Digests[counted]{Key: key, Most: most, Add: add, Join: func(to, from *counted) {
			for i, more := range from[:all+1] {
				to[i] += more
			}
		}}
		if n, done = digests.Between(c.part.begin, c.part.end); !done {
			return nil, false
		}
	}
	for _, some := range n[:all] {
		n[all] -= some
	}
	return n[:all+1], true
}

// bitsetsOf are the values of an attribute with their bitsets in the order, and then that
// of those that have none; false if the order does not have them all.
func (o *ordered) bitsetsOf(a *attribute) (values []cairn.Value, views []order.View, all bool) {
	index, found := o.state.index(a.spec.ID)
	if !found || !a.aligns() {
		return nil, nil, false
	}
	for _, code := range a.allCodes() {
		v, aligned := o.bitset(index, code)
		if !aligned && a.values.get(code).size() > 0 {
			return nil, nil, false
		}
		if aligned {
			values, views = append(values, a.ofNumber(uint64(code))), append(views, v)
		}
	}
	return append(values, cairn.Value{}), views, true
}

// talliedKey tells digests of numbers of an attribute from others of a node.
type talliedKey struct {
	walks     order.View
	attribute cairn.AttributeID
}

// tally is what there is to say of the numbers of an attribute of the members. It is not
// done where most leaves do not suffice, which are looked at for what is not kept: numbers
// are far apart in an order, and going over columns is faster for so many.
func (c *confined) tally(a *attribute, most int) (t tally, done bool) {
	add := func(to *tally, p *order.Part) {
		var room [order.MostInPart]uint32
		to.addApart(a, p.Ordinals(&room))
	}
	if len(c.values) > 0 {
		if c.leaves() > most {
			return t, false
		}
		for p := range c.parts() {
			add(&t, p)
		}
	} else {
		digests := order.Digests[tally]{
			Key: talliedKey{c.walks, a.spec.ID}, Version: a.column.changed, Leaves: true, Most: most,
			Add: add, Join: (*tally).join,
		}
		if t, done = digests.Between(c.part.begin, c.part.end); !done {
			return t, false
		}
	}
	t.kind = a.spec.Type
	return t, true
}
