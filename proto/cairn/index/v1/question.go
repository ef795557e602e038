package indexv1

import (
	"math"

	"cairn"
)

// viewMessage is the message of one question, with its parts.
type viewMessage struct {
	message AskViewRequest
	read    Read
	page    PageQuestion
	asPage  AskViewRequest_Page
}

// NewQuestion is the message of a question. Its time is not set.
func NewQuestion(req *cairn.ViewRequest) *AskViewRequest {
	q := new(viewMessage)
	q.read.Fill(req.Read)
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
		message.Question = &AskViewRequest_Count{Count: new(CountQuestion)}
	case cairn.AskGroups:
		message.Question = &AskViewRequest_Groups{Groups: &GroupsQuestion{Attributes: numbers[uint32](req.Attributes)}}
	case cairn.AskAggregate:
		aggregate := new(AggregateQuestion)
		if len(req.Attributes) > 0 {
			aggregate.Attribute = uint32(req.Attributes[0])
		}
		message.Question = &AskViewRequest_Aggregate{Aggregate: aggregate}
	case cairn.AskMembership:
		message.Question = &AskViewRequest_Membership{Membership: &MembershipQuestion{Key: req.Key}}
	case cairn.AskRank:
		message.Question = &AskViewRequest_Rank{Rank: &RankQuestion{OrderBy: sortFields(req.OrderBy), After: packedPosition(req.After)}}
	}
	return message
}

func (q *viewMessage) fillPage(req *cairn.ViewRequest) {
	page := &q.page
	page.Offset, page.Limit = uint64(max(0, req.Offset)), uint32(min(max(0, req.Limit), math.MaxUint32))
	page.Fields = numbers[uint32](req.Fields)
	page.OrderBy, page.After = sortFields(req.OrderBy), packedPosition(req.After)
}

func sortFields(fields []cairn.SortField) []*SortField {
	if len(fields) == 0 {
		return nil
	}
	slab, out := make([]SortField, len(fields)), make([]*SortField, len(fields))
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
	return AppendPosition(nil, position)
}

// DecodeQuestion reads a question into a request, whose slices must be empty and are
// used. KindInvalid for one that this version does not know or that can't be,
// KindCorrupt for one that is broken.
func DecodeQuestion(message *AskViewRequest, request *cairn.ViewRequest) error {
	read, err := message.GetRead().Decode()
	if err != nil {
		return err
	}
	request.Read = read
	request.View, request.Version = cairn.UID(message.GetView()), message.GetVersion()
	request.Where, request.Now = message.GetWhere(), message.GetNowMicros()
	request.WithPlan = message.GetWithPlan()
	switch question := message.GetQuestion().(type) {
	case *AskViewRequest_Page:
		request.Asked = cairn.AskPage
		return decodePage(question.Page, request)
	case *AskViewRequest_Count:
		request.Asked = cairn.AskCount
	case *AskViewRequest_Groups:
		request.Asked = cairn.AskGroups
		for _, id := range question.Groups.GetAttributes() {
			request.Attributes = append(request.Attributes, cairn.AttributeID(id))
		}
	case *AskViewRequest_Aggregate:
		request.Asked = cairn.AskAggregate
		request.Attributes = append(request.Attributes, cairn.AttributeID(question.Aggregate.GetAttribute()))
	case *AskViewRequest_Membership:
		request.Asked = cairn.AskMembership
		request.Key = question.Membership.GetKey()
	case *AskViewRequest_Rank:
		request.Asked = cairn.AskRank
		request.OrderBy = decodeSort(request.OrderBy, question.Rank.GetOrderBy())
		request.After, err = decodeAfter(question.Rank.GetAfter())
		return err
	default:
		return cairn.Invalid("question", "QUESTION_UNKNOWN", "no question, or one that this version does not know")
	}
	return nil
}

func decodePage(page *PageQuestion, request *cairn.ViewRequest) (err error) {
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

func decodeSort(fields []cairn.SortField, message []*SortField) []cairn.SortField {
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
	return DecodePosition(packed)
}
