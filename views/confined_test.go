package views

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"cairn"
	"cairn/views/filter"
)

// TestConfined asks for counts, groups and sums that an order tells, while entries change
// between snapshots: of the newest, and of older ones again, since nodes of the order that
// they share keep what was found out from one for the other.
func TestConfined(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	definitions := benchDefinitions()
	recent := definitions[0].Filter
	definitions = append(definitions,
		Definition{View: 10, Version: 1, Filter: recent, Sort: []SortField{{Attribute: tier}, {Attribute: score}}},
		Definition{View: 11, Version: 1, Filter: recent, Sort: []SortField{{Attribute: tier, Descending: true}, {Attribute: created, Descending: true}}},
		Definition{View: 12, Version: 1, Filter: recent, Sort: []SortField{{Attribute: score}}})
	const entries = 20_000
	v := benchViews(t, entries, definitions)
	attributes := make([]cairn.Attributes, entries)
	for i := range attributes {
		attributes[i] = benchAttributes(random)
		v.Put(uint32(i), cairn.ShardID(i%16), benchKey(i), attributes[i])
	}

	type held struct {
		snapshot   *Snapshot
		attributes []cairn.Attributes
	}
	var all []held
	wheres := []func() string{
		func() string {
			return fmt.Sprintf(`tier == "t%d" && score > %.3f`, random.IntN(4), random.NormFloat64())
		},
		func() string { return fmt.Sprintf(`score <= %.3f && tier == "t1"`, random.NormFloat64()) },
		func() string { return fmt.Sprintf(`score < %.3f`, 1+random.NormFloat64()) },
		func() string { return fmt.Sprintf(`tier == "t%d"`, random.IntN(4)) },
		func() string { return `country == "c2"` },
		func() string { return fmt.Sprintf(`tier == "t2" && created < %d`, createdAt(random.Float64())) },
		func() string {
			return fmt.Sprintf(`tier >= "t1" && country == "c%d" && status == "s0"`, random.IntN(4))
		},
		func() string { return fmt.Sprintf(`created >= %d && country == "c2"`, createdAt(random.Float64())) },
		func() string {
			return fmt.Sprintf(`tier == "t0" && created > %d && country != "c1"`, createdAt(random.Float64()))
		},
	}
	compare := func(h held, where *filter.Filter) {
		t.Helper()
		sel := Selection{View: viewRecent, Version: 1, Where: where}
		groups, n, sum := map[string]int{}, 0, new(big.Int)
		for _, each := range h.attributes {
			if recent.Match(each) && where.Match(each) {
				c, _ := each.Get(country)
				b, _ := each.Get(balance)
				groups[c.Text()]++
				n++
				sum.Add(sum, big.NewInt(b.Int()))
			}
		}
		if got, err := h.snapshot.Count(sel); err != nil || got != n {
			t.Fatalf("%s: count is %d (%v), want %d", where, got, err, n)
		}
		got, err := h.snapshot.GroupCount(sel, country)
		if err != nil || len(got) != len(groups) {
			t.Fatalf("%s: groups %v (%v), want %v", where, got, err, groups)
		}
		for _, g := range got {
			if groups[g.Values[0].Text()] != g.Count {
				t.Fatalf("%s: groups %v, want %v", where, got, groups)
			}
		}
		brief := sel
		brief.Brief = true
		if got, err := h.snapshot.Count(brief); err == nil && got != n || err != nil && err != ErrLong {
			t.Fatalf("%s: count is briefly %d (%v), want %d", where, got, err, n)
		}
		if a, err := h.snapshot.Aggregate(brief, balance); err == nil && a.Ints.String() != sum.String() || err != nil && err != ErrLong {
			t.Fatalf("%s: aggregated briefly to %+v (%v), want %s", where, a, err, sum)
		}
		if a, err := h.snapshot.Aggregate(sel, balance); err != nil || a.Count != n || a.Ints.String() != sum.String() {
			t.Fatalf("%s: aggregated to %+v (%v), want %d of %s", where, a, err, n, sum)
		}
	}
	told := 0
	for range 40 {
		for range random.IntN(30) {
			// Some change all, most only what no order is sorted by.
			i := random.IntN(entries)
			changed := benchAttributes(random)
			if random.IntN(4) > 0 {
				changed = with(attributes[i], cairn.Attribute{ID: balance, Value: cairn.Int(balanceAt(0.3) - random.Int64N(1000))})
			}
			attributes[i] = changed
			v.Put(uint32(i), cairn.ShardID(i%16), benchKey(i), changed)
		}
		all = append(all, held{v.Snapshot(), slices.Clone(attributes)})
		for _, h := range []held{all[len(all)-1], all[random.IntN(len(all))]} {
			where := benchFilter(wheres[random.IntN(len(wheres))](), filter.Where)
			if slot, _, err := h.snapshot.view(viewRecent, 1); err != nil {
				t.Fatal(err)
			} else if _, found := h.snapshot.confine(&Selection{Where: where}, slot); found {
				told++
			}
			for range 2 {
				compare(h, where)
			}
		}
	}
	if told < 40 {
		t.Fatalf("orders told %d of 80 selections", told)
	}
}

// with is some attributes with another value of one of them.
func with(attributes cairn.Attributes, other cairn.Attribute) cairn.Attributes {
	var values []cairn.Attribute
	for each := range attributes.All() {
		if each.ID == other.ID {
			each = other
		}
		values = append(values, each)
	}
	return encode(values...)
}
