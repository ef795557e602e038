package wire

import (
	"iter"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"cairn"
)

// The fields of Value, and of an entry of a map from string to Value.
const (
	fieldString    = 1
	fieldInt       = 2
	fieldFloat     = 3
	fieldBool      = 4
	fieldTimestamp = 5
	fieldNull      = 6

	fieldSeconds = 1
	fieldNanos   = 2

	fieldMapKey   = 1
	fieldMapValue = 2
)

// AppendValues appends the bytes that Values has as a field of this number,
// without the objects: a page of a view has thousands of values.
func AppendValues(out []byte, number protowire.Number, values iter.Seq2[string, cairn.Value]) []byte {
	for name, value := range values {
		size := sizeValue(&value)
		out = protowire.AppendTag(out, number, protowire.BytesType)
		// The tags of both fields have a byte each.
		out = protowire.AppendVarint(out, uint64(2+protowire.SizeBytes(len(name))+protowire.SizeBytes(size)))
		out = protowire.AppendTag(out, fieldMapKey, protowire.BytesType)
		out = protowire.AppendString(out, name)
		out = protowire.AppendTag(out, fieldMapValue, protowire.BytesType)
		out = protowire.AppendVarint(out, uint64(size))
		out = appendValue(out, &value)
	}
	return out
}

// sizeValue is how many bytes appendValue appends.
func sizeValue(v *cairn.Value) int {
	switch v.Type() {
	case cairn.TypeString:
		return 1 + protowire.SizeBytes(len(v.Text()))
	case cairn.TypeInt:
		return 1 + protowire.SizeVarint(uint64(v.Int()))
	case cairn.TypeFloat:
		return 1 + protowire.SizeFixed64()
	case cairn.TypeTimestamp:
		return 1 + protowire.SizeBytes(sizeTimestamp(v))
	}
	return 2
}

// appendValue appends the fields of Value(v). The one that is set is there
// even if it is zero.
func appendValue(out []byte, v *cairn.Value) []byte {
	switch v.Type() {
	case cairn.TypeString:
		out = protowire.AppendTag(out, fieldString, protowire.BytesType)
		return protowire.AppendString(out, v.Text())
	case cairn.TypeInt:
		out = protowire.AppendTag(out, fieldInt, protowire.VarintType)
		return protowire.AppendVarint(out, uint64(v.Int()))
	case cairn.TypeFloat:
		out = protowire.AppendTag(out, fieldFloat, protowire.Fixed64Type)
		return protowire.AppendFixed64(out, math.Float64bits(v.Float()))
	case cairn.TypeBool:
		out = protowire.AppendTag(out, fieldBool, protowire.VarintType)
		return protowire.AppendVarint(out, protowire.EncodeBool(v.Bool()))
	case cairn.TypeTimestamp:
		out = protowire.AppendTag(out, fieldTimestamp, protowire.BytesType)
		out = protowire.AppendVarint(out, uint64(sizeTimestamp(v)))
		seconds, nanos := split(v)
		if seconds != 0 {
			out = protowire.AppendTag(out, fieldSeconds, protowire.VarintType)
			out = protowire.AppendVarint(out, uint64(seconds))
		}
		if nanos != 0 {
			out = protowire.AppendTag(out, fieldNanos, protowire.VarintType)
			out = protowire.AppendVarint(out, uint64(nanos))
		}
		return out
	}
	out = protowire.AppendTag(out, fieldNull, protowire.VarintType)
	return append(out, 0)
}

func sizeTimestamp(v *cairn.Value) (size int) {
	seconds, nanos := split(v)
	if seconds != 0 {
		size += 1 + protowire.SizeVarint(uint64(seconds))
	}
	if nanos != 0 {
		size += 1 + protowire.SizeVarint(uint64(nanos))
	}
	return size
}

// split is a timestamp as its message has it; nanos are never negative.
func split(v *cairn.Value) (seconds, nanos int64) {
	at := v.Time()
	return at.Unix(), int64(at.Nanosecond())
}
