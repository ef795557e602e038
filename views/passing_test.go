package views

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"cairn"
)

// TestConditionsThatScan narrows by attributes without bitmaps, strings of so
// many values among them, and holds counts, groups and aggregates against the
// conditions tried on each entry.
func TestConditionsThatScan(t *testing.T) {
	v := New(benchSchema)
	for _, d := range benchDefinitions() {
		if err := v.Define(d); err != nil {
			t.Fatal(err)
		}
	}
	const entries = 20_000
	random := rand.New(rand.NewPCG(1, 2))
	for i := range entries {
		var a cairn.Attributes
		a = a.Append(cairn.Attribute{ID: country, Value: text(fmt.Sprint("name ", random.IntN(2*maxIndexed)))})
		if random.IntN(5) > 0 {
			a = a.Append(cairn.Attribute{ID: tier, Value: text(fmt.Sprint("t", random.IntN(3)))})
		}
		a = a.Append(cairn.Attribute{ID: balance, Value: cairn.Int(random.Int64N(1000))})
		if i/4096%2 == 0 || random.IntN(2) == 0 { // blocks with all values, and with some
			a = a.Append(cairn.Attribute{ID: score, Value: float(random.NormFloat64())})
		}
		v.Put(uint32(i), 1, benchKey(i), a)
	}
	s := v.Snapshot()
	if s.state.attribute(country).indexed {
		t.Fatal("the strings have bitmaps")
	}
	for _, where := range []string{
		`country == "name 7"`, `country == "nobody"`, `country != "name 7"`, `country in ["name 7", "name 8"] && tier == "t1"`,
		`country >= "name 5"`, `tier == "t1" && score > 0.5`, `score > 0.5 && balance < 500 && country >= "name 5"`,
		`score > 100.0`, `has(score)`, `!has(score) && balance >= 999`, `balance == 7`, `tier == "t0" && (score > 1.0 || balance < 10)`,
		`balance >= 0 && score > -0.1`, `tier != "t1" && score < 0.0`,
	} {
		sel := of(viewAll, where)
		wantGroups, want := map[string]int{}, tally{}
		for i := range uint32(entries) {
			if !sel.Where.MatchOrdinal(&s.state, i) {
				continue
			}
			want.count++
			number, _ := s.state.attribute(balance).column.get(i)
			want.sum = want.sum.Add(cairn.IntSum{Low: number ^ signBit})
			wantGroups[s.state.attribute(tier).value(i).String()]++
		}
		if got, err := s.Count(sel); err != nil || got != want.count {
			t.Errorf("%s: counted %d of %d, %v", where, got, want.count, err)
		}
		if got, err := s.Aggregate(sel, balance); err != nil || got.Count != want.count || got.Ints != want.sum {
			t.Errorf("%s: aggregated %+v of %d, %v", where, got, want.count, err)
		}
		groups, err := s.GroupCount(sel, tier)
		if err != nil || len(groups) != len(wantGroups) {
			t.Errorf("%s: %d groups of %d, %v", where, len(groups), len(wantGroups), err)
		}
		for _, g := range groups {
			if g.Count != wantGroups[g.Values[0].String()] {
				t.Errorf("%s: %d of %s, and not %d", where, g.Count, g.Values[0], wantGroups[g.Values[0].String()])
			}
		}
		if pairs, err := s.GroupCount(sel, tier, country); err != nil || len(pairs) < len(groups) {
			t.Errorf("%s: %d groups by two, %v", where, len(pairs), err)
		}
	}
}
