package cairn_test

import (
	"iter"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"cairn"
)

func runwaySchema(t interface{ Fatal(...any) }) *cairn.Schema {
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{
		{ID: 1, Name: "surface", Type: cairn.TypeString},
		{ID: 2, Name: "length_ft", Type: cairn.TypeInt},
		{ID: 3, Name: "slope", Type: cairn.TypeFloat},
		{ID: 4, Name: "lighted", Type: cairn.TypeBool},
		{ID: 7, Name: "opened", Type: cairn.TypeTimestamp},
	})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// attributes draws the values of some of runwaySchema's attributes, in a map.
func attributes(schema *cairn.Schema, nulls bool) *rapid.Generator[map[cairn.AttributeID]cairn.Value] {
	return rapid.Custom(func(t *rapid.T) map[cairn.AttributeID]cairn.Value {
		drawn := map[cairn.AttributeID]cairn.Value{}
		for _, a := range schema.Attributes() {
			switch rapid.IntRange(0, 2).Draw(t, a.Name) {
			case 1:
				drawn[a.ID] = values(a.Type).Draw(t, a.Name+" value")
			case 2:
				if nulls {
					drawn[a.ID] = cairn.Value{}
				}
			}
		}
		return drawn
	})
}

func encode(t interface{ Fatal(...any) }, values map[cairn.AttributeID]cairn.Value) cairn.Attributes {
	var list []cairn.Attribute
	for id, value := range values {
		list = append(list, cairn.Attribute{ID: id, Value: value})
	}
	encoded, err := cairn.NewAttributes(list)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func decode(a cairn.Attributes) map[cairn.AttributeID]cairn.Value { return decodeAll(a.All()) }

func decodeAll(all iter.Seq[cairn.Attribute]) map[cairn.AttributeID]cairn.Value {
	out := map[cairn.AttributeID]cairn.Value{}
	for each := range all {
		out[each.ID] = each.Value
	}
	return out
}

func TestAttributesRoundTrip(t *testing.T) {
	schema := runwaySchema(t)
	rapid.Check(t, func(t *rapid.T) {
		want := attributes(schema, false).Draw(t, "values")
		encoded := encode(t, want)
		if err := encoded.Validate(schema, false); err != nil {
			t.Fatal(err)
		}
		if got := decode(encoded); !maps.Equal(got, want) {
			t.Fatalf("%v came back as %v", want, got)
		}
		for _, text := range []string{"", string(encoded)} {
			if got := decodeAll(encoded.AllOf(text)); !maps.Equal(got, want) {
				t.Fatalf("%v came back as %v with its strings cut from %q", want, got, text)
			}
		}
	})
}

func TestAttributesMerge(t *testing.T) {
	schema := runwaySchema(t)
	rapid.Check(t, func(t *rapid.T) {
		base := attributes(schema, false).Draw(t, "base")
		patch := attributes(schema, true).Draw(t, "patch")
		merged := encode(t, base).Merge(encode(t, patch))

		want := maps.Clone(base)
		for id, value := range patch {
			want[id] = value
			if value.Type() == cairn.TypeNull {
				delete(want, id)
			}
		}
		if got := decode(merged); !maps.Equal(got, want) {
			t.Fatalf("%v with %v over it is %v, want %v", base, patch, got, want)
		}
		if err := merged.Validate(schema, false); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAttributesRefused(t *testing.T) {
	schema := runwaySchema(t)
	for name, test := range map[string]struct {
		values map[cairn.AttributeID]cairn.Value
		field  string
		reason string
	}{
		"unknown": {map[cairn.AttributeID]cairn.Value{9: cairn.Int(1)}, "attributes", "ATTRIBUTE_UNKNOWN"},
		"type":    {map[cairn.AttributeID]cairn.Value{2: cairn.Bool(true)}, "attributes.length_ft", "VALUE_TYPE"},
		"null":    {map[cairn.AttributeID]cairn.Value{4: {}}, "attributes.lighted", "VALUE_NULL"},
	} {
		t.Run(name, func(t *testing.T) {
			err := encode(t, test.values).Validate(schema, false)
			e, _ := err.(*cairn.Error)
			if e == nil || e.Reason != test.reason || e.Field != test.field {
				t.Errorf("got %v, want reason %s in field %s", err, test.reason, test.field)
			}
		})
	}
}

func FuzzAttributes(f *testing.F) {
	schema := runwaySchema(f)
	name, _ := cairn.String("ASPH")
	f.Add([]byte(encode(f, map[cairn.AttributeID]cairn.Value{1: name, 2: cairn.Int(-8000), 4: cairn.Bool(true)})))
	f.Add([]byte{0x11, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		a := cairn.Attributes(raw)
		if a.Validate(schema, true) != nil {
			for range a.All() { // must end, whatever the bytes
			}
			return
		}
		if got := decode(encode(t, decode(a))); !maps.Equal(got, decode(a)) {
			t.Fatalf("%v came back as %v", decode(a), got)
		}
	})
}
