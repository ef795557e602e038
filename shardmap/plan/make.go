package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Make plans one round. An empty list of steps says that nothing is to be done,
// or nothing can; Held says which.
//
// Refused (KindInvalid): a setting out of its range (SETTING_OUT_OF_RANGE), a
// load that is not a number or too large (LOAD_OUT_OF_RANGE), a cluster to
// drain that is not there (CLUSTER_NOT_FOUND).
func Make(in Input) (*Plan, error) {
	r, err := newRound(in)
	if err != nil {
		return nil, err
	}
	p := &Plan{Revision: in.Map.Revision(), Made: in.Now.UTC().Round(0), By: r.Settings.Measure.Name, Before: r.figures()}
	r.drain()
	r.merge()
	r.balance()
	r.split()
	p.After = r.figures()
	p.Steps = r.steps
	p.Held = r.held()
	p.Keyspaces, p.Clusters = r.effects()
	return p, nil
}

// figures is how even the clusters are by now.
func (r *round) figures() Figures {
	f := Figures{Imbalance: figure(r.imbalance()), Least: 1, Shards: len(r.rows)}
	for _, s := range r.steps {
		switch s.Kind {
		case Split:
			f.Shards++
		case Merge:
			f.Shards--
		}
	}
	if r.mean == 0 {
		return f
	}
	for i := range r.clusters {
		if h := &r.clusters[i]; h.takes() {
			f.Least = min(f.Least, figure(h.fill(0)/r.mean))
		}
	}
	return f
}

// effects is what the round does to each keyspace and cluster.
func (r *round) effects() ([]Keyspace, []Cluster) {
	keyspaces := make([]Keyspace, len(r.spaces))
	for i, s := range r.spaces {
		keyspaces[i] = Keyspace{Name: s.Name, UID: s.UID, Revision: s.Revision, Shards: len(s.rows), Moved: figure(float64(s.budget-s.left) / float64(s.size))}
	}
	var clusters []Cluster
	for i := range r.clusters {
		h := &r.clusters[i]
		c := Cluster{Name: h.name, UID: h.uid, Revision: h.revision, Capacity: figure(h.capacity), Draining: h.draining, Silent: h.silent}
		if h.takes() && r.mean > 0 {
			c.Before, c.After = figure(float64(h.before)/h.capacity/r.mean), figure(h.fill(0)/r.mean)
		}
		clusters = append(clusters, c)
	}
	slices.SortFunc(clusters, func(a, b Cluster) int { return strings.Compare(a.Name, b.Name) })
	return keyspaces, clusters
}

// held is what stays on clusters that have more than they should.
func (r *round) held() []Held {
	held := []Held{}
	for i := range r.clusters {
		h := &r.clusters[i]
		if !h.draining && !h.silent && !(h.takes() && h.fill(0) > (1+r.Settings.Tolerance)*r.mean) {
			continue
		}
		by := map[Obstacle]Held{}
		for _, k := range h.rows {
			x := &r.rows[k]
			why := cmp.Or(x.stays, x.refused)
			if why == "" || x.touched {
				continue
			}
			sum := by[why]
			by[why] = Held{h.name, why, sum.Shards + 1, sum.Entries + x.size - 1}
		}
		for _, sum := range by {
			held = append(held, sum)
		}
	}
	slices.SortFunc(held, func(a, b Held) int { return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Why, b.Why)) })
	return held
}

func percent(part, whole uint64) string {
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 1, 64) + "%"
}

// String sums the plan up in a few words.
func (p *Plan) String() string {
	count := map[StepKind]int{}
	for _, s := range p.Steps {
		count[s.Kind]++
	}
	moved := ""
	if count[Move] > 0 {
		moved = fmt.Sprintf("; %d keys change nodes", p.KeysMoved())
	}
	return fmt.Sprintf("%d moves, %d splits, %d merges; imbalance by %s %.2f to %.2f%s",
		count[Move], count[Split], count[Merge], p.By, p.Before.Imbalance, p.After.Imbalance, moved)
}
