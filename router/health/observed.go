package health

const (
	// failuresToDown and passesToUp are how many checks in a row change what a node
	// is taken for.
	failuresToDown = 3
	passesToUp     = 2
)

// observed is what the checks of one node have shown. The zero observed is of a node
// that is taken for up.
type observed struct {
	down bool
	// against is how many checks in a row spoke against that.
	against int
}

// after is what is known after one more check.
func (o observed) after(passed bool) observed {
	if passed != o.down {
		return observed{down: o.down}
	}
	o.against++
	if !o.down && o.against >= failuresToDown || o.down && o.against >= passesToUp {
		return observed{down: !o.down}
	}
	return o
}
