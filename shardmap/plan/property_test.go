package plan_test

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/plan"
	"cairn/shardmap/plan/simulate"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// draw is any scene, and whatever may stand in a plan's way.
func draw(t *rapid.T, tb testing.TB) plan.Input {
	s := newScene(tb, rapid.SliceOfN(rapid.Uint32Range(0, 3), 1, 8).Draw(t, "weights")...)
	for _, c := range s.clusters {
		c.Zone = rapid.SampledFrom([]string{"east", "west"}).Draw(t, "zone")
		for n := range c.Nodes {
			c.Nodes[n].State = rapid.SampledFrom([]cairn.NodeState{cairn.NodeActive, cairn.NodeActive, cairn.NodeActive, cairn.NodeDown}).Draw(t, "state")
		}
	}
	for _, uid := range []cairn.UID{hashed, ranged}[:rapid.IntRange(1, 2).Draw(t, "keyspaces")] {
		owners := rapid.SliceOfN(rapid.IntRange(0, len(s.clusters)), 1, 80).Draw(t, "owners") // one that is not declared, too
		s.keyspace(uid, owners, times(len(owners), 0))
	}
	in := plan.Input{Arriving: map[shardmap.ShardRef]cairn.UID{}}
	for i := range s.shards {
		shard := &s.shards[i]
		shard.Pinned = rapid.IntRange(0, 9).Draw(t, "pinned") == 0
		ref := shardmap.ShardRef{Keyspace: shard.Keyspace, ID: shard.ID}
		s.loads[ref] = plan.Load{
			Entries: rapid.SampledFrom([]uint64{0, 1, 10, 100, 100, 100, 1000, 20_000}).Draw(t, "entries"),
			Reads:   rapid.Float64Range(0, 1000).Draw(t, "reads"),
			Writes:  rapid.SampledFrom([]float64{0, 0, 0.001, 50}).Draw(t, "writes"),
			// Inside it, if it is a range shard and not the first; where it
			// begins; behind it or no placement key at all; unknown.
			Middle: rapid.SampledFrom([][]byte{append(bytes.Clone(shard.Start), '5'), shard.Start, bytes.Repeat([]byte{0xff}, 8), nil}).Draw(t, "middle"),
		}
		switch rapid.IntRange(0, 19).Draw(t, "busy") {
		case 0:
			in.Arriving[ref] = s.clusters[rapid.IntRange(0, len(s.clusters)-1).Draw(t, "arrives at")].UID
		case 1:
			ago := time.Duration(rapid.IntRange(0, 20).Draw(t, "ago")) * time.Minute
			in.Recent = append(in.Recent, plan.Moved{Keyspace: shard.Keyspace, Start: shard.Start, End: shard.End, At: now.Add(-ago)})
		}
	}
	for _, c := range s.clusters {
		if rapid.IntRange(0, 5).Draw(t, "drain") == 0 {
			in.Drain = append(in.Drain, c.UID)
		}
	}
	if rapid.IntRange(0, 5).Draw(t, "fixed") == 0 {
		in.Fixed = []cairn.UID{s.keyspaces[0].UID}
	}
	in.Settings = plan.Settings{
		Measure:          rapid.SampledFrom([]plan.Measure{plan.ByEntries(), plan.ByLoad()}).Draw(t, "measure"),
		Tolerance:        rapid.SampledFrom([]float64{0, 0.01, 0.3}).Draw(t, "tolerance"),
		Share:            rapid.SampledFrom([]float64{0, 0.02, 0.5, 1}).Draw(t, "share"),
		Moves:            rapid.IntRange(0, 10).Draw(t, "moves"),
		Splits:           rapid.IntRange(0, 3).Draw(t, "splits"),
		Merges:           rapid.IntRange(0, 3).Draw(t, "merges"),
		ShardsPerCluster: rapid.SampledFrom([]int{0, 1, 5}).Draw(t, "shards a cluster"),
		Zones:            plan.Zones(rapid.IntRange(0, 2).Draw(t, "zones")),
	}
	made := s.input()
	in.Map, in.Loads, in.Now = made.Map, made.Loads, made.Now
	return in
}

// TestPlanProperties draws scenes and holds every plan to what it must be.
func TestPlanProperties(t *testing.T) {
	seen := map[plan.StepKind]int{}
	rapid.Check(t, func(rt *rapid.T) {
		in := draw(rt, t)
		p := mustMake(t, in)
		for _, step := range p.Steps {
			seen[step.Kind]++
		}
		v := view{rt, in, p}
		v.sameAgain()
		v.respectsWhatStays()
		v.keepsBudget()
		v.neverWorse()
		v.promises()
		v.survivesFile()
	})
	for _, kind := range []plan.StepKind{plan.Split, plan.Merge, plan.Move} {
		if seen[kind] == 0 {
			t.Errorf("no plan had a %s: the scenes show nothing about it", kind)
		}
	}
}

// view is a plan and what it was made of.
type view struct {
	t  *rapid.T
	in plan.Input
	p  *plan.Plan
}

func (v view) keyspace(name string) cairn.UID {
	k, _ := v.in.Map.Catalog().KeyspaceByName(name)
	return k.UID
}

func (v view) shard(s plan.Step, id cairn.ShardID) shardmap.Shard {
	shard, found := v.in.Map.Shard(v.keyspace(s.Keyspace), id)
	if !found {
		v.t.Fatalf("%s: there is no shard %s", s, id)
	}
	return shard
}

func (v view) sameAgain() {
	again, err := plan.Make(v.in)
	if err != nil {
		v.t.Fatal(err)
	}
	if diff := gocmp.Diff(v.p, again); diff != "" {
		v.t.Fatal("the same input gives another plan", diff)
	}
}

// respectsWhatStays: pins, moves under way and past, keyspaces without a mover,
// zones, drains; and a shard is in one step at most.
func (v view) respectsWhatStays() {
	touched := map[shardmap.ShardRef]bool{}
	touch := func(s plan.Step, id cairn.ShardID) {
		ref := shardmap.ShardRef{Keyspace: v.keyspace(s.Keyspace), ID: id}
		if touched[ref] {
			v.t.Fatalf("%s: the shard is in two steps", s)
		}
		touched[ref] = true
		if v.shard(s, id).Pinned {
			v.t.Fatalf("%s: the shard is pinned", s)
		}
		if _, arriving := v.in.Arriving[ref]; arriving {
			v.t.Fatalf("%s: the shard is on its way", s)
		}
	}
	for _, s := range v.p.Steps {
		touch(s, s.Shard)
		switch s.Kind {
		case plan.Merge:
			touch(s, s.With)
		case plan.Move:
			v.mayMove(s)
		}
	}
}

func (v view) mayMove(s plan.Step) {
	shard := v.shard(s, s.Shard)
	from, declared := v.in.Map.Catalog().ClusterByUID(shard.Cluster)
	to, found := v.in.Map.Catalog().ClusterByName(s.To)
	if !declared || from.Name != s.From || !found || to == from {
		v.t.Fatalf("%s: the shard is of %s", s, shard.Cluster)
	}
	if slices.Contains(v.in.Drain, to.UID) || capacityOf(v.in, to.UID) == 0 {
		v.t.Fatalf("%s: that cluster takes none", s)
	}
	if slices.Contains(v.in.Fixed, shard.Keyspace) {
		v.t.Fatalf("%s: nobody moves the data of that keyspace", s)
	}
	if v.in.Settings.Zones == plan.ZonesKeep && from.Zone != to.Zone {
		v.t.Fatalf("%s: from zone %s to %s", s, from.Zone, to.Zone)
	}
	for _, m := range v.in.Recent {
		overlaps := (len(m.End) == 0 || bytes.Compare(shard.Start, m.End) < 0) && (len(shard.End) == 0 || bytes.Compare(m.Start, shard.End) < 0)
		if m.Keyspace == shard.Keyspace && overlaps && v.in.Now.Sub(m.At) < 10*time.Minute {
			v.t.Fatalf("%s: moved at %s", s, m.At)
		}
	}
}

func (v view) keepsBudget() {
	whole, moved, count := map[string]float64{}, map[string]float64{}, map[plan.StepKind]int{}
	for _, k := range v.in.Map.Catalog().Keyspaces() {
		for s := range v.in.Map.Shards(k.UID) {
			whole[k.Name] += float64(v.in.Loads[shardmap.ShardRef{Keyspace: k.UID, ID: s.ID}].Entries + 1)
		}
	}
	for _, s := range v.p.Steps {
		count[s.Kind]++
		if s.Kind == plan.Move {
			moved[s.Keyspace] += float64(s.Entries + 1)
		}
	}
	share := v.in.Settings.Share
	if share == 0 {
		share = 0.09
	}
	for _, k := range v.p.Keyspaces {
		if moved[k.Name] > share*whole[k.Name] {
			v.t.Fatalf("%v of %v entries of %s move; the budget is %v", moved[k.Name], whole[k.Name], k.Name, share)
		}
		if math.Abs(k.Moved-moved[k.Name]/whole[k.Name]) > 1e-4 {
			v.t.Fatalf("%s: %v move; the plan says %v", k.Name, moved[k.Name]/whole[k.Name], k.Moved)
		}
	}
	for kind, most := range map[plan.StepKind]int{plan.Move: v.in.Settings.Moves, plan.Split: v.in.Settings.Splits, plan.Merge: v.in.Settings.Merges} {
		if most > 0 && count[kind] > most {
			v.t.Fatalf("%d of kind %s; at most %d", count[kind], kind, most)
		}
	}
}

// neverWorse: only a drain may raise the imbalance, each step begins where the
// one before it ended.
func (v view) neverWorse() {
	at := v.p.Before.Imbalance
	for _, s := range v.p.Steps {
		if s.Before != at {
			v.t.Fatalf("%s: the step before it ended at %v", s, at)
		}
		drains := s.Kind == plan.Move && slices.Contains(v.in.Drain, v.shard(s, s.Shard).Cluster)
		if s.After > s.Before && !drains {
			v.t.Fatalf("%s: more imbalance", s)
		}
		at = s.After
	}
	if at != v.p.After.Imbalance {
		v.t.Fatalf("the last step ends at %v, the plan at %v", at, v.p.After.Imbalance)
	}
}

// promises: what the plan says of clusters before and after is what the Map
// gives, by another way of counting.
func (v view) promises() {
	after, err := simulate.Apply(v.in.Map, v.p)
	if err != nil {
		v.t.Fatal(err)
	}
	v.compareFigures("before", v.in.Map, v.p.Before, func(c plan.Cluster) float64 { return c.Before })
	v.compareFigures("after", after, v.p.After, func(c plan.Cluster) float64 { return c.After })
	if shards := count(after); shards != v.p.After.Shards {
		v.t.Fatalf("%d shards; the plan promised %d", shards, v.p.After.Shards)
	}
}

func (v view) compareFigures(when string, m *shardmap.Map, figures plan.Figures, of func(plan.Cluster) float64) {
	most, least, known := 1.0, 1.0, false
	for name, want := range fills(v.in, m) {
		i := slices.IndexFunc(v.p.Clusters, func(c plan.Cluster) bool { return c.Name == name })
		if got := of(v.p.Clusters[i]); math.Abs(got-want) > 1.1e-4 {
			v.t.Fatalf("%s: cluster %s is at %v; the plan says %v", when, name, want, got)
		}
		if !known || want > most {
			most, known = want, true
		}
		least = min(least, want)
	}
	if math.Abs(figures.Imbalance-most) > 1.1e-4 || math.Abs(figures.Least-least) > 1.1e-4 {
		v.t.Fatalf("%s: from %v to %v; the plan says %+v", when, least, most, figures)
	}
}

// fills is how full each cluster that takes shards is by a Map, relative to its
// fair share. A shard of the first Map lies where its start lies.
func fills(in plan.Input, m *shardmap.Map) map[string]float64 {
	costs, out := map[cairn.UID]float64{}, map[string]float64{}
	var whole, capacity float64
	for _, k := range in.Map.Catalog().Keyspaces() {
		for s := range in.Map.Shards(k.UID) {
			ref := shardmap.ShardRef{Keyspace: k.UID, ID: s.ID}
			now, _ := m.Lookup(k.UID, s.Start)
			owner, arriving := in.Arriving[ref]
			if !arriving {
				owner = now.Cluster
			}
			load, measure := in.Loads[ref], in.Settings.Measure
			costs[owner] += max(0.001, math.Round(1000*measure.Entry*float64(load.Entries))/1000+
				math.Round(1000*measure.Read*load.Reads)/1000+math.Round(1000*measure.Write*load.Writes)/1000)
		}
	}
	for _, c := range in.Map.Catalog().Clusters() {
		drained := slices.Contains(in.Drain, c.UID)
		if !drained {
			capacity += capacityOf(in, c.UID)
		}
		if drained || capacityOf(in, c.UID) > 0 {
			whole += costs[c.UID]
		}
	}
	for _, c := range in.Map.Catalog().Clusters() {
		if own := capacityOf(in, c.UID); own > 0 && !slices.Contains(in.Drain, c.UID) && whole > 0 {
			out[c.Name] = costs[c.UID] / own / (whole / capacity)
		}
	}
	return out
}

// capacityOf is a cluster's weight by the part of its nodes that is active, all
// of which weigh the same.
func capacityOf(in plan.Input, uid cairn.UID) float64 {
	c, _ := in.Map.Catalog().ClusterByUID(uid)
	active := 0
	for _, n := range c.Nodes {
		if n.State == cairn.NodeActive {
			active++
		}
	}
	return float64(c.Weight) * float64(active) / float64(len(c.Nodes))
}

func count(m *shardmap.Map) int {
	n := 0
	for _, k := range m.Catalog().Keyspaces() {
		n += m.Count(k.UID)
	}
	return n
}

func (v view) survivesFile() {
	var file bytes.Buffer
	if err := plan.Write(&file, v.p); err != nil {
		v.t.Fatal(err)
	}
	read, err := plan.Read(&file)
	if err != nil {
		v.t.Fatal(err)
	}
	if diff := gocmp.Diff(v.p, read); diff != "" {
		v.t.Fatal("read from its file it is another", diff)
	}
}
