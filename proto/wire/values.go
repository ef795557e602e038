package wire

import (
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

// Value is a value as a message.
func Value(v cairn.Value) *cairnv1.Value {
	switch v.Type() {
	case cairn.TypeString:
		return &cairnv1.Value{Kind: &cairnv1.Value_StringValue{StringValue: v.Text()}}
	case cairn.TypeInt:
		return &cairnv1.Value{Kind: &cairnv1.Value_IntValue{IntValue: v.Int()}}
	case cairn.TypeFloat:
		return &cairnv1.Value{Kind: &cairnv1.Value_FloatValue{FloatValue: v.Float()}}
	case cairn.TypeBool:
		return &cairnv1.Value{Kind: &cairnv1.Value_BoolValue{BoolValue: v.Bool()}}
	case cairn.TypeTimestamp:
		return &cairnv1.Value{Kind: &cairnv1.Value_TimestampValue{TimestampValue: timestamppb.New(v.Time())}}
	}
	return &cairnv1.Value{Kind: &cairnv1.Value_NullValue{NullValue: structpb.NullValue_NULL_VALUE}}
}

// FromValue is a message as a value. It refuses as KindInvalid a message
// without a case, and what cairn's constructors of values refuse.
func FromValue(v *cairnv1.Value) (cairn.Value, error) {
	switch kind := v.GetKind().(type) {
	case *cairnv1.Value_StringValue:
		return cairn.String(kind.StringValue)
	case *cairnv1.Value_IntValue:
		return cairn.Int(kind.IntValue), nil
	case *cairnv1.Value_FloatValue:
		return cairn.Float(kind.FloatValue)
	case *cairnv1.Value_BoolValue:
		return cairn.Bool(kind.BoolValue), nil
	case *cairnv1.Value_TimestampValue:
		return fromTimestamp(kind.TimestampValue)
	case *cairnv1.Value_NullValue:
		return cairn.Value{}, nil
	}
	return cairn.Value{}, cairn.Invalid("", "VALUE_MISSING", "a value without a case; leave an absent attribute out")
}

func fromTimestamp(at *timestamppb.Timestamp) (cairn.Value, error) {
	if at.GetNanos() < 0 || int64(at.GetNanos()) >= int64(time.Second) {
		return cairn.Value{}, cairn.Invalid("", "TIMESTAMP_OUT_OF_RANGE", "a timestamp with %d nanoseconds", at.GetNanos())
	}
	return cairn.Timestamp(at.AsTime())
}

// Values are named values as a message, nil if there are none.
func Values(values cairn.NamedValues) map[string]*cairnv1.Value {
	if len(values) == 0 {
		return nil
	}
	out := make(map[string]*cairnv1.Value, len(values))
	for _, v := range values {
		out[v.Name] = Value(v.Value)
	}
	return out
}

// FromValues are a message's values in order of name. It refuses what
// FromValue refuses, with the field "attributes.<name>".
func FromValues(values map[string]*cairnv1.Value) (cairn.NamedValues, error) {
	if len(values) == 0 {
		return nil, nil
	}
	out := make(cairn.NamedValues, 0, len(values))
	for name, v := range values {
		value, err := FromValue(v)
		if err != nil {
			return nil, cairn.InField("attributes."+name, err)
		}
		out = append(out, cairn.NamedValue{Name: name, Value: value})
	}
	out.Sort()
	return out, nil
}

// Version is a version as a message, nil for the zero version.
func Version(v cairn.Version) *cairnv1.Version {
	if v.IsZero() {
		return nil
	}
	return &cairnv1.Version{Epoch: v.Epoch, Index: v.Index, Position: v.Position}
}

// FromVersion is a message as a version.
func FromVersion(v *cairnv1.Version) cairn.Version {
	return cairn.Version{Epoch: v.GetEpoch(), Index: v.GetIndex(), Position: v.GetPosition()}
}
