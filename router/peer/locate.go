package peer

import (
	"context"
	"sync"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/router/balance"
)

func newLocateLink(ctx context.Context, p *Peer) *link[indexv1.LocateRequest, indexv1.LocateResponse] {
	return &link[indexv1.LocateRequest, indexv1.LocateResponse]{
		address: p.address, ctx: ctx, running: p.running,
		open: func(ctx context.Context) (grpc.BidiStreamingClient[indexv1.LocateRequest, indexv1.LocateResponse], error) {
			return p.index.Locate(ctx)
		},
		sendAll:  indexv1.SendJoined[indexv1.LocateRequest],
		separate: indexv1.Separate[indexv1.LocateResponse],
		header:   func(r *indexv1.LocateResponse) (uint64, *statuspb.Status) { return r.GetId(), r.GetError() },
		setID:    func(r *indexv1.LocateRequest, id uint64) { r.Id = id },
		join:     joinLocate,
	}
}

// joinLocate joins requests that ask the same of different keys. Those with
// attributes, whose answers may be large, stay apart. Who has less time than
// another leaves by himself.
func joinLocate(waiting, request *indexv1.LocateRequest) (at int, joined bool) {
	a, b := waiting.GetRead(), request.GetRead()
	if a.GetKeyspace() != b.GetKeyspace() || a.GetEpoch() != b.GetEpoch() || a.GetLevel() != b.GetLevel() || a.GetIndex() != b.GetIndex() ||
		waiting.GetWithAttributes() || request.GetWithAttributes() {
		return 0, false
	}
	if waiting.Keys, at, joined = indexv1.JoinKeys(waiting.GetKeys(), request.GetKeys()); !joined {
		return 0, false
	}
	if a.GetTimeoutMicros() != 0 && (b.GetTimeoutMicros() == 0 || b.GetTimeoutMicros() > a.GetTimeoutMicros()) {
		a.TimeoutMicros = b.GetTimeoutMicros()
	}
	return at, true
}

// joint is the results of a request that was joined of several calls, read by the
// first of them who comes.
type joint struct {
	once    sync.Once
	results []cairn.Located
	err     error
}

// located appends a call's own results, count of them.
func located(c *call[indexv1.LocateRequest, indexv1.LocateResponse], withAttributes bool, count int, results []cairn.Located) ([]cairn.Located, error) {
	if c.joint == nil {
		return indexv1.DecodeLocated(c.response.GetResults(), withAttributes, results)
	}
	c.joint.once.Do(func() {
		c.joint.results, c.joint.err = indexv1.DecodeLocated(c.response.GetResults(), withAttributes, nil)
	})
	if c.joint.err != nil {
		return nil, c.joint.err
	}
	return append(results, c.joint.results[min(c.at, len(c.joint.results)):min(c.at+count, len(c.joint.results))]...), nil
}

// locateMessages are messages of requests, used again and again.
var locateMessages = sync.Pool{New: func() any { return &indexv1.LocateRequest{Read: new(indexv1.Read)} }}

// keepBytes is the largest message that is kept for the next request.
const keepBytes = 256 << 10

// locating is a request to locate keys, as it is put to any index server.
type locating struct{ *cairn.LocateRequest }

func (l locating) class() balance.Class { return balance.Keys(len(l.Keys)) }

func (l locating) link(p *Peer) *link[indexv1.LocateRequest, indexv1.LocateResponse] {
	return pick(p, p.locates)
}

// message is a message of its own for each server that is asked.
func (l locating) message(ctx context.Context) *indexv1.LocateRequest {
	message := locateMessages.Get().(*indexv1.LocateRequest)
	fillRead(ctx, message.Read, l.Read)
	message.WithAttributes = l.WithAttributes
	message.Keys = indexv1.AppendKeys(message.Keys[:0], l.Keys)
	return message
}

// size is how many bytes the packed field of a message has.
func (locating) size(message *indexv1.LocateRequest) int { return len(message.GetKeys()) }

// release takes a message back that nobody uses any more.
func (locating) release(message *indexv1.LocateRequest) {
	if cap(message.GetKeys()) <= keepBytes {
		locateMessages.Put(message)
	}
}

func (locating) reached(response *indexv1.LocateResponse) uint64 { return response.GetIndex() }

// read fills in the reply from what the server p has answered.
func (l locating) read(p *Peer, c *call[indexv1.LocateRequest, indexv1.LocateResponse], reply *cairn.LocateReply) error {
	results, err := located(c, l.WithAttributes, len(l.Keys), reply.Results[:0])
	if err != nil {
		return p.garbled(err)
	}
	if len(results) != len(l.Keys) {
		return p.garbled(cairn.Errorf(cairn.KindCorrupt, "MESSAGE_BROKEN", "%d results for %d keys", len(results), len(l.Keys)))
	}
	reply.Results = results
	reply.Answer = cairn.Answer{Revision: c.response.GetRevision(), Index: c.response.GetIndex()}
	return nil
}

// Locate asks the index server. Besides the server's own errors it fails with
// KindUnavailable where the server can't be reached, KindDeadline when ctx
// ends first, and KindExhausted (REQUEST_TOO_LARGE) for a request over the
// message limit. It reuses reply.Results' array.
func (p *Peer) Locate(ctx context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) error {
	question := locating{req}
	message := question.message(ctx)
	if err := checkSize(question.size(message)); err != nil {
		return err
	}
	c, sent, failure := question.link(p).exchange(ctx, message)
	if failure == nil || !sent {
		// Answered, or never taken up: the sender does not use it any more.
		question.release(message)
	}
	if failure != nil {
		return failure
	}
	return question.read(p, c, reply)
}

func fillRead(ctx context.Context, message *indexv1.Read, read cairn.Read) {
	message.Fill(read)
	message.TimeoutMicros = timeoutMicros(ctx)
}

// checkSize refuses a packed field that would not fit a message.
func checkSize(bytes int) *cairn.Error {
	if bytes > indexv1.MaxPackedBytes {
		return cairn.Errorf(cairn.KindExhausted, "REQUEST_TOO_LARGE", "the request has %d bytes, more than the %d of a message; send fewer at once",
			bytes, indexv1.MaxPackedBytes)
	}
	return nil
}

// garbled is the error for a response that is not what the server should
// have sent.
func (p *Peer) garbled(err error) error {
	return cairn.Errorf(cairn.KindInternal, "RESPONSE_BROKEN", "index server %s: %w", p.address, err)
}
