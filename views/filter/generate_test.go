package filter

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"cairn"

	"pgregory.net/rapid"
)

// Values near each other, at the ends of their types, and where ints and
// floats differ. Entries and literals are drawn from them.
var (
	someInts = []int64{0, 1, -1, 2, 3, 5, 7, 1 << 53, 1<<53 + 1, 1<<53 - 1, -(1<<53 + 1), math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1}

	someFloats = []float64{0, math.Copysign(0, -1), 1, -1, 2.5, 3, 5, 0.1, 1 << 53, 1<<53 + 2, 1 << 63, -1 << 63, 1e30, -1e30,
		math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, math.Nextafter(5, 6)}

	someStrings = []string{"", "a", "ab", "abc", "abd", "b", "B", "a\x00", "\x00", "é", "éa", "\ud7ff", "\ud7ffz", "\ue000", "a\U0010ffff", "\U0010ffff\U0010ffff", "a'\"\\\n"}

	someTimes = []time.Time{
		noon, noon.Add(time.Microsecond), noon.Add(-time.Microsecond), noon.Add(time.Hour), noon.Add(-time.Hour),
		time.Unix(0, 0).UTC(), time.Unix(-1, 999_999_000).UTC(),
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	}
	// Literals may be finer than values.
	finerTimes = []time.Time{noon.Add(500 * time.Nanosecond), noon.Add(-1), time.Unix(0, -1).UTC()}
)

// drawEntry draws an entry, each attribute present or not.
func drawEntry(t *rapid.T, schema *cairn.Schema) entry {
	e := entry{}
	for _, spec := range schema.Attributes() {
		if !rapid.Bool().Draw(t, "has "+spec.Name) {
			continue
		}
		e[spec.Name] = drawValue(t, spec.Type)
	}
	return e
}

func drawValue(t *rapid.T, kind cairn.Type) cairn.Value {
	var value cairn.Value
	var err error
	switch kind {
	case cairn.TypeString:
		value, err = cairn.String(rapid.SampledFrom(someStrings).Draw(t, "string"))
	case cairn.TypeInt:
		value = cairn.Int(rapid.SampledFrom(someInts).Draw(t, "int"))
	case cairn.TypeFloat:
		value, err = cairn.Float(rapid.SampledFrom(someFloats).Draw(t, "float"))
	case cairn.TypeBool:
		value = cairn.Bool(rapid.Bool().Draw(t, "bool"))
	default:
		value, err = cairn.Timestamp(rapid.SampledFrom(someTimes).Draw(t, "time"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// written is an expression in CEL and in SQL.
type written struct{ cel, sql string }

// grammar draws expressions over a schema.
type grammar struct {
	schema *cairn.Schema
	// views leaves out now and attributes without an index.
	views bool
	// plain leaves out what other implementations see otherwise: see
	// plainText and plainFloat.
	plain bool
	// small leaves out ints that are no floats, which CEL's own evaluator
	// rounds.
	small bool
}

// plainText reports whether SQLite's command line takes a string: it has no
// zero byte.
func plainText(s string) bool { return !strings.Contains(s, "\x00") }

// plainFloat reports whether SQLite reads a float's digits as that float.
func plainFloat(f float64) bool {
	return f == 0 || math.Abs(f) > 1e-300 && f != math.Nextafter(5, 6)
}

func smallInt(n int64) bool { return n >= -1<<53 && n <= 1<<53 }

// keeps reports whether the grammar's literals may have an entry's value.
func (g grammar) keeps(v cairn.Value) bool {
	switch v.Type() {
	case cairn.TypeString:
		return !g.plain || plainText(v.Text())
	case cairn.TypeFloat:
		return !g.plain || plainFloat(v.Float())
	case cairn.TypeInt:
		return !g.small || smallInt(v.Int())
	default:
		return true
	}
}

func (g grammar) expression(t *rapid.T, depth int) written {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		return g.term(t)
	}
	switch rapid.SampledFrom([]string{"and", "or", "not"}).Draw(t, "operator") {
	case "not":
		inner := g.expression(t, depth-1)
		return written{"!(" + inner.cel + ")", "NOT (" + inner.sql + ")"}
	case "and":
		return g.joined(t, depth, " && ", " AND ")
	default:
		return g.joined(t, depth, " || ", " OR ")
	}
}

func (g grammar) joined(t *rapid.T, depth int, cel, sql string) written {
	var inCEL, inSQL []string
	for range rapid.IntRange(2, 4).Draw(t, "operands") {
		each := g.expression(t, depth-1)
		inCEL, inSQL = append(inCEL, "("+each.cel+")"), append(inSQL, "("+each.sql+")")
	}
	return written{strings.Join(inCEL, cel), strings.Join(inSQL, sql)}
}

var operatorsInSQL = map[string]string{"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

func (g grammar) term(t *rapid.T) written {
	specs := g.schema.Attributes()
	spec := specs[rapid.IntRange(0, len(specs)-1).Draw(t, "attribute")]
	if g.views && spec.Unindexed {
		return written{"true", "1"}
	}
	name := spec.Name
	op := rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">="}).Draw(t, "comparison")
	switch form := rapid.SampledFrom([]string{"compare", "compare", "turned", "in", "in constants", "has", "or absent", "own", "constants"}).Draw(t, "form"); form {
	case "turned":
		value := g.literal(t, spec.Type)
		return written{value.cel + op + name, value.sql + operatorsInSQL[op] + name}
	case "in", "in constants":
		var inCEL, inSQL []string
		for range rapid.IntRange(1, 4).Draw(t, "elements") {
			each := g.literal(t, spec.Type)
			inCEL, inSQL = append(inCEL, each.cel), append(inSQL, each.sql)
		}
		value := written{name, name}
		if form == "in constants" {
			value = g.literal(t, spec.Type)
		}
		return written{value.cel + " in [" + strings.Join(inCEL, ",") + "]", value.sql + " IN (" + strings.Join(inSQL, ",") + ")"}
	case "or absent":
		value := g.literal(t, spec.Type)
		return written{"!has(" + name + ") || " + name + op + value.cel, name + " IS NULL OR " + name + operatorsInSQL[op] + value.sql}
	case "has":
		return written{"has(" + name + ")", name + " IS NOT NULL"}
	case "constants":
		a, b := g.literal(t, spec.Type), g.literal(t, spec.Type)
		return written{a.cel + op + b.cel, a.sql + operatorsInSQL[op] + b.sql}
	case "own":
		switch spec.Type {
		case cairn.TypeBool:
			return written{name, name}
		case cairn.TypeString:
			prefix := rapid.SampledFrom(someStrings).Filter(g.allowed).Draw(t, "prefix")
			return written{name + ".startsWith(" + strconv.Quote(prefix) + ")",
				fmt.Sprintf("substr(%s, 1, length(%s)) = %[2]s", name, quoteSQL(prefix))}
		}
	}
	value := g.literal(t, spec.Type)
	return written{name + " " + op + " " + value.cel, name + " " + operatorsInSQL[op] + " " + value.sql}
}

func (g grammar) allowed(s string) bool { return !g.plain || plainText(s) }

func (g grammar) literal(t *rapid.T, kind cairn.Type) written {
	switch kind {
	case cairn.TypeString:
		text := rapid.SampledFrom(someStrings).Filter(g.allowed).Draw(t, "text")
		return written{strconv.Quote(text), quoteSQL(text)}
	case cairn.TypeInt, cairn.TypeFloat:
		if rapid.Bool().Draw(t, "whole") {
			n := rapid.SampledFrom(someInts).Filter(func(n int64) bool { return !g.small || smallInt(n) }).Draw(t, "int")
			if n == math.MinInt64 {
				return written{strconv.FormatInt(n, 10), "(-9223372036854775807-1)"}
			}
			return written{strconv.FormatInt(n, 10), strconv.FormatInt(n, 10)}
		}
		f := rapid.SampledFrom(someFloats).Filter(func(f float64) bool { return !g.plain || plainFloat(f) }).Draw(t, "float")
		text := strconv.FormatFloat(f, 'e', -1, 64)
		return written{text, text}
	case cairn.TypeBool:
		if rapid.Bool().Draw(t, "bool") {
			return written{"true", "1"}
		}
		return written{"false", "0"}
	}
	if !g.views && rapid.IntRange(0, 2).Draw(t, "now") == 0 {
		length := rapid.SampledFrom([]time.Duration{time.Hour, time.Microsecond, 0, -time.Hour}).Draw(t, "length")
		return written{fmt.Sprintf("now - duration(%q)", length), strconv.FormatInt(noon.Add(-length).UnixMicro(), 10)}
	}
	at := rapid.SampledFrom(append(finerTimes, someTimes...)).Filter(func(at time.Time) bool {
		return !g.plain || at.Nanosecond()%500 == 0 // what is not half a microsecond is no float
	}).Draw(t, "time")
	// SQLite has the microseconds as ints; half of one is a real there.
	inSQL := strconv.FormatInt(at.UnixMicro(), 10)
	if nanoseconds := at.Nanosecond() % 1000; nanoseconds != 0 {
		inSQL = fmt.Sprintf("(%d + %d/1000.0)", at.UnixMicro(), nanoseconds)
	}
	return written{formatTimestamp(at), inSQL}
}

func quoteSQL(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// draw draws an expression that Parse accepts.
func (g grammar) draw(t *rapid.T) written { return g.expression(t, 3) }
