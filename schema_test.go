package cairn_test

import (
	"errors"
	"strings"
	"testing"

	"cairn"
)

func TestNewSchemaRefusesReservedNames(t *testing.T) {
	reserved := `true false null in as break const continue else for function if import let loop
		package namespace return var void while now has`
	for name := range strings.FieldsSeq(reserved) {
		_, err := cairn.NewSchema([]cairn.AttributeSpec{{ID: 1, Name: name, Type: cairn.TypeInt}})
		e, ok := errors.AsType[*cairn.Error](err)
		if !ok || e.Kind != cairn.KindInvalid || e.Reason != "ATTRIBUTE_RESERVED" || e.Field != "attributes."+name || !strings.Contains(e.Error(), "filters") {
			t.Errorf("%s: %v; want it refused as ATTRIBUTE_RESERVED", name, err)
		}
	}
	for _, name := range []string{"In", "TRUE", "in_", "nowhere", "has_lights", "size"} {
		if _, err := cairn.NewSchema([]cairn.AttributeSpec{{ID: 1, Name: name, Type: cairn.TypeInt}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSuggest(t *testing.T) {
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{{ID: 1, Name: "length_ft", Type: cairn.TypeInt}, {ID: 2, Name: "width_ft", Type: cairn.TypeInt}, {ID: 3, Name: "Surface", Type: cairn.TypeString}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"length_f": "; did you mean length_ft?", "surface": "; did you mean Surface?", "_ft": "; did you mean length_ft or width_ft?",
		"colour": "", "": "", strings.Repeat("width_ft", 9): "",
	} {
		if got := schema.Suggest(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
