package order

import "slices"

// Append puts entries that are in order, and come after all that the order
// has, behind them, each as a member of those of its views that the order
// has. It fills leaves of its own as Load does, so runs of a leaf or more are
// what it is for. That the entries are in order, come once and come last is
// the caller's word: Check tells. A set is not used after the next is asked
// for.
func (o *Order) Append(run []uint32, views func(ordinal uint32) ViewSet) {
	var bits []words // by view
	for part := range slices.Chunk(run, o.shape.leafLoad) {
		clear(bits)
		for slot, ordinal := range part {
			o.known(views(ordinal)).each(func(v int) {
				for v >= len(bits) {
					bits = append(bits, words{})
				}
				bits[v].set(slot)
			})
		}
		at := o.edge()
		b, g, l := o.own(at)
		l.n = uint32(copy(l.ordinals[:], part))
		o.root.entries += len(part)
		o.separate(at)
		o.reserve(b, g, l)
		for v := range bits {
			if n := bits[v].count(); n > 0 {
				l.put(v, &bits[v])
				g.change(v, at.leaf, n, n)
				b.change(v, at.group, n, g.count(v))
				o.root.totals[v] += uint32(n)
			}
		}
	}
}

// edge is a new leaf behind the last, without entries.
func (o *Order) edge() path {
	r := o.ownRoot()
	at := path{branch: len(r.branches) - 1}
	if at.branch < 0 || r.branches[at.branch].n >= o.shape.fanLoad && r.group(path{at.branch, r.branches[at.branch].n - 1, 0}).n >= o.shape.fanLoad {
		at.branch++
		r.insert(at.branch, &branch{generation: o.generation})
	}
	b := o.ownBranch(at.branch)
	at.group = b.n - 1
	if at.group < 0 || b.children[at.group].n >= o.shape.fanLoad {
		at.group++
		b.insert(at.group, &group{generation: o.generation})
	}
	g := o.ownGroup(at.branch, at.group)
	at.leaf = g.n
	g.insert(at.leaf, &leaf{generation: o.generation})
	return at
}
