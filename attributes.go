package cairn

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
)

// Attributes are an entry's typed values in their one encoding, which log,
// file and wire share, so that passing them on costs nothing. An absent
// attribute is not in it.
//
// The encoding is a sequence in ascending order of id, each a uvarint of
// id<<3|type followed by the value: a string as uvarint length and bytes, an
// int or a timestamp (microseconds since 1970) as varint, a float as 8 bytes
// little-endian, a bool as one byte, null as nothing.
type Attributes []byte

// Attribute is one value under its attribute's id.
type Attribute struct {
	ID    AttributeID
	Value Value
}

// NewAttributes encodes values, whatever their order. Two of one id are
// refused.
func NewAttributes(values []Attribute) (Attributes, error) {
	sorted := slices.SortedFunc(slices.Values(values), func(a, b Attribute) int { return int(a.ID) - int(b.ID) })
	var out Attributes
	for i, a := range sorted {
		if i > 0 && sorted[i-1].ID == a.ID {
			return nil, Errorf(KindInternal, "ATTRIBUTE_TWICE", "attribute %d is given twice", a.ID)
		}
		out = appendAttribute(out, a)
	}
	return out, nil
}

// Append is a with one more value behind the others, in the memory of a if
// there is room. Its id must be above theirs.
func (a Attributes) Append(each Attribute) Attributes { return appendAttribute(a, each) }

func appendAttribute(out []byte, a Attribute) []byte {
	out = binary.AppendUvarint(out, uint64(a.ID)<<3|uint64(a.Value.kind))
	switch a.Value.kind {
	case TypeString:
		out = binary.AppendUvarint(out, uint64(len(a.Value.text)))
		out = append(out, a.Value.text...)
	case TypeInt, TypeTimestamp:
		out = binary.AppendVarint(out, a.Value.Int())
	case TypeFloat:
		out = binary.LittleEndian.AppendUint64(out, a.Value.bits)
	case TypeBool:
		out = append(out, byte(a.Value.bits))
	}
	return out
}

// next cuts the first attribute off; ok is false where the encoding is broken.
func (a Attributes) next() (first Attribute, rest Attributes, ok bool) { return a.cut("") }

// cut is next with the string cut from text, the encoding as a string; copied
// where text is empty.
func (a Attributes) cut(text string) (first Attribute, rest Attributes, ok bool) {
	tag, n := binary.Uvarint(a)
	if n <= 0 || tag>>3 == 0 || tag>>3 > math.MaxUint32 {
		return first, nil, false
	}
	first.ID, first.Value.kind = AttributeID(tag>>3), Type(tag&7)
	rest = a[n:]
	switch first.Value.kind {
	case TypeNull:
	case TypeString:
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return first, nil, false
		}
		end := n + int(length)
		if text == "" {
			first.Value.text = string(rest[n:end])
		} else {
			from := len(a) - len(rest)
			first.Value.text = text[from+n : from+end]
		}
		rest = rest[end:]
	case TypeInt, TypeTimestamp:
		value, n := binary.Varint(rest)
		if n <= 0 {
			return first, nil, false
		}
		first.Value.bits = uint64(value)
		rest = rest[n:]
	case TypeFloat:
		if len(rest) < 8 {
			return first, nil, false
		}
		first.Value.bits = binary.LittleEndian.Uint64(rest)
		rest = rest[8:]
	case TypeBool:
		if len(rest) < 1 || rest[0] > 1 {
			return first, nil, false
		}
		first.Value.bits = uint64(rest[0])
		rest = rest[1:]
	default:
		return first, nil, false
	}
	return first, rest, true
}

// All yields the attributes in ascending order of id. It ends early where the
// encoding is broken: Validate what comes from outside first.
func (a Attributes) All() iter.Seq[Attribute] {
	return func(yield func(Attribute) bool) {
		for len(a) > 0 {
			first, rest, ok := a.next()
			if !ok || !yield(first) {
				return
			}
			a = rest
		}
	}
}

// AllOf is All with the strings cut from text, which must be the encoding as a
// string, or empty: then it is All.
func (a Attributes) AllOf(text string) iter.Seq[Attribute] {
	return func(yield func(Attribute) bool) {
		for rest := a; len(rest) > 0; {
			first, after, ok := rest.cut(text[min(len(a)-len(rest), len(text)):])
			if !ok || !yield(first) {
				return
			}
			rest = after
		}
	}
}

// Get is the value of one attribute, and whether it is present.
func (a Attributes) Get(id AttributeID) (Value, bool) {
	for each := range a.All() {
		if each.ID == id {
			return each.Value, true
		}
	}
	return Value{}, false
}

// Merge is a with patch over it: a value of patch replaces, a null removes.
// Both must be valid.
func (a Attributes) Merge(patch Attributes) Attributes {
	out := make(Attributes, 0, len(a)+len(patch))
	for len(a) > 0 || len(patch) > 0 {
		old, oldRest, hasOld := a.next()
		changed, patchRest, hasPatch := patch.next()
		if hasOld && (!hasPatch || old.ID < changed.ID) {
			out = appendAttribute(out, old)
			a = oldRest
			continue
		}
		if hasOld && old.ID == changed.ID {
			a = oldRest
		}
		if changed.Value.kind != TypeNull {
			out = appendAttribute(out, changed)
		}
		patch = patchRest
	}
	return out
}

// Validate refuses what is not an encoding of values that the schema
// declares: broken bytes, an id twice or out of order, an id that the schema
// does not have, another type than it declares, a value out of its type's
// range, and a null unless nulls are allowed.
func (a Attributes) Validate(schema *Schema, allowNull bool) error {
	var last AttributeID
	for len(a) > 0 {
		each, rest, ok := a.next()
		if !ok || each.ID <= last {
			return Errorf(KindCorrupt, "ATTRIBUTES_BROKEN", "attributes that are not in Cairn's encoding")
		}
		declared, ok := schema.ByID(each.ID)
		if !ok {
			return Invalid("attributes", "ATTRIBUTE_UNKNOWN", "the keyspace has no attribute number %d", each.ID)
		}
		if err := declared.check(each.Value, allowNull); err != nil {
			return err
		}
		last, a = each.ID, rest
	}
	return nil
}

func (d AttributeSpec) check(v Value, allowNull bool) error {
	field := "attributes." + d.Name
	switch {
	case v.kind == TypeNull && allowNull:
		return nil
	case v.kind == TypeNull:
		return Invalid(field, "VALUE_NULL", "null is only for merging writes; leave an absent attribute out")
	case v.kind != d.Type:
		return Invalid(field, "VALUE_TYPE", "a value of type %s; the attribute is declared %s", v.kind, d.Type)
	}
	var err error
	switch v.kind {
	case TypeString:
		_, err = String(v.text)
	case TypeFloat:
		_, err = Float(v.Float())
	case TypeTimestamp:
		if n := v.Int(); n < minTimestamp || n > maxTimestamp {
			err = Invalid("", "TIMESTAMP_OUT_OF_RANGE", "a timestamp outside the years 1 to 9999")
		}
	}
	return InField(field, err)
}

// String is the attributes by number, for logs and tests.
func (a Attributes) String() string {
	var out []string
	for each := range a.All() {
		out = append(out, fmt.Sprintf("%d=%s", each.ID, each.Value))
	}
	return fmt.Sprint(out)
}
