package order

// merge takes an empty leaf away, or joins a small one with one beside it,
// where that leaves room for more; and likewise the nodes above. All on the
// path may be changed.
func (o *Order) merge(at path) {
	b, g, l := o.own(at)
	switch {
	case l.n == 0:
		// Its members are counted off already.
		g.remove(at.leaf)
	case at.leaf+1 < g.n && o.leavesFit(g, at.leaf):
		l.absorb(g.children[at.leaf+1])
		g.remove(at.leaf + 1)
	case at.leaf > 0 && o.leavesFit(g, at.leaf-1):
		at.leaf--
		_, _, left := o.own(at)
		left.absorb(l)
		g.remove(at.leaf + 1)
	default:
		return
	}
	o.summarizeGroup(at)
	switch {
	case g.n == 0:
		b.remove(at.group)
	case g.n >= o.shape.fanSmall:
		o.separateGroup(at)
		return
	case at.group+1 < b.n && g.n+b.children[at.group+1].n <= o.shape.fanLoad:
		g.absorb(b.children[at.group+1])
		b.remove(at.group + 1)
		o.summarizeGroup(at)
	case at.group > 0 && g.n+b.children[at.group-1].n <= o.shape.fanLoad:
		at.group--
		o.ownGroup(at.branch, at.group).absorb(g)
		b.remove(at.group + 1)
		o.summarizeGroup(at)
	default:
		o.separateGroup(at)
		return
	}
	b.summarize(len(o.root.totals), groupCount)
	if b.n > 0 {
		at.group = min(at.group, b.n-1)
		o.separateGroup(at)
	}
	o.mergeBranch(at.branch)
}

// leavesFit reports whether a leaf and the next one are better off as one.
func (o *Order) leavesFit(g *group, i int) bool {
	return int(g.children[i].n+g.children[i+1].n) <= o.shape.leafLoad
}

// mergeBranch takes an empty branch away, or joins a small one with one beside
// it.
func (o *Order) mergeBranch(i int) {
	r := o.root
	n := r.branches[i].n
	switch {
	case n == 0:
		r.remove(i)
		return
	case n >= o.shape.fanSmall:
		return
	case i+1 < len(r.branches) && n+r.branches[i+1].n <= o.shape.fanLoad:
	case i > 0 && n+r.branches[i-1].n <= o.shape.fanLoad:
		i--
	default:
		return
	}
	b := o.ownBranch(i)
	b.absorb(r.branches[i+1])
	r.remove(i + 1)
	b.summarize(len(r.totals), groupCount)
}
