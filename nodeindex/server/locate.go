package server

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// locateJob is a Locate, used again and again.
type locateJob struct {
	asked    *indexv1.LocateRequest
	request  cairn.LocateRequest
	reply    cairn.LocateReply
	response indexv1.LocateResponse
	packed   []byte
}

var locateJobs = sync.Pool{New: func() any { return new(locateJob) }}

// keepBytes is the largest buffer that is kept for the next request.
const keepBytes = 256 << 10

// Locate answers one stream of requests until its client ends it.
func (s *Server) Locate(stream grpc.BidiStreamingServer[indexv1.LocateRequest, indexv1.LocateResponse]) error {
	jobOf := func(asked *indexv1.LocateRequest) *locateJob {
		j := locateJobs.Get().(*locateJob)
		j.asked = asked
		return j
	}
	return exchange(s, stream, locateWorkers, jobOf, &indexv1.LocateResponse{Error: rpcerr.ToProto(errStopping())})
}

func (j *locateJob) size() int { return len(j.asked.GetKeys()) }

func (j *locateJob) try(index Index) *indexv1.LocateResponse {
	if err := j.decode(); err != nil {
		return j.answer(err)
	}
	if j.request.Level == cairn.Linearizable || len(j.request.Keys) > inlineKeys {
		return nil
	}
	err := index.Locate(noWait, &j.request, &j.reply)
	if wouldWait(err) {
		return nil
	}
	return j.answer(err)
}

func (j *locateJob) run(ctx context.Context, index Index) *indexv1.LocateResponse {
	ctx, cancel := within(ctx, j.asked.GetRead().GetTimeoutMicros())
	defer cancel()
	return j.answer(index.Locate(ctx, &j.request, &j.reply))
}

func (j *locateJob) release() {
	if cap(j.packed) > keepBytes || cap(j.request.Keys) > inlineKeys {
		return
	}
	// What the buffers refer to must not be kept alive.
	clear(j.request.Keys)
	clear(j.reply.Results)
	j.asked = nil
	j.response.Reset()
	locateJobs.Put(j)
}

// decode reads the message into the request.
func (j *locateJob) decode() error {
	read, err := j.asked.GetRead().Decode()
	if err != nil {
		return err
	}
	keys, err := indexv1.DecodeKeys(j.asked.GetKeys(), j.request.Keys[:0])
	if err != nil {
		return err
	}
	j.request = cairn.LocateRequest{Read: read, WithAttributes: j.asked.GetWithAttributes(), Keys: keys}
	return nil
}

// answer makes the response from the reply, or from err.
func (j *locateJob) answer(err error) *indexv1.LocateResponse {
	response := &j.response
	response.Id = j.asked.GetId()
	if err == nil {
		j.packed = indexv1.AppendLocated(j.packed[:0], j.reply.Results, j.request.WithAttributes)
		err = indexv1.CheckReply(j.packed)
	}
	if err != nil {
		response.Error = rpcerr.ToProto(rpcerr.FromError(err))
		return response
	}
	response.Revision, response.Index = j.reply.Revision, j.reply.Index
	response.Results = j.packed
	return response
}
