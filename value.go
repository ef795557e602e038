package cairn

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxStringLength is the longest a string value may be, in bytes.
const MaxStringLength = 4096

// Type is what an attribute's values are.
type Type uint8

// The types of values. TypeNull is no attribute's type: it is the value that,
// in a merging write, makes an attribute absent.
const (
	TypeNull Type = iota
	TypeString
	TypeInt
	TypeFloat
	TypeBool
	TypeTimestamp
)

var typeNames = [...]string{"null", "string", "int", "float", "bool", "timestamp"}

func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "type " + strconv.Itoa(int(t))
}

// ParseType reads a type as manifests spell it.
func ParseType(name string) (Type, error) {
	for t, n := range typeNames {
		if n == name && Type(t) != TypeNull {
			return Type(t), nil
		}
	}
	return TypeNull, Invalid("type", "TYPE_UNKNOWN", "%q is not a type; the types are %s", name, strings.Join(typeNames[1:], ", "))
}

// Value is one attribute value. The zero Value is null.
type Value struct {
	kind Type
	bits uint64
	text string
}

// Earliest and latest timestamps, in microseconds since 1970: the years 1 to
// 9999, as in Protocol Buffers and CEL.
var (
	minTimestamp = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	maxTimestamp = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()
)

// String makes a string value. It must be UTF-8 of at most MaxStringLength
// bytes.
func String(s string) (Value, error) {
	if len(s) > MaxStringLength {
		return Value{}, Invalid("", "STRING_TOO_LONG", "a string of %d bytes; a value has at most %d", len(s), MaxStringLength)
	}
	if !utf8.ValidString(s) {
		return Value{}, Invalid("", "STRING_NOT_UTF8", "a string that is not UTF-8")
	}
	return Value{kind: TypeString, text: s}, nil
}

// Int makes an int value.
func Int(n int64) Value { return Value{kind: TypeInt, bits: uint64(n)} }

// Float makes a float value. NaN and the infinities are refused.
func Float(f float64) (Value, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}, Invalid("", "FLOAT_NOT_FINITE", "%v is not a finite number", f)
	}
	return Value{kind: TypeFloat, bits: math.Float64bits(f)}, nil
}

// Bool makes a bool value.
func Bool(b bool) Value {
	v := Value{kind: TypeBool}
	if b {
		v.bits = 1
	}
	return v
}

// Timestamp makes a timestamp value, in the years 1 to 9999, cut off to the
// microsecond.
func Timestamp(t time.Time) (Value, error) {
	if year := t.UTC().Year(); year < 1 || year > 9999 {
		return Value{}, Invalid("", "TIMESTAMP_OUT_OF_RANGE", "a timestamp in the year %d; the years are 1 to 9999", year)
	}
	return Value{kind: TypeTimestamp, bits: uint64(t.UnixMicro())}, nil
}

// Type says which of the accessors applies.
func (v Value) Type() Type { return v.kind }

// Text is a string value's string.
func (v Value) Text() string { return v.text }

// Int is an int value's number.
func (v Value) Int() int64 { return int64(v.bits) }

// Float is a float value's number.
func (v Value) Float() float64 { return math.Float64frombits(v.bits) }

// Bool is a bool value's truth.
func (v Value) Bool() bool { return v.bits != 0 }

// Time is a timestamp value's time, in UTC.
func (v Value) Time() time.Time { return time.UnixMicro(int64(v.bits)).UTC() }

// Compare orders two values of one type; a float's negative zero equals zero,
// false is before true. Values of different types are ordered by type.
func (v Value) Compare(other Value) int {
	if v.kind != other.kind {
		return cmp.Compare(v.kind, other.kind)
	}
	switch v.kind {
	case TypeString:
		return strings.Compare(v.text, other.text)
	case TypeFloat:
		return cmp.Compare(v.Float(), other.Float())
	case TypeBool:
		return cmp.Compare(v.bits, other.bits)
	default:
		return cmp.Compare(v.Int(), other.Int())
	}
}

// String is the value as text that ParseValue reads back.
func (v Value) String() string {
	switch v.kind {
	case TypeString:
		return v.text
	case TypeInt:
		return strconv.FormatInt(v.Int(), 10)
	case TypeFloat:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case TypeBool:
		return strconv.FormatBool(v.Bool())
	case TypeTimestamp:
		return v.Time().Format(time.RFC3339Nano)
	default:
		return "null"
	}
}

// ParseValue reads a value of type t from text: numbers in decimal, bools as
// true, false, 1 or 0, timestamps as in RFC 3339.
func ParseValue(t Type, text string) (Value, error) {
	malformed := func() (Value, error) {
		return Value{}, Invalid("", "VALUE_MALFORMED", "%q is not %s", text, describeType(t))
	}
	switch t {
	case TypeString:
		return String(text)
	case TypeInt:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return malformed()
		}
		return Int(n), nil
	case TypeFloat:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return malformed()
		}
		return Float(f)
	case TypeBool:
		switch text {
		case "true", "1":
			return Bool(true), nil
		case "false", "0":
			return Bool(false), nil
		}
		return malformed()
	case TypeTimestamp:
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return malformed()
		}
		return Timestamp(at)
	}
	return malformed()
}

func describeType(t Type) string {
	switch t {
	case TypeInt:
		return "an int (a whole number of 64 bits)"
	case TypeFloat:
		return "a float"
	case TypeBool:
		return "a bool (true, false, 1 or 0)"
	case TypeTimestamp:
		return "a timestamp (as in 2026-01-31T09:30:00Z)"
	}
	return fmt.Sprintf("a %s", t)
}

// MarshalJSON writes numbers and bools as such and the rest as strings.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case TypeNull:
		return []byte("null"), nil
	case TypeInt:
		return []byte(v.String()), nil
	case TypeFloat:
		return json.Marshal(v.Float())
	case TypeBool:
		return []byte(v.String()), nil
	default:
		return json.Marshal(v.String())
	}
}
