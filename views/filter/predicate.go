package filter

import "cairn"

// Columns gives the values of entries by ordinal.
type Columns interface {
	// Number is the value of an int, of a timestamp in microseconds since
	// 1970, of a bool as 0 or 1, or of a float as the bits of its IEEE 754
	// form; ok is false if it is absent.
	Number(attribute cairn.AttributeID, ordinal uint32) (number int64, ok bool)
	// Text is the value of a string; ok is false if it is absent.
	Text(attribute cairn.AttributeID, ordinal uint32) (text string, ok bool)
}

// verdicts are the truths of a filter's leaves, a bit each.
type verdicts [MaxTerms / 64]uint64

func (v *verdicts) set(leaf int) { v[leaf>>6] |= 1 << (leaf & 63) }

func (v *verdicts) get(leaf int) bool { return v[leaf>>6]>>(leaf&63)&1 == 1 }

// Match reports whether the filter is true of an entry's attributes. It goes
// over them once. They are valid: what comes after a broken place counts as
// absent.
func (f *Filter) Match(attributes cairn.Attributes) bool {
	var passed verdicts
	next := 0 // the first leaf that is not decided yet
	for len(attributes) > 0 && next < len(f.leaves) {
		value, rest, ok := cutRaw(attributes)
		if !ok {
			break
		}
		attributes = rest
		// Both are in order of attribute: leaves before this one's are on
		// absent attributes.
		for ; next < len(f.leaves) && f.leaves[next].attribute.ID < value.id; next++ {
			if f.leaves[next].absent {
				passed.set(next)
			} else if f.required(next) {
				return false
			}
		}
		for ; next < len(f.leaves) && f.leaves[next].attribute.ID == value.id; next++ {
			if f.leaves[next].matchRaw(&value) {
				passed.set(next)
			} else if f.required(next) {
				return false
			}
		}
	}
	for ; next < len(f.leaves); next++ {
		if f.leaves[next].absent {
			passed.set(next)
		} else if f.required(next) {
			return false
		}
	}
	return f.root.decide(&passed)
}

// required reports whether the filter is false where a leaf is.
func (f *Filter) required(leaf int) bool { return f.requirements.get(leaf) }

// requirementsOf are the leaves without which a tree is false.
func requirementsOf(root *Node) (out verdicts) {
	switch root.kind {
	case Test:
		out.set(root.index)
	case And:
		for _, child := range root.children {
			if child.kind == Test {
				out.set(child.index)
			}
		}
	}
	return out
}

// decide is the truth of a node by those of its leaves.
func (n *Node) decide(passed *verdicts) bool {
	switch n.kind {
	case Test:
		return passed.get(n.index)
	case And:
		for _, child := range n.children {
			if !child.decide(passed) {
				return false
			}
		}
		return true
	case Or:
		for _, child := range n.children {
			if child.decide(passed) {
				return true
			}
		}
		return false
	default:
		return n.kind == Everything
	}
}

// MatchOrdinal reports whether the filter is true of the entry at an ordinal.
// It asks for as few values as it can.
func (f *Filter) MatchOrdinal(columns Columns, ordinal uint32) bool {
	return f.root.matchOrdinal(columns, ordinal)
}

func (n *Node) matchOrdinal(columns Columns, ordinal uint32) bool {
	switch n.kind {
	case Test:
		return n.leaf.MatchOrdinal(columns, ordinal)
	case And:
		for _, child := range n.children {
			if !child.matchOrdinal(columns, ordinal) {
				return false
			}
		}
		return true
	case Or:
		for _, child := range n.children {
			if child.matchOrdinal(columns, ordinal) {
				return true
			}
		}
		return false
	default:
		return n.kind == Everything
	}
}

// MatchOrdinal reports whether the leaf is true of the entry at an ordinal.
func (l *Leaf) MatchOrdinal(columns Columns, ordinal uint32) bool {
	if l.attribute.Type == cairn.TypeString {
		text, ok := columns.Text(l.attribute.ID, ordinal)
		if !ok {
			return l.absent
		}
		return l.MatchText(text)
	}
	number, ok := columns.Number(l.attribute.ID, ordinal)
	if !ok {
		return l.absent
	}
	return l.MatchNumber(number)
}
