package filter

import (
	"strings"
	"testing"

	"cairn"
)

func TestExplain(t *testing.T) {
	name, err := cairn.String("harbour")
	if err != nil {
		t.Fatal(err)
	}
	depth, err := cairn.Float(2.5)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := cairn.Timestamp(noon)
	if err != nil {
		t.Fatal(err)
	}
	attributes := entry{"name": name, "length": cairn.Int(12), "depth": depth, "lighted": cairn.Bool(true), "seen": seen}.encode(t, testSchema(t))
	table(t, "testdata/explained.txt", func(t *testing.T, mode Mode, input string) string {
		return strings.TrimSpace(mustParse(t, input, mode).Explain(attributes).String())
	})
}

func TestComparisons(t *testing.T) {
	for op := equal; op <= greaterEqual; op++ {
		for _, order := range []int{-1, 0, 1} {
			if op.opposite().holds(order) == op.holds(order) {
				t.Errorf("%s and its opposite %s agree on %d", op, op.opposite(), order)
			}
			if op.turned().holds(-order) != op.holds(order) {
				t.Errorf("%s and, turned, %s differ on %d", op, op.turned(), order)
			}
		}
	}
}

// TestUnindexed shows what becomes of leaves that no bitmap decides.
func TestUnindexed(t *testing.T) {
	for _, c := range []struct{ where, leaves, plan string }{
		{`lighted && note == "x"`, `note == "x"`, `lighted`},
		{`lighted || note == "x"`, `note == "x"`, `true`},
		{`lighted && (closed || !has(note))`, `!has(note)`, `lighted`},
		{`lighted && (closed || note > "a") && length > 5`, `note > "a"`, `length >= 6 && lighted`},
		{`lighted && length > 5`, ``, `length >= 6 && lighted`},
		{`note == "x" && false`, ``, `false`},
	} {
		f := mustParse(t, c.where, Where)
		var leaves []string
		for _, leaf := range f.Unindexed() {
			leaves = append(leaves, leaf.String())
		}
		if got := strings.Join(leaves, ", "); got != c.leaves {
			t.Errorf("%s: unindexed leaves %s, not %s", c.where, got, c.leaves)
		}
		if got := f.Plan().Root().String(); got != c.plan {
			t.Errorf("%s: the plan is %s, not %s", c.where, got, c.plan)
		}
		if f.Plan().Exact() != (c.leaves == "") {
			t.Errorf("%s: exact is %v", c.where, f.Plan().Exact())
		}
	}
}

func TestAttributes(t *testing.T) {
	f := mustParse(t, `width > 5 && (has(name) || width < 100) && false && seen < now`, Where)
	var names []string
	for _, spec := range f.Attributes() {
		names = append(names, spec.Name)
	}
	if got := strings.Join(names, " "); got != "name seen width" {
		t.Errorf("the attributes are %s", got)
	}
	if !f.UsesNow() || mustParse(t, "lighted", Where).UsesNow() {
		t.Error("UsesNow is wrong")
	}
}
