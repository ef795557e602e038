package wire

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

var alike = cmp.Options{cmpopts.EquateEmpty(), cmp.AllowUnexported(cairn.Value{}), cmpopts.IgnoreTypes(cairn.Token{})}

// TestValuesByHand compares the bytes with those of the generated code.
func TestValuesByHand(t *testing.T) {
	values := cairn.NamedValues{
		{Name: "null"}, {Name: "ints", Value: cairn.Int(math.MinInt64)}, {Name: "zero", Value: cairn.Int(0)}, {Name: "large", Value: cairn.Int(math.MaxInt64)},
		{Name: "yes", Value: cairn.Bool(true)}, {Name: "no", Value: cairn.Bool(false)},
		{Name: "empty", Value: must(t)(cairn.String(""))}, {Name: "text", Value: must(t)(cairn.String("grün"))}, {Name: "long", Value: must(t)(cairn.String(strings.Repeat("x", 4000)))},
		{Name: "float", Value: must(t)(cairn.Float(-2.5))}, {Name: strings.Repeat("n", 200), Value: must(t)(cairn.Float(0))},
		{Name: "epoch", Value: must(t)(cairn.Timestamp(time.Unix(0, 0)))}, {Name: "first", Value: must(t)(cairn.Timestamp(time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)))},
		{Name: "last", Value: must(t)(cairn.Timestamp(time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)))},
		{Name: "before", Value: must(t)(cairn.Timestamp(time.UnixMicro(-1)))},
	}
	const attributes = 4 // of ViewRow
	var got cairnv1.ViewRow
	if err := proto.Unmarshal(AppendValues(nil, attributes, values.All()), &got); err != nil {
		t.Fatal(err)
	}
	if want := (&cairnv1.ViewRow{Attributes: Values(values)}); !proto.Equal(&got, want) {
		t.Errorf("got %v; want %v", &got, want)
	}
	for i := range values {
		one := values[i : i+1]
		want, err := proto.Marshal(&cairnv1.ViewRow{Attributes: Values(one)})
		if err != nil {
			t.Fatal(err)
		}
		if got := AppendValues(nil, attributes, one.All()); string(got) != string(want) {
			t.Errorf("%s: got %x; want %x", one[0].Name, got, want)
		}
	}
}

func TestGroupsSurvive(t *testing.T) {
	groups := []cairn.Group{{Values: []cairn.Value{must(t)(cairn.String("x")), {}}, Count: 3}, {Values: []cairn.Value{cairn.Int(1)}, Count: math.MaxInt}}
	back, err := FromGroups(Groups(groups))
	if diff := cmp.Diff(groups, back, alike); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, broken := range []*cairnv1.Group{{Count: 1 << 63}, {Values: []*cairnv1.Value{{}}}} {
		if _, err := FromGroups([]*cairnv1.Group{broken}); err == nil {
			t.Errorf("%v is taken", broken)
		}
	}
}

func TestAggregationsSurvive(t *testing.T) {
	float := func(f float64) cairn.Value { return must(t)(cairn.Float(f)) }
	for name, a := range map[string]cairn.Aggregation{
		"nothing":            {},
		"ints":               {Count: 2, Min: cairn.Int(-7), Max: cairn.Int(2), Ints: cairn.IntSum{High: -1, Low: math.MaxUint64 - 4}},
		"ints of any size":   {Count: 2, Min: cairn.Int(1), Max: cairn.Int(math.MaxInt64), Ints: cairn.IntSum{High: 3, Low: 9}},
		"ints below any":     {Count: 2, Min: cairn.Int(math.MinInt64), Max: cairn.Int(1), Ints: cairn.IntSum{High: -3, Low: 9}},
		"floats":             {Count: 2, Min: float(-1.5), Max: float(2), Floats: 0.5},
		"floats of any size": {Count: 2, Min: float(1), Max: float(math.MaxFloat64), Floats: math.Inf(1)},
		"strings":            {Count: 2, Min: must(t)(cairn.String("a")), Max: must(t)(cairn.String("b"))},
		"bools":              {Count: 2, Min: cairn.Bool(false), Max: cairn.Bool(true)},
	} {
		var answer cairnv1.AggregateResponse
		Aggregation(a, &answer)
		back, err := FromAggregation(&answer)
		if diff := cmp.Diff(a, back, alike); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		mean, err := a.Mean()
		if has := answer.GetMean() != nil; has != (err == nil && a.Count > 0) || has && must(t)(FromValue(answer.GetMean())) != mean {
			t.Errorf("%s: its mean is %v, %v; the answer has %v", name, mean, err, answer.GetMean())
		}
		_, err = a.Sum()
		if answer.GetSumOverflow() != (cairn.ReasonOf(err) == "SUM_OVERFLOW") {
			t.Errorf("%s: %v, and the answer says %v", name, err, answer.GetSumOverflow())
		}
	}
	for name, broken := range map[string]*cairnv1.AggregateResponse{
		"no least":         {Count: 1},
		"no greatest":      {Count: 1, Min: Value(cairn.Int(1))},
		"no sum":           {Count: 1, Min: Value(cairn.Int(1)), Max: Value(cairn.Int(1)), SumOverflow: true},
		"more than can be": {Count: 1 << 63},
	} {
		if _, err := FromAggregation(broken); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestMembershipsSurvive(t *testing.T) {
	m := cairn.ViewMembership{
		Version: 3, Filter: "a && b > 3 || now > c", Attributes: map[cairn.AttributeID]string{1: "a", 2: "b"},
		Membership: cairn.Membership{Found: true, Member: true, Truth: "true", Deciding: []cairn.Decision{
			{Truth: "false", Text: "a", Line: 1, Column: 1, Attribute: 1, Value: cairn.Bool(false)},
			{Truth: "unknown", Text: "b > 3", Line: 1, Column: 6, Attribute: 2},
			{Truth: "true", Text: "now > c", Line: 1, Column: 15},
		}},
	}
	var answer cairnv1.ExplainResponse
	Membership(&m, &answer)
	back, err := FromMembership(&answer)
	if diff := cmp.Diff(m, back, alike); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if FromTruth(99) != "" || Truth("maybe") != cairnv1.ExplainResponse_TRUTH_UNSPECIFIED {
		t.Error("a truth that there is not is taken for one")
	}
}
