package indexv1

import (
	"math"

	"cairn"
)

// ViewAnswer is the response to a question, with what its making takes. It may be used
// again after Reset.
type ViewAnswer struct {
	Response AskViewResponse
	page     PageAnswer
	packed   []byte
}

// Reset empties it, for the next reply.
func (a *ViewAnswer) Reset() {
	a.Response.Reset()
	a.page.Reset()
}

// Bytes is how much memory it holds on to.
func (a *ViewAnswer) Bytes() int { return cap(a.packed) }

// Fill makes the answer to what was asked of a reply. A page that would not fit into a
// message has fewer rows; what does not fit at all is KindExhausted (REPLY_TOO_LARGE).
func (a *ViewAnswer) Fill(asked cairn.Asked, reply *cairn.ViewReply) error {
	response := &a.Response
	response.Revision, response.Index = reply.Revision, reply.Index
	response.Fingerprint, response.Plan = uint64(reply.Fingerprint), reply.Plan
	a.packed = a.packed[:0]
	switch asked {
	case cairn.AskPage:
		n := RowsWithin(reply.Rows, cairn.MaxPageBytes)
		a.packed = AppendRows(a.packed, reply.Rows[:n])
		a.page.Rows, a.page.More = a.packed, reply.More || n < len(reply.Rows)
		response.Answer = &AskViewResponse_Page{Page: &a.page}
	case cairn.AskCount, cairn.AskRank:
		response.Answer = &AskViewResponse_Count{Count: reply.Count}
	case cairn.AskGroups:
		a.packed = AppendGroups(a.packed, reply.Groups)
		response.Answer = &AskViewResponse_Groups{Groups: &GroupsAnswer{Groups: a.packed}}
	case cairn.AskAggregate:
		sums := &reply.Aggregation
		response.Answer = &AskViewResponse_Aggregate{Aggregate: &AggregateAnswer{
			Count: uint64(sums.Count), Bounds: AppendValues(nil, []cairn.Value{sums.Min, sums.Max}),
			SumHigh: sums.Ints.High, SumLow: sums.Ints.Low, Sum: sums.Floats,
		}}
	case cairn.AskMembership:
		response.Answer = &AskViewResponse_Membership{Membership: membershipAnswer(&reply.Membership)}
	}
	return CheckReply(a.packed)
}

// CheckReply refuses a packed field that would not fit a message.
func CheckReply(packed []byte) error {
	if len(packed) > MaxPackedBytes {
		return cairn.Errorf(cairn.KindExhausted, "REPLY_TOO_LARGE", "the reply has %d bytes, more than the %d of a message; ask for less at once",
			len(packed), MaxPackedBytes)
	}
	return nil
}

func membershipAnswer(m *cairn.Membership) *MembershipAnswer {
	out := &MembershipAnswer{Found: m.Found, Member: m.Member, Truth: m.Truth, Decisions: make([]*Decision, len(m.Deciding))}
	for i, d := range m.Deciding {
		out.Decisions[i] = &Decision{
			Truth: d.Truth, Text: d.Text, Line: uint32(d.Line), Column: uint32(d.Column),
			Attribute: uint32(d.Attribute), Value: AppendValues(nil, []cairn.Value{d.Value}),
		}
	}
	return out
}

// DecodeAnswer reads the answer to what was asked. KindCorrupt if it is broken or the
// answer to something else.
func DecodeAnswer(asked cairn.Asked, response *AskViewResponse, reply *cairn.ViewReply) (err error) {
	reply.Answer = cairn.Answer{Revision: response.GetRevision(), Index: response.GetIndex()}
	reply.Fingerprint, reply.Plan = cairn.Fingerprint(response.GetFingerprint()), response.GetPlan()
	answered := cairn.Asked(0)
	switch answer := response.GetAnswer().(type) {
	case *AskViewResponse_Page:
		answered, reply.More = cairn.AskPage, answer.Page.GetMore()
		reply.Rows, err = DecodeRows(answer.Page.GetRows(), nil)
	case *AskViewResponse_Count:
		answered, reply.Count = cairn.AskCount, answer.Count
		if asked == cairn.AskRank {
			answered = asked
		}
	case *AskViewResponse_Groups:
		answered = cairn.AskGroups
		reply.Groups, err = DecodeGroups(answer.Groups.GetGroups(), nil)
	case *AskViewResponse_Aggregate:
		answered = cairn.AskAggregate
		err = fillAggregation(&reply.Aggregation, answer.Aggregate)
	case *AskViewResponse_Membership:
		answered = cairn.AskMembership
		err = fillMembership(&reply.Membership, answer.Membership)
	}
	if err == nil && answered != asked {
		err = cairn.Errorf(cairn.KindCorrupt, "MESSAGE_BROKEN", "an answer of kind %d to a question of kind %d", answered, asked)
	}
	return err
}

func fillAggregation(out *cairn.Aggregation, answer *AggregateAnswer) error {
	bounds, err := DecodeValues(answer.GetBounds(), nil)
	if err != nil {
		return err
	}
	if len(bounds) != 2 || answer.GetCount() > math.MaxInt {
		return cairn.Errorf(cairn.KindCorrupt, "MESSAGE_BROKEN", "%d bounds of %d entries", len(bounds), answer.GetCount())
	}
	*out = cairn.Aggregation{
		Count: int(answer.GetCount()), Min: bounds[0], Max: bounds[1],
		Ints: cairn.IntSum{High: answer.GetSumHigh(), Low: answer.GetSumLow()}, Floats: answer.GetSum(),
	}
	return nil
}

func fillMembership(out *cairn.Membership, answer *MembershipAnswer) error {
	*out = cairn.Membership{Found: answer.GetFound(), Member: answer.GetMember(), Truth: answer.GetTruth()}
	for _, d := range answer.GetDecisions() {
		value, err := DecodeValues(d.GetValue(), nil)
		if err != nil {
			return err
		}
		if len(value) != 1 {
			return cairn.Errorf(cairn.KindCorrupt, "MESSAGE_BROKEN", "%d values of a clause", len(value))
		}
		out.Deciding = append(out.Deciding, cairn.Decision{
			Truth: d.GetTruth(), Text: d.GetText(), Line: int(d.GetLine()), Column: int(d.GetColumn()),
			Attribute: cairn.AttributeID(d.GetAttribute()), Value: value[0],
		})
	}
	return nil
}
