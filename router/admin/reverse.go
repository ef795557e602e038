package admin

import (
	"context"

	"cairn"
	"cairn/shardmap"
)

// ReverseMove begins to move a shard back to where a move took it from, and returns
// at once. Where the former owner still keeps what it had, only what has changed
// since is copied. Errors are those of shardmap.Reversible and of MoveShard.
func (a *Admin) ReverseMove(ctx context.Context, uid cairn.UID, options MoveOptions) (MoveInfo, error) {
	if err := checkWhy(options.Why); err != nil {
		return MoveInfo{}, err
	}
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return MoveInfo{}, err
	}
	move, err := shardmap.Reversible(m, uid)
	if err != nil {
		return MoveInfo{}, err
	}
	k, found := m.Catalog().KeyspaceByUID(move.Keyspace)
	if !found {
		return MoveInfo{}, cairn.Errorf(cairn.KindNotFound, "KEYSPACE_NOT_FOUND", "there is no keyspace %s any more", move.Keyspace)
	}
	return a.startMove(ctx, m, k, move.Shard, move.From, options)
}

// GiveBack gives a shard back to where a move took it from, at once and as it was
// kept there. What its present owner took since is lost, so that owner must say that
// it does not serve the shard: it was restored from before the move.
//
// Errors are those of shardmap.GiveBack; KindPrecondition (SHARD_SERVED) where the
// owner serves the shard, NOTHING_KEPT where the former one has it no more;
// KindUnavailable if one of both can't be asked.
func (a *Admin) GiveBack(ctx context.Context, uid cairn.UID) (MoveInfo, error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return MoveInfo{}, err
	}
	change, err := shardmap.GiveBack(m, uid)
	if err != nil {
		return MoveInfo{}, err
	}
	move, _ := m.Move(uid)
	shard, _ := m.Shard(move.Keyspace, move.Shard)
	owner, err := a.statusOf(ctx, m, move.To, shard.Epoch)
	if err != nil {
		return MoveInfo{}, err
	}
	if !lists(owner.Withheld, shard) {
		return MoveInfo{}, cairn.Errorf(cairn.KindPrecondition, "SHARD_SERVED", "cluster %s serves the shard; reverse the move without --as-kept", a.name(m, move.To))
	}
	former, err := a.statusOf(ctx, m, move.From, 0)
	if err != nil {
		return MoveInfo{}, err
	}
	shard.Epoch = move.Epoch
	if !lists(former.Kept, shard) {
		return MoveInfo{}, cairn.Errorf(cairn.KindPrecondition, "NOTHING_KEPT", "cluster %s does not keep the shard", a.name(m, move.From))
	}
	return a.commitMove(ctx, change, uid)
}

// lists tells whether a shard of an epoch is in a list.
func lists(all []cairn.ShardStatus, shard shardmap.Shard) bool {
	for _, s := range all {
		if s.Keyspace == shard.Keyspace && s.Shard == shard.ID && s.Epoch == shard.Epoch {
			return true
		}
	}
	return false
}

// statusOf asks a cluster's index about itself.
func (a *Admin) statusOf(ctx context.Context, m *shardmap.Map, uid cairn.UID, epoch uint64) (cairn.IndexStatus, error) {
	cluster, found := m.Catalog().ClusterByUID(uid)
	if !found {
		return cairn.IndexStatus{}, cairn.Errorf(cairn.KindPrecondition, "CLUSTER_NOT_FOUND", "there is no cluster %s any more", uid)
	}
	status, err := a.status(ctx, cluster, epoch)
	if err != nil {
		return cairn.IndexStatus{}, cairn.Errorf(cairn.KindOf(err), cairn.ReasonOf(err), "cluster %s can't be asked what it has of the shard: %w", cluster.Name, err)
	}
	return status, nil
}

// name is a cluster's, its uid where there is none any more.
func (a *Admin) name(m *shardmap.Map, uid cairn.UID) string {
	if cluster, found := m.Catalog().ClusterByUID(uid); found {
		return cluster.Name
	}
	return uid.String()
}
