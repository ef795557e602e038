package filter

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

func bitsOf(f float64) int64 { return int64(math.Float64bits(f)) }

// TestAgainstModel holds all that comes of an expression against the naive
// evaluation of it: truths, predicates, the plan for all, for a block and for
// candidates, counts, explanations, and the canonical form parsed again.
func TestAgainstModel(t *testing.T) {
	schema := testSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		mode := rapid.SampledFrom([]Mode{View, Where}).Draw(t, "mode")
		text := grammar{schema: schema, views: mode == View}.draw(t).cel
		f, err := Parse(text, schema, mode, noon)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := Parse(f.String(), schema, mode, noon)
		if err != nil || again.String() != f.String() {
			t.Fatalf("the canonical form of\n%s\nis\n%s\nand of that\n%s\n%v", text, f, again, err)
		}
		x := drawIndex(t, schema)
		m := newModel(t, text, noon)
		want := roaring.New()
		for i, e := range x.entries {
			truth := m.truth(e)
			if truth == True {
				want.Add(x.ordinals[i])
			}
			attributes := e.encode(t, schema)
			if got := f.Truth(attributes); got != truth {
				t.Fatalf("%s of %v is %s, not %s", text, e, got, truth)
			}
			if got := f.Match(attributes); got != (truth == True) {
				t.Fatalf("%s\n(%s) of %v is %s, matched %v", text, f, e, truth, got)
			}
			if got := f.MatchOrdinal(x, x.ordinals[i]); got != (truth == True) {
				t.Fatalf("%s\n(%s) of %v is %s, matched by columns %v", text, f, e, truth, got)
			}
			if got := again.Match(attributes); got != (truth == True) {
				t.Fatalf("%s\n(%s) of %v is %s, matched by its canonical form %v", text, f, e, truth, got)
			}
			checkExplanation(t, f, e, attributes, truth)
		}
		checkPlan(t, f, x, want)
		x.checkUnchanged()
	})
}

// checkPlan holds a plan against the ordinals that the filter is true of.
func checkPlan(t *rapid.T, f *Filter, x *testIndex, want *roaring.Bitmap) {
	plan := f.Plan()
	if plan.Exact() != (len(f.Unindexed()) == 0) && plan.Exact() {
		t.Fatalf("%s: exact in spite of %v", f, f.Unindexed())
	}
	last := x.ordinals[len(x.ordinals)-1]
	scopes := []*roaring.Bitmap{nil, roaring.New()}
	for block := uint64(0); block <= uint64(last)>>16; block++ {
		scope := x.All().Clone()
		scope.RemoveRange(0, block<<16)
		scope.RemoveRange((block+1)<<16, 1<<32)
		scopes = append(scopes, scope)
	}
	some := roaring.New()
	for _, ordinal := range x.ordinals {
		if rapid.Bool().Draw(t, "candidate") {
			some.Add(ordinal)
		}
	}
	scopes = append(scopes, some)
	for _, within := range scopes {
		expected := want
		var before *roaring.Bitmap
		if within != nil {
			expected, before = roaring.And(want, within), within.Clone()
		}
		got := plan.Select(x, within).Clone()
		count := plan.Count(x, within)
		if within != nil && (!within.Equals(before) || roaring.AndNot(got, within).GetCardinality() > 0) {
			t.Fatalf("%s within %s: %s", f, before, got)
		}
		if count != got.GetCardinality() {
			t.Fatalf("%s: %d counted of %s", f, count, got)
		}
		if !plan.Exact() {
			for _, ordinal := range got.ToArray() {
				if !f.MatchOrdinal(x, ordinal) {
					got.Remove(ordinal)
				}
			}
		}
		narrowed, left := plan.Narrow(x, within)
		passed := roaring.New()
		for _, ordinal := range narrowed.ToArray() {
			if !slices.ContainsFunc(left, func(l *Leaf) bool { return !x.matches(l, ordinal) }) && (plan.Exact() || f.MatchOrdinal(x, ordinal)) {
				passed.Add(ordinal)
			}
		}
		if !passed.Equals(expected) {
			t.Fatalf("%s within %v: %s pass, not %s", f, within, passed, expected)
		}
		if !got.Equals(expected) {
			t.Fatalf("%s\n%s selects %s, not %s", f, plan.Describe(x), got, expected)
		}
	}
}

// checkExplanation changes what an explanation does not name: nothing may
// come of that.
func checkExplanation(t *rapid.T, f *Filter, e entry, attributes cairn.Attributes, truth Truth) {
	explanation := f.Explain(attributes)
	if explanation.Truth != truth || len(explanation.Deciding) == 0 {
		t.Fatalf("%s of %v is %s; explained as %s", f, e, truth, explanation)
	}
	changed := entry{}
	for _, d := range explanation.Deciding {
		if d.Text == "" || d.Line < 1 || d.Column < 1 {
			t.Fatalf("a decision without text or place: %+v", d)
		}
		if d.Present {
			changed[d.Attribute.Name] = d.Value
		}
	}
	for _, spec := range f.Attributes() {
		named := false
		for _, d := range explanation.Deciding {
			named = named || d.Attribute.ID == spec.ID
		}
		if !named && rapid.Bool().Draw(t, "change") {
			changed[spec.Name] = drawValue(t, spec.Type)
		}
	}
	// Of an unknown filter, a change elsewhere may decide it.
	if got := f.Truth(changed.encode(t, f.schemaOf(t))); truth != Unknown && got != truth {
		t.Fatalf("%s of %v is %s, but %s of %v, where the explanation is the same:\n%s", f, e, truth, got, changed, explanation)
	}
}

// schemaOf is a schema of the attributes that the filter names.
func (f *Filter) schemaOf(t *rapid.T) *cairn.Schema {
	schema, err := cairn.NewSchema(f.attributes)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestLongLists holds lists of many elements against the naive evaluation.
func TestLongLists(t *testing.T) {
	schema := testSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.Int64Range(-200, 200), 1, 100).Draw(t, "numbers")
		text := fmt.Sprintf("length in %s && !(score in %[1]s) || name in [\"%s\"]",
			strings.Join(strings.Fields(fmt.Sprint(numbers)), ", "), strings.ReplaceAll(strings.Trim(fmt.Sprint(numbers), "[]"), " ", `", "`))
		f, err := Parse(text, schema, View, noon)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		m := newModel(t, text, noon)
		for range 20 {
			n := rapid.Int64Range(-201, 201).Draw(t, "n")
			score, err := cairn.Float(float64(rapid.Int64Range(-402, 402).Draw(t, "score")) / 2)
			if err != nil {
				t.Fatal(err)
			}
			name, err := cairn.String(strconv.FormatInt(rapid.Int64Range(-201, 201).Draw(t, "name"), 10))
			if err != nil {
				t.Fatal(err)
			}
			e := entry{"length": cairn.Int(n), "score": score, "name": name}
			if got, want := f.Match(e.encode(t, schema)), m.truth(e) == True; got != want {
				t.Fatalf("%s of %v: %v", text, e, got)
			}
			for _, leaf := range f.Leaves() {
				value := e[leaf.Attribute().Name]
				inRanges := slices.ContainsFunc(leaf.Ranges(), func(r Range) bool { return r.Compare(value) == 0 })
				if leaf.Match(value) != inRanges || leaf.Match(cairn.Bool(true)) || leaf.Absent() {
					t.Fatalf("%s of %s: matched %v, in its ranges %v", leaf, value, leaf.Match(value), inRanges)
				}
			}
		}
	})
}

// TestSameTruthSameText shows that the canonical form does not depend on the
// order and repetition of terms.
func TestSameTruthSameText(t *testing.T) {
	schema := testSchema(t)
	g := grammar{schema: schema}
	rapid.Check(t, func(t *rapid.T) {
		a, b := g.draw(t).cel, g.draw(t).cel
		parse := func(text string, now time.Time) string {
			f, err := Parse(text, schema, Where, now)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			return f.String()
		}
		same := parse("("+a+")&&("+b+")", noon)
		for _, other := range []string{
			"(" + b + ")\n&& (" + a + ") // turned",
			"(" + a + ")&&(" + b + ")&&((" + a + ")&&(" + b + "))",
			"!(!(" + a + ")||!(" + b + "))",
			same,
		} {
			if got := parse(other, noon); got != same {
				t.Fatalf("%s\nis canonically\n%s\nand\n%s\nis\n%s", "("+a+")&&("+b+")", same, other, got)
			}
		}
		if got := parse(same, noon.Add(time.Hour)); got != same {
			t.Fatalf("%s is an hour later %s", same, got)
		}
	})
}

// TestValueSets holds the algebra of value sets against membership.
func TestValueSets(t *testing.T) {
	schema := testSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		specs := schema.Attributes()
		spec := specs[rapid.IntRange(0, len(specs)-1).Draw(t, "attribute")]
		draw := func() valueSet {
			var s valueSet
			for range rapid.IntRange(0, 5).Draw(t, "size") {
				op := comparison(rapid.IntRange(0, 5).Draw(t, "comparison"))
				s = combine(s, op.values(spec.Type, asConstant(drawValue(t, spec.Type))), func(a, b bool) bool { return a != b })
			}
			return s
		}
		a, b := draw(), draw()
		v := drawValue(t, spec.Type)
		in := func(s valueSet) bool {
			return newLeaf(spec, false, s).Match(v)
		}
		both := combine(a, b, func(a, b bool) bool { return a && b })
		either := combine(a, b, func(a, b bool) bool { return a || b })
		if in(both) != (in(a) && in(b)) || in(either) != (in(a) || in(b)) || in(a.complement(spec.Type)) == in(a) {
			t.Fatalf("%v in %v and %v", v, a, b)
		}
		if got := a.complement(spec.Type).complement(spec.Type); combine(a, got, func(a, b bool) bool { return a != b }) != nil {
			t.Fatalf("the complement of the complement of %v is %v", a, got)
		}
		for _, r := range rangesOf(spec.Type, a) {
			if r.low.compare(r.high) >= 0 {
				t.Fatalf("%v has an empty range", a)
			}
		}
	})
}

func asConstant(v cairn.Value) constant {
	switch v.Type() {
	case cairn.TypeString:
		return constant{kind: stringConstant, text: v.Text()}
	case cairn.TypeFloat:
		return constant{kind: floatConstant, float: v.Float()}
	case cairn.TypeTimestamp:
		return constant{kind: timestampConstant, time: v.Time()}
	case cairn.TypeBool:
		return constant{kind: boolConstant, number: numberOf(v)}
	default:
		return constant{kind: intConstant, number: v.Int()}
	}
}

// TestEncoding holds the decoder without copies against the root package's.
func TestEncoding(t *testing.T) {
	schema := testSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		attributes := drawEntry(t, schema).encode(t, schema)
		if rapid.Bool().Draw(t, "break") && len(attributes) > 0 {
			attributes[rapid.IntRange(0, len(attributes)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		}
		rest := attributes
		for want := range attributes.All() {
			var got raw
			var ok bool
			if got, rest, ok = cutRaw(rest); !ok || got.id != want.ID || got.kind != want.Value.Type() || string(got.text) != want.Value.Text() {
				t.Fatalf("%v of %v, which is %+v, %v", want, attributes, got, ok)
			}
			number := want.Value.Int()
			if want.Value.Type() != cairn.TypeString && got.number != number {
				t.Fatalf("%v has the number %d, read as %d", want, number, got.number)
			}
		}
		if len(rest) > 0 {
			if _, _, ok := cutRaw(rest); ok {
				t.Fatalf("%v: more is read than there is", attributes)
			}
		}
	})
}
