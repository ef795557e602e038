package filter

import (
	"fmt"
	"strings"

	"cairn"

	"cel.dev/cel-go/parser"
)

// Explanation is why a filter is true of an entry or not.
type Explanation struct {
	// Truth is what the filter is of the entry, which passes if it is True.
	Truth Truth
	// Deciding are the clauses that make it so, in the order in which they
	// were written: in a conjunction that is false all that are false, in one
	// that is true all of it, and so on. There is at least one.
	Deciding []Decision
}

// Decision is what one clause of the expression, a condition without && || !,
// is of an entry.
type Decision struct {
	// Truth is that of the clause as it is written: of !(a < 5), of a < 5.
	Truth Truth
	// Text is the clause, Line and Column where it begins, from 1, parentheses
	// around it left out.
	Text         string
	Line, Column int
	// Attribute is what the clause is on and Value what the entry has there,
	// if Present. A clause of constants has no attribute: its ID is 0.
	Attribute cairn.AttributeSpec
	Value     cairn.Value
	Present   bool
}

// Truth is what the filter is of an entry's attributes.
func (f *Filter) Truth(attributes cairn.Attributes) Truth { return f.written.truth(attributes) }

func (c *clause) truth(attributes cairn.Attributes) Truth {
	switch c.kind {
	case constantClause:
		return truthOf(c.constant)
	case termClause:
		value, present := attributes.Get(c.term.attribute.ID)
		return c.term.truth(present, present && c.term.contains(value))
	case notClause:
		return not(c.children[0].truth(attributes))
	case andClause:
		least := True
		for _, child := range c.children {
			least = min(least, child.truth(attributes))
		}
		return least
	default:
		most := False
		for _, child := range c.children {
			most = max(most, child.truth(attributes))
		}
		return most
	}
}

// contains reports whether the term is true of a value.
func (t *term) contains(v cairn.Value) bool {
	if v.Type() != t.attribute.Type {
		return false
	}
	at := cut{text: v.Text()}
	if v.Type() != cairn.TypeString {
		at = cut{number: numberOf(v)}
	}
	inside := false
	for _, c := range t.values {
		if at.compare(c) < 0 {
			break
		}
		inside = !inside
	}
	return inside
}

// Explain says which clauses decide what the filter is of an entry's
// attributes.
func (f *Filter) Explain(attributes cairn.Attributes) Explanation {
	e := Explanation{Truth: f.Truth(attributes)}
	f.decisions(f.written, e.Truth, attributes, &e.Deciding)
	return e
}

// decisions collects what makes a clause as true as it is: the children of
// the same truth decide, since one of another truth would have won.
func (f *Filter) decisions(c *clause, is Truth, attributes cairn.Attributes, out *[]Decision) {
	switch c.kind {
	case notClause:
		f.decisions(c.children[0], not(is), attributes, out)
	case andClause, orClause:
		for _, child := range c.children {
			if child.truth(attributes) == is {
				f.decisions(child, is, attributes, out)
			}
		}
	default:
		at := f.source.begin(c.expr)
		d := Decision{Truth: is, Line: at.line, Column: at.column, Text: f.source.textOf(c)}
		if c.kind == termClause {
			d.Attribute = c.term.attribute
			d.Value, d.Present = attributes.Get(c.term.attribute.ID)
		}
		*out = append(*out, d)
	}
}

// textOf is a clause as it was written, with its spaces made even.
func (s *source) textOf(c *clause) string {
	text, err := parser.Unparse(c.expr, s.info)
	if err != nil {
		// Unparse knows all that the checker accepts; the place is enough.
		return ""
	}
	return text
}

// String is the explanation in a line a clause.
func (e Explanation) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n", e.Truth)
	for _, d := range e.Deciding {
		fmt.Fprintf(&out, "  %s\n", d)
	}
	return out.String()
}

// String is the decision in one line.
func (d Decision) String() string {
	text := fmt.Sprintf("%d:%d: %s is %s", d.Line, d.Column, d.Text, d.Truth)
	switch {
	case d.Attribute.ID == 0:
		return text
	case !d.Present:
		return text + ": " + d.Attribute.Name + " is absent"
	default:
		return text + ": " + d.Attribute.Name + " is " + literal(d.Value)
	}
}
