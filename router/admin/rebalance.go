package admin

import (
	"context"
	"slices"
	"sync"
	"time"

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
	// By is what is evened out: "entries", as an empty one, or "load".
	By string
}

// PlanRebalance decides what would even out what the clusters hold, or are asked, as
// the present Map has them and every index says. Shards that a move holds
// count as the target's; those of keyspaces without a mover stay. Nothing is
// changed.
//
// A cluster whose index can't be asked is left out, which the plan says: it neither
// gives nor takes.
//
// KindInvalid (field "by") for what can't be evened out; KindNotFound (field "drain") if there is no cluster of a name; KindInvalid as
// plan.Make says; the index's own error, naming the cluster, if one that is to be
// drained can't be asked, or none can.
func (a *Admin) PlanRebalance(ctx context.Context, options RebalanceOptions) (*plan.Plan, error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return nil, err
	}
	measure, err := measureOf(options.By)
	if err != nil {
		return nil, err
	}
	in := plan.Input{Map: m, Now: time.Now(), Settings: plan.Settings{Measure: measure, Share: options.Share, Moves: options.Moves}}
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
	if in.Loads, in.Silent, err = a.sizes(ctx, m, in.Drain); err != nil {
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
		case move.Phase == shardmap.MoveDone && !move.Within():
			recent = append(recent, plan.Moved{Keyspace: move.Keyspace, Start: []byte(move.Start), End: []byte(move.End), At: move.Stepped})
		}
	}
	return arriving, recent
}

// measureOf is the measure of a name.
func measureOf(by string) (plan.Measure, error) {
	switch by {
	case "", "entries":
		return plan.ByEntries(), nil
	case "load":
		return plan.ByLoad(), nil
	}
	return plan.Measure{}, cairn.Invalid("by", "MEASURE_UNKNOWN", "%q; clusters are evened out by entries or by load", by)
}

// sizesTimeout bounds how long an index is waited for that can be done without.
const sizesTimeout = 5 * time.Second

// sizes asks every index at the same time how many entries each of its shards has and
// how much it is asked, and returns which clusters could not be asked. Some of the others, and those
// that are needed, must be.
func (a *Admin) sizes(ctx context.Context, m *shardmap.Map, needed []cairn.UID) (loads map[shardmap.ShardRef]plan.Load, silent []cairn.UID, err error) {
	clusters := m.Catalog().Clusters()
	statuses := make([]cairn.IndexStatus, len(clusters))
	errs := make([]error, len(clusters))
	var asking sync.WaitGroup
	asked := 0
	for i, cluster := range clusters {
		var epoch uint64
		for _, k := range m.Catalog().Keyspaces() {
			owner, _ := m.Owner(k.UID, cluster.UID) // nothing has epoch 0
			epoch = max(epoch, owner.MaxEpoch)
		}
		if epoch == 0 {
			continue
		}
		asked++
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, sizesTimeout)
			defer cancel()
			statuses[i], errs[i] = a.status(ctx, cluster, epoch)
		})
	}
	asking.Wait()
	for i, cluster := range clusters {
		if errs[i] == nil {
			continue
		}
		silent = append(silent, cluster.UID)
		if len(silent) == asked || slices.Contains(needed, cluster.UID) {
			return nil, nil, cairn.Errorf(cairn.KindOf(errs[i]), cairn.ReasonOf(errs[i]), "cluster %s can't be asked what it holds: %w", cluster.Name, errs[i])
		}
	}
	held := map[shardRef]plan.Load{}
	for _, status := range statuses {
		for _, s := range status.Shards {
			held[shardRef{s.Keyspace, s.Shard, s.Epoch}] = plan.Load{Entries: s.Entries, Reads: s.Reads, Writes: s.Writes}
		}
	}
	loads = map[shardmap.ShardRef]plan.Load{}
	for _, k := range m.Catalog().Keyspaces() {
		for s := range m.Shards(k.UID) {
			load, known := held[shardRef{k.UID, s.ID, s.Epoch}]
			if slices.Contains(silent, s.Cluster) {
				continue
			}
			if !known {
				return nil, nil, cairn.Errorf(cairn.KindConflict, "MAP_CHANGED", "shard %s/%s has changed, or its owner does not serve it; try again", k.Name, s.ID)
			}
			loads[shardmap.ShardRef{Keyspace: k.UID, ID: s.ID}] = load
		}
	}
	return loads, silent, nil
}
