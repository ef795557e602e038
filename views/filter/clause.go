package filter

import (
	"cairn"

	"cel.dev/cel-go/common/ast"
)

// Truth is what is known of a condition: false, unknown or true.
type Truth uint8

// The truths, in the order in which && takes the least and || the most.
const (
	False Truth = iota
	Unknown
	True
)

func (t Truth) String() string { return [...]string{"false", "unknown", "true"}[t] }

func not(t Truth) Truth { return True - t }

func truthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}

type clauseKind uint8

const (
	constantClause clauseKind = iota
	termClause
	andClause
	orClause
	notClause
)

// clause is a condition in the shape in which it was written.
type clause struct {
	kind     clauseKind
	expr     ast.Expr
	children []*clause
	// term is of a termClause.
	term term
	// constant is of a constantClause. If it depends on now, symbol is its
	// text and negated that of its opposite.
	constant        bool
	symbol, negated string
}

// term is a condition on one attribute.
type term struct {
	attribute cairn.AttributeSpec
	// presence is has(attribute), which is never unknown. Of any other term
	// values are those that it is true of.
	presence bool
	values   valueSet
	// symbol and negated are set as those of a clause are.
	symbol, negated string
}

// truth is what the term is of an attribute that is present with a value that
// the set contains or not.
func (t *term) truth(present, contained bool) Truth {
	switch {
	case t.presence:
		return truthOf(present)
	case !present:
		return Unknown
	default:
		return truthOf(contained)
	}
}
