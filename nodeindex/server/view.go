package server

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// viewJob is an AskView, used again and again.
type viewJob struct {
	asked   *indexv1.AskViewRequest
	request cairn.ViewRequest
	made    indexv1.ViewAnswer
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
	if err := indexv1.DecodeQuestion(j.asked, &j.request); err != nil {
		return j.answer(nil, err)
	}
	if !j.quick() {
		return nil
	}
	j.request.Brief = true
	reply, err := index.AskView(noWait, &j.request)
	if j.request.Brief = false; wouldWait(err) {
		return nil
	}
	return j.answer(reply, err)
}

// quick tells whether the answer may take no longer than others on the stream may
// wait for: whether it is kept or told by an order, the index decides.
func (j *viewJob) quick() bool {
	switch r := &j.request; {
	case r.Level == cairn.Linearizable || len(r.Where) > inlineWhere:
		return false
	case r.Asked == cairn.AskPage && r.Where != "":
		return len(r.OrderBy) == 0 && r.Limit <= inlineTested
	case r.Asked == cairn.AskPage:
		return len(r.OrderBy) == 0 && r.Limit <= inlineRows
	case r.Asked == cairn.AskGroups || r.Asked == cairn.AskAggregate:
		return r.Where != "" // of all members it takes long
	default:
		return r.Asked == cairn.AskCount || r.Asked == cairn.AskMembership
	}
}

func (j *viewJob) run(ctx context.Context, index Index) *indexv1.AskViewResponse {
	ctx, cancel := within(ctx, j.asked.GetRead().GetTimeoutMicros())
	defer cancel()
	return j.answer(index.AskView(ctx, &j.request))
}

func (j *viewJob) release() {
	if j.made.Bytes() > keepBytes {
		return
	}
	j.request = cairn.ViewRequest{OrderBy: j.request.OrderBy[:0], Fields: j.request.Fields[:0], Attributes: j.request.Attributes[:0]}
	j.asked = nil
	j.made.Reset()
	viewJobs.Put(j)
}

// answer makes the response from a reply, or from err. The reply to a question
// that failed may say by which state it did.
func (j *viewJob) answer(reply *cairn.ViewReply, err error) *indexv1.AskViewResponse {
	response := &j.made.Response
	response.Id = j.asked.GetId()
	if reply != nil {
		response.Revision, response.Index = reply.Revision, reply.Index
	}
	if err == nil {
		err = j.made.Fill(j.request.Asked, reply)
	}
	if err != nil {
		response.Answer, response.Plan = nil, ""
		response.Error = rpcerr.ToProto(rpcerr.FromError(err))
	}
	return response
}
