package filter

import "github.com/RoaringBitmap/roaring/v2"

// count is how many of within a node is true of.
func (s *selection) count(n *Node, within found) uint64 {
	switch n.kind {
	case Nothing:
		return 0
	case And:
		children := s.ordered(n)
		for _, child := range children[:len(children)-1] {
			within = s.node(child, within)
			if within.bitmap != nil && within.bitmap.IsEmpty() {
				return 0
			}
		}
		return s.count(children[len(children)-1], within)
	case Test:
		return s.countLeaf(n.leaf, within.bitmap)
	default:
		return s.node(n, within).bitmapOr(s).GetCardinality()
	}
}

// countLeaf adds up the ranges of a leaf, or takes those that it excludes
// away: they have no ordinal in common.
func (s *selection) countLeaf(l *Leaf, within *roaring.Bitmap) uint64 {
	id := l.attribute.ID
	var counted uint64
	if !l.exclude {
		if l.Present() {
			return cardinality(s.present(l), within)
		}
		for _, r := range l.ranges {
			counted += cardinality(s.part(id, r, within), within)
		}
		if l.absent {
			counted += cardinality(s.all(), within) - cardinality(s.present(l), within)
		}
		return counted
	}
	for _, r := range l.excluded {
		counted += cardinality(s.part(id, r, within), within)
	}
	if l.absent {
		return cardinality(s.all(), within) - counted
	}
	return cardinality(s.present(l), within) - counted
}

func cardinality(b, within *roaring.Bitmap) uint64 {
	if within == nil {
		return b.GetCardinality()
	}
	return b.AndCardinality(within)
}

// estimate is about how many ordinals a node is true of.
func (s *selection) estimate(n *Node) uint64 {
	if e := s.estimates[n.index]; e.made {
		return e.about
	}
	var about uint64
	switch n.kind {
	case Everything:
		about = s.all().GetCardinality()
	case And:
		about = s.estimate(n.children[0])
		for _, child := range n.children[1:] {
			about = min(about, s.estimate(child))
		}
	case Or:
		for _, child := range n.children {
			about += s.estimate(child)
		}
		about = min(about, s.all().GetCardinality())
	case Test:
		about = s.estimateLeaf(n.leaf)
	}
	s.estimates[n.index] = estimate{about, true}
	return about
}

func (s *selection) estimateLeaf(l *Leaf) uint64 {
	var included, excluded uint64
	if l.exclude {
		for _, r := range l.excluded {
			excluded += s.resolver.Estimate(l.attribute.ID, r)
		}
		if l.absent {
			return atLeast0(s.all().GetCardinality(), excluded)
		}
		return atLeast0(s.present(l).GetCardinality(), excluded)
	}
	if l.Present() {
		return s.present(l).GetCardinality()
	}
	for _, r := range l.ranges {
		included += s.resolver.Estimate(l.attribute.ID, r)
	}
	if l.absent {
		included += atLeast0(s.all().GetCardinality(), s.present(l).GetCardinality())
	}
	return included
}

// atLeast0 is a - b, or 0 where estimates would make it negative.
func atLeast0(a, b uint64) uint64 { return a - min(a, b) }
