package wire

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field is a field's number and type, as one number.
type Field uint64

// FieldOf is the field of a number and a type.
func FieldOf(number protowire.Number, kind protowire.Type) Field {
	return Field(protowire.EncodeTag(number, kind))
}

var errFieldNumber = errors.New("a field number that can't be")

// EachField yields a message's fields: numbers as value; strings, bytes and
// messages as bytes. Fields of other types are passed over, as unknown ones
// are. It ends with the first error of yield.
func EachField(message []byte, yield func(field Field, value uint64, bytes []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if number > protowire.MaxValidNumber {
			return errFieldNumber
		}
		message = message[n:]
		var err error
		switch kind {
		case protowire.VarintType:
			var value uint64
			if value, n = protowire.ConsumeVarint(message); n >= 0 {
				err = yield(FieldOf(number, kind), value, nil)
			}
		case protowire.BytesType:
			var bytes []byte
			if bytes, n = protowire.ConsumeBytes(message); n >= 0 {
				err = yield(FieldOf(number, kind), 0, bytes)
			}
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err != nil {
			return err
		}
		message = message[n:]
	}
	return nil
}
