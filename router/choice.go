package router

import (
	"math/rand/v2"

	"cairn"
)

// choose sets which of its nodes to use for a location that is found.
func (r *Router) choose(location *cairn.Location, choice cairn.NodeChoice) {
	if location.State != cairn.Found {
		return
	}
	rule := choice.Rule
	if rule == cairn.RuleDefault {
		rule = r.config.Choice.Rule
	}
	switch zone := choice.Zone; {
	case len(location.Replicas) == 0 || rule < cairn.RuleNearest:
		location.Use = location.Primary
	case rule == cairn.RuleNearest:
		if zone == "" {
			zone = r.config.Choice.Zone
		}
		location.Use = chosen(location, func(node *cairn.Node) bool { return zone != "" && node.Zone == zone })
	}
	if location.Use == nil {
		location.Use = chosen(location, func(*cairn.Node) bool { return true })
	}
}

// chooseAll is choose for some of the locations, all if positions is nil.
func (r *Router) chooseAll(locations []cairn.Location, positions []int32, choice cairn.NodeChoice) {
	if positions == nil {
		for i := range locations {
			r.choose(&locations[i], choice)
		}
		return
	}
	for _, i := range positions {
		r.choose(&locations[i], choice)
	}
}

// chosen is one of a location's nodes that may be used, by chance and weight; nil if none
// may. Where none has a weight, all have the same.
func chosen(location *cairn.Location, may func(*cairn.Node) bool) (node *cairn.Node) {
	var sum, count uint64
	var even *cairn.Node
	consider := func(each *cairn.Node) {
		if !may(each) {
			return
		}
		// Each takes the place of those before with its share of all so far.
		if sum += uint64(each.Weight); each.Weight > 0 && rand.Uint64N(sum) < uint64(each.Weight) {
			node = each
		}
		if count++; rand.Uint64N(count) == 0 {
			even = each
		}
	}
	consider(location.Primary)
	for _, replica := range location.Replicas {
		consider(replica)
	}
	if node == nil {
		return even
	}
	return node
}
