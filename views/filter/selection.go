package filter

import (
	"cmp"
	"slices"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// selection is one computation of a plan.
type selection struct {
	resolver  Resolver
	estimates []estimate // by Node.index
}

// estimate is about how many ordinals a node is true of, made when somebody
// asks: reading a sample of a column takes as long as many a bitmap.
type estimate struct {
	about uint64
	made  bool
}

func newSelection(p *Plan, r Resolver) *selection {
	return &selection{resolver: r, estimates: make([]estimate, p.nodes)}
}

// found is a bitmap on the way to the result. It may be changed only if it is
// owned. No bitmap stands for all ordinals.
type found struct {
	bitmap *roaring.Bitmap
	owned  bool
}

func borrowed(b *roaring.Bitmap) found { return found{bitmap: b} }

func owned(b *roaring.Bitmap) found { return found{bitmap: b, owned: true} }

// bitmapOr is the bitmap, or all ordinals if it stands for them.
func (f found) bitmapOr(s *selection) *roaring.Bitmap {
	if f.bitmap == nil {
		return s.all()
	}
	return f.bitmap
}

// and narrows to another bitmap, which it does not change.
func (f found) and(b *roaring.Bitmap) found {
	switch {
	case f.bitmap == nil:
		return borrowed(b)
	case f.owned:
		f.bitmap.And(b)
		return f
	default:
		return owned(roaring.And(f.bitmap, b))
	}
}

// andNot takes another bitmap away, which it does not change. It needs a
// bitmap of its own.
func (f found) andNot(b *roaring.Bitmap) found {
	if f.owned {
		f.bitmap.AndNot(b)
		return f
	}
	return owned(roaring.AndNot(f.bitmap, b))
}

func orEmpty(b *roaring.Bitmap) *roaring.Bitmap {
	if b == nil {
		return roaring.New()
	}
	return b
}

func (s *selection) all() *roaring.Bitmap { return orEmpty(s.resolver.All()) }

func (s *selection) present(l *Leaf) *roaring.Bitmap {
	return orEmpty(s.resolver.Present(l.attribute.ID))
}

// part is the bitmap of one range of a leaf.
func (s *selection) part(id cairn.AttributeID, r Range, within *roaring.Bitmap) *roaring.Bitmap {
	if value, single := r.Single(); single && !s.resolver.Scans(id) {
		return orEmpty(s.resolver.Equal(id, value))
	}
	return orEmpty(s.resolver.Range(id, r, within))
}

func (s *selection) parts(l *Leaf, ranges []Range, within *roaring.Bitmap) []*roaring.Bitmap {
	out := make([]*roaring.Bitmap, 0, len(ranges))
	for _, r := range ranges {
		if b := s.part(l.attribute.ID, r, within); !b.IsEmpty() {
			out = append(out, b)
		}
	}
	return out
}

// node narrows within to the ordinals that a node is true of.
func (s *selection) node(n *Node, within found) found {
	switch n.kind {
	case Nothing:
		return owned(roaring.New())
	case Everything:
		return within
	case And:
		// What they leave is all that the others look at.
		for _, child := range s.ordered(n) {
			within = s.node(child, within)
			if within.bitmap != nil && within.bitmap.IsEmpty() {
				break
			}
		}
		return within
	case Or:
		return s.or(n, within)
	default:
		if n.leaf.exclude {
			return s.excluding(n.leaf, within)
		}
		return s.including(n.leaf, within)
	}
}

// ordered are the children of an And in the order to compute them: those that
// have bitmaps come before those that are scanned, whatever these leave, and the
// fewest first among them.
func (s *selection) ordered(n *Node) []*Node {
	children := slices.Clone(n.children)
	slices.SortStableFunc(children, func(a, b *Node) int {
		if order := cmp.Compare(truthOf(s.scans(a)), truthOf(s.scans(b))); order != 0 {
			return order
		}
		return cmp.Compare(s.estimate(a), s.estimate(b))
	})
	return children
}

// conjuncts are what all has to be true for a node to be, in the order to
// compute them.
func (s *selection) conjuncts(n *Node) []*Node {
	if n.kind == And {
		return s.ordered(n)
	}
	return []*Node{n}
}

// scans tells whether a column is read for a node.
func (s *selection) scans(n *Node) bool {
	if n.kind == Test {
		return s.resolver.Scans(n.leaf.attribute.ID)
	}
	return slices.ContainsFunc(n.children, s.scans)
}

// or joins what the children find.
func (s *selection) or(n *Node, within found) found {
	within.owned = false // each child gets all of it
	bitmaps := make([]*roaring.Bitmap, 0, len(n.children))
	for _, child := range n.children {
		if b := s.node(child, within).bitmapOr(s); !b.IsEmpty() {
			bitmaps = append(bitmaps, b)
		}
	}
	return union(bitmaps)
}

func union(bitmaps []*roaring.Bitmap) found {
	switch len(bitmaps) {
	case 0:
		return owned(roaring.New())
	case 1:
		return borrowed(bitmaps[0])
	default:
		return owned(roaring.FastOr(bitmaps...))
	}
}

// including finds a leaf's ordinals from the values that pass.
func (s *selection) including(l *Leaf, within found) found {
	if !l.absent {
		if l.Present() {
			return within.and(s.present(l))
		}
		return s.any(s.parts(l, l.ranges, within.bitmap), within, s.resolver.Scans(l.attribute.ID))
	}
	without := found{bitmap: within.bitmapOr(s)}.andNot(s.present(l))
	if len(l.ranges) == 0 {
		return without
	}
	with := s.any(s.parts(l, l.ranges, within.bitmap), found{bitmap: within.bitmap}, s.resolver.Scans(l.attribute.ID))
	without.bitmap.Or(with.bitmap)
	return without
}

// any narrows to the union of bitmaps, which are narrowed already or not. Where
// the union would be larger than what it is narrowed to, it is not made.
func (s *selection) any(bitmaps []*roaring.Bitmap, within found, narrowed bool) found {
	if within.bitmap == nil || len(bitmaps) == 0 || narrowed {
		return union(bitmaps)
	}
	if len(bitmaps) == 1 {
		return within.and(bitmaps[0])
	}
	var together uint64
	for _, b := range bitmaps {
		together += b.GetCardinality()
	}
	if together <= within.bitmap.GetCardinality() {
		return within.and(union(bitmaps).bitmap)
	}
	if !within.owned {
		within = owned(within.bitmap.Clone())
	}
	within.bitmap.AndAny(bitmaps...)
	return within
}

// excluding finds a leaf's ordinals from the values that do not pass.
func (s *selection) excluding(l *Leaf, within found) found {
	excluded := s.parts(l, l.excluded, within.bitmap)
	switch {
	case !l.absent:
		within = within.and(s.present(l))
	case within.bitmap == nil:
		within = borrowed(s.all())
	}
	for _, b := range excluded {
		within = within.andNot(b)
	}
	return within
}
