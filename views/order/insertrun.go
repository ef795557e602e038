package order

import (
	"math/bits"
	"slices"
)

// InsertRun puts entries that are in order into their places, each as a member
// of those of its views that the order has. It goes down to each leaf once for
// all that belong there, and moves the leaf's bits once. That the entries are in
// order, come once and are not there yet is the caller's word: Check tells. A
// set is not used after the next is asked for, and views may be added by whoever
// is asked for one. The prefixes are the entries', nil where they are to be looked up.
func (o *Order) InsertRun(run []uint32, prefixes []uint64, views func(ordinal uint32) ViewSet) {
	if len(run) > 0 && len(o.ownRoot().branches) == 0 {
		o.plant()
	}
	if prefixes == nil {
		prefixes = o.prefixesOf(run, o.blending.coming)
		o.blending.coming = prefixes
	}
	rest := listed{run, prefixes}
	for len(rest.ordinals) > 0 {
		at := locate(o.root, rest.first(o), true)
		n := o.belonging(at, rest)
		if l := o.root.leaf(at); n*blendShare < int(l.n) {
			for _, ordinal := range rest.ordinals[:n] {
				o.Insert(ordinal, views(ordinal))
			}
		} else {
			o.blend(at, rest.upTo(n), views)
		}
		rest = rest.from(n)
	}
}

// listed is entries that are in order, with their prefixes.
type listed struct {
	ordinals []uint32
	prefixes []uint64
}

func (c listed) first(o *Order) entry { return entry{o.comparer, c.ordinals[0], c.prefixes[0]} }
func (c listed) upTo(n int) listed    { return listed{c.ordinals[:n], c.prefixes[:n]} }
func (c listed) from(n int) listed    { return listed{c.ordinals[n:], c.prefixes[n:]} }

// blendShare is which part of a leaf's entries must come to it for them to be
// blended. Blending reads the prefixes of all that the leaf has, beside each
// other; inserting one reads those of some, one after the other.
const blendShare = 64

// belonging is how many entries of a run, of which the first belongs in a leaf,
// belong there, or as many of these as are taken at once.
func (o *Order) belonging(at path, run listed) int {
	run = run.upTo(min(len(run.ordinals), o.shape.leaf))
	next, ok := o.root.next(at)
	if !ok {
		return len(run.ordinals)
	}
	g := o.root.group(next)
	return 1 + run.from(1).before(entry{o.comparer, g.firsts[next.leaf], g.prefixes[next.leaf]})
}

// before is how many of them come before another entry: search, for who expects
// that they are few.
func (c listed) before(e entry) int {
	follows := func(i int) bool {
		if c.prefixes[i] != e.prefix {
			return c.prefixes[i] < e.prefix
		}
		return e.Compare(c.ordinals[i]) < 0
	}
	low, high := 0, 1
	for high <= len(c.ordinals) && follows(high-1) {
		low, high = high, 2*high
	}
	high = min(high-1, len(c.ordinals))
	for low < high {
		if middle := int(uint(low+high) >> 1); follows(middle) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// prefixesOf is the prefixes of entries, in room where that is enough.
func (o *Order) prefixesOf(entries []uint32, room []uint64) []uint64 {
	room = room[:0]
	for _, ordinal := range entries {
		room = append(room, o.comparer.Prefix(ordinal))
	}
	return room
}

// wide is a bit for each of up to twice as many entries as a leaf has.
type wide [2 * blockWords]uint64

func (w *wide) set(i int) { w[i>>6] |= 1 << (i & 63) }

// fill makes exactly the first n bits one.
func (w *wide) fill(n int) {
	for i := range w {
		w[i] = ^uint64(0) >> (64 - min(max(n-64*i, 0), 64))
	}
}

// part is the bits from one on and before another.
func (w *wide) part(from, to int) (out words) {
	skip, shift := from>>6, from&63
	for i := range out {
		if at := i + skip; at < len(w) {
			out[i] = w[at] >> shift
			if at+1 < len(w) {
				out[i] |= w[at+1] << (64 - shift)
			}
		}
	}
	out.clearFrom(to - from)
	return out
}

// blending is a leaf's entries with those that come to them, in order. An Order
// has one, since it is needed again and again.
type blending struct {
	there, coming []uint64 // prefixes, of the leaf's and of what comes
	ordinals      []uint32
	stood         []int  // where each of the leaf's stands among them
	come          []int  // and each that comes
	members       []wide // by view
	part          []words
}

// place finds out where entries go among those of a leaf.
func (x *blending) place(o *Order, l *leaf, run listed) {
	x.ordinals, x.stood, x.come = x.ordinals[:0], x.stood[:0], x.come[:0]
	stand := func(some []uint32) {
		for _, ordinal := range some {
			x.stood = append(x.stood, len(x.ordinals))
			x.ordinals = append(x.ordinals, ordinal)
		}
	}
	x.there = o.prefixesOf(l.ordinals[:l.n], x.there)
	rest := listed{l.ordinals[:l.n], x.there}
	for ; len(run.ordinals) > 0; run = run.from(1) {
		n := rest.before(run.first(o))
		stand(rest.ordinals[:n])
		rest = rest.from(n)
		x.come = append(x.come, len(x.ordinals))
		x.ordinals = append(x.ordinals, run.ordinals[0])
	}
	stand(rest.ordinals)
}

// gather finds out who of them is a member of which views.
func (x *blending) gather(o *Order, l *leaf, run listed, views func(ordinal uint32) ViewSet) {
	x.members = x.members[:0]
	x.reserve(o.views)
	var came wide
	for _, i := range x.come {
		came.set(i)
	}
	for v := range x.members {
		w := &x.members[v]
		switch count := l.of(v).count(); count {
		case 0:
		case int(l.n):
			w.fill(len(x.ordinals))
			for i := range w {
				w[i] &^= came[i]
			}
		default:
			var was words
			l.bits(v, &was)
			for i, word := range was {
				for ; word != 0; word &= word - 1 {
					w.set(x.stood[i<<6+bits.TrailingZeros64(word)])
				}
			}
		}
	}
	for i, ordinal := range run.ordinals {
		o.known(views(ordinal)).each(func(v int) {
			x.reserve(v + 1)
			x.members[v].set(x.come[i])
		})
	}
	x.part = slices.Grow(x.part[:0], len(x.members))[:len(x.members)]
}

// reserve makes room for the members of so many views.
func (x *blending) reserve(views int) {
	for len(x.members) < views {
		x.members = append(x.members, wide{})
	}
}

// blend puts entries that belong in a leaf there, no more than one has room
// for, and what is too much into leaves behind it.
func (o *Order) blend(at path, run listed, views func(ordinal uint32) ViewSet) {
	_, _, l := o.own(at)
	x := &o.blending
	x.place(o, l, run)
	x.gather(o, l, run, views)
	first := true
	for from := 0; from < len(x.ordinals); first = false {
		to := len(x.ordinals)
		if to-from > o.shape.leaf {
			to = from + o.shape.leafLoad
		}
		for v := range x.members {
			x.part[v] = x.members[v].part(from, to)
		}
		if first {
			o.refill(at, x.ordinals[from:to], x.part)
		} else {
			at = o.insertLeaf(at, o.newLeaf(x.ordinals[from:to], x.part))
		}
		from = to
	}
	o.root.entries += len(run.ordinals)
}

// refill makes a leaf that may be changed one of other entries, with the bits
// of all views.
func (o *Order) refill(at path, ordinals []uint32, members []words) {
	b, g, l := o.own(at)
	o.reserve(b, g, l)
	for v := range members {
		if n := l.of(v).count(); n > 0 {
			g.change(v, at.leaf, -n, 0)
			b.change(v, at.group, -n, g.count(v))
			o.root.totals[v] -= uint32(n)
		}
	}
	l.become(ordinals, members)
	for v := range members {
		if n := l.of(v).count(); n > 0 {
			g.change(v, at.leaf, n, n)
			b.change(v, at.group, n, g.count(v))
			o.root.totals[v] += uint32(n)
		}
	}
	o.separate(at)
}

// newLeaf is a leaf of entries, counted in the views' totals.
func (o *Order) newLeaf(ordinals []uint32, members []words) *leaf {
	l := &leaf{generation: o.generation}
	l.become(ordinals, members)
	for v := range members {
		o.root.totals[v] += uint32(l.of(v).count())
	}
	return l
}
