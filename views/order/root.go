package order

import (
	"cmp"
	"slices"
)

// root is the flat array of an order's branches.
type root struct {
	generation uint64
	entries    int
	// totals are by view: how many members it has.
	totals   []uint32
	prefixes []uint64
	firsts   []uint32
	branches []*branch
}

func (r *root) clone(generation uint64) *root {
	return &root{
		generation: generation, entries: r.entries, totals: slices.Clone(r.totals),
		prefixes: slices.Clone(r.prefixes), firsts: slices.Clone(r.firsts), branches: slices.Clone(r.branches),
	}
}

func (r *root) insert(i int, b *branch) {
	r.branches = slices.Insert(r.branches, i, b)
	r.prefixes = slices.Insert(r.prefixes, i, 0)
	r.firsts = slices.Insert(r.firsts, i, 0)
}

func (r *root) remove(i int) {
	r.branches = slices.Delete(r.branches, i, i+1)
	r.prefixes = slices.Delete(r.prefixes, i, i+1)
	r.firsts = slices.Delete(r.firsts, i, i+1)
}

// count is how many members a view has.
func (r *root) count(v int) int {
	if v >= len(r.totals) {
		return 0
	}
	return int(r.totals[v])
}

// reserve makes room for the totals of so many views.
func (r *root) reserve(slots int) {
	for len(r.totals) < slots {
		r.totals = append(r.totals, 0)
	}
}

// path names a leaf by the indexes that lead to it.
type path struct{ branch, group, leaf int }

// compare orders the leaves that two paths lead to.
func (p path) compare(q path) int {
	return cmp.Or(cmp.Compare(p.branch, q.branch), cmp.Compare(p.group, q.group), cmp.Compare(p.leaf, q.leaf))
}

// locate is the leaf that a position belongs in; see route.
func locate[P Position](r *root, p P, past bool) path {
	var at path
	at.branch = route(r.prefixes, r.firsts, p, past)
	b := r.branches[at.branch]
	at.group = route(b.prefixes[:b.n], b.firsts[:b.n], p, past)
	g := b.children[at.group]
	at.leaf = route(g.prefixes[:g.n], g.firsts[:g.n], p, past)
	return at
}

func (r *root) group(at path) *group { return r.branches[at.branch].children[at.group] }

func (r *root) leaf(at path) *leaf { return r.group(at).children[at.leaf] }

// isFirst and isLast report whether a leaf is the order's first or last.
func (r *root) isFirst(at path) bool { return at == path{} }

func (r *root) isLast(at path) bool {
	return at.branch == len(r.branches)-1 && at.group == r.branches[at.branch].n-1 && at.leaf == r.group(at).n-1
}

// leaves yields all leaves in order.
func (r *root) leaves(yield func(*leaf) bool) {
	for _, b := range r.branches {
		for _, g := range b.children[:b.n] {
			for _, l := range g.children[:g.n] {
				if !yield(l) {
					return
				}
			}
		}
	}
}
