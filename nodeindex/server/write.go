package server

import (
	"context"

	"google.golang.org/grpc"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// writeJob is a Write.
type writeJob struct{ asked *indexv1.WriteRequest }

// Write answers one stream of requests until its client ends it.
func (s *Server) Write(stream grpc.BidiStreamingServer[indexv1.WriteRequest, indexv1.WriteResponse]) error {
	jobOf := func(asked *indexv1.WriteRequest) *writeJob { return &writeJob{asked} }
	return exchange(s, stream, writeWorkers, jobOf, &indexv1.WriteResponse{Error: rpcerr.ToProto(errStopping())})
}

func (j *writeJob) size() int { return len(j.asked.GetMutations()) }

// try has no answer: every write waits for the log.
func (j *writeJob) try(Index) *indexv1.WriteResponse { return nil }

func (j *writeJob) run(ctx context.Context, index Index) *indexv1.WriteResponse {
	response := &indexv1.WriteResponse{Id: j.asked.GetId()}
	reply, err := j.write(ctx, index)
	if err == nil {
		response.Results = indexv1.AppendWritten(nil, reply.Results)
		response.Revision, response.Index = reply.Revision, reply.Index
		return response
	}
	response.Error = rpcerr.ToProto(rpcerr.FromError(err))
	return response
}

func (j *writeJob) write(ctx context.Context, index Index) (*cairn.WriteReply, error) {
	mutations, err := indexv1.DecodeMutations(j.asked.GetMutations(), nil)
	if err != nil {
		return nil, err
	}
	id, err := j.asked.DecodeRequestID(mutations)
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(ctx, j.asked.GetTimeoutMicros())
	defer cancel()
	return index.Write(ctx, &cairn.WriteRequest{
		Keyspace:  cairn.UID(j.asked.GetKeyspace()),
		Epoch:     j.asked.GetEpoch(),
		RequestID: id,
		Mutations: mutations,
	})
}

// release keeps nothing: the mutations may be part of a command by now.
func (j *writeJob) release() {}
