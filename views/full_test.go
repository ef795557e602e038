package views

import (
	"fmt"
	"testing"
	"time"

	"cairn"
	"cairn/views/filter"
)

// TestFullOrder has more values than an order has room for bitsets of. An attribute that
// gets none for one of its values must not get them later either, when there is room
// again: they would lack what was put before.
func TestFullOrder(t *testing.T) {
	specs := []cairn.AttributeSpec{{ID: 1, Name: "n", Type: cairn.TypeInt}}
	const attributes = 255
	for i := range attributes {
		specs = append(specs, cairn.AttributeSpec{ID: cairn.AttributeID(i + 2), Name: fmt.Sprintf("s%d", i), Type: cairn.TypeString})
	}
	schema, err := cairn.NewSchema(specs)
	if err != nil {
		t.Fatal(err)
	}
	v := New(schema)
	const views = 20
	for i := range views {
		if err := v.Define(Definition{View: cairn.UID(i + 1), Version: 1, Sort: []SortField{{Attribute: 1}}}); err != nil {
			t.Fatal(err)
		}
	}
	put := func(ordinal uint32, value int) {
		values := []cairn.Attribute{{ID: 1, Value: cairn.Int(int64(ordinal))}}
		for i := range attributes {
			values = append(values, cairn.Attribute{ID: cairn.AttributeID(i + 2), Value: text(fmt.Sprintf("v%d", value))})
		}
		v.Put(ordinal, 1, cairn.Key(fmt.Sprintf("k%d", ordinal)), encode(values...))
	}
	for i := range maxAligned {
		put(uint32(i), i)
	}
	for i := range views / 2 {
		v.Drop(cairn.UID(i+1), 1)
	}
	put(maxAligned, maxAligned-1)

	s := v.Snapshot()
	for i := range attributes {
		where, err := filter.Parse(fmt.Sprintf(`n >= 0 && s%d == "v%d"`, i, maxAligned-1), schema, filter.Where, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		sel := Selection{View: views, Version: 1, Where: where}
		if n, err := s.Count(sel); err != nil || n != 2 {
			t.Fatalf("%s: %d (%v), want 2", where, n, err)
		}
		if page, err := s.Page(Query{Selection: sel, Limit: 10}); err != nil || len(page.Rows) != 2 {
			t.Fatalf("%s: %d rows (%v, %s), want 2", where, len(page.Rows), err, page.Plan)
		}
	}
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
}
