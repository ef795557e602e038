package order

// Usage is about how many bytes of memory an order takes. Snapshots share
// what did not change between them.
type Usage struct {
	Leaves int
	// Order is what ordinals, separators and nodes take.
	Order int
	// Views is what all memberships and their counts take.
	Views int
	// Digests is what is kept of digests, with those of about a cache line.
	Digests int
}

// What one node of each kind takes, as Go allocates it.
const (
	leafBytes    = 1536
	fanBytes     = 1408
	rootBytes    = 128
	childBytes   = 8 + 8 + 4
	summaryBytes = 24
	noteBytes    = 48 + 64
)

// Usage walks the nodes, not the entries.
func (r Reader) Usage() Usage {
	var u Usage
	if r.root == nil {
		return u
	}
	u.Order = rootBytes + cap(r.root.branches)*childBytes
	u.Views = cap(r.root.totals) * 4
	for _, b := range r.root.branches {
		u.Order += fanBytes * (1 + b.n)
		u.Views += cap(b.summaries) * summaryBytes
		for _, g := range b.children[:b.n] {
			u.Leaves += g.n
			u.Views += cap(g.summaries) * summaryBytes
			u.Digests += g.notes.count() * noteBytes
			for _, l := range g.children[:g.n] {
				u.Views += cap(l.views) * 8
				u.Digests += l.notes.count() * noteBytes
			}
		}
	}
	u.Order += u.Leaves * leafBytes
	return u
}
