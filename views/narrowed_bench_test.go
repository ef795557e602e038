package views

import (
	"fmt"
	"os"
	"testing"
	"time"

	"cairn/views/filter"
)

// BenchmarkNarrowed is what is asked of one of two indexes of a million entries
// where a condition has a value and a range with constants drawn at random: the
// condition is parsed anew each time.
func BenchmarkNarrowed(b *testing.B) {
	definitions := benchDefinitions()
	if os.Getenv("TIERED") != "" {
		definitions = append(definitions, Definition{View: 10, Version: 1, Filter: definitions[0].Filter, Sort: []SortField{{Attribute: tier}, {Attribute: score}}})
	}
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
