package peer

import (
	"context"

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
	message := indexv1.NewQuestion(a.ViewRequest)
	message.Read.TimeoutMicros = timeoutMicros(ctx)
	return message
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
	if err := indexv1.DecodeAnswer(a.Asked, response, reply); err != nil {
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
