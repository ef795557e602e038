package filter

import (
	"strconv"
	"strings"

	"cairn"
)

// joinedText is the text of an And or Or.
func joinedText(kind Kind, children []*Node) string {
	sign := " && "
	if kind == Or {
		sign = " || "
	}
	texts := make([]string, len(children))
	for i, child := range children {
		texts[i] = child.text
		if kind == And && child.loose {
			texts[i] = "(" + child.text + ")"
		}
	}
	return strings.Join(texts, sign)
}

// leafText writes a leaf as the shortest expression of its kind; loose is one
// with || in it.
func leafText(l *Leaf) (text string, loose bool) {
	name := l.attribute.Name
	switch {
	case len(l.values) == 0:
		return "!has(" + name + ")", false
	case l.Present():
		return "has(" + name + ")", false
	}
	parts := valueTexts(l)
	if l.absent {
		parts = append(parts, "!has("+name+")")
	}
	return strings.Join(parts, " || "), len(parts) > 1
}

// valueTexts are the alternatives that a value passes by: at most one list of
// single values or one negation of such a list, and pairs of bounds.
func valueTexts(l *Leaf) []string {
	name, kind := l.attribute.Name, l.attribute.Type
	if kind == cairn.TypeBool {
		if low, _ := l.ranges[0].Numbers(); low == 1 {
			return []string{name}
		}
		return []string{"!" + name}
	}
	if l.exclude && allSingle(l.excluded) {
		switch values := singles(l.excluded); len(values) {
		case 0:
		case 1:
			return []string{name + " != " + values[0]}
		default:
			return []string{"!(" + name + " in [" + strings.Join(values, ", ") + "])"}
		}
	}
	var parts []string
	values := singles(l.ranges)
	switch len(values) {
	case 0:
	case 1:
		parts = append(parts, name+" == "+values[0])
	default:
		parts = append(parts, name+" in ["+strings.Join(values, ", ")+"]")
	}
	for _, r := range l.ranges {
		if _, single := r.Single(); !single {
			parts = append(parts, rangeText(name, r))
		}
	}
	return parts
}

// singles are the literals of those ranges that are one value.
func singles(ranges []Range) []string {
	var out []string
	for _, r := range ranges {
		if value, single := r.Single(); single {
			out = append(out, literal(value))
		}
	}
	return out
}

// literal is a value as an expression.
func literal(v cairn.Value) string {
	switch v.Type() {
	case cairn.TypeString:
		return strconv.Quote(v.Text())
	case cairn.TypeTimestamp:
		return formatTimestamp(v.Time())
	default:
		return v.String()
	}
}

// rangeText is a range that is not one value as its bounds, or as a prefix.
func rangeText(name string, r Range) string {
	if r.kind == cairn.TypeString && !r.high.end && r.low.text != "" && afterPrefix(r.low.text) == r.high {
		return name + ".startsWith(" + strconv.Quote(r.low.text) + ")"
	}
	var bounds []string
	if first, _ := limits(r.kind); r.low != first {
		bounds = append(bounds, name+boundText(r.kind, r.low, " >= ", " > "))
	}
	if !r.high.end {
		bounds = append(bounds, name+boundText(r.kind, r.high, " < ", " <= "))
	}
	return strings.Join(bounds, " && ")
}

// boundText writes a cut as a comparison with the value after it or, where
// that is shorter, with the value before it.
func boundText(t cairn.Type, c cut, withAfter, withBefore string) string {
	if t == cairn.TypeString {
		if before, found := strings.CutSuffix(c.text, "\x00"); found {
			return withBefore + strconv.Quote(before)
		}
		return withAfter + strconv.Quote(c.text)
	}
	after := literal(valueAt(t, c))
	before := literal(valueAt(t, cut{number: c.number - 1}))
	if len(before) < len(after) {
		return withBefore + before
	}
	return withAfter + after
}
