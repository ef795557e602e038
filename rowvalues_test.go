package cairn_test

import (
	"maps"
	"slices"
	"testing"

	"cairn"

	"pgregory.net/rapid"
)

// TestRowValues names what was encoded by number.
func TestRowValues(t *testing.T) {
	schema := runwaySchema(t)
	rapid.Check(t, func(t *rapid.T) {
		want := make(map[string]cairn.Value)
		values := attributes(schema, false).Draw(t, "values")
		for id, value := range values {
			spec, _ := schema.ByID(id)
			want[spec.Name] = value
		}
		row := cairn.NewRowValues(schema, encode(t, values))
		if got := maps.Collect(row.All()); !maps.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
		sorted := row.Sorted()
		if got := maps.Collect(sorted.All()); !maps.Equal(got, want) || !slices.IsSortedFunc(sorted, byName) {
			t.Fatalf("sorted: %v, want %v", sorted, want)
		}
		for _, spec := range schema.Attributes() {
			value, found := row.Get(spec.Name)
			if expected, present := want[spec.Name]; found != present || value != expected {
				t.Fatalf("%s is %v, %v, want %v", spec.Name, value, found, expected)
			}
		}
		if value, found := row.Get("unheard_of"); found {
			t.Fatalf("a value of no attribute: %v", value)
		}
		again, err := cairn.RowValuesOf([]cairn.NamedValues{nil, sorted})
		if err != nil || len(again[0].Sorted()) != 0 || !slices.Equal(again[1].Sorted(), sorted) {
			t.Fatalf("named anew: %v, %v, want nothing and %v", again, err, sorted)
		}
	})
}

func byName(a, b cairn.NamedValue) int {
	if a.Name < b.Name {
		return -1
	}
	return 1
}

// TestRowValuesOfLess leaves out what a schema lacks; the zero RowValues has none.
func TestRowValuesOfLess(t *testing.T) {
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{{ID: 7, Name: "kept", Type: cairn.TypeInt}})
	if err != nil {
		t.Fatal(err)
	}
	encoded := cairn.Attributes(nil).Append(cairn.Attribute{ID: 3, Value: cairn.Int(1)}).Append(cairn.Attribute{ID: 7, Value: cairn.Int(2)})
	if got := cairn.NewRowValues(schema, encoded).Sorted(); !slices.Equal(got, cairn.NamedValues{{Name: "kept", Value: cairn.Int(2)}}) {
		t.Errorf("%v", got)
	}
	var none cairn.RowValues
	if value, found := none.Get("kept"); found || len(none.Sorted()) != 0 {
		t.Errorf("the zero RowValues has %v", value)
	}
}
