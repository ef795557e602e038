package order

// shift makes room in a full leaf for an entry at a slot by evening it out with
// a leaf beside it in the same group, if one has an eighth of its room left. It
// is where the entry then goes. Leaves that are only ever halved are two thirds
// full, leaves that are evened out first are four fifths full.
func (o *Order) shift(at path, slot int) (to path, toSlot int, shifted bool) {
	g := o.root.group(at)
	roomy := func(i int) bool {
		return i >= 0 && i < g.n && int(g.children[i].n) <= o.shape.leaf-max(o.shape.leaf/8, 2)
	}
	left := at
	switch {
	case roomy(at.leaf + 1):
	case roomy(at.leaf - 1):
		left.leaf--
	default:
		return at, slot, false
	}
	_, _, l := o.own(left)
	r := g.children[left.leaf+1]
	uncount(g, left.leaf)
	uncount(g, left.leaf+1)
	before, half := int(l.n), int(l.n+r.n)/2
	if left == at {
		rest := l.tail(half, o.generation)
		rest.absorb(r)
		r = rest
	} else {
		slot += before
		rest := r.tail(half-before, o.generation)
		l.absorb(r)
		r = rest
	}
	g.children[left.leaf+1] = r
	recount(g, left.leaf)
	recount(g, left.leaf+1)
	right := path{left.branch, left.group, left.leaf + 1}
	o.separate(right)
	if slot > half {
		return right, slot - half, true
	}
	return left, slot, true
}

// uncount takes the members in a leaf out of its group's summaries.
func uncount(g *group, i int) {
	for v := range int(g.children[i].slots) {
		if members := g.children[i].of(v).count(); members > 0 {
			g.change(v, i, -members, 0)
		}
	}
}

// recount puts them in.
func recount(g *group, i int) {
	for v := range int(g.children[i].slots) {
		if members := g.children[i].of(v).count(); members > 0 {
			g.change(v, i, members, members)
		}
	}
}
