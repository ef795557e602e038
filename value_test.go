package cairn_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn"
)

func TestValuesOutOfRange(t *testing.T) {
	tests := map[string]struct {
		err    func() error
		reason string
	}{
		"NaN":              {func() error { _, err := cairn.Float(math.NaN()); return err }, "FLOAT_NOT_FINITE"},
		"infinity":         {func() error { _, err := cairn.Float(math.Inf(-1)); return err }, "FLOAT_NOT_FINITE"},
		"long string":      {func() error { _, err := cairn.String(strings.Repeat("s", 4097)); return err }, "STRING_TOO_LONG"},
		"longest string":   {func() error { _, err := cairn.String(strings.Repeat("s", 4096)); return err }, ""},
		"string not UTF-8": {func() error { _, err := cairn.String("\xff"); return err }, "STRING_NOT_UTF8"},
		"year 0":           {func() error { _, err := cairn.Timestamp(time.Date(0, 12, 31, 23, 0, 0, 0, time.UTC)); return err }, "TIMESTAMP_OUT_OF_RANGE"},
		"year 1":           {func() error { _, err := cairn.Timestamp(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)); return err }, ""},
		"last of 9999": {func() error {
			_, err := cairn.Timestamp(time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC))
			return err
		}, ""},
		"year 10000": {func() error { _, err := cairn.Timestamp(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)); return err }, "TIMESTAMP_OUT_OF_RANGE"},
		"10000 by its zone": {func() error {
			_, err := cairn.Timestamp(time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200)))
			return err
		}, "TIMESTAMP_OUT_OF_RANGE"},
		"int with fraction":  {func() error { _, err := cairn.ParseValue(cairn.TypeInt, "1.5"); return err }, "VALUE_MALFORMED"},
		"int over 64 bits":   {func() error { _, err := cairn.ParseValue(cairn.TypeInt, "9223372036854775808"); return err }, "VALUE_MALFORMED"},
		"bool of words":      {func() error { _, err := cairn.ParseValue(cairn.TypeBool, "yes"); return err }, "VALUE_MALFORMED"},
		"NaN as text":        {func() error { _, err := cairn.ParseValue(cairn.TypeFloat, "NaN"); return err }, "FLOAT_NOT_FINITE"},
		"date without time":  {func() error { _, err := cairn.ParseValue(cairn.TypeTimestamp, "2026-01-31"); return err }, "VALUE_MALFORMED"},
		"null is not a type": {func() error { _, err := cairn.ParseType("null"); return err }, "TYPE_UNKNOWN"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := test.err(); cairn.ReasonOf(err) != test.reason {
				t.Errorf("reason %q, want %q (%v)", cairn.ReasonOf(err), test.reason, err)
			}
		})
	}
}

// values draws values of every type, the extremes among them.
func values(types ...cairn.Type) *rapid.Generator[cairn.Value] {
	return rapid.Custom(func(t *rapid.T) cairn.Value {
		var v cairn.Value
		var err error
		switch rapid.SampledFrom(types).Draw(t, "type") {
		case cairn.TypeString:
			v, err = cairn.String(rapid.StringN(0, 40, 100).Draw(t, "string"))
		case cairn.TypeInt:
			v = cairn.Int(rapid.Int64().Draw(t, "int"))
		case cairn.TypeFloat:
			v, err = cairn.Float(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "float"))
		case cairn.TypeBool:
			v = cairn.Bool(rapid.Bool().Draw(t, "bool"))
		case cairn.TypeTimestamp:
			v, err = cairn.Timestamp(time.UnixMicro(rapid.Int64Range(-62135596800_000_000, 253402300799_999_999).Draw(t, "micros")))
		}
		if err != nil {
			t.Fatal(err)
		}
		return v
	})
}

var everyType = []cairn.Type{cairn.TypeString, cairn.TypeInt, cairn.TypeFloat, cairn.TypeBool, cairn.TypeTimestamp}

func TestValueTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := values(everyType...).Draw(t, "value")
		back, err := cairn.ParseValue(v.Type(), v.String())
		if err != nil || back != v {
			t.Fatalf("%s %q came back as %q: %v", v.Type(), v, back, err)
		}
		text, err := json.Marshal(v)
		if err != nil || !json.Valid(text) {
			t.Fatalf("%s %q in JSON is %s: %v", v.Type(), v, text, err)
		}
	})
}

func TestNegativeZeroEqualsZero(t *testing.T) {
	zero, _ := cairn.Float(0)
	negative, _ := cairn.Float(math.Copysign(0, -1))
	if zero.Compare(negative) != 0 {
		t.Error("negative zero is not equal to zero")
	}
}
