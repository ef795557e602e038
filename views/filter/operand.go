package filter

import (
	"fmt"
	"math"
	"time"

	"cairn"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// operand is what stands on one side of a comparison.
type operand struct {
	isAttribute bool
	attribute   cairn.AttributeSpec
	constant    constant
}

// describe is the operand in an error message.
func (o operand) describe() string {
	if o.isAttribute {
		return fmt.Sprintf("%s (%s)", o.attribute.Name, o.attribute.Type)
	}
	return o.constant.describe()
}

// operand checks a value: an attribute's name or a constant.
func (c *checker) operand(e ast.Expr) (operand, error) {
	if err := c.count(e); err != nil {
		return operand{}, err
	}
	switch e.Kind() {
	case ast.IdentKind:
		return c.name(e)
	case ast.LiteralKind:
		value, err := c.literal(e)
		return operand{constant: value}, err
	case ast.CallKind:
		value, err := c.computed(e)
		return operand{constant: value}, err
	default:
		return operand{}, c.unsupported(e)
	}
}

// name checks now and the names of attributes. Where now is the time it hides
// an attribute of that name; it never means one thing here and another there.
func (c *checker) name(e ast.Expr) (operand, error) {
	name := e.AsIdent()
	if name == nowName {
		if c.mode != Where {
			return operand{}, c.refuse(e, "FILTER_NOW", "now is not allowed in a view's filter, which must hold at all times; use it in a query's where")
		}
		c.usesNow = true
		return operand{constant: constant{kind: timestampConstant, time: c.now, relative: true}}, nil
	}
	attribute, found := c.schema.ByName(name)
	switch {
	case !found:
		return operand{}, c.refuse(e, "ATTRIBUTE_UNKNOWN", "the keyspace has no attribute %s%s", shorten(name), c.schema.Suggest(name))
	case attribute.Unindexed && c.mode != Where:
		return operand{}, c.refuse(e, "ATTRIBUTE_UNINDEXED", "attribute %s has no index, so a view can't filter on it; declare it without index: none", name)
	}
	c.named = append(c.named, attribute)
	return operand{isAttribute: true, attribute: attribute}, nil
}

func (c *checker) literal(e ast.Expr) (constant, error) {
	switch value := e.AsLiteral().(type) {
	case types.Bool:
		out := constant{kind: boolConstant}
		if value {
			out.number = 1
		}
		return out, nil
	case types.Int:
		return constant{kind: intConstant, number: int64(value)}, nil
	case types.Double:
		if math.IsInf(float64(value), 0) || math.IsNaN(float64(value)) {
			return constant{}, c.refuse(e, "FILTER_VALUE", "the number is not finite; a float is at most %g", math.MaxFloat64)
		}
		return constant{kind: floatConstant, float: float64(value)}, nil
	case types.String:
		if _, err := cairn.String(string(value)); err != nil {
			return constant{}, c.refuse(e, "FILTER_VALUE", "%s", err)
		}
		return constant{kind: stringConstant, text: string(value)}, nil
	case types.Null:
		return constant{}, c.refuse(e, "FILTER_NULL", "null is not a value, and a comparison with an absent one is unknown; ask has(name) or !has(name)")
	case types.Uint:
		return constant{}, c.refuse(e, "FILTER_UNSUPPORTED", "unsigned numbers are not supported; leave the u out")
	default:
		return constant{}, c.refuse(e, "FILTER_UNSUPPORTED", "bytes are not supported; write a string")
	}
}

// computed checks calls whose result is a constant.
func (c *checker) computed(e ast.Expr) (constant, error) {
	call := e.AsCall()
	name, args := call.FunctionName(), call.Args()
	switch {
	case name == "timestamp" && !call.IsMemberFunction():
		text, err := c.text(e, args, `timestamp takes one string in the form of RFC 3339, as in timestamp("2026-01-31T09:30:00Z")`)
		if err != nil {
			return constant{}, err
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || at.UTC().Year() < 1 || at.UTC().Year() > 9999 {
			return constant{}, c.refuse(args[0], "FILTER_VALUE", "%q is not a timestamp of the years 1 to 9999 in the form of RFC 3339, as in 2026-01-31T09:30:00Z", shorten(text))
		}
		return constant{kind: timestampConstant, time: at.UTC()}, nil
	case name == "duration" && !call.IsMemberFunction():
		text, err := c.text(e, args, `duration takes one string, as in duration("36h") or duration("1m30s")`)
		if err != nil {
			return constant{}, err
		}
		length, err := time.ParseDuration(text)
		if err != nil {
			return constant{}, c.refuse(args[0], "FILTER_VALUE", "%q is not a duration of at most 292 years, as in 36h or 1m30s; the units are h, m, s, ms, us and ns", shorten(text))
		}
		return constant{kind: durationConstant, number: int64(length)}, nil
	case name == operators.Add || name == operators.Subtract:
		return c.arithmetic(e, name == operators.Subtract, args[0], args[1])
	}
	return constant{}, c.unsupported(e)
}

// text is the one string literal that a function takes.
func (c *checker) text(e ast.Expr, args []ast.Expr, usage string) (string, error) {
	if len(args) == 1 && args[0].Kind() == ast.LiteralKind {
		if text, ok := args[0].AsLiteral().(types.String); ok {
			return string(text), nil
		}
	}
	return "", c.refuse(e, "FILTER_UNSUPPORTED", "%s", usage)
}

// arithmetic adds a duration to a constant timestamp or duration, or takes it
// away.
func (c *checker) arithmetic(e ast.Expr, minus bool, leftExpr, rightExpr ast.Expr) (constant, error) {
	left, err := c.operand(leftExpr)
	if err != nil {
		return constant{}, err
	}
	right, err := c.operand(rightExpr)
	if err != nil {
		return constant{}, err
	}
	if left.isAttribute || right.isAttribute {
		return constant{}, c.refuse(e, "FILTER_UNSUPPORTED", `arithmetic on an attribute is not supported; keep it alone on one side, as in seen > timestamp("2026-01-31T09:30:00Z") - duration("36h")`)
	}
	a, b := left.constant, right.constant
	if !minus && a.kind == durationConstant && b.kind == timestampConstant {
		a, b = b, a
	}
	if b.kind != durationConstant || a.kind != timestampConstant && a.kind != durationConstant {
		return constant{}, c.unsupportedCall(e)
	}
	sum, fits := addDurations(a.number, b.number, minus)
	if !fits && (a.kind == durationConstant || a.relative) {
		return constant{}, c.refuse(e, "FILTER_VALUE", "the durations together are longer than 292 years")
	}
	a.number = sum
	if a.kind == durationConstant {
		return a, nil
	}
	if a.time, fits = shift(a.time, b.number, minus); !fits {
		return constant{}, c.refuse(e, "FILTER_VALUE", "the timestamp is outside the years 1 to 9999")
	}
	return a, nil
}

func addDurations(a, b int64, minus bool) (sum int64, fits bool) {
	if minus {
		sum = a - b
		return sum, (b <= 0) == (sum >= a)
	}
	sum = a + b
	return sum, (b >= 0) == (sum >= a)
}

// shift moves a time by nanoseconds, in two steps where the opposite of the
// least number of them is no number.
func shift(at time.Time, length int64, minus bool) (time.Time, bool) {
	switch {
	case !minus:
		at = at.Add(time.Duration(length))
	case length == math.MinInt64:
		at = at.Add(math.MaxInt64).Add(1)
	default:
		at = at.Add(-time.Duration(length))
	}
	return at, at.Year() >= 1 && at.Year() <= 9999
}
