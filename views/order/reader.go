package order

import "iter"

// Reader is an order at one moment. Any number of goroutines may use it and
// copy it; it never changes. The zero Reader is of an order without entries.
type Reader struct{ root *root }

// Len is how many entries the order has.
func (r Reader) Len() int {
	if r.root == nil {
		return 0
	}
	return r.root.entries
}

// Count is how many members a view has, zero if there is no such view.
func (r Reader) Count(v View) int {
	if r.root == nil {
		return 0
	}
	return r.root.count(int(v))
}

// Runs yields all entries in order, some hundred at a time. The runs are the
// order's own and not to be changed.
func (r Reader) Runs() iter.Seq[[]uint32] {
	return func(yield func([]uint32) bool) {
		if r.root == nil {
			return
		}
		r.root.leaves(func(l *leaf) bool { return yield(l.ordinals[:l.n]) })
	}
}

// First is before the first member of a view.
func (r Reader) First(v View) Iterator {
	it := Iterator{root: r.root, view: int(v), and: none}
	it.enter(path{})
	return it
}

// End is after the last member of a view.
func (r Reader) End(v View) Iterator {
	it := Iterator{root: r.root, view: int(v), and: none}
	it.toEnd()
	return it
}

// At is before the member of a view that has an offset, counted from zero;
// after the last member if the view has no more than offset.
func (r Reader) At(v View, offset int) Iterator {
	it := Iterator{root: r.root, view: int(v), and: none}
	it.toOffset(offset)
	return it
}

// Seek is before the first member of a view that is at or after a position.
func (r Reader) Seek(v View, p Position) Iterator {
	it := Iterator{root: r.root, view: int(v), and: none}
	it.toPosition(p, false)
	return it
}

// SeekPast is before the first member of a view that is after a position.
func (r Reader) SeekPast(v View, p Position) Iterator {
	it := Iterator{root: r.root, view: int(v), and: none}
	it.toPosition(p, true)
	return it
}
