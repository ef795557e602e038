package views

// Effort is how much has been worked out of entries since the projections are there,
// that is not told by marks: what is made before that, by Load or Builder, does not
// count.
type Effort struct {
	// Evaluated is how often a view's filter was tried on an entry.
	Evaluated uint64
	// Placed is of how many entries it was found out where they stand in an order,
	// by sorting them or by searching one by one.
	Placed uint64
}

// Effort is the effort so far.
func (v *Views) Effort() Effort { return v.effort }
