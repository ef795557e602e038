package server

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// Write answers one stream of requests until its client ends it.
func (s *Server) Write(stream grpc.BidiStreamingServer[indexv1.WriteRequest, indexv1.WriteResponse]) error {
	ctx := stream.Context()
	out := &replies[indexv1.WriteResponse]{stream: stream}
	defer out.close()
	var waiting *crew[*indexv1.WriteRequest]
	waiting = newCrew(writeWorkers, func(message *indexv1.WriteRequest) {
		out.send(s.write(ctx, message))
		waiting.free(len(message.GetMutations()))
	})
	defer waiting.close()
	defer context.AfterFunc(s.draining, func() {
		out.send(&indexv1.WriteResponse{Error: rpcerr.ToProto(errStopping())})
	})()

	for {
		message, err := stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := waiting.do(ctx, len(message.GetMutations()), message); err != nil {
			return err
		}
	}
}

func (s *Server) write(ctx context.Context, message *indexv1.WriteRequest) *indexv1.WriteResponse {
	response := &indexv1.WriteResponse{Id: message.GetId()}
	reply, err := s.writeRequest(ctx, message)
	if err == nil {
		response.Results = indexv1.AppendWritten(nil, reply.Results)
		response.Revision, response.Index = reply.Revision, reply.Index
		return response
	}
	response.Error = rpcerr.ToProto(rpcerr.FromError(err))
	return response
}

func (s *Server) writeRequest(ctx context.Context, message *indexv1.WriteRequest) (*cairn.WriteReply, error) {
	mutations, err := indexv1.DecodeMutations(message.GetMutations(), nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(ctx, message.GetTimeoutMicros())
	defer cancel()
	return s.index.Write(ctx, &cairn.WriteRequest{
		Keyspace:  cairn.UID(message.GetKeyspace()),
		Epoch:     message.GetEpoch(),
		Mutations: mutations,
	})
}
