package plan

import (
	"cmp"
	"fmt"
	"slices"
)

// gatherShare is the most of a keyspace that is moved to be merged, as in
// Slicer.
const gatherShare = 0.01

// merge joins cold neighbours while there are more shards than the settings
// want: those of one cluster at once. Of two clusters, one shard moves to the
// other's, for a later round to merge.
func (r *round) merge() {
	excess := r.excess()
	if excess <= 0 {
		return
	}
	merges := min(excess, r.Settings.Merges)
	gathered := make([]uint64, len(r.spaces))
	for _, i := range r.coldPairs() {
		left, right := &r.rows[i], &r.rows[i+1]
		if merges == 0 {
			return
		}
		if left.touched || right.touched {
			continue
		}
		if left.holder == right.holder {
			step := r.begin(Merge, left)
			step.With, step.WithRevision = right.id, r.shard(right).Revision
			right.touched = true
			step.Entries = left.size + right.size - 2
			step.Reason = fmt.Sprintf("there are %d shards too many, and these two together are below the mean", excess)
			r.end(step)
			merges--
			continue
		}
		if r.gather(left, right, gathered) || r.gather(right, left, gathered) {
			merges--
		}
	}
}

// excess is how many shards there are above what the settings want.
func (r *round) excess() int {
	clusters := 0
	for i := range r.clusters {
		if r.clusters[i].takes() {
			clusters++
		}
	}
	return len(r.rows) - clusters*r.Settings.ShardsPerCluster
}

// coldPairs are shards that together with the one after them are below the mean
// of all in cost and of their keyspace in size, the coldest first.
func (r *round) coldPairs() []int32 {
	meanCost := r.whole / uint64(len(r.rows))
	cost := func(i int32) uint64 { return r.rows[i].cost + r.rows[i+1].cost }
	var pairs []int32
	for i := range int32(len(r.rows) - 1) {
		left, right := &r.rows[i], &r.rows[i+1]
		s := &r.spaces[left.space]
		if left.space == right.space && left.mergeable() && right.mergeable() &&
			cost(i) <= meanCost && left.size+right.size <= s.size/uint64(len(s.rows)) {
			pairs = append(pairs, i)
		}
	}
	slices.SortFunc(pairs, func(a, b int32) int { return cmp.Or(cmp.Compare(cost(a), cost(b)), cmp.Compare(a, b)) })
	return pairs
}

// mergeable tells whether a shard's bounds may change: one that was moved a
// short while ago, or that can't move, may be merged; a pinned one is left
// alone, and so is one that is on its way.
func (x *row) mergeable() bool {
	return !x.touched && x.stays != Pinned && x.stays != Arriving && x.stays != Silent
}

// gather decides to move a cold shard to its neighbour's cluster, if it may and
// that cluster does not get fuller than the tolerance and the fullest are.
func (r *round) gather(x, beside *row, gathered []uint64) bool {
	s, from, to := &r.spaces[x.space], &r.clusters[x.holder], &r.clusters[beside.holder]
	limit := min(1+r.Settings.Tolerance, r.imbalance()) * r.mean
	switch {
	case x.stays != "", !from.takes(), !to.takes(), to.fill(x.cost) > limit,
		r.Settings.Zones != ZonesIgnore && to.zone != from.zone,
		float64(gathered[x.space]+x.size) > gatherShare*float64(s.size),
		!r.affords(x):
		return false
	}
	gathered[x.space] += x.size
	r.move(x, beside.holder, fmt.Sprintf("to be merged with %s, its neighbour there", beside.id))
	beside.touched = true
	return true
}
