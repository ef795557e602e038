package views

import (
	"fmt"
	"slices"
	"testing"

	"cairn"
	"cairn/views/filter"
	"cairn/views/page"
)

// TestWalkToGathered pages through conditions that go with the order and match
// at its end, with cursors and offsets, and holds each page against sorting all
// matches.
func TestWalkToGathered(t *testing.T) {
	const entries = 60_000
	sort := []SortField{{Attribute: country, Descending: true}}
	v := benchViews(t, entries, append(benchDefinitions(), Definition{View: viewByCountry, Version: 1, Sort: sort}))
	for ordinal := uint32(0); ordinal < entries; ordinal += 7 {
		v.Delete(ordinal, cairn.ShardID(ordinal%16))
	}
	s := v.Snapshot()
	walked := 0
	for _, where := range []string{
		fmt.Sprintf("created < %d", createdAt(0.1)),
		fmt.Sprintf("created < %d", createdAt(0.2)) + ` && tier == "t1"`,
		fmt.Sprintf("created < %d", createdAt(0.1)) + " && score > 0.0",
	} {
		q := Query{Selection: Selection{View: viewByCountry, Version: 1, Where: benchFilter(where, filter.Where)}, Limit: 700}
		planned, err := s.plan(&q)
		if err != nil {
			t.Fatal(err)
		}
		all := q.Where.Plan().Select(&planned.resolver, s.members(planned.slot)).ToArray()
		slices.SortFunc(all, planned.order.Compare)

		var after *page.Position
		for from := 0; from < len(all); from += q.Limit {
			q.After = after
			got, err := s.Page(q)
			if err != nil {
				t.Fatal(err)
			}
			expectRows(t, fmt.Sprintf("%s from %d", where, from), got, all[from:min(from+q.Limit, len(all))])
			if got.More != (from+q.Limit < len(all)) {
				t.Errorf("%s from %d: more is %v", where, from, got.More)
			}
			if got.Plan.Method == WalkGathered {
				walked++
			}
			after = &got.Rows[len(got.Rows)-1].Position
		}
		for _, offset := range []int{1, 699, 1500} {
			got, err := s.Page(Query{Selection: q.Selection, Limit: 50, Offset: offset})
			if err != nil {
				t.Fatal(err)
			}
			expectRows(t, fmt.Sprintf("%s, offset %d", where, offset), got, all[min(offset, len(all)):min(offset+50, len(all))])
		}
	}
	if walked < 3 {
		t.Errorf("only %d pages were walked to", walked)
	}
}

func expectRows(t *testing.T, what string, got Page, want []uint32) {
	t.Helper()
	ordinals := make([]uint32, len(got.Rows))
	for i, row := range got.Rows {
		ordinals[i] = row.Ordinal
	}
	if !slices.Equal(ordinals, want) {
		t.Fatalf("%s: %d rows and not the %d expected, or in another order (%s)", what, len(ordinals), len(want), got.Plan)
	}
}
