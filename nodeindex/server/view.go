package server

import (
	"context"
	"math"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// viewJob is an AskView, used again and again.
type viewJob struct {
	asked    *indexv1.AskViewRequest
	request  cairn.ViewRequest
	response indexv1.AskViewResponse
	page     indexv1.PageAnswer
	packed   []byte
}

var viewJobs = sync.Pool{New: func() any { return new(viewJob) }}

// AskView answers one stream of questions until its client ends it.
func (s *Server) AskView(stream grpc.BidiStreamingServer[indexv1.AskViewRequest, indexv1.AskViewResponse]) error {
	jobOf := func(asked *indexv1.AskViewRequest) *viewJob {
		j := viewJobs.Get().(*viewJob)
		j.asked = asked
		return j
	}
	return exchange(s, stream, viewWorkers, jobOf, &indexv1.AskViewResponse{Error: rpcerr.ToProto(errStopping())})
}

func (j *viewJob) size() int { return proto.Size(j.asked) }

func (j *viewJob) try(index Index) *indexv1.AskViewResponse {
	if err := j.decode(); err != nil {
		return j.answer(nil, err)
	}
	if !j.quick() {
		return nil
	}
	reply, err := index.AskView(noWait, &j.request)
	if wouldWait(err) {
		return nil
	}
	return j.answer(reply, err)
}

// quick tells whether the answer surely takes no longer than others on the
// stream may wait for: it is kept, or a walk along the view's own order.
func (j *viewJob) quick() bool {
	if j.request.Level == cairn.Linearizable || j.request.Where != "" {
		return false
	}
	switch j.request.Asked {
	case cairn.AskPage:
		return len(j.request.OrderBy) == 0 && j.request.Limit <= inlineRows
	case cairn.AskCount, cairn.AskMembership:
		return true
	}
	return false
}

func (j *viewJob) run(ctx context.Context, index Index) *indexv1.AskViewResponse {
	ctx, cancel := within(ctx, j.asked.GetRead().GetTimeoutMicros())
	defer cancel()
	return j.answer(index.AskView(ctx, &j.request))
}

func (j *viewJob) release() {
	if cap(j.packed) > keepBytes {
		return
	}
	j.request = cairn.ViewRequest{OrderBy: j.request.OrderBy[:0], Fields: j.request.Fields[:0], Attributes: j.request.Attributes[:0]}
	j.asked = nil
	j.response.Reset()
	j.page.Reset()
	viewJobs.Put(j)
}

// decode reads the message into the request.
func (j *viewJob) decode() error {
	read, err := decodeRead(j.asked.GetRead())
	if err != nil {
		return err
	}
	request := &j.request
	request.Read = read
	request.View, request.Version = cairn.UID(j.asked.GetView()), j.asked.GetVersion()
	request.Where, request.Now = j.asked.GetWhere(), j.asked.GetNowMicros()
	request.WithPlan = j.asked.GetWithPlan()
	switch question := j.asked.GetQuestion().(type) {
	case *indexv1.AskViewRequest_Page:
		request.Asked = cairn.AskPage
		return decodePage(question.Page, request)
	case *indexv1.AskViewRequest_Count:
		request.Asked = cairn.AskCount
	case *indexv1.AskViewRequest_Groups:
		request.Asked = cairn.AskGroups
		for _, id := range question.Groups.GetAttributes() {
			request.Attributes = append(request.Attributes, cairn.AttributeID(id))
		}
	case *indexv1.AskViewRequest_Aggregate:
		request.Asked = cairn.AskAggregate
		request.Attributes = append(request.Attributes, cairn.AttributeID(question.Aggregate.GetAttribute()))
	case *indexv1.AskViewRequest_Membership:
		request.Asked = cairn.AskMembership
		request.Key = question.Membership.GetKey()
	case *indexv1.AskViewRequest_Rank:
		request.Asked = cairn.AskRank
		request.OrderBy = decodeSort(request.OrderBy, question.Rank.GetOrderBy())
		request.After, err = decodeAfter(question.Rank.GetAfter())
		return err
	default:
		return cairn.Invalid("question", "QUESTION_UNKNOWN", "no question, or one that this version does not know")
	}
	return nil
}

func decodePage(page *indexv1.PageQuestion, request *cairn.ViewRequest) (err error) {
	request.OrderBy = decodeSort(request.OrderBy, page.GetOrderBy())
	for _, id := range page.GetFields() {
		request.Fields = append(request.Fields, cairn.AttributeID(id))
	}
	if page.GetOffset() > math.MaxInt {
		return cairn.Invalid("offset", "OFFSET_OUT_OF_RANGE", "an offset of %d, which no view has", page.GetOffset())
	}
	request.Offset, request.Limit = int(page.GetOffset()), int(page.GetLimit())
	request.After, err = decodeAfter(page.GetAfter())
	return err
}

func decodeSort(fields []cairn.SortField, message []*indexv1.SortField) []cairn.SortField {
	for _, field := range message {
		fields = append(fields, cairn.SortField{Attribute: cairn.AttributeID(field.GetAttribute()), Descending: field.GetDescending()})
	}
	return fields
}

// decodeAfter reads a position, nil where there is none.
func decodeAfter(packed []byte) (*cairn.Position, error) {
	if len(packed) == 0 {
		return nil, nil
	}
	return indexv1.DecodePosition(packed)
}

// answer makes the response from a reply, or from err. The reply to a question
// that failed may say by which state it did.
func (j *viewJob) answer(reply *cairn.ViewReply, err error) *indexv1.AskViewResponse {
	response := &j.response
	response.Id = j.asked.GetId()
	if reply != nil {
		response.Revision, response.Index = reply.Revision, reply.Index
	}
	if err == nil {
		response.Fingerprint, response.Plan = uint64(reply.Fingerprint), reply.Plan
		err = j.fill(reply)
	}
	if err != nil {
		response.Answer, response.Plan = nil, ""
		response.Error = rpcerr.ToProto(rpcerr.FromError(err))
	}
	return response
}

// fill is the answer to what was asked.
func (j *viewJob) fill(reply *cairn.ViewReply) error {
	response := &j.response
	j.packed = j.packed[:0]
	switch j.request.Asked {
	case cairn.AskPage:
		n := indexv1.RowsWithin(reply.Rows, cairn.MaxPageBytes)
		j.packed = indexv1.AppendRows(j.packed, reply.Rows[:n])
		j.page.Rows, j.page.More = j.packed, reply.More || n < len(reply.Rows)
		response.Answer = &indexv1.AskViewResponse_Page{Page: &j.page}
	case cairn.AskCount, cairn.AskRank:
		response.Answer = &indexv1.AskViewResponse_Count{Count: reply.Count}
	case cairn.AskGroups:
		j.packed = indexv1.AppendGroups(j.packed, reply.Groups)
		response.Answer = &indexv1.AskViewResponse_Groups{Groups: &indexv1.GroupsAnswer{Groups: j.packed}}
	case cairn.AskAggregate:
		a := &reply.Aggregation
		response.Answer = &indexv1.AskViewResponse_Aggregate{Aggregate: &indexv1.AggregateAnswer{
			Count: uint64(a.Count), Bounds: indexv1.AppendValues(nil, []cairn.Value{a.Min, a.Max}),
			SumHigh: a.Ints.High, SumLow: a.Ints.Low, Sum: a.Floats,
		}}
	case cairn.AskMembership:
		response.Answer = &indexv1.AskViewResponse_Membership{Membership: membershipAnswer(&reply.Membership)}
	}
	return checkSize(j.packed)
}

func membershipAnswer(m *cairn.Membership) *indexv1.MembershipAnswer {
	out := &indexv1.MembershipAnswer{Found: m.Found, Member: m.Member, Truth: m.Truth, Decisions: make([]*indexv1.Decision, len(m.Deciding))}
	for i, d := range m.Deciding {
		out.Decisions[i] = &indexv1.Decision{
			Truth: d.Truth, Text: d.Text, Line: uint32(d.Line), Column: uint32(d.Column),
			Attribute: uint32(d.Attribute), Value: indexv1.AppendValues(nil, []cairn.Value{d.Value}),
		}
	}
	return out
}
