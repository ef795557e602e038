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
	// Most is how many leaves may be looked at for what is not kept, 0 for any number.
	Most int
	// Add adds a part to a digest, and Join another digest.
	Add  func(to *T, p *Part)
	Join func(to, from *T)
}

// Between is the digest of an iterator's view from its place up to another's. The
// iterator is without And. It is false if more leaves than Most had to be looked at; what
// was found out of some is kept for the next time.
func (d *Digests[T]) Between(it, end Iterator) (out T, done bool) {
	seen := looked{most: d.Most}
	var p Part
	for it.leaf != nil && end.leaf != nil && it.at.compare(end.at) <= 0 {
		switch {
		case it.beginsGroup() && (it.at.branch != end.at.branch || it.at.group != end.at.group):
			of := d.ofGroup(it.group, it.view, &seen)
			if of == nil {
				return out, false
			}
			d.Join(&out, of)
			it.at.leaf = it.group.n - 1
			it.leaf = it.group.children[it.at.leaf]
		case it.slot == 0 && it.at != end.at && d.Leaves:
			of := d.ofLeaf(it.leaf, it.view, &seen)
			if of == nil {
				return out, false
			}
			d.Join(&out, of)
		default:
			if !seen.another() {
				return out, false
			}
			if p.fill(&it, end); p.size > 0 {
				d.Add(&out, &p)
			}
		}
		if !it.nextLeaf() {
			break
		}
	}
	return out, true
}

// looked is how many leaves were looked at, of how many at most; of any number if that is 0.
type looked struct{ leaves, most int }

// another looks at one more, if it may.
func (l *looked) another() bool {
	l.leaves++
	return l.most == 0 || l.leaves <= l.most
}

// beginsGroup reports whether no members are before the place in its group.
func (it *Iterator) beginsGroup() bool {
	return it.slot == 0 && it.group.occupied(it.view)&(1<<it.at.leaf-1) == 0
}

// ofGroup is the digest of all members of a view below a group; nil if more leaves would
// have to be looked at than may be.
func (d *Digests[T]) ofGroup(g *group, view int, seen *looked) *T {
	if known, ok := g.notes.find(d.Key, d.Version).(*T); ok {
		return known
	}
	made, p := new(T), Part{}
	for some := g.occupied(view); some != 0; some &= some - 1 {
		l := g.children[bits.TrailingZeros64(some)]
		if d.Leaves {
			of := d.ofLeaf(l, view, seen)
			if of == nil {
				return nil
			}
			d.Join(made, of)
			continue
		}
		if !seen.another() {
			return nil
		}
		p.fillWhole(l, view)
		d.Add(made, &p)
	}
	g.notes.put(d.Key, d.Version, made)
	return made
}

// ofLeaf is ofGroup of a leaf.
func (d *Digests[T]) ofLeaf(l *leaf, view int, seen *looked) *T {
	if known, ok := l.notes.find(d.Key, d.Version).(*T); ok {
		return known
	}
	if !seen.another() {
		return nil
	}
	made, p := new(T), Part{}
	if p.fillWhole(l, view); p.size > 0 {
		d.Add(made, &p)
	}
	l.notes.put(d.Key, d.Version, made)
	return made
}
