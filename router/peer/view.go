package peer

import (
	"context"
	"math"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/router/balance"
)

func newViewLink(ctx context.Context, p *Peer) *link[indexv1.AskViewRequest, indexv1.AskViewResponse] {
	return &link[indexv1.AskViewRequest, indexv1.AskViewResponse]{
		address: p.address, ctx: ctx, running: p.running,
		open: func(ctx context.Context) (grpc.BidiStreamingClient[indexv1.AskViewRequest, indexv1.AskViewResponse], error) {
			return p.index.AskView(ctx)
		},
		sendAll:  indexv1.SendJoined[indexv1.AskViewRequest],
		separate: indexv1.Separate[indexv1.AskViewResponse],
		header:   func(r *indexv1.AskViewResponse) (uint64, *statuspb.Status) { return r.GetId(), r.GetError() },
		setID:    func(r *indexv1.AskViewRequest, id uint64) { r.Id = id },
	}
}

// asking is a question about a view, as it is put to any index server.
type asking struct{ *cairn.ViewRequest }

func (asking) class() balance.Class { return balance.View }

func (asking) link(p *Peer) *link[indexv1.AskViewRequest, indexv1.AskViewResponse] { return p.views }

// message is a message of its own for each server that is asked.
func (a asking) message(ctx context.Context) *indexv1.AskViewRequest {
	return newQuestion(ctx, a.ViewRequest)
}

// size is about how many bytes a message has, of what can be long in it.
func (asking) size(message *indexv1.AskViewRequest) int {
	const each = 16
	page := message.GetPage()
	return len(message.GetWhere()) + len(message.GetMembership().GetKey()) + len(page.GetAfter()) +
		each*(len(page.GetFields())+len(page.GetOrderBy())+len(message.GetGroups().GetAttributes()))
}

// release has nothing to take back: these messages are not used again.
func (asking) release(*indexv1.AskViewRequest) {}

func (asking) reached(response *indexv1.AskViewResponse) uint64 { return response.GetIndex() }

// read is the reply in what the server p has answered, which is nil where it was
// not asked or did not; failure is its own error.
func (a asking) read(p *Peer, response *indexv1.AskViewResponse, failure error) (*cairn.ViewReply, error) {
	if response == nil {
		return nil, failure
	}
	reply := &cairn.ViewReply{Answer: cairn.Answer{Revision: response.GetRevision(), Index: response.GetIndex()}}
	if failure != nil {
		return reply, failure
	}
	reply.Fingerprint, reply.Plan = cairn.Fingerprint(response.GetFingerprint()), response.GetPlan()
	if err := fillReply(reply, a.Asked, response); err != nil {
		return nil, p.garbled(err)
	}
	return reply, nil
}

// AskView asks the index server. The reply beside an error of the server's own
// says by which state it was refused; other errors are as of Locate.
func (p *Peer) AskView(ctx context.Context, req *cairn.ViewRequest) (*cairn.ViewReply, error) {
	question := asking{req}
	message := question.message(ctx)
	if err := checkSize(question.size(message)); err != nil {
		return nil, err
	}
	response, _, failure := question.link(p).roundTrip(ctx, message)
	if failure != nil {
		return question.read(p, response, failure)
	}
	return question.read(p, response, nil)
}

// viewMessage is the message of one question, with its parts.
type viewMessage struct {
	message indexv1.AskViewRequest
	read    indexv1.Read
	page    indexv1.PageQuestion
	asPage  indexv1.AskViewRequest_Page
}

func newQuestion(ctx context.Context, req *cairn.ViewRequest) *indexv1.AskViewRequest {
	q := new(viewMessage)
	fillRead(ctx, &q.read, req.Read)
	message := &q.message
	message.Read = &q.read
	message.View, message.Version = uint64(req.View), req.Version
	message.Where, message.NowMicros, message.WithPlan = req.Where, req.Now, req.WithPlan
	switch req.Asked {
	case cairn.AskPage:
		q.fillPage(req)
		q.asPage.Page = &q.page
		message.Question = &q.asPage
	case cairn.AskCount:
		message.Question = &indexv1.AskViewRequest_Count{Count: new(indexv1.CountQuestion)}
	case cairn.AskGroups:
		message.Question = &indexv1.AskViewRequest_Groups{Groups: &indexv1.GroupsQuestion{Attributes: numbers(req.Attributes)}}
	case cairn.AskAggregate:
		aggregate := new(indexv1.AggregateQuestion)
		if len(req.Attributes) > 0 {
			aggregate.Attribute = uint32(req.Attributes[0])
		}
		message.Question = &indexv1.AskViewRequest_Aggregate{Aggregate: aggregate}
	case cairn.AskMembership:
		message.Question = &indexv1.AskViewRequest_Membership{Membership: &indexv1.MembershipQuestion{Key: req.Key}}
	case cairn.AskRank:
		message.Question = &indexv1.AskViewRequest_Rank{Rank: &indexv1.RankQuestion{OrderBy: sortFields(req.OrderBy), After: packedPosition(req.After)}}
	}
	return message
}

func (q *viewMessage) fillPage(req *cairn.ViewRequest) {
	page := &q.page
	page.Offset, page.Limit = uint64(max(0, req.Offset)), uint32(min(max(0, req.Limit), math.MaxUint32))
	page.Fields = numbers(req.Fields)
	page.OrderBy, page.After = sortFields(req.OrderBy), packedPosition(req.After)
}

func sortFields(fields []cairn.SortField) []*indexv1.SortField {
	if len(fields) == 0 {
		return nil
	}
	slab, out := make([]indexv1.SortField, len(fields)), make([]*indexv1.SortField, len(fields))
	for i, field := range fields {
		slab[i].Attribute, slab[i].Descending = uint32(field.Attribute), field.Descending
		out[i] = &slab[i]
	}
	return out
}

// packedPosition is a position as a field, empty where there is none.
func packedPosition(position *cairn.Position) []byte {
	if position == nil {
		return nil
	}
	return indexv1.AppendPosition(nil, position)
}

func numbers(ids []cairn.AttributeID) []uint32 {
	if len(ids) == 0 {
		return nil
	}
	out := make([]uint32, len(ids))
	for i, id := range ids {
		out[i] = uint32(id)
	}
	return out
}

// fillReply reads the answer to what was asked.
func fillReply(reply *cairn.ViewReply, asked cairn.Asked, response *indexv1.AskViewResponse) (err error) {
	answered := cairn.Asked(0)
	switch answer := response.GetAnswer().(type) {
	case *indexv1.AskViewResponse_Page:
		answered, reply.More = cairn.AskPage, answer.Page.GetMore()
		reply.Rows, err = indexv1.DecodeRows(answer.Page.GetRows(), nil)
	case *indexv1.AskViewResponse_Count:
		answered, reply.Count = cairn.AskCount, answer.Count
		if asked == cairn.AskRank {
			answered = asked
		}
	case *indexv1.AskViewResponse_Groups:
		answered = cairn.AskGroups
		reply.Groups, err = indexv1.DecodeGroups(answer.Groups.GetGroups(), nil)
	case *indexv1.AskViewResponse_Aggregate:
		answered = cairn.AskAggregate
		err = fillAggregation(&reply.Aggregation, answer.Aggregate)
	case *indexv1.AskViewResponse_Membership:
		answered = cairn.AskMembership
		err = fillMembership(&reply.Membership, answer.Membership)
	}
	if err == nil && answered != asked {
		err = cairn.Errorf(cairn.KindCorrupt, "MESSAGE_BROKEN", "an answer of kind %d to a question of kind %d", answered, asked)
	}
	return err
}

func fillAggregation(out *cairn.Aggregation, answer *indexv1.AggregateAnswer) error {
	bounds, err := indexv1.DecodeValues(answer.GetBounds(), nil)
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

func fillMembership(out *cairn.Membership, answer *indexv1.MembershipAnswer) error {
	*out = cairn.Membership{Found: answer.GetFound(), Member: answer.GetMember(), Truth: answer.GetTruth()}
	for _, d := range answer.GetDecisions() {
		value, err := indexv1.DecodeValues(d.GetValue(), nil)
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
