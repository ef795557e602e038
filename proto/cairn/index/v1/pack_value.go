package indexv1

import (
	"encoding/binary"
	"math"
	"time"

	"cairn"
)

// AppendValues packs values, each with its type: AggregateAnswer.bounds and
// Decision.value.
func AppendValues(out []byte, values []cairn.Value) []byte {
	out = binary.AppendUvarint(out, uint64(len(values)))
	for i := range values {
		out = appendValue(out, &values[i])
	}
	return out
}

// DecodeValues appends what AppendValues packed to values. Nothing of it
// refers to blob. It fails as DecodeKeys does.
func DecodeValues(blob []byte, values []cairn.Value) ([]cairn.Value, error) {
	r := valueReader{reader: reader{rest: blob}, blob: blob}
	n := r.count(1)
	if err := checkBatch("values", n); err != nil {
		return nil, err
	}
	for range n {
		values = append(values, r.value())
	}
	if !r.done() {
		return nil, broken("values")
	}
	return values, nil
}

// AppendPosition packs PageQuestion.after.
func AppendPosition(out []byte, position *cairn.Position) []byte {
	out = append(out, byte(len(position.Values)))
	for i := range position.Values {
		out = appendValue(out, &position.Values[i])
	}
	return appendBytes(out, position.Key)
}

// DecodePosition reads what AppendPosition packed. The key is a slice of
// blob. It fails with KindCorrupt where blob is broken.
func DecodePosition(blob []byte) (*cairn.Position, error) {
	r := valueReader{reader: reader{rest: blob}, blob: blob}
	position := &cairn.Position{Values: r.values(int(r.byte()), 1), Key: r.bytes()}
	if !r.done() {
		return nil, broken("positions")
	}
	return position, nil
}

// appendValue packs a value: its type, and what tells it from others of the
// type.
func appendValue(out []byte, v *cairn.Value) []byte {
	out = append(out, byte(v.Type()))
	switch v.Type() {
	case cairn.TypeString:
		text := v.Text()
		out = binary.AppendUvarint(out, uint64(len(text)))
		out = append(out, text...)
	case cairn.TypeInt, cairn.TypeTimestamp:
		out = binary.AppendVarint(out, v.Int())
	case cairn.TypeFloat:
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v.Float()))
	case cairn.TypeBool:
		bit := byte(0)
		if v.Bool() {
			bit = 1
		}
		out = append(out, bit)
	}
	return out
}

// valueReader reads a blob with values in it. Those of all items share an
// arena, and their strings one copy of the blob, so that a page has few
// allocations, whatever its length.
type valueReader struct {
	reader
	blob  []byte
	text  string // the blob, once a string was read
	arena []cairn.Value
}

// value reads one value; null after a failure.
func (r *valueReader) value() (v cairn.Value) {
	var err error
	switch cairn.Type(r.byte()) {
	case cairn.TypeNull:
	case cairn.TypeString:
		v, err = cairn.String(r.string())
	case cairn.TypeInt:
		v = cairn.Int(r.varint())
	case cairn.TypeTimestamp:
		v, err = cairn.Timestamp(time.UnixMicro(r.varint()))
	case cairn.TypeFloat:
		if len(r.rest) < 8 {
			r.fail()
			return v
		}
		v, err = cairn.Float(math.Float64frombits(binary.LittleEndian.Uint64(r.rest)))
		r.rest = r.rest[8:]
	case cairn.TypeBool:
		bit := r.byte()
		if bit > 1 {
			r.fail()
		}
		v = cairn.Bool(bit == 1)
	default:
		r.fail()
	}
	if err != nil {
		r.fail()
	}
	return v
}

// string reads what appendBytes wrote of a string.
func (r *valueReader) string() string {
	bytes := r.bytes()
	if len(bytes) == 0 {
		return ""
	}
	if r.text == "" {
		r.text = string(r.blob)
	}
	end := len(r.blob) - len(r.rest)
	return r.text[end-len(bytes) : end]
}

// values reads n values into the arena and returns them, nil if n is 0. More
// than a sort has are none of ours. The arena is made for as many more items
// as there are, since items are alike; where they are not, it grows.
func (r *valueReader) values(n, items int) []cairn.Value {
	switch {
	case n > cairn.MaxSortFields:
		r.fail()
		return nil
	case n == 0:
		return nil
	case r.arena == nil:
		r.arena = make([]cairn.Value, 0, min(n*items, len(r.rest)))
	}
	from := len(r.arena)
	for range n {
		r.arena = append(r.arena, r.value())
	}
	return r.arena[from:len(r.arena):len(r.arena)]
}
