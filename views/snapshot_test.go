package views

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"cairn"
	"cairn/views/filter"
)

// TestSnapshotsAreReadWhileWritesGoOn is for the race detector: readers ask
// every kind of question of snapshots that share as much as they can with what
// is written.
func TestSnapshotsAreReadWhileWritesGoOn(t *testing.T) {
	v := New(benchSchema)
	for _, d := range benchDefinitions() {
		if err := v.Define(d); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	put := func(n int) {
		for range n {
			i := random.IntN(5000)
			v.Put(uint32(i), 1, benchKey(i), benchAttributes(random))
			v.Delete(uint32(random.IntN(5000)), 1)
		}
	}
	put(5000)
	var readers sync.WaitGroup
	defer readers.Wait()
	for range 60 {
		s := v.Snapshot()
		for range 2 {
			readers.Go(func() { askEverything(t, s) })
		}
		put(40)
	}
}

func askEverything(t *testing.T, s *Snapshot) {
	for _, where := range append([]string{`tier == "t1" && country == "c0" || status == "s1"`, `!(tier == "t2")`}, benchWheres...) {
		sel := Selection{View: viewRecent, Version: 1, Where: benchFilter(where, filter.Where)}
		p, err := s.Page(Query{Selection: sel, Limit: 10, OrderBy: []SortField{{Attribute: tier, Descending: true}}})
		if err != nil {
			t.Error(err)
		}
		n, err := s.Count(sel)
		if err != nil || n < len(p.Rows) {
			t.Error(n, len(p.Rows), err)
		}
		groups, err := s.GroupCount(sel, country, tier)
		if err != nil {
			t.Error(err)
		}
		for _, g := range groups {
			n -= g.Count
		}
		if n != 0 {
			t.Errorf("the groups differ from the count by %d", n)
		}
		if _, err := s.Aggregate(sel, balance); err != nil {
			t.Error(err)
		}
	}
}

func TestRefusals(t *testing.T) {
	v := New(testSchema)
	entries := 3
	for i := range entries {
		attributes, _ := cairn.NewAttributes([]cairn.Attribute{{ID: note, Value: cairn.Int(1)}, {ID: size, Value: cairn.Int(int64(i))}})
		v.Put(uint32(i), 1, cairn.Key(fmt.Sprint(i)), attributes)
	}
	for reason, sort := range map[string][]SortField{
		"SORT_TOO_LONG":     {{Attribute: kind}, {Attribute: name}, {Attribute: size}, {Attribute: lit}, {Attribute: at}},
		"SORT_TWICE":        {{Attribute: kind}, {Attribute: kind, Descending: true}},
		"ATTRIBUTE_UNKNOWN": {{Attribute: note}},
	} {
		requireReason(t, v.Define(Definition{View: 1, Version: 1, Sort: sort}), "sort", reason)
	}
	if err := v.Define(Definition{View: 1, Version: 1}); err != nil {
		t.Fatal(err)
	}
	sel := Selection{View: 1, Version: 1}
	_, err := v.Snapshot().Page(Query{Selection: sel, Limit: 1})
	requireReason(t, err, "", "VIEW_BUILDING")
	for v.Build(1) {
		continue
	}
	s := v.Snapshot()
	_, err = s.Page(Query{Selection: Selection{View: 1, Version: 2}, Limit: 1})
	requireReason(t, err, "", "VIEW_VERSION_UNKNOWN")
	_, err = s.Page(Query{Selection: sel})
	requireReason(t, err, "limit", "LIMIT_OUT_OF_RANGE")
	_, err = s.Page(Query{Selection: sel, Limit: 1, Offset: -1})
	requireReason(t, err, "offset", "OFFSET_OUT_OF_RANGE")
	_, err = s.Page(Query{Selection: sel, Limit: 1, OrderBy: []SortField{{Attribute: note}}})
	requireReason(t, err, "order_by", "ATTRIBUTE_UNKNOWN")
	_, err = s.Page(Query{Selection: sel, Limit: 1, Fields: []cairn.AttributeID{note}})
	requireReason(t, err, "fields", "ATTRIBUTE_UNKNOWN")
	_, err = s.GroupCount(sel, note)
	requireReason(t, err, "group_by", "ATTRIBUTE_UNKNOWN")
	_, err = s.GroupCount(sel)
	requireReason(t, err, "group_by", "GROUP_BY_ATTRIBUTES")
	_, err = s.Aggregate(sel, note)
	requireReason(t, err, "attribute", "ATTRIBUTE_UNKNOWN")

	sel.Where, _ = filter.Parse("note == 2", testSchema, filter.Where, time.Time{})
	_, err = s.Count(sel)
	requireReason(t, err, "where", "ATTRIBUTE_UNINDEXED")
	asked := 0
	sel.Attributes = func(uint32) cairn.Attributes { asked++; return nil }
	sel.Budget = entries - 1
	_, err = s.Count(sel)
	requireReason(t, err, "where", "WHERE_OVER_BUDGET")
	_, err = s.Page(Query{Selection: sel, Limit: 1})
	requireReason(t, err, "where", "WHERE_OVER_BUDGET")
	if asked > 2*entries {
		t.Errorf("asked %d times", asked)
	}
}

func TestGroupsBeyondTheBound(t *testing.T) {
	v := New(testSchema)
	if err := v.Define(Definition{View: 1, Version: 1}); err != nil {
		t.Fatal(err)
	}
	for i := range cairn.MaxGroups + 1 {
		attributes, _ := cairn.NewAttributes([]cairn.Attribute{{ID: size, Value: cairn.Int(int64(i))}})
		v.Put(uint32(i), 1, cairn.Key(fmt.Sprint(i)), attributes)
		if i == cairn.MaxGroups-1 {
			if groups, err := v.Snapshot().GroupCount(Selection{View: 1, Version: 1}, size); err != nil || len(groups) != cairn.MaxGroups {
				t.Fatal(len(groups), err)
			}
		}
	}
	_, err := v.Snapshot().GroupCount(Selection{View: 1, Version: 1}, size)
	requireReason(t, err, "group_by", "GROUPS_TOO_MANY")
}

func requireReason(t *testing.T, err error, field, reason string) {
	t.Helper()
	e, ok := err.(*cairn.Error)
	if !ok || e.Reason != reason || e.Field != field {
		t.Errorf("got %v, want %s in field %q", err, reason, field)
	}
}
