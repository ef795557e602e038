package filter

import (
	"encoding/binary"
	"math"

	"cairn"
)

// raw is one attribute of an entry as it stands in the encoding, without a
// copy of its string.
type raw struct {
	id     cairn.AttributeID
	kind   cairn.Type
	number int64 // as Columns.Number gives it
	text   []byte
}

// cutRaw cuts the first attribute off an encoding, which cairn.Attributes
// documents; ok is false where that is broken.
func cutRaw(a cairn.Attributes) (first raw, rest cairn.Attributes, ok bool) {
	tag, n := binary.Uvarint(a)
	if n <= 0 || tag>>3 == 0 || tag>>3 > math.MaxUint32 {
		return raw{}, nil, false
	}
	first.id, first.kind = cairn.AttributeID(tag>>3), cairn.Type(tag&7)
	rest = a[n:]
	switch first.kind {
	case cairn.TypeNull:
		return first, rest, true
	case cairn.TypeString:
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return raw{}, nil, false
		}
		end := n + int(length)
		first.text = rest[n:end]
		return first, rest[end:], true
	case cairn.TypeInt, cairn.TypeTimestamp:
		number, n := binary.Varint(rest)
		if n <= 0 {
			return raw{}, nil, false
		}
		first.number = number
		return first, rest[n:], true
	case cairn.TypeFloat:
		if len(rest) < 8 {
			return raw{}, nil, false
		}
		first.number = int64(binary.LittleEndian.Uint64(rest))
		return first, rest[8:], true
	case cairn.TypeBool:
		if len(rest) < 1 || rest[0] > 1 {
			return raw{}, nil, false
		}
		first.number = int64(rest[0])
		return first, rest[1:], true
	default:
		return raw{}, nil, false
	}
}

// matchRaw reports whether an encoded value passes. A value of another type
// than the attribute's does not.
func (l *Leaf) matchRaw(v *raw) bool {
	if v.kind != l.attribute.Type {
		return false
	}
	if v.kind == cairn.TypeString {
		return l.matchBytes(v.text)
	}
	return l.MatchNumber(v.number)
}

// matchBytes is MatchText of bytes; comparing them as a string copies nothing.
func (l *Leaf) matchBytes(text []byte) bool {
	low, high := 0, len(l.texts)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if l.texts[middle] <= string(text) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low&1 == 1
}
