package server

import (
	"google.golang.org/grpc"

	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// Backup sends a backup in pieces, for as long as its client takes.
func (s *Server) Backup(message *indexv1.BackupRequest, stream grpc.ServerStreamingServer[indexv1.BackupResponse]) error {
	err := s.index.Backup(stream.Context(), message.GetCluster(), func(data []byte) error {
		return stream.Send(&indexv1.BackupResponse{Data: data})
	})
	return rpcerr.ToStatus(err).Err()
}
