package server

import (
	"context"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// VerifyShard counts a shard again. It ends with its client, not with the time that
// short requests get.
func (s *Server) VerifyShard(ctx context.Context, message *indexv1.VerifyShardRequest) (*indexv1.VerifyShardResponse, error) {
	check, err := s.index.VerifyShard(ctx, cairn.UID(message.GetKeyspace()), cairn.ShardID(message.GetShard()), message.GetEpoch())
	if err != nil {
		return nil, rpcerr.ToStatus(err).Err()
	}
	return indexv1.EncodeCheck(check), nil
}
