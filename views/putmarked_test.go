package views

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cairn"
	"cairn/views/filter"

	"pgregory.net/rapid"
)

// newRun is a run of entries that the model does not have.
func (m *model) newRun(t *rapid.T) (run []Marked) {
	for _, low := range rapid.SliceOfNDistinct(rapid.Uint32Range(0, 300), 1, 40, rapid.ID[uint32]).Draw(t, "run") {
		ordinal := low + low%3<<16 // as in ordinalOf
		if m.entries[ordinal] == nil {
			key := fmt.Sprintf("%0*d", rapid.IntRange(1, 30).Draw(t, "length"), ordinal^77)
			run = append(run, Marked{Ordinal: ordinal, Key: cairn.Key(key), Attributes: anyAttributes(t)})
		}
	}
	for i := range run {
		run[i].Place = i
	}
	return run
}

// marksOf are the marks of a run.
func marksOf(t rapid.TB, definitions []*Definition, run []Marked) *Marks {
	t.Helper()
	var known []Definition
	for _, d := range definitions {
		known = append(known, *d)
	}
	entry := func(i int) (cairn.Key, cairn.Attributes) { return run[i].Key, run[i].Attributes }
	marks := NewMarker(testSchema, known).Mark(len(run), 1<<20, entry)
	if err := marks.Check(len(run)); err != nil {
		t.Fatal(err)
	}
	if err := NewMarker(testSchema, nil).CheckOrder(marks, len(run), entry); err != nil {
		t.Fatal(err)
	}
	return marks
}

// marked is a run of entries for an arrival from an ordinal on.
func (a *arrival) marked(t *testing.T, first, entries uint32) (run []Marked) {
	t.Helper()
	for i := range entries {
		attributes, err := cairn.NewAttributes([]cairn.Attribute{
			{ID: lit, Value: cairn.Bool(a.random.IntN(3) == 0)}, {ID: size, Value: cairn.Int(a.random.Int64N(50))},
		})
		if err != nil {
			t.Fatal(err)
		}
		run = append(run, Marked{Ordinal: first + i, Place: int(i), Key: cairn.Key(fmt.Sprintf("key %d", (first+i)*7919)), Attributes: attributes})
	}
	return run
}

// settles has the shard settle, and wants so much effort to have been made by then.
func (a *arrival) settles(t *testing.T, want Effort) {
	t.Helper()
	a.views.SettleShard(2)
	for a.views.Build(1_000) {
		continue
	}
	a.check(t)
	if now := a.views.Effort(); now != want {
		t.Fatalf("%+v; want %+v", now, want)
	}
}

// definitions are the arrival's views.
func (a *arrival) definitions() (out []*Definition) {
	for _, w := range a.views.present.views {
		out = append(out, &w.Definition)
	}
	return out
}

// TestMarkedRunsTakeNoEffort has a shard arrive in runs: no filter is tried and
// nothing sorted, but for what changes on the way.
func TestMarkedRunsTakeNoEffort(t *testing.T) {
	const seen, entries, runs = 500, 300, 20
	a := newArrival(t, seen)
	before := a.views.Effort()
	for i := range uint32(runs) {
		run := a.marked(t, seen+entries*i, entries)
		a.views.PutMarked(2, run, marksOf(t, a.definitions(), run))
		a.views.Build(1_000)
		a.check(t)
	}
	a.views.SettleShard(2)
	for a.views.Build(1_000) {
		a.check(t)
	}
	if a.check(t); !a.all(seen + entries*runs) {
		t.Fatalf("%d entries in orders", a.inOrders())
	}
	if now := a.views.Effort(); now != before {
		t.Fatalf("%+v became %+v", before, now)
	}
}

// TestRunsThatChange changes, forgets and replaces entries of runs before they are
// folded in and while they are.
func TestRunsThatChange(t *testing.T) {
	const seen, entries, runs = 100, 200, 10
	a := newArrival(t, seen)
	changes := uint32(0) // each of others
	for i := range uint32(runs) {
		run := a.marked(t, seen+entries*i, entries)
		a.views.PutMarked(2, run, marksOf(t, a.definitions(), run))
		change := func() {
			first := seen + entries*a.random.Uint32N(i+1) + 4*changes
			changes++
			a.put(t, first, 2)
			a.views.Delete(first+1, 2)
			a.views.Delete(first+2, 2)
			a.views.Put(first+2, 1, cairn.Key(fmt.Sprintf("another %d", first)), nil)
			again := a.marked(t, first+3, 1)
			a.views.Delete(first+3, 2)
			a.views.PutMarked(2, again, marksOf(t, a.definitions(), again))
		}
		for range 5 {
			change()
			a.check(t)
		}
		for more := a.views.Build(300); more; more = a.views.Build(300) {
			a.check(t)
		}
	}
	a.views.ShowShard(2)
	for a.views.Build(100) {
		a.check(t)
	}
	a.check(t)
}

// TestMarksOfOtherViews gives marks that are of another condition, version or sort:
// they are worked out here.
func TestMarksOfOtherViews(t *testing.T) {
	a := newArrival(t, 0)
	run := a.marked(t, 0, 100)
	others := []*Definition{
		{View: 1, Version: 0, Filter: parse(t, "size < 7", filter.View), Sort: []SortField{{Attribute: size, Descending: true}}},
		{View: 1, Version: 7, Filter: parse(t, "lit", filter.View), Sort: []SortField{{Attribute: kind}}},
		{View: 2, Version: 2, Filter: parse(t, "size < 600", filter.View), Sort: []SortField{{Attribute: ratio}}},
	}
	a.views.PutMarked(2, run, marksOf(t, others, run))
	a.settles(t, Effort{Evaluated: 200, Placed: 300})
}

// TestMarksThatAreWrong are refused, and where they are not they make no order that
// is none.
func TestMarksThatAreWrong(t *testing.T) {
	a := newArrival(t, 0)
	run := a.marked(t, 0, 100)
	entry := func(i int) (cairn.Key, cairn.Attributes) { return run[i].Key, run[i].Attributes }
	for what, spoil := range map[string]func(m *Marks){
		"a member beyond the run":  func(m *Marks) { m.Members[0].Bits[12] |= 1 << 4 },
		"bits of more entries":     func(m *Marks) { m.Members[1].Bits = append(m.Members[1].Bits, 0) },
		"bits of less entries":     func(m *Marks) { m.Members[1].Bits = m.Members[1].Bits[1:] },
		"a place beyond the run":   func(m *Marks) { m.Sorted[0].Places[5] = 100 },
		"a place twice":            func(m *Marks) { m.Sorted[0].Places[5] = m.Sorted[0].Places[6] },
		"a place less":             func(m *Marks) { m.Sorted[2].Places = m.Sorted[2].Places[1:] },
		"a place more":             func(m *Marks) { m.Sorted[2].Places = append(m.Sorted[2].Places, 0) },
		"no place of many entries": func(m *Marks) { m.Sorted[1].Places = nil },
	} {
		m := marksOf(t, a.definitions(), run)
		if spoil(m); cairn.ReasonOf(m.Check(len(run))) != "MARKS_MALFORMED" {
			t.Errorf("%s: %v", what, m.Check(len(run)))
		}
	}
	m := marksOf(t, a.definitions(), run)
	slices.Reverse(m.Sorted[0].Places)
	p := m.Sorted[1].Places
	p[40], p[41] = p[41], p[40]
	err := NewMarker(testSchema, nil).CheckOrder(m, len(run), entry)
	if m.Check(len(run)) != nil || cairn.ReasonOf(err) != "MARKS_DISORDERED" || !strings.Contains(err.Error(), "does not come before key") {
		t.Fatalf("%v, %v", m.Check(len(run)), err)
	}
	a.views.PutMarked(2, run, m)
	a.settles(t, Effort{Evaluated: 0, Placed: 200})
}

// TestMarksHaveRoom leaves out what there is no room for.
func TestMarksHaveRoom(t *testing.T) {
	a := newArrival(t, 0)
	run := a.marked(t, 0, 80)
	entry := func(i int) (cairn.Key, cairn.Attributes) { return run[i].Key, run[i].Attributes }
	var known []Definition
	for _, d := range a.definitions() {
		known = append(known, *d)
	}
	for _, c := range []struct{ room, members, sorts int }{{5, 0, 0}, {25, 2, 0}, {200, 3, 1}, {1_000, 3, 3}} {
		m := NewMarker(testSchema, known).Mark(len(run), c.room, entry)
		if len(m.Members) != c.members || len(m.Sorted) != c.sorts {
			t.Errorf("%d bytes have %d and %d marks", c.room, len(m.Members), len(m.Sorted))
		}
	}
}
