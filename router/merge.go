package router

import (
	"math"
	"slices"

	"cairn"
	"cairn/shardmap"
	"cairn/views/page"
)

// part is one cluster's share of a sweep: exactly the shards that the map
// gives it, which its fingerprint names.
type part struct {
	owner shardmap.Owner
	// trial is what asking it has been through.
	trial trial
	// limit is how many rows were last asked for.
	limit int
}

func (p *part) share() *part { return p }

// partsOf are the parts of a sweep by a map, the old ones as far as they still
// hold: a cluster that owns the same shards at the same epochs has the same
// rows to show. Both are ascending by cluster.
func partsOf[P interface{ share() *part }](owners []shardmap.Owner, old []P, fresh func(shardmap.Owner) P) []P {
	parts := make([]P, 0, len(owners))
	for _, owner := range owners {
		for len(old) > 0 && old[0].share().owner.Cluster < owner.Cluster {
			old = old[1:]
		}
		if len(old) > 0 && old[0].share().owner.Cluster == owner.Cluster && old[0].share().owner.Fingerprint == owner.Fingerprint {
			parts = append(parts, old[0])
			continue
		}
		parts = append(parts, fresh(owner))
	}
	return parts
}

// exhausted tells whether nothing is left after the page.
func exhausted[Row any](runs []*page.Run[Row]) bool {
	return !slices.ContainsFunc(runs, func(r *page.Run[Row]) bool { return len(r.Rows) > 0 || r.More })
}

// sizeOf is about how large an entry is in a response, rather more than less.
func sizeOf(e *cairn.NamedEntry) int {
	size := 64 + len(e.Key) + 4*len(e.Replicas)
	for _, v := range e.Attributes {
		size += 32 + len(v.Name) + len(v.Value.Text())
	}
	return size
}

// fairShare is how many rows to ask of one cluster for so many in all: what it
// is likely to have of them by how many of the shards it owns, and two standard
// deviations more; twice the last number when that was not enough.
func fairShare(wanted, shards, total, last int) int {
	share := float64(shards) / float64(total)
	mean := float64(wanted) * share
	likely := int(math.Ceil(mean + 2*math.Sqrt(mean*(1-share))))
	return min(wanted, max(likely, 2*last, 1))
}

// successor is the first key after key: there are none over MaxKeyLength.
// It is nil if no key can come after.
func successor(key cairn.Key) cairn.Key {
	if len(key) < cairn.MaxKeyLength {
		return append(slices.Clone(key), 0)
	}
	for i := len(key) - 1; i >= 0; i-- {
		if key[i] != 0xff {
			next := slices.Clone(key[:i+1])
			next[i]++
			return next
		}
	}
	return nil
}
