package order

// ownRoot is the root as one that may be changed.
func (o *Order) ownRoot() *root {
	if o.root.generation != o.generation {
		o.root = o.root.clone(o.generation)
	}
	return o.root
}

// ownBranch is a branch as one that may be changed, and the root with it.
func (o *Order) ownBranch(i int) *branch {
	r := o.ownRoot()
	if r.branches[i].generation != o.generation {
		r.branches[i] = r.branches[i].clone(o.generation)
	}
	return r.branches[i]
}

// ownGroup is a group as one that may be changed, and all above with it.
func (o *Order) ownGroup(branch, group int) *group {
	b := o.ownBranch(branch)
	if b.children[group].generation != o.generation {
		b.children[group] = b.children[group].clone(o.generation)
	}
	return b.children[group]
}

// own is a leaf and all above it as such that may be changed.
func (o *Order) own(at path) (*branch, *group, *leaf) {
	g := o.ownGroup(at.branch, at.group)
	if g.children[at.leaf].generation != o.generation {
		g.children[at.leaf] = g.children[at.leaf].clone(o.generation)
	}
	return o.root.branches[at.branch], g, g.children[at.leaf]
}

// reserve makes room for memberships along a path.
func (o *Order) reserve(b *branch, g *group, l *leaf) {
	// For all views at once, so that this is mostly no more than looking.
	o.root.reserve(o.views)
	b.reserve(o.views)
	g.reserve(o.views)
	l.reserve(o.views)
}

// plant makes the first leaf.
func (o *Order) plant() {
	g := &group{generation: o.generation}
	g.insert(0, &leaf{generation: o.generation})
	b := &branch{generation: o.generation}
	b.insert(0, g)
	o.ownRoot().insert(0, b)
}

// separate makes the separators of a leaf right, after its first entry or its
// place changed. All on the path may be changed.
func (o *Order) separate(at path) {
	r := o.root
	b := r.branches[at.branch]
	g := b.children[at.group]
	first := g.children[at.leaf].ordinals[0]
	g.firsts[at.leaf], g.prefixes[at.leaf] = first, o.comparer.Prefix(first)
	o.separateGroup(at)
}

// separateGroup makes the separators of a group right, and those above.
func (o *Order) separateGroup(at path) {
	r := o.root
	b := r.branches[at.branch]
	g := b.children[at.group]
	b.firsts[at.group], b.prefixes[at.group] = g.firsts[0], g.prefixes[0]
	r.firsts[at.branch], r.prefixes[at.branch] = b.firsts[0], b.prefixes[0]
}
