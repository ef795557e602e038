package nodeplan_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/nodeplan"
)

const (
	things cairn.UID = 1 // of 4 shards, an external mover
	fixed  cairn.UID = 2 // of 1 shard, without a mover
	pairs  cairn.UID = 3 // of 1 shard, with two nodes an entry
	north  cairn.UID = 9
)

// world is a cluster of nodes a, b, c and d, the last of weight 2, and what they have.
func world(t *testing.T, change func(*catalog.Cluster)) nodeplan.Input {
	t.Helper()
	c := &catalog.Cluster{UID: north, Name: "north", Weight: 1, NextNode: 5, Revision: 4}
	for i, name := range []string{"a", "b", "c", "d"} {
		c.Nodes = append(c.Nodes, cairn.Node{ID: cairn.NodeID(i + 1), Name: name, Address: name + ":1", Zone: "z", Weight: 1 + uint32(i/3), State: cairn.NodeActive})
	}
	if change != nil {
		change(c)
	}
	schema, err := cairn.NewSchema(nil)
	if err != nil {
		t.Fatal(err)
	}
	var keyspaces []*catalog.Keyspace
	for _, k := range []struct {
		uid      cairn.UID
		name     string
		mover    string
		replicas int
	}{{things, "things", catalog.MoverExternal, 1}, {fixed, "fixed", "", 1}, {pairs, "pairs", catalog.MoverExternal, 2}} {
		keyspaces = append(keyspaces, &catalog.Keyspace{
			Keyspace: cairn.Keyspace{UID: k.uid, Name: k.name, Placement: cairn.Placement{Scheme: cairn.SchemeRange}, Replicas: k.replicas, Schema: schema},
			Mover:    k.mover, Revision: 1, ModRevision: 1, Generation: 1, NextShard: 9, NextAttribute: 1,
		})
	}
	declared, err := catalog.New(keyspaces, []*catalog.Cluster{c}, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := nodeplan.Input{Cluster: c, Loads: map[shardmap.ShardRef]nodeplan.Load{}}
	var b shardmap.Builder
	add := func(keyspace cairn.UID, id cairn.ShardID, start, end string, on ...uint64) {
		b.Add(shardmap.Shard{Shard: cairn.Shard{Keyspace: keyspace, ID: id, Start: []byte(start), End: []byte(end), Epoch: 3}, Cluster: north, Revision: 3})
		load := nodeplan.Load{Nodes: map[cairn.NodeID]uint64{}}
		for i, entries := range on {
			load.Entries += entries
			load.Nodes[cairn.NodeID(i+1)] = entries
		}
		in.Loads[shardmap.ShardRef{Keyspace: keyspace, ID: id}] = load
	}
	add(things, 1, "", "g", 100, 100, 100, 200)
	add(things, 2, "g", "p", 300, 100, 100, 0)
	add(things, 3, "p", "t", 0, 100, 0, 100)
	add(things, 4, "t", "", 250_000, 0, 0, 0)
	add(fixed, 1, "", "", 50, 0, 0, 0)
	add(pairs, 1, "", "", 10, 10, 0, 0)
	if in.Map, err = b.Build(5, declared); err != nil {
		t.Fatal(err)
	}
	return in
}

func shards(p *nodeplan.Plan) (out []string) {
	for _, s := range p.Steps {
		out = append(out, s.Keyspace+"/"+s.Shard.String())
	}
	return out
}

func why(p *nodeplan.Plan) map[string]nodeplan.Why {
	out := map[string]nodeplan.Why{}
	for _, h := range p.Held {
		out[h.Keyspace+"/"+h.Shard.String()] = h.Why
	}
	return out
}

// TestDrain plans every shard with entries on the node, most first, and says what stays.
func TestDrain(t *testing.T) {
	in := world(t, nil)
	in.Wish, in.Node, in.Seed = nodeplan.Drain, "a", 5
	p, err := nodeplan.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := shards(p), []string{"things/4", "things/2", "things/1", "pairs/1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("steps %v; want %v", got, want)
	}
	if got, want := why(p), (map[string]nodeplan.Why{"fixed/1": nodeplan.NoMover}); !reflect.DeepEqual(got, want) {
		t.Errorf("held %v; want %v", got, want)
	}
	rule := p.Rule.Rule()
	if p.Leaving() != 40_410 || !p.Partial() || p.Node != "a" || len(rule.Targets) != 3 || rule.Instead != 0 || rule.Seed != 0 || rule.Leaving[0] != (cairn.LeavingNode{Node: 1, Share: cairn.WholeNode}) {
		t.Errorf("%d leave by %s", p.Leaving(), p.Rule)
	}
	if a, d := p.Nodes[0], p.Nodes[3]; a.Before != 250_460 || a.After < 210_050 || a.After > 210_055 || d.Before != 300 || d.After < 300+20_200 || d.After > 300+20_205 {
		t.Errorf("a %+v, d %+v", a, d)
	}
	// Of the large shard a part leaves, by another choice than for new keys.
	part, whole := p.RuleOf(0), p.RuleOf(1)
	if part.Leaving[0].Share != cairn.WholeNode*40/250 || part.Seed != 5 || whole.Seed != 0 || whole.Leaving[0].Share != cairn.WholeNode {
		t.Errorf("%+v and %+v", part, whole)
	}
	var file bytes.Buffer
	if err := nodeplan.Write(&file, p); err != nil {
		t.Fatal(err)
	}
	text := file.String()
	read, err := nodeplan.Read(&file)
	if err != nil || !reflect.DeepEqual(read, p) {
		t.Errorf("read %+v, %v", read, err)
	}
	again, err := nodeplan.Make(in)
	if err != nil || !reflect.DeepEqual(again, p) {
		t.Errorf("again %+v, %v", again, err)
	}
	if _, err := nodeplan.Read(bytes.NewBufferString(text[1:])); cairn.ReasonOf(err) != "PLAN_MALFORMED" {
		t.Errorf("half of it: %v", err)
	}
}

// TestReplace has one node take the place of another, and none but it where it is the
// same server, for which nobody has to move data.
func TestReplace(t *testing.T) {
	in := world(t, nil)
	in.Wish, in.Node, in.By = nodeplan.Replace, "a", "d"
	p, err := nodeplan.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	if rule := p.Rule.Rule(); rule.Instead != 4 || len(rule.Targets) != 3 || p.Nodes[3].After < 300+40_405 || p.Nodes[3].After > 300+40_410 || p.Nodes[1].After != p.Nodes[1].Before {
		t.Errorf("%s to %+v", p.Rule, p.Nodes)
	}
	in = world(t, func(c *catalog.Cluster) { c.Nodes[3].Address, c.Nodes[3].Weight = "a:1", 0 })
	in.Wish, in.Node, in.By = nodeplan.Replace, "a", "d"
	if p, err = nodeplan.Make(in); err != nil {
		t.Fatal(err)
	}
	if rule := p.Rule.Rule(); len(rule.Targets) != 1 || rule.Targets[0].ID != 4 || len(p.Steps) != 5 || why(p)["fixed/1"] != "" {
		t.Errorf("%s in %v, held %v", p.Rule, shards(p), p.Held)
	}
}

// TestRebalance has nodes with more than their share give what is too much, to those
// with less by how much they lack, within the budget.
func TestRebalance(t *testing.T) {
	in := world(t, nil)
	delete(in.Loads, shardmap.ShardRef{Keyspace: things, ID: 4})
	in.Wish, in.Seed = nodeplan.Rebalance, 77
	// Without fixed/1: a 410, b 310, c 200, d 300 of 1220; fair are 244 and 488.
	p, err := nodeplan.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	rule := p.Rule.Rule()
	if len(rule.Leaving) != 2 || rule.Leaving[0].Node != 1 || rule.Leaving[1].Node != 2 || len(rule.Targets) != 2 || rule.Targets[0].ID != 3 || rule.Targets[1].ID != 4 || rule.Seed != 77 {
		t.Fatalf("%s", p.Rule)
	}
	if a, share := rule.Leaving[0].Share, float64(410-244)/410*cairn.WholeNode; float64(a) > share || float64(a) < share-1 {
		t.Errorf("a gives %d, of %g", a, share)
	}
	if c, d := float64(rule.Targets[0].Weight), float64(rule.Targets[1].Weight); c/d < 44.0/188*0.99 || c/d > 44.0/188*1.01 {
		t.Errorf("c gets %g, d %g", c, d)
	}
	if got := why(p); p.Node != "" || got["fixed/1"] != nodeplan.NoMover || len(got) != 1 {
		t.Errorf("held %v", p.Held)
	}
	in.Share, in.Moves = 0.05, 1
	if p, err = nodeplan.Make(in); err != nil || len(p.Steps) != 1 || p.Steps[0].Shard != 2 {
		t.Fatalf("%v, %v", p.Steps, err)
	}
	if less := p.Rule.Rule().Leaving; float64(less[0].Share) > 0.28*float64(rule.Leaving[0].Share) {
		t.Errorf("with a twentieth a gives %d of %d", less[0].Share, rule.Leaving[0].Share)
	}
	for _, load := range in.Loads {
		clear(load.Nodes)
		for id, weight := range []uint64{0, 100, 100, 101, 200} {
			load.Nodes[cairn.NodeID(id)] = weight
		}
	}
	if p, err = nodeplan.Make(in); err != nil || len(p.Steps) != 0 || p.Rule != "" {
		t.Errorf("nearly even: %+v, %v", p, err)
	}
}

// TestRefusals names the field of what can't be planned.
func TestRefusals(t *testing.T) {
	alone := func(c *catalog.Cluster) {
		for i := range c.Nodes[1:] {
			c.Nodes[i+1].State = cairn.NodeDown
		}
	}
	for name, test := range map[string]struct {
		change        func(*catalog.Cluster)
		in            nodeplan.Input
		field, reason string
	}{
		"no wish":     {nil, nodeplan.Input{Node: "a"}, "wish", "WISH_UNKNOWN"},
		"no node":     {nil, nodeplan.Input{Wish: nodeplan.Drain, Node: "x"}, "node", "NODE_UNKNOWN"},
		"no other":    {alone, nodeplan.Input{Wish: nodeplan.Drain, Node: "a"}, "node", "NO_ACTIVE_NODE"},
		"itself":      {nil, nodeplan.Input{Wish: nodeplan.Replace, Node: "a", By: "a"}, "by", "NODE_TWICE"},
		"by none":     {nil, nodeplan.Input{Wish: nodeplan.Replace, Node: "a", By: "x"}, "by", "NODE_UNKNOWN"},
		"by one down": {alone, nodeplan.Input{Wish: nodeplan.Replace, Node: "a", By: "b"}, "by", "NODE_NOT_ACTIVE"},
		"a share":     {nil, nodeplan.Input{Wish: nodeplan.Rebalance, Share: 1.5}, "share", "SETTING_OUT_OF_RANGE"},
		"moves":       {nil, nodeplan.Input{Wish: nodeplan.Rebalance, Moves: -1}, "moves", "SETTING_OUT_OF_RANGE"},
	} {
		in := world(t, test.change)
		in.Wish, in.Node, in.By, in.Share, in.Moves = test.in.Wish, test.in.Node, test.in.By, test.in.Share, test.in.Moves
		_, err := nodeplan.Make(in)
		if e, _ := errors.AsType[*cairn.Error](err); e == nil || e.Field != test.field || e.Reason != test.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTooFewNodes: entries that have as many nodes as there are others stay.
func TestTooFewNodes(t *testing.T) {
	in := world(t, func(c *catalog.Cluster) { c.Nodes[2].State, c.Nodes[3].State = cairn.NodeDown, cairn.NodeDraining })
	in.Wish, in.Node = nodeplan.Drain, "a"
	p, err := nodeplan.Make(in)
	if err != nil || why(p)["pairs/1"] != nodeplan.NoNode {
		t.Errorf("held %v, %v", p.Held, err)
	}
}

// TestCheck: a plan is refused once the cluster or a shard of it is another, and of a
// shard that moves nothing is planned.
func TestCheck(t *testing.T) {
	in := world(t, nil)
	in.Wish, in.Node = nodeplan.Drain, "a"
	p, err := nodeplan.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(in.Map); err != nil {
		t.Error(err)
	}
	change, move, err := shardmap.StartRelocation(in.Map, shardmap.RelocationRequest{Keyspace: things, Shard: 1, Rule: *p.Rule.Rule(), MayHaveEntries: true}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	update, err := change.Update(6, in.Map.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	if in.Map, err = in.Map.Apply(update); err != nil {
		t.Fatal(err)
	}
	if while, err := nodeplan.Make(in); err != nil || why(while)["things/1"] != nodeplan.Moving || while.Held[1].Move != move.UID || len(while.Steps) != 3 {
		t.Errorf("held %v, %v", while.Held, err)
	}
	p.Steps[1].Epoch++
	if err := p.Check(in.Map); cairn.ReasonOf(err) != "PLAN_STALE" {
		t.Error(err)
	}
	p.Revision++
	if err := p.Check(in.Map); cairn.ReasonOf(err) != "PLAN_STALE" {
		t.Error(err)
	}
}
