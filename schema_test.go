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
