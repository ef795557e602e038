package wire

import (
	"math"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

// Groups are groups as messages.
func Groups(groups []cairn.Group) []*cairnv1.Group {
	slab, out := make([]cairnv1.Group, len(groups)), make([]*cairnv1.Group, len(groups))
	for i := range groups {
		out[i] = &slab[i]
		out[i].Count = uint64(groups[i].Count)
		out[i].Values = make([]*cairnv1.Value, len(groups[i].Values))
		for j, v := range groups[i].Values {
			out[i].Values[j] = Value(v)
		}
	}
	return out
}

// FromGroups are messages as groups. It refuses what FromValue refuses, and a
// count that can't be.
func FromGroups(groups []*cairnv1.Group) ([]cairn.Group, error) {
	out := make([]cairn.Group, len(groups))
	for i, group := range groups {
		count, err := fromCount(group.GetCount())
		if err != nil {
			return nil, err
		}
		out[i] = cairn.Group{Count: count, Values: make([]cairn.Value, len(group.GetValues()))}
		for j, v := range group.GetValues() {
			if out[i].Values[j], err = FromValue(v); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func fromCount(n uint64) (int, error) {
	if n > math.MaxInt {
		return 0, cairn.Invalid("count", "COUNT", "a count of %d", n)
	}
	return int(n), nil
}

// Aggregation fills in what an answer says of an aggregation. A sum that is
// out of its type's range is left out, which sum_overflow says.
func Aggregation(a cairn.Aggregation, out *cairnv1.AggregateResponse) {
	out.Count = uint64(a.Count)
	if a.Count == 0 {
		return
	}
	out.Min, out.Max = Value(a.Min), Value(a.Max)
	switch sum, err := a.Sum(); {
	case err == nil:
		out.Sum = Value(sum)
	case cairn.ReasonOf(err) == "SUM_OVERFLOW":
		out.SumOverflow = true
		if a.Min.Type() == cairn.TypeInt {
			out.ExactSum = a.Ints.String()
		}
	}
	if mean, err := a.Mean(); err == nil {
		out.Mean = Value(mean)
	}
}

// FromAggregation is an answer as an aggregation, which has the mean in its
// sum. It refuses what FromValue refuses, and sums that can't be.
func FromAggregation(answer *cairnv1.AggregateResponse) (a cairn.Aggregation, err error) {
	if a.Count, err = fromCount(answer.GetCount()); err != nil || a.Count == 0 {
		return a, err
	}
	if a.Min, err = FromValue(answer.GetMin()); err != nil {
		return a, cairn.InField("min", err)
	}
	if a.Max, err = FromValue(answer.GetMax()); err != nil {
		return a, cairn.InField("max", err)
	}
	overflow := answer.GetSumOverflow()
	switch {
	case a.Min.Type() == cairn.TypeInt && overflow:
		a.Ints, err = cairn.ParseIntSum(answer.GetExactSum())
	case a.Min.Type() == cairn.TypeInt:
		n := answer.GetSum().GetIntValue()
		a.Ints = cairn.IntSum{High: n >> 63, Low: uint64(n)}
	case a.Min.Type() == cairn.TypeFloat && overflow:
		a.Floats = math.Inf(1)
	case a.Min.Type() == cairn.TypeFloat:
		a.Floats = answer.GetSum().GetFloatValue()
	}
	return a, cairn.InField("exact_sum", err)
}

// truths are what a condition can be of an entry, as the vocabulary spells it.
var truths = [...]string{
	cairnv1.ExplainResponse_TRUTH_UNSPECIFIED: "",
	cairnv1.ExplainResponse_FALSE:             "false",
	cairnv1.ExplainResponse_UNKNOWN:           "unknown",
	cairnv1.ExplainResponse_TRUE:              "true",
}

// Truth is a truth as a message.
func Truth(truth string) cairnv1.ExplainResponse_Truth {
	for number, spelled := range truths {
		if spelled == truth {
			return cairnv1.ExplainResponse_Truth(number)
		}
	}
	return cairnv1.ExplainResponse_TRUTH_UNSPECIFIED
}

// FromTruth is a message as a truth, empty for one that this version does not
// know.
func FromTruth(truth cairnv1.ExplainResponse_Truth) string {
	if truth < 0 || int(truth) >= len(truths) {
		return ""
	}
	return truths[truth]
}

// Membership fills in what an answer says of a membership.
func Membership(m *cairn.ViewMembership, out *cairnv1.ExplainResponse) {
	out.Found, out.Member = m.Membership.Found, m.Membership.Member
	out.Version, out.Filter = m.Version, m.Filter
	out.Truth = Truth(m.Membership.Truth)
	for _, d := range m.Membership.Deciding {
		decision := &cairnv1.ExplainResponse_Decision{
			Truth: Truth(d.Truth), Clause: d.Text, Line: uint32(d.Line), Column: uint32(d.Column), Attribute: m.Attributes[d.Attribute],
		}
		if d.Value.Type() != cairn.TypeNull {
			decision.Value = Value(d.Value)
		}
		out.Decisions = append(out.Decisions, decision)
	}
}

// FromMembership is an answer as a membership. Attributes get numbers of their
// own, since the answer has their names alone. It refuses what FromValue
// refuses.
func FromMembership(answer *cairnv1.ExplainResponse) (cairn.ViewMembership, error) {
	out := cairn.ViewMembership{Version: answer.GetVersion(), Filter: answer.GetFilter(), Attributes: make(map[cairn.AttributeID]string)}
	out.Membership = cairn.Membership{Found: answer.GetFound(), Member: answer.GetMember(), Truth: FromTruth(answer.GetTruth())}
	numbers := make(map[string]cairn.AttributeID)
	for _, d := range answer.GetDecisions() {
		decision := cairn.Decision{Truth: FromTruth(d.GetTruth()), Text: d.GetClause(), Line: int(d.GetLine()), Column: int(d.GetColumn())}
		if name := d.GetAttribute(); name != "" {
			if numbers[name] == 0 {
				numbers[name] = cairn.AttributeID(len(numbers) + 1)
				out.Attributes[numbers[name]] = name
			}
			decision.Attribute = numbers[name]
		}
		if d.GetValue() != nil {
			var err error
			if decision.Value, err = FromValue(d.GetValue()); err != nil {
				return out, cairn.InField("decisions", err)
			}
		}
		out.Membership.Deciding = append(out.Membership.Deciding, decision)
	}
	return out, nil
}
