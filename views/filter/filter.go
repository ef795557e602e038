package filter

import (
	"slices"
	"time"

	"cairn"
)

// What an expression may be. Beyond, Parse refuses it.
const (
	// MaxLength is in bytes.
	MaxLength = 16 << 10
	// MaxDepth counts parentheses, lists and calls inside each other.
	MaxDepth = 64
	// MaxTerms counts comparisons, elements of lists and bare attributes.
	MaxTerms = 1024
)

// Mode is what an expression is for.
type Mode uint8

const (
	// View is a view's filter. It holds at all times, so it can't use now,
	// and it is kept up by bitmaps, so its attributes are indexed.
	View Mode = iota + 1
	// Where is the extra condition of one query.
	Where
)

// field names the input that an expression comes from.
func (m Mode) field() string {
	if m == Where {
		return "where"
	}
	return "filter"
}

// Filter is a checked and compiled expression.
type Filter struct {
	source     *source
	written    *clause
	root       *Node
	leaves     []*Leaf // of root, ascending by attribute
	attributes []cairn.AttributeSpec
	canonical  string
	usesNow    bool
	plan       *Plan
	// requirements are the leaves without which the filter is false.
	requirements verdicts
}

// Parse checks an expression against a schema and compiles it. Where the
// expression says now, it means the time given.
//
// What can't be compiled is refused with an error of KindInvalid in the field
// "filter" or "where", whose message begins with line:column, both from 1,
// the column in characters. The reasons:
//
//   - FILTER_EMPTY, FILTER_TOO_LONG, FILTER_TOO_DEEP, FILTER_TOO_MANY_TERMS
//   - FILTER_SYNTAX: it is not CEL, or not UTF-8
//   - FILTER_UNSUPPORTED: CEL, but not of the part that is supported
//   - FILTER_TYPE: a comparison of what can't be compared, or no condition
//   - FILTER_VALUE: a literal that no value can be, as timestamp("yesterday")
//   - FILTER_NULL: a comparison with null
//   - FILTER_NOW: now in a view's filter
//   - ATTRIBUTE_UNKNOWN: a name that the schema does not have
//   - ATTRIBUTE_UNINDEXED: an attribute without an index in a view's filter
func Parse(expression string, schema *cairn.Schema, mode Mode, now time.Time) (*Filter, error) {
	src, root, err := parseSource(expression, mode)
	if err != nil {
		return nil, err
	}
	c := checker{source: src, schema: schema, mode: mode, now: now.UTC().Round(0)}
	written, err := c.condition(root)
	if err != nil {
		return nil, err
	}
	f := &Filter{source: src, written: written, usesNow: c.usesNow, attributes: c.attributes()}
	f.root = normalize(written, false)
	f.canonical = f.root.text
	if c.usesNow {
		f.canonical = normalize(written, true).text
	}
	f.leaves = numberLeaves(f.root)
	f.requirements = requirementsOf(f.root)
	f.plan = newPlan(f.root)
	return f, nil
}

// String is the filter in its canonical form, itself an expression that Parse
// accepts and that has the same String. It keeps now as a word, so that the
// same condition asked at two times has one String; where now is used, terms
// with it are not joined with others.
func (f *Filter) String() string { return f.canonical }

// Attributes are the attributes that the expression names, ascending by id.
// The caller does not change them.
func (f *Filter) Attributes() []cairn.AttributeSpec { return f.attributes }

// UsesNow reports whether the expression says now, so that what is true of an
// entry changes with time alone.
func (f *Filter) UsesNow() bool { return f.usesNow }

// Root is the normal form, with now replaced by the time given to Parse.
func (f *Filter) Root() *Node { return f.root }

// Leaves are the leaves of the normal form, ascending by attribute. The
// caller does not change them.
func (f *Filter) Leaves() []*Leaf { return f.leaves }

// Unindexed are the leaves on attributes without an index: what only the
// predicate can decide. A view's filter has none.
func (f *Filter) Unindexed() []*Leaf {
	var out []*Leaf
	for _, leaf := range f.leaves {
		if leaf.attribute.Unindexed {
			out = append(out, leaf)
		}
	}
	return out
}

// Plan is how the filter's ordinals are computed from bitmaps.
func (f *Filter) Plan() *Plan { return f.plan }

// attributes are those that the checker met, ascending by id.
func (c *checker) attributes() []cairn.AttributeSpec {
	slices.SortFunc(c.named, func(a, b cairn.AttributeSpec) int { return int(a.ID) - int(b.ID) })
	return slices.CompactFunc(c.named, func(a, b cairn.AttributeSpec) bool { return a.ID == b.ID })
}
