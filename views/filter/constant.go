package filter

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"cairn"
)

type constantKind uint8

const (
	stringConstant constantKind = iota + 1
	intConstant
	floatConstant
	boolConstant
	timestampConstant
	durationConstant
)

// constant is a value of an expression that is known without an entry.
type constant struct {
	kind constantKind
	text string
	// number is an int, a bool as 0 or 1, a duration in nanoseconds and, of a
	// relative timestamp, its distance from now.
	number int64
	float  float64
	// time is to the nanosecond, finer than values are.
	time time.Time
	// relative is a timestamp that is counted from now.
	relative bool
}

func (k constantKind) String() string {
	return [...]string{"", "string", "int", "float", "bool", "timestamp", "duration"}[k]
}

// describe is the constant in an error message.
func (c constant) describe() string {
	article := "a "
	if c.kind == intConstant {
		article = "an "
	}
	return article + c.kind.String()
}

// fits reports whether the constant can be compared with values of a type.
func (c constant) fits(t cairn.Type) bool {
	switch c.kind {
	case stringConstant:
		return t == cairn.TypeString
	case intConstant, floatConstant:
		return t == cairn.TypeInt || t == cairn.TypeFloat
	case boolConstant:
		return t == cairn.TypeBool
	case timestampConstant:
		return t == cairn.TypeTimestamp
	default:
		return false
	}
}

// compare orders two constants; ok is false if they can't be compared.
func (c constant) compare(other constant) (order int, ok bool) {
	numeric := func(k constantKind) bool { return k == intConstant || k == floatConstant }
	if c.kind != other.kind {
		switch {
		case !numeric(c.kind) || !numeric(other.kind):
			return 0, false
		case c.kind == intConstant:
			return compareIntFloat(c.number, other.float), true
		default:
			return -compareIntFloat(other.number, c.float), true
		}
	}
	switch c.kind {
	case stringConstant:
		return strings.Compare(c.text, other.text), true
	case floatConstant:
		return cmp.Compare(c.float, other.float), true
	case timestampConstant:
		return c.time.Compare(other.time), true
	default:
		return cmp.Compare(c.number, other.number), true
	}
}

// compareIntFloat compares by value: no int is rounded to a float.
func compareIntFloat(n int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	whole := math.Trunc(f)
	if order := cmp.Compare(n, int64(whole)); order != 0 {
		return order
	}
	return cmp.Compare(whole, f)
}

// expression is a timestamp as an expression, with now as a word.
func (c constant) expression() string {
	switch {
	case !c.relative:
		return formatTimestamp(c.time)
	case c.number == 0:
		return nowName
	case c.number < 0 && c.number != math.MinInt64:
		return nowName + " - " + formatDuration(-c.number)
	default:
		return nowName + " + " + formatDuration(c.number)
	}
}

func formatTimestamp(at time.Time) string {
	return `timestamp("` + at.UTC().Format(time.RFC3339Nano) + `")`
}

// formatDuration writes seconds and no other unit, so that one duration has
// one text.
func formatDuration(nanoseconds int64) string {
	sign, magnitude := "", uint64(nanoseconds)
	if nanoseconds < 0 {
		sign, magnitude = "-", -magnitude
	}
	seconds := strconv.FormatUint(magnitude/1e9, 10)
	if fraction := magnitude % 1e9; fraction != 0 {
		seconds += "." + strings.TrimRight(fmt.Sprintf("%09d", fraction), "0")
	}
	return `duration("` + sign + seconds + `s")`
}
