package views

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"cairn"
	"cairn/views/filter"
)

// arrival is projections of two shards: 1 is seen, 2 gathers.
type arrival struct {
	views  *Views
	random *rand.Rand
}

func newArrival(t *testing.T, entries uint32) *arrival {
	t.Helper()
	a := &arrival{views: New(testSchema), random: rand.New(rand.NewPCG(11, 12))}
	a.views.foldLeast = 1_000
	for i, sort := range [][]SortField{{{Attribute: size}}, {{Attribute: kind}, {Attribute: at, Descending: true}}, nil} {
		d := Definition{View: 1, Version: uint64(i), Filter: parse(t, []string{"", "lit", "size < 600"}[i], filter.View), Sort: sort}
		if err := a.views.Define(d); err != nil {
			t.Fatal(err)
		}
	}
	for ordinal := range entries {
		a.put(t, ordinal, 1)
	}
	a.views.GatherShard(2)
	return a
}

func (a *arrival) put(t *testing.T, ordinal uint32, shard cairn.ShardID) {
	t.Helper()
	text, _ := cairn.String([]string{"a", "b", "c"}[a.random.IntN(3)])
	attributes, err := cairn.NewAttributes([]cairn.Attribute{
		{ID: kind, Value: text}, {ID: lit, Value: cairn.Bool(a.random.IntN(3) == 0)}, {ID: size, Value: cairn.Int(a.random.Int64N(1000))},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.views.Put(ordinal, shard, cairn.Key(fmt.Sprintf("a common beginning %d", ordinal*7919)), attributes)
}

// inOrders is how many entries each order has.
func (a *arrival) inOrders() (out []int) {
	for _, o := range a.views.orders {
		out = append(out, o.tree.Len())
	}
	return out
}

// all reports whether each order has so many entries.
func (a *arrival) all(entries int) bool {
	return !slices.ContainsFunc(a.inOrders(), func(n int) bool { return n != entries })
}

func (a *arrival) check(t *testing.T) {
	t.Helper()
	if err := a.views.Check(); err != nil {
		t.Fatal(err)
	}
}

// methods are how the first page of each view is found, with its length.
func (a *arrival) methods(t *testing.T) (methods []Method) {
	t.Helper()
	s := a.views.Snapshot()
	for version := range uint64(3) {
		p, err := s.Page(Query{Selection: Selection{View: 1, Version: version}, Limit: 50})
		if err != nil || len(p.Rows) != 50 {
			t.Fatalf("a page of %d rows: %v", len(p.Rows), err)
		}
		methods = append(methods, p.Plan.Method)
	}
	return methods
}

// TestFold has a shard arrive beside one that is written: what comes goes into no
// order until it is much or all, and then in steps.
func TestFold(t *testing.T) {
	const seen, arriving = 2_000, 1_500
	a := newArrival(t, seen)
	written := func() {
		for range 20 {
			a.put(t, a.random.Uint32N(seen), 1)
			a.views.Delete(a.random.Uint32N(seen), 1)
		}
	}
	for i := range uint32(arriving) {
		a.put(t, seen+i, 2)
		if int(i) == a.views.foldLeast-2 {
			if !a.all(seen) || a.views.Build(100) {
				t.Fatalf("%d entries in orders, want %d, and nothing to do", a.inOrders(), seen)
			}
		}
	}
	steps := 0
	for ; a.views.Build(400); steps++ {
		written()
		a.put(t, seen+a.random.Uint32N(arriving), 2)
		a.views.Delete(seen+a.random.Uint32N(arriving), 2)
		if steps%5 == 0 {
			a.check(t)
		}
	}
	a.check(t)
	had := a.inOrders()
	if steps < 20 || slices.Min(had) < seen/2+arriving/2 {
		t.Fatalf("%d entries in orders after %d steps", had, steps)
	}
	// More comes, which is little. The last of it is folded in when no more does.
	for i := range uint32(500) {
		a.put(t, seen+arriving+i, 2)
	}
	if a.views.Build(100) || !slices.Equal(a.inOrders(), had) {
		t.Fatal("so few are folded in while more are to come")
	}
	a.views.SettleShard(2)
	a.put(t, seen+arriving+500, 2)
	if now := a.inOrders(); now[0] != had[0]+1 || now[1] != had[1]+1 || now[2] != had[2]+1 {
		t.Fatal("what comes to a shard that does not gather has its place at once")
	}
	for a.views.Build(400) {
		written()
	}
	a.check(t)
	if a.views.orders[0].waiting.GetCardinality() > 0 {
		t.Fatal("entries wait for nothing")
	}
	a.views.ShowShard(2)
	for _, method := range a.methods(t) {
		if method != WalkView {
			t.Fatalf("a page is found by: %s", method)
		}
	}
}

// TestShowBeforeFold shows a shard of which entries are in no order: pages are
// right, if found by another way, until they are.
func TestShowBeforeFold(t *testing.T) {
	const seen, arriving = 1_000, 500
	a := newArrival(t, seen)
	for i := range uint32(arriving) {
		a.put(t, seen+i, 2)
	}
	hidden := a.views.Snapshot()
	a.views.ShowShard(2)
	for more := true; more; more = a.views.Build(200) {
		a.check(t)
		s := a.views.Snapshot()
		for slot := range s.state.views {
			if got, want := s.kept(slot), int(s.state.members[slot].read().GetCardinality()); got != want {
				t.Fatalf("%d members are counted, of %d", got, want)
			}
		}
		for version, method := range a.methods(t) {
			lacks := !a.views.orders[version].exposed.IsEmpty()
			if lacks != (method == SelectTop) {
				t.Fatalf("a page of an order that lacks entries (%v) is found by: %s", lacks, method)
			}
		}
		small, want := parse(t, "size < 300", filter.Where), 0
		for it := s.state.entries.read().Iterator(); it.HasNext(); {
			if n, _ := s.state.Number(size, it.Next()); n < 300 {
				want++
			}
		}
		if n, err := s.Count(Selection{View: 1, Where: small}); err != nil || n != want {
			t.Fatalf("a range has %d entries, not %d (%v)", n, want, err)
		}
	}
	if methods := a.methods(t); slices.Contains(methods, SelectTop) {
		t.Fatalf("pages are found by %v when nothing is lacking", methods)
	}
	if !a.all(seen+arriving) || hidden.Entries() != seen {
		t.Fatalf("%d entries in orders, %d seen before", a.inOrders(), hidden.Entries())
	}
}

// TestOrderAmidArrival begins another order while a shard gathers, which is shown
// before Build comes to it.
func TestOrderAmidArrival(t *testing.T) {
	const seen, arriving = 1_000, 500
	a := newArrival(t, seen)
	for i := range uint32(arriving) {
		if i == arriving/2 {
			if err := a.views.Define(Definition{View: 1, Version: 3, Sort: []SortField{{Attribute: size, Descending: true}}}); err != nil {
				t.Fatal(err)
			}
		}
		a.put(t, seen+i, 2)
	}
	a.views.ShowShard(2)
	for a.views.Build(100) {
		a.put(t, a.random.Uint32N(seen), 1)
	}
	a.check(t)
	if methods := a.methods(t); !a.all(seen+arriving) || slices.Contains(methods, SelectTop) {
		t.Fatalf("%d entries in orders, pages found by %v", a.inOrders(), methods)
	}
}

// TestFoldOfOneKeyTwice folds in what a hidden shard has under the keys of another
// that is hidden and not swept.
func TestFoldOfOneKeyTwice(t *testing.T) {
	a := newArrival(t, 0)
	a.views.GatherShard(3)
	size := cairn.Attribute{ID: size, Value: cairn.Int(1)}
	for i := range uint32(600) {
		for _, shard := range []cairn.ShardID{2, 3} {
			attributes, _ := cairn.NewAttributes([]cairn.Attribute{size})
			ordinal := i + 1_000*(i%3+uint32(shard))
			a.views.Put(ordinal, shard, cairn.Key(fmt.Sprintf("key %d", i/3)), attributes)
		}
	}
	a.views.SettleShard(2)
	for a.views.Build(1_000) {
		continue
	}
	a.check(t)
}

// TestSweepBeforeFold gives up an arrival.
func TestSweepBeforeFold(t *testing.T) {
	const seen, arriving = 500, 600
	a := newArrival(t, seen)
	for i := range uint32(arriving) {
		a.put(t, seen+i, 2)
	}
	a.views.SettleShard(2)
	a.views.Build(500) // some of it is on its way
	for !a.views.SweepShard(2, 50) {
		a.views.Build(100)
		a.check(t)
	}
	for a.views.Build(1_000) {
		continue
	}
	a.check(t)
	if !a.all(seen) {
		t.Fatalf("%d entries in orders, want %d", a.inOrders(), seen)
	}
}
