package views

import (
	"encoding/csv"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"cairn"
	"cairn/views/filter"
)

// TestRunways is a view over real data: the world's long lighted runways.
func TestRunways(t *testing.T) {
	path := os.Getenv("CAIRN_RUNWAYS")
	if path == "" {
		path = "../../shared/data/runways.csv"
	}
	file, err := os.Open(path)
	if err != nil {
		t.Skipf("no runways to try this on: %v", err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{
		{ID: 1, Name: "surface", Type: cairn.TypeString},
		{ID: 2, Name: "length_ft", Type: cairn.TypeInt},
		{ID: 3, Name: "lighted", Type: cairn.TypeBool},
		{ID: 4, Name: "closed", Type: cairn.TypeBool},
	})
	if err != nil {
		t.Fatal(err)
	}
	long, err := filter.Parse("lighted && !closed && length_ft >= 8000", schema, filter.View, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	v := New(schema)
	sel := Selection{View: 1, Version: 1}
	if err := v.Define(Definition{View: 1, Version: 1, Filter: long, Sort: []SortField{{Attribute: 2, Descending: true}}}); err != nil {
		t.Fatal(err)
	}
	var surfaces = map[string]int{}
	for i, record := range records[1:] {
		cell := func(name string) string { return record[slices.Index(records[0], name)] }
		var values []cairn.Attribute
		add := func(id cairn.AttributeID, v cairn.Value, err error) {
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, cairn.Attribute{ID: id, Value: v})
		}
		if text := cell("surface"); text != "" {
			v, err := cairn.String(text)
			add(1, v, err)
		}
		length, err := strconv.ParseInt(cell("length_ft"), 10, 64)
		if err == nil {
			add(2, cairn.Int(length), nil)
		}
		add(3, cairn.Bool(cell("lighted") == "1"), nil)
		add(4, cairn.Bool(cell("closed") == "1"), nil)
		attributes, err := cairn.NewAttributes(values)
		if err != nil {
			t.Fatal(err)
		}
		v.Put(uint32(i), 1, cairn.Key(cell("id")), attributes)
		if cell("lighted") == "1" && cell("closed") == "0" && length >= 8000 {
			surfaces[cell("surface")]++
		}
	}
	s := v.Snapshot()
	if n, err := s.Count(sel); err != nil || n != 2780 {
		t.Errorf("%d members (%v), want 2780", n, err)
	}
	page, err := s.Page(Query{Selection: sel, Limit: 4})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"252159", "238505", "238803", "244460"} {
		if i >= len(page.Rows) || string(page.Rows[i].Key) != want {
			t.Errorf("row %d is not %s", i, want)
		}
	}
	groups, err := s.GroupCount(sel, 1)
	if err != nil || len(groups) != len(surfaces) {
		t.Errorf("%d groups (%v), want %d", len(groups), err, len(surfaces))
	}
	for _, g := range groups {
		if want := surfaces[g.Values[0].Text()]; g.Count != want {
			t.Errorf("%d of surface %s, want %d", g.Count, g.Values[0], want)
		}
	}
	if err := v.Check(); err != nil {
		t.Error(err)
	}
}
