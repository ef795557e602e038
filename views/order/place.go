package order

import "math/bits"

// toEnd goes to the end of the last leaf.
func (it *Iterator) toEnd() {
	if it.root == nil || len(it.root.branches) == 0 {
		return
	}
	at := path{branch: len(it.root.branches) - 1}
	at.group = it.root.branches[at.branch].n - 1
	at.leaf = it.root.group(at).n - 1
	it.enter(at)
	it.slot = int(it.leaf.n)
}

// toOffset goes before the member of the view with an offset, to the end if
// there is none.
func (it *Iterator) toOffset(offset int) {
	if it.root == nil || offset >= it.root.count(it.view) {
		it.toEnd()
		return
	}
	rest := max(offset, 0)
	var at path
	for n := 0; ; at.branch++ {
		if n = it.root.branches[at.branch].count(it.view); rest < n {
			break
		}
		rest -= n
	}
	b := it.root.branches[at.branch]
	at.group, rest = within(b, it.view, rest, groupCount)
	g := b.children[at.group]
	at.leaf, rest = within(g, it.view, rest, leafCount)
	it.enter(at)
	it.slot = it.leaf.nth(it.view, rest)
}

// within is the child with the n-th member of a view, counted from zero, and
// the member's number there. There is one.
func within[C any](f *fan[C], v, n int, count func(child *C, v int) int) (child, rest int) {
	child, rest = f.skip(v, n)
	for some := f.summaries[v].occupied >> child << child; ; some &= some - 1 {
		child = bits.TrailingZeros64(some)
		members := count(f.children[child], v)
		if rest < members {
			return child, rest
		}
		rest -= members
	}
}

// toPosition goes before the first entry that is at or after a position, or
// with past after it.
func (it *Iterator) toPosition(p Position, past bool) {
	if it.root == nil || len(it.root.branches) == 0 {
		return
	}
	it.enter(locate(it.root, place{p}, past))
	it.slot = search(it.leaf.ordinals[:it.leaf.n], place{p}, past)
}

// Rank is how many members of the view are before the iterator's place, with
// And too. It costs as much as going to an offset.
func (it *Iterator) Rank() int {
	if it.leaf == nil {
		return 0
	}
	rank := 0
	for _, b := range it.root.branches[:it.at.branch] {
		rank += b.count(it.view)
	}
	rank += it.root.branches[it.at.branch].before(it.view, it.at.group, groupCount)
	rank += it.group.before(it.view, it.at.leaf, leafCount)
	return rank + it.leaf.before(it.view, it.slot)
}
