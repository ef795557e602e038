package admin

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/plan"
)

// RebalanceOptions say what a rebalance is to do.
type RebalanceOptions struct {
	// Drain are the names of clusters to be emptied.
	Drain []string
	// Share is the most of a keyspace's entries to be moved, Moves the most
	// moves; both as in plan.Settings, 0 for its default.
	Share float64
	Moves int
}

// PlanRebalance decides what would even out the entries that the clusters hold,
// as the present Map has them and every index says. Shards that a move holds
// count as the target's; those of keyspaces without a mover stay. Nothing is
// changed.
//
// KindNotFound (field "drain") if there is no cluster of a name; KindInvalid as
// plan.Make says; the index's own error, naming the cluster, if one can't be
// asked: a plan by a part of the sizes would be wrong about all of them.
func (a *Admin) PlanRebalance(ctx context.Context, options RebalanceOptions) (*plan.Plan, error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return nil, err
	}
	in := plan.Input{Map: m, Now: time.Now(), Settings: plan.Settings{Share: options.Share, Moves: options.Moves}}
	for _, name := range options.Drain {
		cluster, found := m.Catalog().ClusterByName(name)
		if !found {
			err := cairn.Errorf(cairn.KindNotFound, "CLUSTER_NOT_FOUND", "there is no cluster %q", name)
			err.Field = "drain"
			return nil, err
		}
		in.Drain = append(in.Drain, cluster.UID)
	}
	for _, k := range m.Catalog().Keyspaces() {
		if k.Mover == "" || k.Deleting {
			in.Fixed = append(in.Fixed, k.UID)
		}
	}
	in.Arriving, in.Recent = underWay(m)
	if in.Loads, err = a.sizes(ctx, m); err != nil {
		return nil, err
	}
	return plan.Make(in)
}

// underWay is what moves hold, by where it goes, and what they are done with.
func underWay(m *shardmap.Map) (map[shardmap.ShardRef]cairn.UID, []plan.Moved) {
	arriving := map[shardmap.ShardRef]cairn.UID{}
	var recent []plan.Moved
	for _, move := range m.Moves() {
		switch {
		case move.Phase.Active():
			arriving[shardmap.ShardRef{Keyspace: move.Keyspace, ID: move.Shard}] = move.To
		case move.Phase == shardmap.MoveDone:
			recent = append(recent, plan.Moved{Keyspace: move.Keyspace, Start: []byte(move.Start), End: []byte(move.End), At: move.Stepped})
		}
	}
	return arriving, recent
}

// sizes asks every index at the same time how many entries each of its shards
// has.
func (a *Admin) sizes(ctx context.Context, m *shardmap.Map) (map[shardmap.ShardRef]plan.Load, error) {
	clusters := m.Catalog().Clusters()
	statuses := make([]cairn.IndexStatus, len(clusters))
	group, asking := errgroup.WithContext(ctx)
	for i, cluster := range clusters {
		var epoch uint64
		for _, k := range m.Catalog().Keyspaces() {
			owner, _ := m.Owner(k.UID, cluster.UID) // nothing has epoch 0
			epoch = max(epoch, owner.MaxEpoch)
		}
		if epoch == 0 {
			continue
		}
		group.Go(func() error {
			status, err := a.status(asking, cluster, epoch)
			if err != nil {
				return cairn.Errorf(cairn.KindOf(err), cairn.ReasonOf(err), "cluster %s can't be asked what it holds: %w", cluster.Name, err)
			}
			statuses[i] = status
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	held := map[shardRef]uint64{}
	for _, status := range statuses {
		for _, s := range status.Shards {
			held[shardRef{s.Keyspace, s.Shard, s.Epoch}] = s.Entries
		}
	}
	loads := map[shardmap.ShardRef]plan.Load{}
	for _, k := range m.Catalog().Keyspaces() {
		for s := range m.Shards(k.UID) {
			entries, known := held[shardRef{k.UID, s.ID, s.Epoch}]
			if !known {
				return nil, cairn.Errorf(cairn.KindConflict, "MAP_CHANGED", "shard %s/%s has changed, or its owner does not serve it; try again", k.Name, s.ID)
			}
			loads[shardmap.ShardRef{Keyspace: k.UID, ID: s.ID}] = plan.Load{Entries: entries}
		}
	}
	return loads, nil
}
