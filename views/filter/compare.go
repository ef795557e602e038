package filter

import (
	"slices"
	"strings"

	"cairn"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

type comparison uint8

const (
	equal comparison = iota
	notEqual
	less
	lessEqual
	greater
	greaterEqual
)

var comparisons = map[string]comparison{
	operators.Equals: equal, operators.NotEquals: notEqual,
	operators.Less: less, operators.LessEquals: lessEqual,
	operators.Greater: greater, operators.GreaterEquals: greaterEqual,
}

func (c comparison) String() string { return [...]string{"==", "!=", "<", "<=", ">", ">="}[c] }

// opposite is the comparison that is true where this one is false.
func (c comparison) opposite() comparison {
	return [...]comparison{notEqual, equal, greaterEqual, greater, lessEqual, less}[c]
}

// turned is the comparison with its sides exchanged.
func (c comparison) turned() comparison {
	return [...]comparison{equal, notEqual, greater, greaterEqual, less, lessEqual}[c]
}

// holds reports whether the comparison is true of two constants by their
// order.
func (c comparison) holds(order int) bool {
	switch c {
	case equal:
		return order == 0
	case notEqual:
		return order != 0
	case less:
		return order < 0
	case lessEqual:
		return order <= 0
	case greater:
		return order > 0
	default:
		return order >= 0
	}
}

// values are those of a type that compare so with a constant.
func (c comparison) values(t cairn.Type, with constant) valueSet {
	first, _ := limits(t)
	before, after := around(t, with)
	switch c {
	case equal:
		return interval(before, after)
	case notEqual:
		return interval(before, after).complement(t)
	case less:
		return interval(first, before)
	case lessEqual:
		return interval(first, after)
	case greater:
		return interval(after, cut{end: true})
	default:
		return interval(before, cut{end: true})
	}
}

// comparison checks two values with a comparison between them.
func (c *checker) comparison(e ast.Expr, op comparison, leftExpr, rightExpr ast.Expr) (*clause, error) {
	left, err := c.operand(leftExpr)
	if err != nil {
		return nil, err
	}
	right, err := c.operand(rightExpr)
	if err != nil {
		return nil, err
	}
	switch {
	case left.isAttribute && right.isAttribute:
		return nil, c.refuse(e, "FILTER_UNSUPPORTED", "two attributes (%s and %s) can't be compared with each other; compare each with a constant", left.attribute.Name, right.attribute.Name)
	case right.isAttribute:
		left, right, op = right, left, op.turned()
	case !left.isAttribute:
		return c.decided(e, op, left.constant, right.constant)
	}
	if !right.constant.fits(left.attribute.Type) {
		return nil, c.mismatch(e, left, right)
	}
	return c.term(e, left.attribute, op, right.constant), nil
}

func (c *checker) mismatch(e ast.Expr, left, right operand) error {
	return c.refuse(e, "FILTER_TYPE", "%s can't be compared with %s", left.describe(), right.describe())
}

// term is the clause of a comparison of an attribute with a constant that
// fits it.
func (c *checker) term(e ast.Expr, attribute cairn.AttributeSpec, op comparison, with constant) *clause {
	out := &clause{kind: termClause, expr: e, term: term{attribute: attribute, values: op.values(attribute.Type, with)}}
	if with.relative {
		out.term.symbol = attribute.Name + " " + op.String() + " " + with.expression()
		out.term.negated = attribute.Name + " " + op.opposite().String() + " " + with.expression()
	}
	return out
}

// decided is the clause of a comparison of two constants. It depends on now
// if just one of them does.
func (c *checker) decided(e ast.Expr, op comparison, left, right constant) (*clause, error) {
	if !left.relative && right.relative {
		left, right, op = right, left, op.turned()
	}
	order, ok := left.compare(right)
	if !ok {
		return nil, c.mismatch(e, operand{constant: left}, operand{constant: right})
	}
	out := &clause{kind: constantClause, expr: e, constant: op.holds(order)}
	if left.relative && !right.relative {
		out.symbol = left.expression() + " " + op.String() + " " + right.expression()
		out.negated = left.expression() + " " + op.opposite().String() + " " + right.expression()
	}
	return out, nil
}

// membership checks value in [constants].
func (c *checker) membership(e ast.Expr, valueExpr, listExpr ast.Expr) (*clause, error) {
	value, err := c.operand(valueExpr)
	if err != nil {
		return nil, err
	}
	if listExpr.Kind() != ast.ListKind {
		return nil, c.refuse(e, "FILTER_UNSUPPORTED", `in takes a list of constants, as in surface in ["asphalt", "concrete"]`)
	}
	elements := make([]constant, 0, listExpr.AsList().Size())
	for _, each := range listExpr.AsList().Elements() {
		element, err := c.operand(each)
		switch {
		case err != nil:
			return nil, err
		case element.isAttribute:
			return nil, c.refuse(each, "FILTER_UNSUPPORTED", "the list of in has constants only, and %s is an attribute", element.attribute.Name)
		case value.isAttribute && !element.constant.fits(value.attribute.Type):
			return nil, c.mismatch(each, value, element)
		}
		elements = append(elements, element.constant)
	}
	if !value.isAttribute {
		return c.decidedMembership(e, value.constant, listExpr.AsList().Elements(), elements)
	}
	out := &clause{kind: termClause, expr: e, term: term{attribute: value.attribute, values: points(value.attribute.Type, elements)}}
	if slices.ContainsFunc(elements, func(c constant) bool { return c.relative }) {
		out.term.symbol = value.attribute.Name + " in " + formatList(elements)
		out.term.negated = "!(" + out.term.symbol + ")"
	}
	return out, nil
}

// decidedMembership is the clause of a constant in a list of them.
func (c *checker) decidedMembership(e ast.Expr, value constant, exprs []ast.Expr, elements []constant) (*clause, error) {
	out := &clause{kind: constantClause, expr: e}
	depends := false
	for i, element := range elements {
		each, err := c.decided(exprs[i], equal, value, element)
		if err != nil {
			return nil, err
		}
		out.constant = out.constant || each.constant
		depends = depends || each.symbol != ""
	}
	if depends {
		out.symbol = value.expression() + " in " + formatList(elements)
		out.negated = "!(" + out.symbol + ")"
	}
	return out, nil
}

// formatList is a list of timestamps as an expression: sorted, each once.
func formatList(elements []constant) string {
	texts := make([]string, len(elements))
	for i, element := range elements {
		texts[i] = element.expression()
	}
	slices.Sort(texts)
	return "[" + strings.Join(slices.Compact(texts), ", ") + "]"
}

// prefix checks value.startsWith("prefix").
func (c *checker) prefix(e, valueExpr ast.Expr, args []ast.Expr) (*clause, error) {
	value, err := c.operand(valueExpr)
	if err != nil {
		return nil, err
	}
	if len(args) != 1 {
		return nil, c.refuse(e, "FILTER_UNSUPPORTED", startsWithUsage)
	}
	argument, err := c.operand(args[0])
	if err != nil {
		return nil, err
	}
	switch {
	case argument.isAttribute || argument.constant.kind != stringConstant:
		return nil, c.refuse(args[0], "FILTER_UNSUPPORTED", startsWithUsage)
	case value.isAttribute && value.attribute.Type != cairn.TypeString,
		!value.isAttribute && value.constant.kind != stringConstant:
		return nil, c.refuse(e, "FILTER_TYPE", "%s does not start with anything; only strings do", value.describe())
	case !value.isAttribute:
		return &clause{kind: constantClause, expr: e, constant: strings.HasPrefix(value.constant.text, argument.constant.text)}, nil
	}
	return &clause{kind: termClause, expr: e, term: term{attribute: value.attribute, values: prefixed(argument.constant.text)}}, nil
}
