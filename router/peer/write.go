package peer

import (
	"context"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
)

func newWriteLink(ctx context.Context, p *Peer) *link[indexv1.WriteRequest, indexv1.WriteResponse] {
	return &link[indexv1.WriteRequest, indexv1.WriteResponse]{
		address: p.address, ctx: ctx, running: p.running,
		open: func(ctx context.Context) (grpc.BidiStreamingClient[indexv1.WriteRequest, indexv1.WriteResponse], error) {
			return p.index.Write(ctx)
		},
		sendAll:  indexv1.SendJoined[indexv1.WriteRequest],
		separate: indexv1.Separate[indexv1.WriteResponse],
		header:   func(r *indexv1.WriteResponse) (uint64, *statuspb.Status) { return r.GetId(), r.GetError() },
		setID:    func(r *indexv1.WriteRequest, id uint64) { r.Id = id },
	}
}

// Write sends the mutations to the index server. Besides the server's own
// errors it fails with KindUnavailable or KindDeadline where the request
// surely was not sent, KindUnknown (OUTCOME_UNKNOWN) where it was and no
// answer came, and KindExhausted (REQUEST_TOO_LARGE) for a request over the
// message limit.
func (p *Peer) Write(ctx context.Context, req *cairn.WriteRequest) (*cairn.WriteReply, error) {
	packed := indexv1.AppendMutations(nil, req.Mutations)
	if err := checkSize(len(packed)); err != nil {
		return nil, err
	}
	message := &indexv1.WriteRequest{
		Keyspace: uint64(req.Keyspace), Epoch: req.Epoch, TimeoutMicros: timeoutMicros(ctx), Mutations: packed,
	}
	message.SetRequestID(req)
	response, sent, failure := pick(p, p.writes).roundTrip(ctx, message)
	switch {
	case failure != nil && sent && response == nil:
		return nil, cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "sent to index server %s, which did not answer: %w", p.address, failure)
	case failure != nil:
		return nil, failure
	}
	results, err := indexv1.DecodeWritten(response.GetResults(), nil)
	if err == nil && len(results) != len(req.Mutations) {
		err = cairn.Errorf(cairn.KindCorrupt, "MESSAGE_BROKEN", "%d results for %d mutations", len(results), len(req.Mutations))
	}
	if err != nil {
		return nil, cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "%w", p.garbled(err))
	}
	return &cairn.WriteReply{
		Answer:  cairn.Answer{Revision: response.GetRevision(), Index: response.GetIndex()},
		Results: results,
	}, nil
}
