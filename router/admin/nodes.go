package admin

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/nodeplan"
)

// NodesRequest is what is to become of the nodes of a cluster; its fields are as in
// nodeplan.Input.
type NodesRequest struct {
	Cluster  string
	Wish     nodeplan.Wish
	Node, By string
	Share    float64
	Moves    int
}

// PlanNodes decides which entries of a cluster get other nodes, by what its index has.
// Nothing is changed.
//
// KindNotFound (field "cluster") if there is none of that name; else its errors are
// those of nodeplan.Make, and KindUnavailable where the index can't be asked, or does
// not hold every shard that the map gives it.
func (a *Admin) PlanNodes(ctx context.Context, request NodesRequest) (*nodeplan.Plan, error) {
	m, cluster, err := a.cluster(ctx, request.Cluster)
	if err != nil {
		return nil, cairn.InField("cluster", err)
	}
	in := nodeplan.Input{
		Map: m, Cluster: cluster, Loads: map[shardmap.ShardRef]nodeplan.Load{}, Wish: request.Wish, Node: request.Node, By: request.By,
		Share: request.Share, Moves: request.Moves, Seed: rand.Uint64(),
	}
	if shardsOf(m, cluster.UID) > 0 {
		// Once it knows of the cluster as it is, no entry comes to a node that is drained.
		status, err := a.vouched(ctx, m, cluster, cluster.Revision)
		if err != nil {
			return nil, err
		}
		for _, s := range status.Shards {
			if shard, found := m.Shard(s.Keyspace, s.Shard); found && shard.Epoch == s.Epoch {
				in.Loads[shardmap.ShardRef{Keyspace: s.Keyspace, ID: s.Shard}] = nodeplan.Load{Entries: s.Entries, Nodes: s.NodeEntries}
			}
		}
	}
	return nodeplan.Make(in)
}

// ApplyNodes carries a plan out: its node gets no more new entries, at once, and a move
// of each of its shards is begun. It does what the plan says or nothing: KindConflict
// (PLAN_STALE) where what a step touches has changed, before or while it is applied.
// Errors are those of ApplyPlan else, and of shardmap.StartRelocation. Without a why the
// moves say what the plan is for.
func (a *Admin) ApplyNodes(ctx context.Context, p *nodeplan.Plan, who, why string) (Begun, error) {
	if err := checkWhy(why); err != nil {
		return Begun{}, err
	}
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return Begun{}, err
	}
	if err := p.Check(m); err != nil {
		return Begun{}, err
	}
	if err := a.closeNode(ctx, m, p); err != nil {
		return Begun{}, err
	}
	var done Begun
	why = cmp.Or(why, p.String())
	for i := range p.Steps {
		move, err := a.relocate(ctx, p, i, who, why)
		if move != 0 {
			done.Steps, done.Moves = done.Steps+1, append(done.Moves, move)
		}
		if err != nil {
			err = cairn.InField(fmt.Sprintf("steps[%d]", i), err)
			return done, cairn.Errorf(cairn.KindOf(err), cairn.ReasonOf(err), "%d of %d moves were begun; then: %w", done.Steps, len(p.Steps), err)
		}
	}
	return done, nil
}

// closeNode has the node of a plan be draining, if it is active: it gets no entry from
// then on.
func (a *Admin) closeNode(ctx context.Context, m *shardmap.Map, p *nodeplan.Plan) error {
	cluster, _ := m.Catalog().ClusterByUID(p.UID)
	at := slices.IndexFunc(cluster.Nodes, func(n cairn.Node) bool { return n.Name == p.Node && n.State == cairn.NodeActive })
	if at < 0 {
		return nil
	}
	next := *cluster
	next.Nodes = slices.Clone(cluster.Nodes)
	next.Nodes[at].State = cairn.NodeDraining
	_, err := a.commit(ctx, shardmap.Change{Clusters: []shardmap.ClusterChange{{Name: cluster.Name, Expected: cluster.Revision, Put: &next}}})
	return err
}

// relocate begins the move of a step; it has a uid with an error too where it was begun.
func (a *Admin) relocate(ctx context.Context, p *nodeplan.Plan, i int, who, why string) (move cairn.UID, err error) {
	for range stepTries {
		var m *shardmap.Map
		if m, err = a.store.Refresh(ctx); err == nil {
			err = p.CheckStep(m, i)
		}
		var change shardmap.Change
		var record shardmap.Move
		if err == nil {
			change, record, err = shardmap.StartRelocation(m, shardmap.RelocationRequest{
				Keyspace: p.Steps[i].UID, Shard: p.Steps[i].Shard, Rule: *p.RuleOf(i), Who: who, Why: why,
				MayHaveEntries: true, Entries: p.Steps[i].Leaving,
			}, time.Now())
		}
		if err != nil {
			return 0, err
		}
		var revision uint64
		if revision, err = a.store.Commit(ctx, change); err == nil {
			_, err = a.await(ctx, revision)
			return record.UID, err
		}
		if cairn.KindOf(err) != cairn.KindConflict {
			break
		}
	}
	return 0, err
}

// leavingOf is how many entries of a move within a cluster are still to change nodes,
// by its index; false if it can't be asked.
func (a *Admin) leavingOf(ctx context.Context, cluster *catalog.Cluster, move shardmap.Move) (uint64, bool) {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	status, err := a.status(ctx, cluster, move.Epoch)
	if err != nil {
		return 0, false
	}
	for _, s := range status.Shards {
		if s.Keyspace == move.Keyspace && s.Shard == move.Shard {
			return nodeplan.Leaving(move.Relocation.Rule(), s.NodeEntries), true
		}
	}
	return 0, false
}
