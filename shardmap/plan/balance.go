package plan

import (
	"cmp"
	"fmt"
	"slices"
)

// queue is what a cluster has to give: the shards that even out most for what
// they cost to move stand first. What has been passed over is not looked at
// again: as others fill up and the cluster itself gets emptier, nothing that
// was too large before will fit.
type queue struct {
	rows  []int32
	next  int
	least uint64 // cost: less is not worth a move
	made  bool
	spent bool
}

// balance has the fullest cluster give again and again, until it is within the
// tolerance and nobody is far below the mean, or nothing that helps is left.
func (r *round) balance() {
	for r.mean > 0 {
		giver := r.fullest()
		if giver < 0 || r.clusters[giver].fill(0) <= r.mean {
			return
		}
		h := &r.clusters[giver]
		if h.fill(0) <= (1+r.Settings.Tolerance)*r.mean && !r.anyHungry() {
			return
		}
		x, to := r.choose(giver)
		if x == nil {
			h.queue.spent = true
			continue
		}
		r.move(x, to, fmt.Sprintf("%s is at %s of its fair share, %s at %s", h.name, r.share(h.fill(0)), r.clusters[to].name, r.share(r.clusters[to].fill(0))))
	}
}

// fullest is the fullest cluster that may have something to give, -1 if there
// is none.
func (r *round) fullest() int32 {
	best := int32(-1)
	for i := range r.clusters {
		h := &r.clusters[i]
		if h.takes() && !h.queue.spent && (best < 0 || h.fill(0) > r.clusters[best].fill(0)) {
			best = int32(i)
		}
	}
	return best
}

// anyHungry tells whether a cluster is far below the mean, as a new one is.
func (r *round) anyHungry() bool {
	return slices.ContainsFunc(r.clusters, func(h holder) bool {
		return h.takes() && h.fill(0) < (1-r.Settings.Tolerance)*r.mean
	})
}

// choose takes the next shard of a cluster's queue that helps and where it
// goes; nil if there is none.
func (r *round) choose(giver int32) (*row, int32) {
	q := r.queueOf(giver)
	for ; q.next < len(q.rows); q.next++ {
		x := &r.rows[q.rows[q.next]]
		if x.touched || x.cost < q.least {
			continue
		}
		to, refused := r.taker(x)
		if x.refused = refused; refused != "" {
			continue
		}
		if r.affords(x) {
			q.next++
			return x, to
		}
	}
	return nil, -1
}

// queueOf is a cluster's queue, made when it is first asked for: the shards
// that may move. One that carries less than a tenth of what these do on average
// is not worth it.
func (r *round) queueOf(giver int32) *queue {
	h := &r.clusters[giver]
	q := &h.queue
	if q.made {
		return q
	}
	q.made = true
	var cost uint64
	for _, i := range h.rows {
		if x := &r.rows[i]; x.stays == "" && !x.touched {
			q.rows = append(q.rows, i)
			cost += x.cost
		}
	}
	q.least = cost / uint64(10*max(1, len(q.rows)))
	slices.SortFunc(q.rows, func(a, b int32) int {
		return cmp.Or(cmp.Compare(r.worth(b), r.worth(a)), cmp.Compare(r.rows[b].cost, r.rows[a].cost), cmp.Compare(a, b))
	})
	return q
}

// worth is what a shard carries for what it costs to move: its load by its
// size, and a part of the mean size for what every move costs.
func (r *round) worth(i int32) float64 {
	x := &r.rows[i]
	return float64(x.cost) / float64(x.size+r.spaces[x.space].overhead)
}

// taker is the cluster that a shard should go to for the sake of balance, or
// why it helps nowhere.
func (r *round) taker(x *row) (int32, Obstacle) {
	near := r.emptiest(x, true)
	refused := r.helps(x, near)
	if r.Settings.Zones == ZonesKeep || refused == "" && r.hasRoom(x, near) {
		return near, refused
	}
	anywhere := r.emptiest(x, false)
	return anywhere, r.helps(x, anywhere)
}

// helps tells whether a move is worth it, or why not. The two clusters have to
// be further apart than the tolerance, and the fuller of them less full after
// than the giver was before by at least half of what the shard carries. So the
// taker never gets as full as the giver was. What is too large for that had
// better be split.
func (r *round) helps(x *row, to int32) Obstacle {
	if to < 0 {
		return NoCluster
	}
	giver, taker := &r.clusters[x.holder], &r.clusters[to]
	before := giver.fill(0)
	switch carries := float64(x.cost) / giver.capacity; {
	case before-taker.fill(0) <= r.Settings.Tolerance*r.mean:
		return NoCluster
	case before-taker.fill(x.cost) < carries/2:
		return TooLarge
	}
	return ""
}
