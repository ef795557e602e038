package simulate

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/plan"
)

// RoundTime is how long a round is.
const RoundTime = 5 * time.Minute

// keyspaceUID and firstCluster are the uids of what a World has.
const (
	keyspaceUID  cairn.UID = 1
	firstCluster cairn.UID = 1000
)

// Planned places keys by plans: shards that begin as any new keyspace's, and in
// each round what plan.Make says.
type Planned struct {
	// Shards is how many shards the keyspace begins with.
	Shards int
	// Settings are those of the plans.
	Settings plan.Settings
	// Plans are told of each plan, if set.
	Plans func(*plan.Plan)

	now    time.Time
	m      *shardmap.Map
	recent []plan.Moved
	owners []int32
}

// Name names it.
func (*Planned) Name() string { return "cairn" }

// Place plans a round and carries it out. In the first one it only places the
// first shards. It fails only if a plan can't be carried out.
func (p *Planned) Place(w *World) ([]int32, error) {
	p.now = p.now.Add(RoundTime)
	if p.m == nil {
		p.owners = make([]int32, len(w.Load))
		err := p.create(w)
		p.own()
		return p.owners, err
	}
	if err := p.declare(w); err != nil {
		return nil, err
	}
	made, err := plan.Make(plan.Input{Map: p.m, Loads: p.loads(w), Drain: leaving(w), Recent: p.recent, Now: p.now, Settings: p.Settings})
	if err != nil {
		return nil, err
	}
	if p.Plans != nil {
		p.Plans(made)
	}
	p.note(made)
	p.m, err = Apply(p.m, made)
	p.own()
	return p.owners, err
}

// create makes the first Map.
func (p *Planned) create(w *World) error {
	schema, err := cairn.NewSchema(nil)
	if err != nil {
		return err
	}
	keyspace := &catalog.Keyspace{
		Keyspace: cairn.Keyspace{UID: keyspaceUID, Name: "keys", Placement: cairn.Placement{Scheme: cairn.SchemeHash}, Replicas: 1, Schema: schema},
		Revision: 1, ModRevision: 1, NextAttribute: 1,
	}
	clusters := declared(w, 1)
	change, err := shardmap.Create(catalog.NewKeyspace{Keyspace: keyspace, InitialShards: p.Shards}, clusters)
	if err != nil {
		return err
	}
	empty, err := catalog.New(nil, clusters, nil)
	if err != nil {
		return err
	}
	var none shardmap.Builder
	if p.m, err = none.Build(1, empty); err != nil {
		return err
	}
	update, err := change.Update(2, empty)
	if err == nil {
		p.m, err = p.m.Apply(update)
	}
	return err
}

// declare has the Map know what became of the clusters.
func (p *Planned) declare(w *World) error {
	revision := p.m.Revision() + 1
	var edit catalog.Edit
	for _, c := range declared(w, revision) {
		was, found := p.m.Catalog().ClusterByUID(c.UID)
		if !found || !slices.Equal(was.Nodes, c.Nodes) {
			edit.SetClusters = append(edit.SetClusters, c)
		}
	}
	if len(edit.SetClusters) == 0 {
		return nil
	}
	next, err := p.m.Catalog().With(edit)
	if err == nil {
		p.m, err = p.m.Apply(shardmap.Update{Revision: revision, Catalog: next})
	}
	return err
}

// declared is the world's clusters as a catalog has them.
func declared(w *World, revision uint64) []*catalog.Cluster {
	clusters := make([]*catalog.Cluster, len(w.Clusters))
	for i, c := range w.Clusters {
		nodes := make([]cairn.Node, NodesPerCluster)
		for n := range nodes {
			nodes[n] = cairn.Node{ID: cairn.NodeID(n + 1), Name: string(rune('a' + n)), Weight: 1, State: cairn.NodeActive}
			if n >= c.Active {
				nodes[n].State = cairn.NodeDown
			}
		}
		clusters[i] = &catalog.Cluster{
			UID: firstCluster + cairn.UID(i), Name: c.Name, Weight: c.Weight, Nodes: nodes, NextNode: NodesPerCluster + 1, Revision: revision,
		}
	}
	return clusters
}

func leaving(w *World) []cairn.UID {
	var uids []cairn.UID
	for i, c := range w.Clusters {
		if c.Leaving {
			uids = append(uids, firstCluster+cairn.UID(i))
		}
	}
	return uids
}

// loads is what the shards' keys come to.
func (p *Planned) loads(w *World) map[shardmap.ShardRef]plan.Load {
	loads := make(map[shardmap.ShardRef]plan.Load, p.m.Count(keyspaceUID))
	for s := range p.m.Shards(keyspaceUID) {
		from, to := keysOf(s, len(w.Load))
		load := plan.Load{Entries: uint64(to - from)}
		for _, reads := range w.Measured[from:to] {
			load.Reads += reads
		}
		loads[shardmap.ShardRef{Keyspace: keyspaceUID, ID: s.ID}] = load
	}
	return loads
}

// own notes who owns each key by now.
func (p *Planned) own() {
	for s := range p.m.Shards(keyspaceUID) {
		from, to := keysOf(s, len(p.owners))
		for k := from; k < to; k++ {
			p.owners[k] = int32(s.Cluster - firstCluster)
		}
	}
}

// note remembers a plan's moves for as long as they matter.
func (p *Planned) note(made *plan.Plan) {
	p.recent = slices.DeleteFunc(p.recent, func(m plan.Moved) bool { return p.now.Sub(m.At) >= 10*time.Minute })
	for _, step := range made.Steps {
		if step.Kind == plan.Move {
			s, _ := p.m.Shard(keyspaceUID, step.Shard) // the plan was made of it
			p.recent = append(p.recent, plan.Moved{Keyspace: keyspaceUID, Start: s.Start, End: s.End, At: p.now})
		}
	}
}

// keysOf is which of n keys are a shard's, from and up to.
func keysOf(s shardmap.Shard, n int) (from, to int) {
	to = n
	if len(s.End) > 0 {
		to = keysBefore(s.End, n)
	}
	return keysBefore(s.Start, n), to
}

// keysBefore is how many of n keys have a hash below a bound. Key i has the
// hash i * 2^64 / n.
func keysBefore(bound []byte, n int) int {
	if len(bound) == 0 {
		return 0
	}
	whole, part := bits.Mul64(binary.BigEndian.Uint64(bound), uint64(n))
	if part > 0 {
		whole++
	}
	return int(whole)
}
