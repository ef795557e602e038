package filter

import (
	"slices"
	"strings"
)

// Kind is what a node of the normal form is.
type Kind uint8

// The kinds of nodes.
const (
	// Nothing is true of no entry.
	Nothing Kind = iota + 1
	// Everything is true of all entries.
	Everything
	// Test is one leaf.
	Test
	// And is true where all children are.
	And
	// Or is true where one of the children is.
	Or
	// symbol is a term with now as a word, in canonical texts only.
	symbol
)

// Node is a part of the normal form. There is no negation in it, and no
// unknown: it is true of the entries that the filter is true of, and false of
// all others. An And has no And among its children, an Or no Or, both at
// least two children, and at most one leaf on an attribute.
type Node struct {
	kind     Kind
	children []*Node
	leaf     *Leaf
	// index is, in a filter's tree, of the leaf among the filter's leaves and,
	// in a plan's tree, of the node among the plan's estimates.
	index int
	text  string
	// loose is a text with || in it outside of parentheses.
	loose bool
}

// Kind says which of Children and Leaf applies.
func (n *Node) Kind() Kind { return n.kind }

// Children are those of an And or Or. The caller does not change them.
func (n *Node) Children() []*Node { return n.children }

// Leaf is that of a Test.
func (n *Node) Leaf() *Leaf { return n.leaf }

// String is the node as an expression.
func (n *Node) String() string { return n.text }

// normalize brings a clause into normal form. If symbolic, terms with now
// remain words.
func normalize(c *clause, symbolic bool) *Node {
	return normalizer{symbolic: symbolic}.node(c, false)
}

type normalizer struct{ symbolic bool }

// node is the entries of which a clause is true or, negated, false. Unknown is
// neither, so the negation of a comparison is the opposite comparison, which
// absent values don't pass either, and the negation of a conjunction is the
// disjunction of the negations.
func (z normalizer) node(c *clause, negated bool) *Node {
	switch c.kind {
	case constantClause:
		if z.symbolic && c.symbol != "" {
			return symbolNode(c.symbol, c.negated, negated)
		}
		return decidedNode(c.constant != negated)
	case termClause:
		return z.term(&c.term, negated)
	case notClause:
		return z.node(c.children[0], !negated)
	default:
		children := make([]*Node, len(c.children))
		for i, child := range c.children {
			children[i] = z.node(child, negated)
		}
		if (c.kind == andClause) != negated {
			return join(And, children)
		}
		return join(Or, children)
	}
}

func (z normalizer) term(t *term, negated bool) *Node {
	kind := t.attribute.Type
	switch {
	case t.presence && negated:
		return leafNode(newLeaf(t.attribute, true, nil))
	case t.presence:
		return leafNode(newLeaf(t.attribute, false, everything(kind)))
	case z.symbolic && t.symbol != "":
		return symbolNode(t.symbol, t.negated, negated)
	case negated:
		return leafNode(newLeaf(t.attribute, false, t.values.complement(kind)))
	default:
		return leafNode(newLeaf(t.attribute, false, t.values))
	}
}

func decidedNode(value bool) *Node {
	if value {
		return &Node{kind: Everything, text: "true"}
	}
	return &Node{kind: Nothing, text: "false"}
}

func symbolNode(text, negatedText string, negated bool) *Node {
	if negated {
		text = negatedText
	}
	return &Node{kind: symbol, text: text}
}

// leafNode is a Test, or decided if the leaf is.
func leafNode(l *Leaf) *Node {
	switch {
	case len(l.values) == 0 && !l.absent:
		return decidedNode(false)
	case l.absent && l.Present():
		return decidedNode(true)
	}
	n := &Node{kind: Test, leaf: l}
	n.text, n.loose = leafText(l)
	l.text = n.text
	return n
}

// join makes the And or Or of children that are in normal form.
func join(kind Kind, children []*Node) *Node {
	decisive, neutral := Nothing, Everything
	if kind == Or {
		decisive, neutral = Everything, Nothing
	}
	var leaves, others []*Node
	add := func(n *Node) {
		if n.kind == Test {
			leaves = append(leaves, n)
		} else {
			others = append(others, n)
		}
	}
	for _, child := range children {
		switch child.kind {
		case decisive:
			return child
		case neutral:
		case kind:
			for _, inner := range child.children {
				add(inner)
			}
		default:
			add(child)
		}
	}
	leaves, decided := joinLeaves(kind, leaves)
	if decided != nil && decided.kind == decisive {
		return decided
	}
	others = append(others, leaves...)
	slices.SortFunc(others, func(a, b *Node) int { return strings.Compare(a.text, b.text) })
	others = slices.CompactFunc(others, func(a, b *Node) bool { return a.text == b.text })
	switch len(others) {
	case 0:
		return decidedNode(neutral == Everything)
	case 1:
		return others[0]
	}
	n := &Node{kind: kind, children: others, loose: kind == Or}
	n.text = joinedText(kind, others)
	return n
}

// joinLeaves makes one leaf of all those on one attribute. If that is true or
// false of all entries, decided is that node; a neutral one is left out.
func joinLeaves(kind Kind, leaves []*Node) (joined []*Node, decided *Node) {
	slices.SortStableFunc(leaves, func(a, b *Node) int {
		return int(a.leaf.attribute.ID) - int(b.leaf.attribute.ID)
	})
	for start := 0; start < len(leaves); {
		end := start + 1
		for end < len(leaves) && leaves[end].leaf.attribute.ID == leaves[start].leaf.attribute.ID {
			end++
		}
		one := mergeLeaves(kind, leaves[start:end])
		start = end
		if one.kind == Test {
			joined = append(joined, one)
			continue
		}
		decided = one
		if (one.kind == Nothing) == (kind == And) {
			return nil, decided
		}
	}
	return joined, decided
}

// mergeLeaves merges by halves, so that a thousand terms on one attribute
// cost a thousand times ten and not a thousand times a thousand.
func mergeLeaves(kind Kind, leaves []*Node) *Node {
	if len(leaves) == 1 {
		return leaves[0]
	}
	absent, values := mergeSets(kind, leaves)
	return leafNode(newLeaf(leaves[0].leaf.attribute, absent, values))
}

func mergeSets(kind Kind, leaves []*Node) (absent bool, values valueSet) {
	if len(leaves) == 1 {
		return leaves[0].leaf.absent, leaves[0].leaf.values
	}
	absentA, a := mergeSets(kind, leaves[:len(leaves)/2])
	absentB, b := mergeSets(kind, leaves[len(leaves)/2:])
	if kind == And {
		return absentA && absentB, combine(a, b, func(inA, inB bool) bool { return inA && inB })
	}
	return absentA || absentB, combine(a, b, func(inA, inB bool) bool { return inA || inB })
}

// numberLeaves lists a tree's leaves, ascending by attribute and each once,
// and tells each Test which is its own.
func numberLeaves(root *Node) []*Leaf {
	var tests []*Node
	var collect func(*Node)
	collect = func(n *Node) {
		if n.kind == Test {
			tests = append(tests, n)
		}
		for _, child := range n.children {
			collect(child)
		}
	}
	collect(root)
	slices.SortStableFunc(tests, func(a, b *Node) int {
		if order := int(a.leaf.attribute.ID) - int(b.leaf.attribute.ID); order != 0 {
			return order
		}
		return strings.Compare(a.text, b.text)
	})
	var leaves []*Leaf
	for _, test := range tests {
		if last := len(leaves) - 1; last >= 0 && leaves[last].text == test.text {
			test.leaf = leaves[last]
		} else {
			leaves = append(leaves, test.leaf)
		}
		test.index = len(leaves) - 1
	}
	return leaves
}
