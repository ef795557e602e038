package replica

import (
	"context"

	"cairn"
)

// VerifyShard counts a shard again, as of a checkpoint that has everything that was
// applied before the call, beside the digest that was kept with every write; any
// replica does, of its own file. It waits until the log has noted a map revision.
// Errors: KindStale (NOT_OWNED), the cluster does not own it; KindCorrupt, what is in
// the file is not what was written, or the replica differs (DIVERGED); and those of
// CopyShard.
func (r *Replica) VerifyShard(ctx context.Context, keyspace cairn.UID, shard cairn.ShardID, revision uint64) (cairn.ShardCheck, error) {
	if err := r.serves(ctx, revision); err != nil {
		return cairn.ShardCheck{}, err
	}
	if err := r.checkpointNow(ctx); err != nil {
		return cairn.ShardCheck{}, err
	}
	return r.index.VerifyShard(keyspace, shard)
}
