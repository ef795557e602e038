package plan

import (
	"cmp"
	"slices"
)

// drain empties the clusters that are to be, the most loaded shards first, each
// to whoever is the least full with it.
func (r *round) drain() {
	var leave []int32
	for i := range r.clusters {
		if r.clusters[i].draining {
			leave = append(leave, r.clusters[i].rows...)
		}
	}
	slices.SortFunc(leave, func(a, b int32) int { return cmp.Or(cmp.Compare(r.rows[b].cost, r.rows[a].cost), cmp.Compare(a, b)) })
	for _, i := range leave {
		x := &r.rows[i]
		if x.stays != "" || !r.affords(x) {
			continue
		}
		to := r.refuge(x)
		if to < 0 {
			x.refused = NoCluster
			continue
		}
		r.move(x, to, r.clusters[x.holder].name+" is to be emptied")
	}
}

// refuge is where a shard of a drained cluster goes, -1 if nobody takes it.
func (r *round) refuge(x *row) int32 {
	near := r.emptiest(x, true)
	if r.Settings.Zones == ZonesKeep || near >= 0 && r.hasRoom(x, near) {
		return near
	}
	return r.emptiest(x, false)
}

// hasRoom tells whether a cluster stays within the tolerance with a shard.
func (r *round) hasRoom(x *row, to int32) bool {
	return r.clusters[to].fill(x.cost) <= (1+r.Settings.Tolerance)*r.mean
}

// emptiest is the cluster that is the least full with a shard it does not have,
// -1 if there is none: of all, or of the zone that the shard is in.
func (r *round) emptiest(x *row, near bool) int32 {
	zone := r.clusters[x.holder].zone
	near = near && r.Settings.Zones != ZonesIgnore
	best, least := int32(-1), 0.0
	for i := range r.clusters {
		h := &r.clusters[i]
		if !h.takes() || int32(i) == x.holder || near && h.zone != zone {
			continue
		}
		if fill := h.fill(x.cost); best < 0 || fill < least {
			best, least = int32(i), fill
		}
	}
	return best
}
