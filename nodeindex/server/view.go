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
