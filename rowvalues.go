package cairn

import (
	"iter"
	"maps"
	"slices"
	"unsafe"
)

// RowValues are the attributes that a row shows, by their names. They are decoded as
// they are looked at, each time: a page of rows costs little until then. They do not
// change. The zero RowValues has none.
type RowValues struct {
	schema  *Schema
	encoded string
}

// NewRowValues names attributes by a schema; those that it lacks are left out. The
// encoding, which must be valid, is not copied: it must not change afterwards.
func NewRowValues(schema *Schema, encoded Attributes) RowValues {
	return RowValues{schema, unsafe.String(unsafe.SliceData(encoded), len(encoded))}
}

// RowValuesOf are the values of rows. All have one schema, which is made of them: an
// attribute is of the type that its first value has. It refuses names as NewSchema does.
func RowValuesOf(rows []NamedValues) ([]RowValues, error) {
	types := make(map[string]Type)
	for _, values := range rows {
		for _, each := range values {
			if _, known := types[each.Name]; !known {
				types[each.Name] = each.Value.Type()
			}
		}
	}
	specs := make([]AttributeSpec, 0, len(types))
	for i, name := range slices.Sorted(maps.Keys(types)) {
		specs = append(specs, AttributeSpec{ID: AttributeID(i + 1), Name: name, Type: types[name]})
	}
	schema, err := NewSchema(specs)
	if err != nil {
		return nil, err
	}
	out := make([]RowValues, len(rows))
	for i, values := range rows {
		var encoded Attributes
		for _, each := range values {
			spec, _ := schema.ByName(each.Name)
			encoded = encoded.Append(Attribute{ID: spec.ID, Value: each.Value})
		}
		out[i] = NewRowValues(schema, encoded)
	}
	return out, nil
}

// All yields the attributes with their names, in the order in which the keyspace got them.
func (r RowValues) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for each := range r.attributes() {
			if spec, found := r.schema.ByID(each.ID); found && !yield(spec.Name, each.Value) {
				return
			}
		}
	}
}

// Get is the value of one attribute, and whether it is present.
func (r RowValues) Get(name string) (Value, bool) {
	if r.encoded == "" {
		return Value{}, false
	}
	spec, found := r.schema.ByName(name)
	if !found {
		return Value{}, false
	}
	for each := range r.attributes() {
		if each.ID == spec.ID {
			return each.Value, true
		}
	}
	return Value{}, false
}

// Sorted is a copy, in order of name.
func (r RowValues) Sorted() NamedValues {
	var out NamedValues
	for name, value := range r.All() {
		out = append(out, NamedValue{name, value})
	}
	out.Sort()
	return out
}

// attributes are the values by id; their strings are parts of the encoding.
func (r RowValues) attributes() iter.Seq[Attribute] {
	return Attributes(unsafe.Slice(unsafe.StringData(r.encoded), len(r.encoded))).AllOf(r.encoded)
}
