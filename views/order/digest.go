package order

import "math/bits"

// Digests are what there is to say of members of a view, where that of many is made of that
// of some and that of the others: how many are members of other views, a sum of their
// values. Digests of all below a node are kept with it, so that those of a long stretch are
// mostly there. Their keys tell which they are.
type Digests[T any] struct {
	// Key tells these digests from others of the same view and any other.
	Key any
	// Version is that of what is read beside the order, 0 for nothing: digests of other
	// versions are not used.
	Version uint64
	// Leaves is set if they are kept of single leaves, too: where to make one takes
	// longer than to fetch it.
	Leaves bool
	// Add adds a part to a digest, and Join another digest.
	Add  func(to *T, p *Part)
	Join func(to, from *T)
}

// Between is the digest of an iterator's view from its place up to another's. The
// iterator is without And.
func (d *Digests[T]) Between(it, end Iterator) (out T) {
	var p Part
	for it.leaf != nil && end.leaf != nil && it.at.compare(end.at) <= 0 {
		switch {
		case it.beginsGroup() && (it.at.branch != end.at.branch || it.at.group != end.at.group):
			d.Join(&out, d.ofGroup(it.group, it.view))
			it.at.leaf = it.group.n - 1
			it.leaf = it.group.children[it.at.leaf]
		case it.slot == 0 && it.at != end.at && d.Leaves:
			d.Join(&out, d.ofLeaf(it.leaf, it.view))
		default:
			if p.fill(&it, end); p.size > 0 {
				d.Add(&out, &p)
			}
		}
		if !it.nextLeaf() {
			break
		}
	}
	return out
}

// beginsGroup reports whether no members are before the place in its group.
func (it *Iterator) beginsGroup() bool {
	return it.slot == 0 && it.group.occupied(it.view)&(1<<it.at.leaf-1) == 0
}

// ofGroup is the digest of all members of a view below a group.
func (d *Digests[T]) ofGroup(g *group, view int) *T {
	if known, ok := g.notes.find(d.Key, d.Version).(*T); ok {
		return known
	}
	made, p := new(T), Part{}
	for some := g.occupied(view); some != 0; some &= some - 1 {
		l := g.children[bits.TrailingZeros64(some)]
		if d.Leaves {
			d.Join(made, d.ofLeaf(l, view))
		} else {
			p.fillWhole(l, view)
			d.Add(made, &p)
		}
	}
	g.notes.put(d.Key, d.Version, made)
	return made
}

// ofLeaf is the digest of all members of a view in a leaf.
func (d *Digests[T]) ofLeaf(l *leaf, view int) *T {
	if known, ok := l.notes.find(d.Key, d.Version).(*T); ok {
		return known
	}
	made, p := new(T), Part{}
	if p.fillWhole(l, view); p.size > 0 {
		d.Add(made, &p)
	}
	l.notes.put(d.Key, d.Version, made)
	return made
}
