package filter

import (
	"time"

	"cairn"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// What is right, in errors about what is not.
const (
	hasUsage        = "has takes the name of one attribute, as in has(surface)"
	startsWithUsage = `startsWith is asked of an attribute and takes one string literal, as in surface.startsWith("asph")`
)

// nowName is the current time in a query's where.
const nowName = "now"

// checker turns CEL's syntax tree into clauses, and refuses what does not fit
// the schema.
type checker struct {
	source  *source
	schema  *cairn.Schema
	mode    Mode
	now     time.Time
	terms   int
	named   []cairn.AttributeSpec
	usesNow bool
}

func (c *checker) refuse(e ast.Expr, reason, format string, args ...any) error {
	return c.source.refuse(c.source.at(e), reason, format, args...)
}

// count bounds what one expression makes of work.
func (c *checker) count(e ast.Expr) error {
	if c.terms++; c.terms > MaxTerms {
		return c.refuse(e, "FILTER_TOO_MANY_TERMS", "the expression has more than %d terms", MaxTerms)
	}
	return nil
}

// condition checks what must be true or false.
func (c *checker) condition(e ast.Expr) (*clause, error) {
	switch e.Kind() {
	case ast.CallKind:
		return c.call(e)
	case ast.IdentKind:
		return c.bare(e)
	case ast.LiteralKind:
		if value, ok := e.AsLiteral().(types.Bool); ok {
			return &clause{kind: constantClause, expr: e, constant: bool(value)}, nil
		}
		operand, err := c.operand(e)
		if err != nil {
			return nil, err
		}
		return nil, c.refuse(e, "FILTER_TYPE", "%s is not a condition", operand.describe())
	default:
		return nil, c.unsupported(e)
	}
}

// bare checks a name that stands as a condition.
func (c *checker) bare(e ast.Expr) (*clause, error) {
	operand, err := c.operand(e)
	if err != nil {
		return nil, err
	}
	switch {
	case !operand.isAttribute:
		return nil, c.refuse(e, "FILTER_TYPE", "%s is not a condition; compare it", operand.describe())
	case operand.attribute.Type != cairn.TypeBool:
		return nil, c.refuse(e, "FILTER_TYPE", "%s is not a condition; compare it, or ask has(%s)", operand.describe(), operand.attribute.Name)
	}
	yes := constant{kind: boolConstant, number: 1}
	return c.term(e, operand.attribute, equal, yes), nil
}

// call checks an operator or a function that stands as a condition.
func (c *checker) call(e ast.Expr) (*clause, error) {
	call := e.AsCall()
	name, args := call.FunctionName(), call.Args()
	if comparison, ok := comparisons[name]; ok {
		return c.comparison(e, comparison, args[0], args[1])
	}
	switch {
	case name == operators.LogicalAnd:
		return c.joined(e, andClause, args)
	case name == operators.LogicalOr:
		return c.joined(e, orClause, args)
	case name == operators.LogicalNot:
		return c.joined(e, notClause, args)
	case name == operators.In:
		return c.membership(e, args[0], args[1])
	case name == "has" && !call.IsMemberFunction():
		return c.presence(e, args)
	case name == "startsWith" && call.IsMemberFunction():
		return c.prefix(e, call.Target(), args)
	}
	// The rest are values, such as timestamp("..."), or not supported.
	operand, err := c.operand(e)
	if err != nil {
		return nil, err
	}
	return nil, c.refuse(e, "FILTER_TYPE", "%s is not a condition; compare it", operand.describe())
}

func (c *checker) joined(e ast.Expr, kind clauseKind, args []ast.Expr) (*clause, error) {
	out := &clause{kind: kind, expr: e, children: make([]*clause, len(args))}
	for i, arg := range args {
		var err error
		if out.children[i], err = c.condition(arg); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// presence checks has(attribute).
func (c *checker) presence(e ast.Expr, args []ast.Expr) (*clause, error) {
	if len(args) != 1 || args[0].Kind() != ast.IdentKind || args[0].AsIdent() == nowName {
		return nil, c.refuse(e, "FILTER_UNSUPPORTED", hasUsage)
	}
	operand, err := c.operand(args[0])
	if err != nil {
		return nil, err
	}
	return &clause{kind: termClause, expr: e, term: term{attribute: operand.attribute, presence: true}}, nil
}

// unsupported is the error for CEL that filters are not made of.
func (c *checker) unsupported(e ast.Expr) error {
	what := "this"
	switch e.Kind() {
	case ast.SelectKind:
		what = "a selection of a field; attributes have none, so this"
	case ast.ListKind:
		what = "a list anywhere but to the right of in"
	case ast.MapKind:
		what = "a map"
	case ast.StructKind:
		what = "a message"
	case ast.CallKind:
		return c.unsupportedCall(e)
	}
	return c.refuse(e, "FILTER_UNSUPPORTED", "%s is not supported in filters", what)
}

func (c *checker) unsupportedCall(e ast.Expr) error {
	name := e.AsCall().FunctionName()
	switch name {
	case operators.Conditional:
		return c.refuse(e, "FILTER_UNSUPPORTED", "the conditional ?: is not supported; use && and ||")
	case operators.Index:
		return c.refuse(e, "FILTER_UNSUPPORTED", "an index [] is not supported; attributes are single values")
	case operators.Negate:
		return c.refuse(e, "FILTER_UNSUPPORTED", "the negation of a value is not supported; write a negative number as -1")
	case operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo:
		sign, _ := operators.FindReverse(name)
		return c.refuse(e, "FILTER_UNSUPPORTED", "the arithmetic operator %s is not supported here; only a duration is added to or subtracted from a constant timestamp or duration", sign)
	case "startsWith":
		if !e.AsCall().IsMemberFunction() {
			return c.refuse(e, "FILTER_UNSUPPORTED", startsWithUsage)
		}
	case "has":
		if e.AsCall().IsMemberFunction() {
			return c.refuse(e, "FILTER_UNSUPPORTED", hasUsage)
		}
	}
	switch name {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.In, "has", "startsWith":
		return c.refuse(e, "FILTER_UNSUPPORTED", "a condition can't be compared or combined with a value; join conditions by && and ||")
	}
	if _, ok := comparisons[name]; ok {
		return c.refuse(e, "FILTER_UNSUPPORTED", "a condition can't be compared or combined with a value; join conditions by && and ||")
	}
	what := "function"
	switch name {
	case "all", "exists", "exists_one", "map", "filter":
		what = "macro"
	}
	return c.refuse(e, "FILTER_UNSUPPORTED", "the %s %s is not supported; there are has, startsWith, timestamp and duration", what, shorten(name))
}
