package nodeplan

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Input is what a plan is decided on.
type Input struct {
	Map     *shardmap.Map
	Cluster *catalog.Cluster
	// Loads are how many entries of each of the cluster's shards name each node.
	Loads map[shardmap.ShardRef]Load
	Wish  Wish
	// Node is the name of the one to be left, By of the one that replaces it.
	Node, By string
	// Share is the most of the cluster's entries to change nodes in a Rebalance; 1 if 0.
	// Moves is the most shards; any number if 0.
	Share float64
	Moves int
	// Seed has those that move, where not all of a node's do, be others than those of the
	// plan before.
	Seed uint64
}

// Load is what an index has of a shard.
type Load struct {
	Entries uint64
	Nodes   map[cairn.NodeID]uint64
}

const (
	// MostLeaving is how many entries of a shard change nodes at once: they do so in one
	// step, and for a quarter of a second all writes of the cluster wait. Where there are
	// more, the rest is for the next plans.
	MostLeaving = 40_000
	// slack is how much more than its share, relative to that, a node may have.
	slack = 0.02
)

// Make decides a plan. KindInvalid: fields "node" and "by" (NODE_UNKNOWN, NODE_TWICE,
// NODE_NOT_ACTIVE), "share", "moves" (SETTING_OUT_OF_RANGE), "wish" (WISH_UNKNOWN).
// KindPrecondition (field "node", NO_ACTIVE_NODE): no other node takes entries.
func Make(in Input) (*Plan, error) {
	if in.Share < 0 || in.Share > 1 || math.IsNaN(in.Share) {
		return nil, cairn.Invalid("share", "SETTING_OUT_OF_RANGE", "%v; it is above 0 and at most 1", in.Share)
	}
	if in.Moves < 0 {
		return nil, cairn.Invalid("moves", "SETTING_OUT_OF_RANGE", "%d; it is at least 1", in.Moves)
	}
	p := &Plan{Wish: in.Wish, Cluster: in.Cluster.Name, UID: in.Cluster.UID, Revision: in.Cluster.Revision, Steps: []Step{}, Held: []Held{}}
	rule, err := in.rule()
	if err != nil {
		return nil, err
	}
	switch in.Wish {
	case Drain:
		p.Node = in.Node
	case Replace:
		p.Node, p.By = in.Node, in.By
	}
	if len(rule.Leaving) > 0 {
		p.Seed = max(in.Seed, 1)
		p.Rule = shardmap.NewRelocation(rule)
		in.steps(p, rule)
	}
	in.nodes(p, rule)
	return p, nil
}

// rule is how entries change nodes; nobody leaves where all is as wished.
func (in *Input) rule() (*cairn.Relocation, error) {
	switch in.Wish {
	case Drain, Replace:
		return in.leave()
	case Rebalance:
		return in.even(), nil
	}
	return nil, cairn.Invalid("wish", "WISH_UNKNOWN", "%q; nodes are drained, replaced or rebalanced", string(in.Wish))
}

// leave is the rule by which all leave one node.
func (in *Input) leave() (*cairn.Relocation, error) {
	old, err := in.named("node", in.Node)
	if err != nil {
		return nil, err
	}
	rule := &cairn.Relocation{Leaving: []cairn.LeavingNode{{Node: old.ID, Share: cairn.WholeNode}}}
	for _, n := range in.Cluster.Nodes {
		if n.State == cairn.NodeActive && n.Weight > 0 && n.ID != old.ID {
			rule.Targets = append(rule.Targets, target(n, n.Weight))
		}
	}
	if in.Wish == Replace {
		by, err := in.named("by", in.By)
		switch {
		case err != nil:
			return nil, err
		case by.ID == old.ID:
			return nil, cairn.Invalid("by", "NODE_TWICE", "node %s can't take its own place", by.Name)
		case by.State != cairn.NodeActive:
			return nil, cairn.Invalid("by", "NODE_NOT_ACTIVE", "node %s is %s, and gets no entries", by.Name, by.State)
		}
		if rule.Instead = by.ID; by.Address == old.Address || len(rule.Targets) == 0 {
			rule.Targets = []cairn.Node{target(by, max(by.Weight, 1))} // the same server, and no other
		}
	}
	if len(rule.Targets) == 0 {
		e := cairn.Errorf(cairn.KindPrecondition, "NO_ACTIVE_NODE", "cluster %s has no other active node of non-zero weight that could take the entries of node %s", in.Cluster.Name, old.Name)
		e.Field = "node"
		return nil, e
	}
	return rule, nil
}

func target(n cairn.Node, weight uint32) cairn.Node {
	return cairn.Node{ID: n.ID, Weight: weight, Zone: n.Zone}
}

func (in *Input) named(field, name string) (cairn.Node, error) {
	n, found := in.Cluster.NodeByName(name)
	if !found {
		return n, cairn.Invalid(field, "NODE_UNKNOWN", "cluster %s has no node %q", in.Cluster.Name, name)
	}
	return n, nil
}

// even is the rule by which active nodes with more than their share give to those with
// less.
func (in *Input) even() *cairn.Relocation {
	rule := &cairn.Relocation{Seed: max(in.Seed, 1)}
	on := in.totals(func(ref shardmap.ShardRef) bool { return in.inTheWay(ref, in.Loads[ref].Entries, rule) == nil })
	var total, weights, surplus, deficit float64
	for _, n := range in.Cluster.Nodes {
		if n.State == cairn.NodeActive {
			total, weights = total+float64(on[n.ID]), weights+float64(n.Weight)
		}
	}
	if weights == 0 {
		return rule
	}
	over := map[cairn.NodeID]float64{}
	for _, n := range in.Cluster.Nodes {
		if n.State != cairn.NodeActive {
			continue
		}
		fair := total * float64(n.Weight) / weights
		switch more := float64(on[n.ID]) - fair; {
		case more > fair*slack:
			over[n.ID] = more
			surplus += more
		case more < 0:
			over[n.ID] = more
			deficit -= more
		}
	}
	scale := 1.0
	if most := cmp.Or(in.Share, 1) * total; surplus > most {
		scale = most / surplus
	}
	for _, n := range in.Cluster.Nodes {
		switch more := over[n.ID]; {
		case more > 0:
			if share := uint32(scale * more / float64(on[n.ID]) * cairn.WholeNode); share > 0 {
				rule.Leaving = append(rule.Leaving, cairn.LeavingNode{Node: n.ID, Share: share})
			}
		case more < 0:
			const finest = 1 << 20
			rule.Targets = append(rule.Targets, target(n, uint32(max(1, finest*-more/deficit))))
		}
	}
	slices.SortFunc(rule.Leaving, func(a, b cairn.LeavingNode) int { return cmp.Compare(a.Node, b.Node) })
	return rule
}

// totals are how many entries of some shards name each node.
func (in *Input) totals(of func(shardmap.ShardRef) bool) map[cairn.NodeID]uint64 {
	on := map[cairn.NodeID]uint64{}
	for ref, load := range in.Loads {
		if of(ref) {
			for id, entries := range load.Nodes {
				on[id] += entries
			}
		}
	}
	return on
}

// steps notes the shards in which entries leave: those with most first, as many as
// there may be.
func (in *Input) steps(p *Plan, rule *cairn.Relocation) {
	for _, k := range in.Map.Catalog().Keyspaces() {
		for shard := range in.Map.Shards(k.UID) {
			ref := shardmap.ShardRef{Keyspace: k.UID, ID: shard.ID}
			load, known := in.Loads[ref]
			leaving := Leaving(rule, load.Nodes)
			if shard.Cluster != in.Cluster.UID || !known || leaving == 0 {
				continue
			}
			if held := in.inTheWay(ref, leaving, rule); held != nil {
				p.Held = append(p.Held, *held)
				continue
			}
			step := Step{Keyspace: k.Name, UID: k.UID, Shard: shard.ID, Epoch: shard.Epoch, Entries: load.Entries, Leaving: leaving, Share: cairn.WholeNode}
			if leaving > MostLeaving {
				step.Leaving, step.Share = MostLeaving, uint32(uint64(MostLeaving)*cairn.WholeNode/leaving)
			}
			p.Steps = append(p.Steps, step)
		}
	}
	slices.SortFunc(p.Steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(b.Leaving, a.Leaving), cmp.Compare(a.Keyspace, b.Keyspace), cmp.Compare(a.Shard, b.Shard))
	})
	if in.Moves > 0 && len(p.Steps) > in.Moves {
		p.Steps = p.Steps[:in.Moves]
	}
}

// Leaving is how many entries leave their nodes by a rule, about, where nodes have so
// many.
func Leaving(rule *cairn.Relocation, on map[cairn.NodeID]uint64) (sum uint64) {
	for _, n := range rule.Leaving {
		sum += (on[n.Node]*uint64(n.Share) + cairn.WholeNode - 1) / cairn.WholeNode
	}
	return sum
}

// inTheWay is why entries of a shard can't change nodes; nil if they can.
func (in *Input) inTheWay(ref shardmap.ShardRef, leaving uint64, rule *cairn.Relocation) *Held {
	k, found := in.Map.Catalog().KeyspaceByUID(ref.Keyspace)
	if !found {
		return &Held{Shard: ref.ID, Leaving: leaving, Why: Deleting, Note: "the keyspace is gone"}
	}
	held := func(why Why, format string, args ...any) *Held {
		return &Held{Keyspace: k.Name, Shard: ref.ID, Leaving: leaving, Why: why, Note: fmt.Sprintf(format, args...)}
	}
	move, moving := in.Map.MoveOf(ref.Keyspace, ref.ID)
	switch {
	case k.Deleting:
		return held(Deleting, "the keyspace is being deleted")
	case moving:
		by := held(Moving, "the shard is held by move %s, which is %s", move.UID, move.Phase)
		by.Move = move.UID
		return by
	case k.Mover == "" && (in.Wish == Rebalance || !shardmap.SameServers(in.Cluster, rule)):
		return held(NoMover, "keyspace %s does not say who moves the data behind them; name a data mover, or declare 'mover: external' if you move it", k.Name)
	case in.Wish != Rebalance && len(rule.Targets) < max(k.Replicas, 1) && !shardmap.SameServers(in.Cluster, rule):
		return held(NoNode, "entries of keyspace %s have %d nodes, and only %d others take any", k.Name, k.Replicas, len(rule.Targets))
	}
	return nil
}

// nodes notes what each node has, and is expected to have.
func (in *Input) nodes(p *Plan, rule *cairn.Relocation) {
	on := in.totals(func(shardmap.ShardRef) bool { return true })
	after := map[cairn.NodeID]float64{}
	moved := 0.0
	for i, s := range p.Steps {
		load := in.Loads[shardmap.ShardRef{Keyspace: s.UID, ID: s.Shard}]
		for _, n := range p.RuleOf(i).Leaving {
			gone := float64(load.Nodes[n.Node]) * float64(n.Share) / cairn.WholeNode
			after[n.Node] -= gone
			moved += gone
		}
	}
	targets := rule.Targets
	if rule.Instead != 0 {
		targets = []cairn.Node{{ID: rule.Instead, Weight: 1}}
	}
	weights := 0.0
	for _, t := range targets {
		weights += float64(t.Weight)
	}
	for _, t := range targets {
		after[t.ID] += moved * float64(t.Weight) / weights
	}
	for _, n := range in.Cluster.Nodes {
		p.Nodes = append(p.Nodes, Node{
			Name: n.Name, State: n.State.String(), Weight: n.Weight, Before: on[n.ID], After: uint64(max(0, math.Round(float64(on[n.ID])+after[n.ID]))),
		})
	}
}
