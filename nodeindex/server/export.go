package server

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// ExportView sends the members of a view, then their keys, in pieces. Its
// client says how long that may take: it reads as fast as it can write.
func (s *Server) ExportView(message *indexv1.ExportViewRequest, stream grpc.ServerStreamingServer[indexv1.ExportViewResponse]) error {
	read, err := message.GetRead().Decode()
	if err != nil {
		return rpcerr.ToStatus(err).Err()
	}
	ctx := stream.Context()
	if micros := message.GetRead().GetTimeoutMicros(); micros > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(min(micros, maxMicros))*time.Microsecond)
		defer cancel()
	}
	request := &cairn.ExportRequest{Read: read, View: cairn.UID(message.GetView()), Version: message.GetVersion()}
	err = s.index.ExportView(ctx, request, func(whole cairn.ExportPiece) error {
		for piece := range whole.Split() {
			response := &indexv1.ExportViewResponse{Revision: piece.Revision, Index: piece.Index, Bitmap: piece.Bitmap}
			if len(piece.Keys) > 0 {
				response.Keys = indexv1.AppendKeys(nil, piece.Keys)
			}
			if err := stream.Send(response); err != nil {
				return err
			}
		}
		return nil
	})
	return rpcerr.ToStatus(err).Err()
}
