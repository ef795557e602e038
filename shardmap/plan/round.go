package plan

import (
	"bytes"
	"math"
	"slices"
	"strconv"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// round is one round as it is being planned: who has what by the steps that
// were decided so far.
type round struct {
	Input
	rows     []row    // a keyspace's together, in placement order
	spaces   []space  // ascending by name
	clusters []holder // ascending by name
	whole    uint64   // what all rows cost
	mean     float64  // the cost that a cluster of capacity 1 would have if all were even
	moves    int      // that the budget leaves
	steps    []Step
}

// row is a shard.
type row struct {
	id     cairn.ShardID
	start  []byte
	cost   uint64
	size   uint64 // what the budget counts: its entries and one
	space  int32
	holder int32
	// stays is why it can't move at all, refused why the round didn't move it.
	stays, refused Obstacle
	touched        bool // by a step
}

// space is a keyspace.
type space struct {
	*catalog.Keyspace
	rows     []row // of round.rows
	size     uint64
	budget   uint64 // of size, that a round may move
	left     uint64 // of budget
	overhead uint64 // what a move costs beside copying, in size
}

// holder is a cluster.
type holder struct {
	uid      cairn.UID
	name     string
	zone     string
	revision uint64
	capacity float64
	draining bool
	silent   bool   // nothing is known of it
	before   uint64 // what it cost as the round began
	cost     uint64
	rows     []int32 // that it owned as the round began
	queue    queue
}

// takes tells whether the cluster is to have a share at all.
func (h *holder) takes() bool { return h.capacity > 0 && !h.draining && !h.silent }

// fill is the cluster's cost by its capacity, with what it would take.
func (h *holder) fill(more uint64) float64 { return float64(h.cost+more) / h.capacity }

// newRound reads the input. It refuses settings and loads that mean nothing.
func newRound(in Input) (*round, error) {
	in.Settings = in.Settings.withDefaults()
	if err := in.Settings.validate(); err != nil {
		return nil, err
	}
	r := &round{Input: in, moves: in.Settings.Moves, steps: []Step{}}
	number := map[cairn.UID]int32{}
	for _, c := range in.Map.Catalog().Clusters() {
		number[c.UID] = int32(len(r.clusters))
		r.clusters = append(r.clusters, holder{
			uid: c.UID, name: c.Name, zone: c.Zone, revision: c.Revision, capacity: capacity(c), draining: slices.Contains(in.Drain, c.UID),
			silent: slices.Contains(in.Silent, c.UID),
		})
	}
	for _, uid := range in.Drain {
		if _, known := number[uid]; !known {
			return nil, cairn.Invalid("drain", "CLUSTER_NOT_FOUND", "there is no cluster %s", uid)
		}
	}
	for _, k := range in.Map.Catalog().Keyspaces() {
		if err := r.readShards(k, number); err != nil {
			return nil, err
		}
	}
	// Only now are the rows where they stay.
	from := 0
	for i := range r.spaces {
		s := &r.spaces[i]
		s.rows = r.rows[from : from+in.Map.Count(s.UID)]
		from += len(s.rows)
		s.budget = uint64(math.Floor(float64(s.size) * in.Settings.Share))
		s.left = s.budget
		s.overhead = max(1, s.size/uint64(10*len(s.rows)))
	}
	r.coolDown()
	r.weigh()
	return r, nil
}

// readShards appends a keyspace's shards to the rows.
func (r *round) readShards(k *catalog.Keyspace, number map[cairn.UID]int32) error {
	s := space{Keyspace: k}
	at := int32(len(r.spaces))
	fixed := slices.Contains(r.Fixed, k.UID)
	for shard := range r.Map.Shards(k.UID) {
		ref := shardmap.ShardRef{Keyspace: k.UID, ID: shard.ID}
		load := r.Loads[ref]
		cost, err := r.Settings.Measure.cost(load)
		if err != nil {
			return cairn.InField("loads."+k.Name+"/"+shard.ID.String(), err)
		}
		x := row{id: shard.ID, start: shard.Start, cost: cost, size: load.Entries + 1, space: at}
		owner := shard.Cluster
		arrivesAt, arriving := r.Arriving[ref]
		switch {
		case arriving:
			owner = arrivesAt
			x.stays = Arriving
		case slices.Contains(r.Silent, owner):
			x.stays = Silent
		case shard.Pinned:
			x.stays = Pinned
		case fixed:
			x.stays = Fixed
		}
		holderAt, known := number[owner]
		if !known { // its record is not there any more: it has no capacity
			holderAt = int32(len(r.clusters))
			number[owner] = holderAt
			r.clusters = append(r.clusters, holder{uid: owner, name: owner.String()})
		}
		x.holder = holderAt
		h := &r.clusters[holderAt]
		h.rows = append(h.rows, int32(len(r.rows)))
		h.cost += cost
		if r.whole += cost; r.whole > maxCost {
			return cairn.Invalid("loads", "LOAD_OUT_OF_RANGE", "all loads together are too large to be summed")
		}
		s.size += x.size
		r.rows = append(r.rows, x)
	}
	r.spaces = append(r.spaces, s)
	return nil
}

// coolDown has the shards stay that keys were moved in a short while ago.
func (r *round) coolDown() {
	for _, moved := range r.Recent {
		if r.Now.Sub(moved.At) >= r.Settings.CoolDown {
			continue
		}
		i := slices.IndexFunc(r.spaces, func(s space) bool { return s.UID == moved.Keyspace })
		if i < 0 {
			continue
		}
		rows := r.spaces[i].rows
		from, exact := slices.BinarySearchFunc(rows, moved.Start, func(x row, start []byte) int { return bytes.Compare(x.start, start) })
		if !exact {
			from-- // the first begins at nothing, so there is one before
		}
		for k := from; k < len(rows) && (k == from || len(moved.End) == 0 || bytes.Compare(rows[k].start, moved.End) < 0); k++ {
			if rows[k].stays == "" {
				rows[k].stays = Recent
			}
		}
	}
}

// weigh finds the mean: what is on clusters that take shards, and what drained
// ones will give them, by their capacity. What lies on clusters without
// capacity stays there and counts for nobody.
func (r *round) weigh() {
	var cost uint64
	var capacity float64
	for i := range r.clusters {
		h := &r.clusters[i]
		h.before = h.cost
		if h.takes() {
			capacity += h.capacity
		}
		if h.takes() || h.draining {
			cost += h.cost
		}
	}
	if capacity > 0 {
		r.mean = float64(cost) / capacity
	}
}

// capacity is what a cluster can carry relative to others: its weight, less
// the part of it that its nodes which are not active would have carried.
func capacity(c *catalog.Cluster) float64 {
	var active, all uint64
	for _, n := range c.Nodes {
		all += uint64(n.Weight)
		if n.State == cairn.NodeActive {
			active += uint64(n.Weight)
		}
	}
	if active == 0 {
		return 0
	}
	return float64(uint64(c.Weight)*active) / float64(all)
}

// imbalance is the fullest cluster's cost by its capacity, relative to the
// mean, 1 where nothing has a cost.
func (r *round) imbalance() float64 {
	if r.mean == 0 {
		return 1
	}
	var most float64
	for i := range r.clusters {
		if h := &r.clusters[i]; h.takes() {
			most = max(most, h.fill(0))
		}
	}
	return most / r.mean
}

// affords tells whether the budget has room for a move, and notes where it has
// none.
func (r *round) affords(x *row) bool {
	s := &r.spaces[x.space]
	switch {
	case x.size > s.budget:
		x.refused = TooLarge
	case x.size > s.left || r.moves == 0:
		x.refused = OverBudget
	default:
		return true
	}
	return false
}

// move decides a move.
func (r *round) move(x *row, to int32, reason string) {
	from := x.holder
	step := r.begin(Move, x)
	step.From, step.To = r.clusters[from].name, r.clusters[to].name
	step.Entries = x.size - 1
	step.Reason = reason
	r.clusters[from].cost -= x.cost
	r.clusters[to].cost += x.cost
	x.holder = to
	r.spaces[x.space].left -= x.size
	r.moves--
	r.end(step)
}

// begin makes a step of a shard, before it has its effect.
func (r *round) begin(kind StepKind, x *row) Step {
	x.touched = true
	return Step{Kind: kind, Keyspace: r.spaces[x.space].Name, Shard: x.id, Revision: r.shard(x).Revision, Before: figure(r.imbalance())}
}

// end appends a step that has had its effect.
func (r *round) end(s Step) {
	s.After = figure(r.imbalance())
	r.steps = append(r.steps, s)
}

// shard is what the Map says of a row.
func (r *round) shard(x *row) shardmap.Shard {
	shard, _ := r.Map.Shard(r.spaces[x.space].UID, x.id) // it was read from there
	return shard
}

// share says a cluster's fill as a part of its fair share.
func (r *round) share(fill float64) string {
	if r.mean == 0 {
		return "0"
	}
	return strconv.FormatFloat(fill/r.mean, 'f', 2, 64)
}

// figure rounds what is shown, so that plans differ where it matters.
func figure(x float64) float64 { return math.Round(x*1e4) / 1e4 }
