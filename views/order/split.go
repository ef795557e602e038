package order

// cut is where to cut a full node of n children for a new one at index i. The
// first and the last node of an order are not halved for what comes at their
// outer edge: it opens a node of its own, so that entries that arrive in order
// leave full nodes behind.
func cut(i, n int, first, last bool) int {
	switch {
	case last && i == n:
		return n
	case first && i == 0:
		return 0
	}
	return n / 2
}

// split makes room in a full leaf for an entry at a slot, and is where the
// entry then goes.
func (o *Order) split(at path, slot int) (path, int) {
	_, _, l := o.own(at)
	half := cut(slot, int(l.n), o.root.isFirst(at), o.root.isLast(at))
	if half == int(l.n)/2 {
		if to, slot, shifted := o.shift(at, slot); shifted {
			return to, slot
		}
	}
	right := l.tail(half, o.generation)

	to := o.insertLeaf(at, right)
	if slot > half || slot == half && right.n == 0 {
		return to, slot - half
	}
	return o.leafBefore(to), slot
}

// insertLeaf puts a leaf behind another that may be changed, and is where it
// then stands.
func (o *Order) insertLeaf(after path, l *leaf) path {
	to, moved := o.roomForLeaf(path{after.branch, after.group, after.leaf + 1})
	o.root.group(to).insert(to.leaf, l)
	if l.n > 0 {
		o.separate(to)
	}
	o.summarizeGroup(o.leafBefore(to))
	o.summarizeGroup(to)
	first, behind := to.branch, to.branch+1
	if moved { // what moved are neighbours, so no other branch has changed
		first, behind = max(first-1, 0), min(behind+1, len(o.root.branches))
	}
	for i := first; i < behind; i++ {
		o.ownBranch(i).summarize(len(o.root.totals), groupCount)
	}
	return to
}

// leafBefore is the leaf to the left of one that has one.
func (o *Order) leafBefore(at path) path {
	if at.leaf > 0 {
		at.leaf--
		return at
	}
	at.branch, at.group = o.groupBefore(at.branch, at.group)
	at.leaf = o.root.group(at).n - 1
	return at
}

// groupBefore is the group to the left of one that has one.
func (o *Order) groupBefore(branch, group int) (int, int) {
	if group > 0 {
		return branch, group - 1
	}
	return branch - 1, o.root.branches[branch-1].n - 1
}

// roomForLeaf makes room for a leaf at an index of a group, and is where it
// then goes, and whether leaves moved to another group for that. The summaries
// of branches are then the caller's to make.
func (o *Order) roomForLeaf(at path) (to path, moved bool) {
	g := o.ownGroup(at.branch, at.group)
	if g.n < o.shape.fan {
		return at, false
	}
	last := at.branch == len(o.root.branches)-1 && at.group == o.root.branches[at.branch].n-1
	half := cut(at.leaf, g.n, at.branch == 0 && at.group == 0, last)
	right := g.tail(half, o.generation)

	branch, group := o.roomForGroup(at.branch, at.group+1)
	b := o.root.branches[branch]
	b.insert(group, right)
	to = path{branch, group, at.leaf - half}
	if right.n > 0 {
		o.separateGroup(to)
	}
	left := path{leaf: at.leaf}
	left.branch, left.group = o.groupBefore(branch, group)
	o.summarizeGroup(left)
	o.summarizeGroup(to)
	if at.leaf > half || at.leaf == half && right.n == 0 {
		return to, true
	}
	return left, true
}

// roomForGroup makes room for a group at an index of a branch, and is where it
// then goes. The summaries of branches are the caller's to make.
func (o *Order) roomForGroup(i, group int) (int, int) {
	b := o.ownBranch(i)
	if b.n < o.shape.fan {
		return i, group
	}
	half := cut(group, b.n, i == 0, i == len(o.root.branches)-1)
	right := b.tail(half, o.generation)
	o.root.insert(i+1, right)
	if right.n > 0 {
		o.root.firsts[i+1], o.root.prefixes[i+1] = right.firsts[0], right.prefixes[0]
	}
	if group > half || group == half && right.n == 0 {
		return i + 1, group - half
	}
	return i, group
}

// summarizeGroup makes the summaries of an own group anew.
func (o *Order) summarizeGroup(at path) {
	o.root.group(at).summarize(len(o.root.totals), leafCount)
}
