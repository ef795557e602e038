package views

import (
	"iter"

	"github.com/RoaringBitmap/roaring/v2"
)

// runs yields all entries of the snapshot in the order's order, those outside
// the order too.
func (o *ordered) runs() iter.Seq[[]uint32] {
	if o.reader.Len() == o.state.entries.size() {
		return o.reader.Runs()
	}
	rest := o.sortedRest()
	return func(yield func([]uint32) bool) {
		for run := range o.reader.Runs() {
			for len(run) > 0 && len(rest) > 0 {
				n := 0
				for n < len(run) && o.Compare(run[n], rest[0]) < 0 {
					n++
				}
				if n > 0 && !yield(run[:n]) {
					return
				}
				if run = run[n:]; len(run) > 0 {
					if !yield(rest[:1]) {
						return
					}
					rest = rest[1:]
				}
			}
			if len(run) > 0 && !yield(run) {
				return
			}
		}
		if len(rest) > 0 {
			yield(rest)
		}
	}
}

// sortedRest is the entries outside the order, sorted.
func (o *ordered) sortedRest() []uint32 {
	words := o.state.entries.read().ToDense()
	for run := range o.reader.Runs() {
		for _, ordinal := range run {
			words[ordinal>>6] &^= 1 << (ordinal & 63)
		}
	}
	s := newSorter(o.state, o.sort, o.fields)
	var all part
	for it := roaring.FromDense(words, false).Iterator(); it.HasNext(); {
		ordinal := it.Next()
		all.items.add(item{s.number(0, ordinal), ordinal})
	}
	rest := make([]uint32, 0, all.items.size)
	s.order(all, func(sorted []item) {
		for _, each := range sorted {
			rest = append(rest, each.ordinal)
		}
	})
	return rest
}
