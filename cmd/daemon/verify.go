package daemon

import (
	"context"

	"cairn"
	"cairn/router/move"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// verifier is an index that counts its shards again.
type verifier interface {
	VerifyShard(ctx context.Context, keyspace cairn.UID, shard cairn.ShardID, revision uint64) (cairn.ShardCheck, error)
}

// verify is admin.Config.Verify.
func (d *dialer) verify(ctx context.Context, cluster *catalog.Cluster, address string, shard shardmap.Shard) (cairn.ShardCheck, error) {
	if address != "" {
		shared, err := d.share(cluster.Name, address)
		if err != nil {
			return cairn.ShardCheck{}, err
		}
		defer d.leave(shared)
		return shared.VerifyShard(ctx, shard.Keyspace, shard.ID, shard.Epoch)
	}
	index, err := d.dial(cluster)
	if err != nil {
		return cairn.ShardCheck{}, err
	}
	defer d.release(index)
	return index.(verifier).VerifyShard(ctx, shard.Keyspace, shard.ID, shard.Epoch) // one of this process
}

// fencer is an index that says how a fence is.
type fencer interface {
	ShardFence(ctx context.Context, m cairn.MovingShard) (cairn.FenceState, error)
}

// moving is admin.Config.Moving.
func (d *dialer) moving(ctx context.Context, m *shardmap.Map, record shardmap.Move) (fence cairn.FenceState, staged cairn.Staged, err error) {
	from, foundFrom := m.Catalog().ClusterByUID(record.From)
	to, foundTo := m.Catalog().ClusterByUID(record.To)
	if !foundFrom || !foundTo {
		return fence, staged, cairn.Errorf(cairn.KindUnavailable, "CLUSTER_GONE", "source or target is not declared any more")
	}
	source, release, err := d.move(from)
	if err != nil {
		return fence, staged, err
	}
	defer release()
	target, releaseTarget, err := d.move(to)
	if err != nil {
		return fence, staged, err
	}
	defer releaseTarget()
	if fence, err = source.(fencer).ShardFence(ctx, move.Moving(record)); err != nil { // all that dial returns are
		return fence, staged, err
	}
	staged, err = target.StagedShard(ctx, move.Moving(record))
	return fence, staged, err
}
