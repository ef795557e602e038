package shardmap

import "slices"

// splice is what takes the place of n, nodes of its level and maybe none, when
// the shards that begin in [from, to) give way to others; an empty to is open.
// A shard begins at from and one ends at to, and so they do afterwards. with
// holds the others, nil if there are none.
func (n *node) splice(from, to []byte, with *leaf) []*node {
	first, last := n.place(from), n.pieces()-1
	if len(to) > 0 {
		last = max(n.rank(to)-1, first)
	}
	if n.children == nil {
		return n.spliceLeaves(first, last, from, to, with)
	}
	replaced := n.children[first].splice(from, to, with)
	if last > first {
		replaced = append(replaced, n.children[last].splice(from, to, nil)...)
	}
	children := slices.Concat(n.children[:first], replaced, n.children[last+1:])
	children = joinSmall(children, first, first+len(replaced),
		func(n *node) bool { return n.bytes() < maxNodeBytes*minShare/4 }, joinNodes)
	return inners(children, maxNodeBytes)
}

func (n *node) spliceLeaves(first, last int, from, to []byte, with *leaf) []*node {
	left, right := &n.leaves[first], &n.leaves[last]
	parts := make([]part, 0, 3)
	parts = append(parts, part{left, 0, left.rank(from)})
	if with != nil {
		parts = append(parts, part{with, 0, len(with.rows)})
	}
	if len(to) > 0 {
		parts = append(parts, part{right, right.rank(to), len(right.rows)})
	}
	var replaced []leaf
	if slices.ContainsFunc(parts, func(p part) bool { return p.first < p.last }) {
		replaced = even(joinParts(parts...))
	}
	leaves := slices.Concat(n.leaves[:first], replaced, n.leaves[last+1:])
	leaves = joinSmall(leaves, first, first+len(replaced),
		func(l leaf) bool { return l.bytes() < maxLeafBytes*minShare/4 }, joinLeaves)
	return lowest(leaves, maxNodeBytes)
}

// even divides a leaf that has become too large.
func even(l leaf) []leaf {
	if l.bytes() <= maxLeafBytes {
		return []leaf{l}
	}
	var out []leaf
	divide(len(l.rows), maxLeafBytes, func(i int) int { return rowBytes + int(l.offset(i+1)-l.offset(i)) }, func(first, last int) {
		out = append(out, joinParts(part{&l, first, last}))
	})
	return out
}

// joinSmall joins those of siblings[first:last] that have become too small with
// a neighbour each, so that merging shards leaves no tree of crumbs behind. The
// slice is its own to change.
func joinSmall[T any](siblings []T, first, last int, small func(T) bool, join func(a, b T) []T) []T {
	for i := first; i < last && len(siblings) > 1; i++ {
		if !small(siblings[i]) {
			continue
		}
		left := max(i-1, 0)
		joined := join(siblings[left], siblings[left+1])
		siblings = slices.Replace(siblings, left, left+2, joined...)
		last -= 2 - len(joined)
		i = left + 1
		if len(joined) == 1 {
			i = left - 1 // it may still be small
		}
	}
	return siblings
}

func joinLeaves(a, b leaf) []leaf {
	return even(joinParts(part{&a, 0, len(a.rows)}, part{&b, 0, len(b.rows)}))
}

func joinNodes(a, b *node) []*node {
	if a.children == nil {
		return lowest(slices.Concat(a.leaves, b.leaves), maxNodeBytes)
	}
	return inners(slices.Concat(a.children, b.children), maxNodeBytes)
}
