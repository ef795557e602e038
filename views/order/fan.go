package order

import (
	"math/bits"
	"slices"
)

// fanout is how many children a group and a branch have room for: as many as
// a word has bits.
const fanout = 64

// quarter is how many children are counted together.
const quarter = fanout / 4

// separators are, of each child, the first entry below it and that entry's
// prefix. They are exact at all times, so that each names a present entry.
type separators struct {
	n        int
	prefixes [fanout]uint64
	firsts   [fanout]uint32
}

// summary is what a group or a branch holds of one view.
type summary struct {
	// occupied has a bit for each child that has members.
	occupied uint64
	// quarters is how many members each sixteen children have.
	quarters [4]uint32
}

func (s *summary) count() int {
	return int(s.quarters[0] + s.quarters[1] + s.quarters[2] + s.quarters[3])
}

// fan is an inner node: a group of leaves or a branch of groups.
type fan[C any] struct {
	generation uint64
	// summaries are by view. A view beyond them has no members here.
	summaries []summary
	separators
	children [fanout]*C
	notes    notes
}

type (
	group  = fan[leaf]
	branch = fan[group]
)

// clone is a copy that a generation may change.
func (f *fan[C]) clone(generation uint64) *fan[C] {
	return &fan[C]{generation: generation, summaries: slices.Clone(f.summaries), separators: f.separators, children: f.children}
}

// occupied has a bit for each child that has members of a view.
func (f *fan[C]) occupied(v int) uint64 {
	if v >= len(f.summaries) {
		return 0
	}
	return f.summaries[v].occupied
}

// count is how many members of a view are below.
func (f *fan[C]) count(v int) int {
	if v >= len(f.summaries) {
		return 0
	}
	return f.summaries[v].count()
}

// reserve makes room for the summaries of so many views.
func (f *fan[C]) reserve(slots int) {
	if len(f.summaries) < slots {
		f.summaries = append(f.summaries, make([]summary, slots-len(f.summaries))...)
	}
}

// add counts a new member of a view below a child.
func (f *fan[C]) add(v, child int) {
	s := &f.summaries[v]
	s.occupied |= 1 << child
	s.quarters[child/quarter]++
}

// change counts members more, or fewer, of a view below a child, which then
// has so many.
func (f *fan[C]) change(v, child, by, members int) {
	s := &f.summaries[v]
	s.occupied &^= 1 << child
	if members != 0 {
		s.occupied |= 1 << child
	}
	s.quarters[child/quarter] += uint32(by)
}

// insert puts a child at an index; its separator is the caller's to set.
func (f *fan[C]) insert(i int, child *C) {
	copy(f.children[i+1:f.n+1], f.children[i:f.n])
	copy(f.prefixes[i+1:f.n+1], f.prefixes[i:f.n])
	copy(f.firsts[i+1:f.n+1], f.firsts[i:f.n])
	f.children[i] = child
	f.n++
}

// remove takes the child at an index away.
func (f *fan[C]) remove(i int) {
	copy(f.children[i:], f.children[i+1:f.n])
	copy(f.prefixes[i:], f.prefixes[i+1:f.n])
	copy(f.firsts[i:], f.firsts[i+1:f.n])
	f.n--
	f.children[f.n] = nil
}

// tail cuts off the children from an index on into a new node. The summaries
// of both are the caller's to make.
func (f *fan[C]) tail(at int, generation uint64) *fan[C] {
	right := &fan[C]{generation: generation}
	right.n = f.n - at
	copy(right.children[:], f.children[at:f.n])
	copy(right.prefixes[:], f.prefixes[at:f.n])
	copy(right.firsts[:], f.firsts[at:f.n])
	clear(f.children[at:f.n])
	f.n = at
	return right
}

// absorb appends the children of the node to the right, which fit. The
// summaries are the caller's to make.
func (f *fan[C]) absorb(right *fan[C]) {
	copy(f.children[f.n:], right.children[:right.n])
	copy(f.prefixes[f.n:], right.prefixes[:right.n])
	copy(f.firsts[f.n:], right.firsts[:right.n])
	f.n += right.n
}

// summarize makes the summaries of the first so many views anew, from the
// counts of the children.
func (f *fan[C]) summarize(slots int, count func(child *C, v int) int) {
	f.summaries = slices.Grow(f.summaries[:0], slots)[:slots]
	clear(f.summaries)
	for i, child := range f.children[:f.n] {
		for v := range slots {
			if members := count(child, v); members != 0 {
				f.summaries[v].occupied |= 1 << i
				f.summaries[v].quarters[i/quarter] += uint32(members)
			}
		}
	}
}

func leafCount(l *leaf, v int) int { return l.of(v).count() }

func groupCount(g *group, v int) int { return g.count(v) }

// skip finds the child with the n-th member of a view, counted from zero: the
// first child of its quarter, and how many members to skip from there.
func (f *fan[C]) skip(v, n int) (child, rest int) {
	for q, members := range f.summaries[v].quarters {
		if n < int(members) {
			return q * quarter, n
		}
		n -= int(members)
	}
	return f.n, n
}

// before is how many members of a view are below the children before an index.
func (f *fan[C]) before(v, i int, count func(child *C, v int) int) int {
	if v >= len(f.summaries) {
		return 0
	}
	s, n := &f.summaries[v], 0
	for _, members := range s.quarters[:i/quarter] {
		n += int(members)
	}
	from := i / quarter * quarter
	for some := s.occupied >> from << from & (1<<i - 1); some != 0; some &= some - 1 {
		n += count(f.children[bits.TrailingZeros64(some)], v)
	}
	return n
}
