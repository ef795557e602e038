package rebuild

import (
	"bytes"
	"cmp"
	"container/heap"
	"slices"

	"cairn"
)

// claim is a shard as its cluster's index has noted it.
type claim struct {
	cairn.Shard
	owner  *Cluster
	pinned bool
}

// above tells whether a claim wins over another: epochs of a key only grow, so that
// the one in the lower epoch has not heard that it lost it.
func (c *claim) above(other *claim) bool {
	return cmp.Or(cmp.Compare(c.Epoch, other.Epoch), cmp.Compare(c.owner.Map.Revision, other.owner.Map.Revision)) > 0
}

// stretch is a part of the placement keys that one claim has, or nobody.
type stretch struct {
	start, end []byte
	claim      *claim // nil: a gap
}

// cover divides all placement keys by who has them, ascending.
func cover(claims []*claim) (out []stretch) {
	slices.SortFunc(claims, func(a, b *claim) int { return bytes.Compare(a.Start, b.Start) })
	bounds := [][]byte{nil}
	for _, c := range claims {
		bounds = append(bounds, c.Start)
		if len(c.End) > 0 {
			bounds = append(bounds, c.End)
		}
	}
	slices.SortFunc(bounds, bytes.Compare)
	bounds = slices.CompactFunc(bounds, bytes.Equal)
	var open claimHeap
	next := 0
	for i, from := range bounds {
		for ; next < len(claims) && bytes.Equal(claims[next].Start, from); next++ {
			heap.Push(&open, claims[next])
		}
		for len(open) > 0 && len(open[0].End) > 0 && bytes.Compare(open[0].End, from) <= 0 {
			heap.Pop(&open)
		}
		s := stretch{start: from}
		if i+1 < len(bounds) {
			s.end = bounds[i+1]
		}
		if len(open) > 0 {
			s.claim = open[0]
		}
		if last := len(out) - 1; last >= 0 && out[last].claim == s.claim {
			out[last].end = s.end
			continue
		}
		out = append(out, s)
	}
	return out
}

// claimHeap has the claim on top that wins over the others.
type claimHeap []*claim

func (h claimHeap) Len() int           { return len(h) }
func (h claimHeap) Less(i, j int) bool { return h[i].above(h[j]) }
func (h claimHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *claimHeap) Push(c any)        { *h = append(*h, c.(*claim)) }
func (h *claimHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	*h = (*h)[:last]
	return c
}
