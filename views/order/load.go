package order

import (
	"iter"

	"cairn"
)

// Load fills an order that has no entries with entries that are in order
// already, in runs of any length; Reader.Runs yields such. Their values and
// keys are in place. Memberships are filled afterwards, with FillView. Leaves
// and nodes are left with a quarter of their room. It is refused
// (KindPrecondition) if the order has entries. That the entries are in order
// and come once is the caller's word: Check tells.
func (o *Order) Load(runs iter.Seq[[]uint32]) error {
	if o.root.entries > 0 {
		return cairn.Errorf(cairn.KindPrecondition, "ORDER_NOT_EMPTY", "an order that has entries can't be loaded; insert into it, or load another")
	}
	r := o.ownRoot()
	var b *branch
	var g *group
	var l *leaf
	for run := range runs {
		for len(run) > 0 {
			if l == nil || int(l.n) == o.shape.leafLoad {
				if g == nil || g.n == o.shape.fanLoad {
					if b == nil || b.n == o.shape.fanLoad {
						b = &branch{generation: o.generation}
						r.insert(len(r.branches), b)
					}
					g = &group{generation: o.generation}
					b.insert(b.n, g)
				}
				l = &leaf{generation: o.generation}
				g.insert(g.n, l)
				l.ordinals[0] = run[0]
				o.separate(path{len(r.branches) - 1, b.n - 1, g.n - 1})
			}
			n := copy(l.ordinals[l.n:o.shape.leafLoad], run)
			l.n += uint32(n)
			r.entries += n
			run = run[n:]
		}
	}
	return nil
}
