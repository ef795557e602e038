package filter

import (
	"cmp"
	"math/big"
	"strings"
	"time"

	"cairn"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
	"pgregory.net/rapid"
)

// The model is a second, naive implementation of the language: three-valued
// evaluation of the tree that CEL's other parser makes, with exact numbers. It
// shares nothing with the package but the syntax.

// unknownValue is an absent attribute's value and the truth that comes of it.
type unknownValue struct{}

// entry is an entry's attributes by name.
type entry map[string]cairn.Value

// encode is an entry as it is stored.
func (e entry) encode(t rapid.TB, schema *cairn.Schema) cairn.Attributes {
	t.Helper()
	var list []cairn.Attribute
	for name, value := range e {
		spec, found := schema.ByName(name)
		if !found {
			t.Fatalf("the schema has no %s", name)
		}
		list = append(list, cairn.Attribute{ID: spec.ID, Value: value})
	}
	out, err := cairn.NewAttributes(list)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type model struct {
	t    rapid.TB
	root ast.Expr
	now  time.Time
}

func newModel(t rapid.TB, expression string, now time.Time) model {
	t.Helper()
	generated, err := parser.NewParser(parser.MaxRecursionDepth(1000))
	if err != nil {
		t.Fatal(err)
	}
	parsed, failed := generated.Parse(common.NewTextSource(expression))
	if len(failed.GetErrors()) > 0 {
		t.Fatalf("%s: %s", expression, failed.ToDisplayString())
	}
	return model{t: t, root: parsed.Expr(), now: now}
}

// truth evaluates the expression for an entry.
func (m model) truth(e entry) Truth {
	switch value := m.eval(m.root, e).(type) {
	case bool:
		if value {
			return True
		}
		return False
	case unknownValue:
		return Unknown
	default:
		m.t.Fatalf("the expression is %v", value)
		return Unknown
	}
}

// eval returns a bool, *big.Rat, string, time.Time, time.Duration or
// unknownValue.
func (m model) eval(e ast.Expr, of entry) any {
	switch e.Kind() {
	case ast.LiteralKind:
		switch v := e.AsLiteral().(type) {
		case types.Bool:
			return bool(v)
		case types.Int:
			return new(big.Rat).SetInt64(int64(v))
		case types.Double:
			return new(big.Rat).SetFloat64(float64(v))
		case types.String:
			return string(v)
		}
	case ast.IdentKind:
		if e.AsIdent() == "now" {
			return m.now
		}
		return plain(of, e.AsIdent())
	case ast.CallKind:
		return m.call(e.AsCall(), of)
	}
	m.t.Fatalf("the model does not know an expression of kind %d", e.Kind())
	return nil
}

func plain(of entry, name string) any {
	value, present := of[name]
	if !present {
		return unknownValue{}
	}
	switch value.Type() {
	case cairn.TypeString:
		return value.Text()
	case cairn.TypeInt:
		return new(big.Rat).SetInt64(value.Int())
	case cairn.TypeFloat:
		return new(big.Rat).SetFloat64(value.Float())
	case cairn.TypeBool:
		return value.Bool()
	default:
		return value.Time()
	}
}

func (m model) call(call ast.CallExpr, of entry) any {
	args := call.Args()
	switch call.FunctionName() {
	case "_&&_":
		left, right := m.eval(args[0], of), m.eval(args[1], of)
		switch {
		case left == false || right == false:
			return false
		case left == true && right == true:
			return true
		}
		return unknownValue{}
	case "_||_":
		left, right := m.eval(args[0], of), m.eval(args[1], of)
		switch {
		case left == true || right == true:
			return true
		case left == false && right == false:
			return false
		}
		return unknownValue{}
	case "!_":
		if value, known := m.eval(args[0], of).(bool); known {
			return !value
		}
		return unknownValue{}
	case "has":
		_, present := of[args[0].AsIdent()]
		return present
	case "timestamp":
		at, err := time.Parse(time.RFC3339Nano, m.eval(args[0], of).(string))
		if err != nil {
			m.t.Fatal(err)
		}
		return at
	case "duration":
		length, err := time.ParseDuration(m.eval(args[0], of).(string))
		if err != nil {
			m.t.Fatal(err)
		}
		return length
	case "_+_":
		left, right := m.eval(args[0], of), m.eval(args[1], of)
		if at, ok := right.(time.Time); ok {
			left, right = at, left
		}
		if at, ok := left.(time.Time); ok {
			return at.Add(right.(time.Duration))
		}
		return left.(time.Duration) + right.(time.Duration)
	case "_-_":
		left, right := m.eval(args[0], of), m.eval(args[1], of)
		if at, ok := left.(time.Time); ok {
			return at.Add(-right.(time.Duration))
		}
		return left.(time.Duration) - right.(time.Duration)
	case "@in":
		value := m.eval(args[0], of)
		if value == (unknownValue{}) {
			return value
		}
		for _, element := range args[1].AsList().Elements() {
			if m.compare(value, m.eval(element, of)) == 0 {
				return true
			}
		}
		return false
	case "startsWith":
		value, known := m.eval(call.Target(), of).(string)
		if !known {
			return unknownValue{}
		}
		return strings.HasPrefix(value, m.eval(args[0], of).(string))
	}
	left, right := m.eval(args[0], of), m.eval(args[1], of)
	if left == (unknownValue{}) || right == (unknownValue{}) {
		return unknownValue{}
	}
	order := m.compare(left, right)
	switch call.FunctionName() {
	case "_==_":
		return order == 0
	case "_!=_":
		return order != 0
	case "_<_":
		return order < 0
	case "_<=_":
		return order <= 0
	case "_>_":
		return order > 0
	case "_>=_":
		return order >= 0
	}
	m.t.Fatalf("the model does not know %s", call.FunctionName())
	return nil
}

func (m model) compare(a, b any) int {
	switch a := a.(type) {
	case *big.Rat:
		return a.Cmp(b.(*big.Rat))
	case string:
		return strings.Compare(a, b.(string))
	case time.Time:
		return a.Compare(b.(time.Time))
	case time.Duration:
		return cmp.Compare(a, b.(time.Duration))
	case bool:
		number := map[bool]int{true: 1}
		return number[a] - number[b.(bool)]
	}
	m.t.Fatalf("the model does not compare %T", a)
	return 0
}
