package views

import (
	"github.com/RoaringBitmap/roaring/v2"
)

// merging is sorted runs on their way into one: a heap of them, the run with the
// first entry on top.
type merging struct {
	*comparer
	heads []sortedRun
	// without are entries that are left out: they have changed since their run was
	// sorted, or have gone.
	without *roaring.Bitmap
}

// sortedRun is entries in order, with their prefixes, so that to merge them few
// columns are read.
type sortedRun struct {
	ordinals []uint32
	prefixes []uint64
}

func (r sortedRun) from(n int) sortedRun { return sortedRun{r.ordinals[n:], r.prefixes[n:]} }

// newMerging begins to merge runs, each of which is sorted by what the comparer
// reads, without some entries.
func newMerging(by *comparer, runs []sortedRun, without *roaring.Bitmap) *merging {
	m := &merging{comparer: by, without: without}
	for _, run := range runs {
		if run = m.left(run); len(run.ordinals) > 0 {
			m.heads = append(m.heads, run)
		}
	}
	for i := len(m.heads)/2 - 1; i >= 0; i-- {
		m.sink(i)
	}
	return m
}

// left is a run from its first entry on that is not left out.
func (m *merging) left(run sortedRun) sortedRun {
	if !m.without.IsEmpty() {
		for len(run.ordinals) > 0 && m.without.Contains(run.ordinals[0]) {
			run = run.from(1)
		}
	}
	return run
}

// next is the next entries in order, at most so many; none when that was all.
func (m *merging) next(most int) sortedRun {
	out := sortedRun{make([]uint32, 0, most), make([]uint64, 0, most)}
	for len(out.ordinals) < most && len(m.heads) > 0 {
		first := m.heads[0]
		out.ordinals, out.prefixes = append(out.ordinals, first.ordinals[0]), append(out.prefixes, first.prefixes[0])
		if m.heads[0] = m.left(first.from(1)); len(m.heads[0].ordinals) == 0 {
			last := len(m.heads) - 1
			m.heads[0], m.heads[last] = m.heads[last], sortedRun{}
			m.heads = m.heads[:last]
		}
		m.sink(0)
	}
	return out
}

// sink lets a run sink to its place in the heap.
func (m *merging) sink(i int) {
	for {
		first := 2*i + 1
		if first >= len(m.heads) {
			return
		}
		if other := first + 1; other < len(m.heads) && m.before(other, first) {
			first = other
		}
		if !m.before(first, i) {
			return
		}
		m.heads[i], m.heads[first] = m.heads[first], m.heads[i]
		i = first
	}
}

// before tells whether one run's first entry comes before another's.
func (m *merging) before(one, two int) bool {
	a, b := &m.heads[one], &m.heads[two]
	if a.prefixes[0] != b.prefixes[0] {
		return a.prefixes[0] < b.prefixes[0]
	}
	return m.Compare(a.ordinals[0], b.ordinals[0]) < 0
}
