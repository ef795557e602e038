package views

import (
	"fmt"
	"testing"
	"time"

	"cairn"
	"cairn/views/filter"
)

// BenchmarkNarrowed is what is asked of one of two indexes of a million entries
// where a condition has a value and a range with constants drawn at random: the
// condition is parsed anew each time. Columns are read for it, or there is a view
// with the same filter whose order tells.
func BenchmarkNarrowed(b *testing.B) {
	definitions := benchDefinitions()
	b.Run("by=columns", func(b *testing.B) { narrowed(b, definitions) })
	b.Run("by=order", func(b *testing.B) {
		narrowed(b, append(definitions, Definition{View: viewTold, Version: 1, Filter: definitions[0].Filter, Sort: []SortField{{Attribute: tier}, {Attribute: score}}}))
	})
}

// viewTold has the members of viewRecent.
const viewTold cairn.UID = 20

func narrowed(b *testing.B, definitions []Definition) {
	s := benchViews(b, 500_000, definitions).Snapshot()
	var wheres []string
	for i := range 64 {
		wheres = append(wheres, fmt.Sprintf(`tier == "t%d" && score > %.17f`, i%3, float64(i)/32-1))
	}
	each := func(name string, ask func(sel Selection) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				where, err := filter.Parse(wheres[i%len(wheres)], benchSchema, filter.Where, time.Unix(0, 0))
				if err != nil {
					b.Fatal(err)
				}
				if err := ask(Selection{View: viewRecent, Version: 1, Where: where}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	each("parse", func(Selection) error { return nil })
	each("count", func(sel Selection) error {
		_, err := s.Count(sel)
		return err
	})
	each("group", func(sel Selection) error {
		_, err := s.GroupCount(sel, country)
		return err
	})
	each("aggregate", func(sel Selection) error {
		_, err := s.Aggregate(sel, balance)
		return err
	})
	each("page", func(sel Selection) error {
		var page Page
		return s.PageInto(&page, Query{Selection: sel, Limit: 33})
	})
}
