package peer

import (
	"context"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
	"cairn/proto/rpcerr"
)

// VerifyShard has the replica count a shard again, out of its file.
func (p *Peer) VerifyShard(ctx context.Context, keyspace cairn.UID, shard cairn.ShardID, revision uint64) (cairn.ShardCheck, error) {
	response, err := p.index.VerifyShard(ctx, &indexv1.VerifyShardRequest{Keyspace: uint64(keyspace), Shard: uint64(shard), Epoch: revision})
	if err != nil {
		return cairn.ShardCheck{}, rpcerr.From(p.address, err)
	}
	return response.Decode(), nil
}
