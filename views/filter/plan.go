package filter

import (
	"fmt"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// Plan computes the ordinals that a filter is true of from bitmaps. Of leaves
// on attributes without an index it assumes that they are true, so that it
// finds candidates: all the ordinals of the filter, and maybe more.
type Plan struct {
	root  *Node
	nodes int // in the tree, numbered from 0 by Node.index
	exact bool
}

// newPlan makes the plan of a normal form. Since there is no negation in it, a
// leaf that is taken for true makes the whole true of more entries and never
// of fewer.
func newPlan(root *Node) *Plan {
	p := &Plan{exact: true}
	p.root = p.relax(root)
	p.number(p.root)
	return p
}

// relax copies a tree without the leaves that no bitmap decides.
func (p *Plan) relax(n *Node) *Node {
	switch n.kind {
	case Test:
		if n.leaf.attribute.Unindexed {
			p.exact = false
			return decidedNode(true)
		}
	case And, Or:
		children := make([]*Node, len(n.children))
		for i, child := range n.children {
			children[i] = p.relax(child)
		}
		return join(n.kind, children)
	}
	out := *n
	return &out
}

// number gives the nodes of a tree their places in the estimates.
func (p *Plan) number(n *Node) {
	n.index = p.nodes
	p.nodes++
	for _, child := range n.children {
		p.number(child)
	}
}

// Exact reports whether the plan finds just the ordinals that the filter is
// true of. If not, what it finds is to be tested by [Filter.Match] or
// [Filter.MatchOrdinal].
func (p *Plan) Exact() bool { return p.exact }

// Root is the tree that the plan computes.
func (p *Plan) Root() *Node { return p.root }

// Select computes the ordinals of the plan that are in within, or all of them
// if within is nil. Within is part of the resolver's ordinals; with the
// ordinals of one block only that block is computed.
//
// The bitmap may be within or one of the resolver's: clone it before changing
// it. It is never nil.
func (p *Plan) Select(r Resolver, within *roaring.Bitmap) *roaring.Bitmap {
	s := newSelection(p, r)
	return s.node(p.root, borrowed(within)).bitmapOr(s)
}

// Narrow is Select for who can test columns: leaves that are scanned are left,
// as far as they are a single range and all the rest of the plan holds besides.
// The ordinals of the plan are those found whose values are in the ranges of
// all leaves that are left.
func (p *Plan) Narrow(r Resolver, within *roaring.Bitmap) (found *roaring.Bitmap, left []*Leaf) {
	s := newSelection(p, r)
	narrowed := borrowed(within)
	for _, n := range s.conjuncts(p.root) {
		if n.kind == Test && len(n.leaf.ranges) == 1 && !n.leaf.absent && s.scans(n) {
			left = append(left, n.leaf)
			continue
		}
		narrowed = s.node(n, narrowed)
	}
	return narrowed.bitmapOr(s), left
}

// Count is the cardinality of what Select computes, without the bitmap where
// that can be spared.
func (p *Plan) Count(r Resolver, within *roaring.Bitmap) uint64 {
	s := newSelection(p, r)
	return s.count(p.root, borrowed(within))
}

// Estimate is about how many ordinals the plan finds, and at most how many if
// the resolver's estimates are exact.
func (p *Plan) Estimate(r Resolver) uint64 { return newSelection(p, r).estimate(p.root) }

// Describe is the plan for people: a line a step, in the order of execution,
// with its estimate.
func (p *Plan) Describe(r Resolver) string {
	s := newSelection(p, r)
	var out strings.Builder
	s.describe(&out, p.root, 0)
	if !p.exact {
		out.WriteString("then test each, since an attribute without an index is asked for\n")
	}
	return out.String()
}

func (s *selection) describe(out *strings.Builder, n *Node, depth int) {
	what := n.text
	children := n.children
	switch n.kind {
	case And:
		what, children = "all of", s.ordered(n)
	case Or:
		what = "any of"
	case Test:
		if n.leaf.exclude {
			what += " (by what it excludes)"
		}
	}
	fmt.Fprintf(out, "%s%s: about %d\n", strings.Repeat("  ", depth), what, s.estimate(n))
	for _, child := range children {
		s.describe(out, child, depth+1)
	}
}
