package order

// Filling says which entries are members of a view: all of them if it says no
// more.
type Filling struct {
	View View
	// Members has a bit for each ordinal that is one. It is fastest; where it
	// would be large for few entries, Member tells instead.
	Members []uint64
	Member  func(ordinal uint32) bool
}

// of is the bits of the entries of a leaf.
func (f *Filling) of(l *leaf) (is words) {
	switch {
	case f.Members != nil:
		for slot, ordinal := range l.ordinals[:l.n] {
			if i := int(ordinal >> 6); i < len(f.Members) {
				is[slot>>6] |= f.Members[i] >> (ordinal & 63) & 1 << (slot & 63)
			}
		}
	case f.Member != nil:
		return judge(l, f.Member)
	default:
		is.fill(int(l.n))
	}
	return is
}

// Fill makes the memberships of an order that has none, as Load leaves it, in
// one pass: a leaf gets the room that it needs at once. No view comes twice,
// and the order has all of them.
func (o *Order) Fill(fillings []Filling) {
	bits := make([]words, o.views)
	o.eachLeaf(func(at path, _ *leaf) {
		b, g, l := o.own(at)
		blocks := uint16(0)
		for i := range fillings {
			v := fillings[i].View
			bits[v] = fillings[i].of(l)
			if n := bits[v].count(); n > inlineMost && n < int(l.n) {
				blocks++
			}
		}
		l.resetViews(uint16(o.views), blocks)
		o.reserve(b, g, l)
		for v := range bits {
			if n := bits[v].count(); n > 0 {
				l.put(v, &bits[v])
				g.change(v, at.leaf, n, n)
				b.change(v, at.group, n, g.count(v))
				o.root.totals[v] += uint32(n)
			}
		}
	})
}
