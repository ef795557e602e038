package plan

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/placement"
)

// split halves the shards that were too large to move from a drained cluster or
// one that has more than it should, the most loaded first. It is all of them,
// not as many as would do if halves were even: the heat of a shard is often
// that of a few keys, and stays with one half.
func (r *round) split() {
	hungry := r.anyHungry()
	var large []int32
	for i := range r.clusters {
		h := &r.clusters[i]
		gives := h.takes() && (hungry || h.fill(0) > (1+r.Settings.Tolerance)*r.mean)
		if !gives && !h.draining {
			continue
		}
		for _, k := range h.rows {
			if x := &r.rows[k]; x.refused == TooLarge && !x.touched && r.splittable(x, h) {
				large = append(large, k)
			}
		}
	}
	slices.SortFunc(large, func(a, b int32) int { return cmp.Or(cmp.Compare(r.rows[b].cost, r.rows[a].cost), cmp.Compare(a, b)) })
	splits := r.Settings.Splits
	for _, i := range large {
		if splits > 0 && r.halve(&r.rows[i]) {
			splits--
		}
	}
}

// splittable tells whether halving a shard makes a difference that is above
// the tolerance, or makes it small enough for the budget.
func (r *round) splittable(x *row, h *holder) bool {
	return float64(x.cost)/h.capacity > r.Settings.Tolerance*r.mean || x.size > r.spaces[x.space].budget
}

// halve decides to split a shard, if there is a place for it.
func (r *round) halve(x *row) bool {
	s := &r.spaces[x.space]
	load := r.Loads[shardmap.ShardRef{Keyspace: s.UID, ID: x.id}]
	at := splitPoint(s.Placement.Scheme, r.shard(x), load)
	if at == nil {
		x.refused = Indivisible
		return false
	}
	h := &r.clusters[x.holder]
	step := r.begin(Split, x)
	step.At = at
	step.Entries = load.Entries
	step.Reason = fmt.Sprintf("too large to move, with %s of its keyspace's entries", percent(x.size, s.size))
	if h.takes() {
		step.Reason += fmt.Sprintf(" and %s of its cluster's fair share", r.share(float64(x.cost)/h.capacity))
	}
	r.end(step)
	return true
}

// splitPoint is where a shard divides in halves: its load, where that is known,
// or else its hashes; nil if there is no such place.
func splitPoint(scheme cairn.Scheme, shard shardmap.Shard, load Load) []byte {
	if load.Entries == 1 {
		return nil
	}
	if at := load.Middle; placement.Validate(scheme, at) == nil && shard.Contains(at) && !bytes.Equal(at, shard.Start) {
		return at
	}
	if scheme == cairn.SchemeHash {
		at, _ := placement.Middle(shard.Start, shard.End) // nil if it has one hash
		return at
	}
	return nil
}
