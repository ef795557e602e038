package wire

import (
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

func must(t *testing.T) func(cairn.Value, error) cairn.Value {
	return func(v cairn.Value, err error) cairn.Value {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestValuesSurvive(t *testing.T) {
	for _, v := range []cairn.Value{
		{}, cairn.Int(math.MinInt64), cairn.Bool(true), cairn.Bool(false), must(t)(cairn.String("ü")),
		must(t)(cairn.Float(math.Copysign(0, -1))), must(t)(cairn.Timestamp(time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC))),
		must(t)(cairn.Timestamp(time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC))),
	} {
		if back := must(t)(FromValue(Value(v))); back != v {
			t.Errorf("%s came back as %s", v, back)
		}
	}
}

func TestTimestampsOutOfRange(t *testing.T) {
	for _, at := range []*timestamppb.Timestamp{
		{Seconds: math.MaxInt64}, {Seconds: math.MinInt64}, {Seconds: 253402300800}, {Seconds: -62135596801}, {Nanos: -1}, {Nanos: 1e9},
	} {
		_, err := FromValue(&cairnv1.Value{Kind: &cairnv1.Value_TimestampValue{TimestampValue: at}})
		if cairn.ReasonOf(err) != "TIMESTAMP_OUT_OF_RANGE" {
			t.Errorf("%v: %v", at, err)
		}
	}
}

func TestWritesSurvive(t *testing.T) {
	for _, w := range []cairn.Write{
		{Operation: cairn.Delete, Key: cairn.Key("k"), Condition: cairn.Condition{Present: true, Version: cairn.Version{Epoch: 1, Index: 2, Position: 3}}},
		{Operation: cairn.Merge, Key: cairn.Key("k"), Node: "n", Replicas: []string{"m"}, Attributes: cairn.NamedValues{{Name: "a"}, {Name: "b", Value: cairn.Int(1)}}},
		{Operation: cairn.Put, Key: cairn.Key("k"), Condition: cairn.Condition{Present: true}},
	} {
		back, err := FromWrite(Write(&w))
		if err != nil || back.Operation != w.Operation || back.Key.Compare(w.Key) != 0 || back.Node != w.Node ||
			back.Condition != w.Condition || len(back.Attributes) != len(w.Attributes) || len(back.Replicas) != len(w.Replicas) {
			t.Errorf("%+v came back as %+v, %v", w, back, err)
		}
	}
}
