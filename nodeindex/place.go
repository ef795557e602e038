package nodeindex

import (
	"bytes"
	"cmp"
	"slices"

	"cairn"
)

// placing is a keyspace's shards after a change of the map, with what they hold.
// A shard that stays within its bounds keeps its population. One that got here by
// a move takes over what is staged for that, if that is sealed; else it is
// withheld: an empty or a partial shard is never served. Every other one gets an
// empty population, and a transfer gives it the entries that were others'. One whose
// entries get other nodes by a move within the cluster keeps its population as well, if
// the fence of the move is known.
type placing struct {
	shards, withheld []*shard
	arriving         []*arrival // those that are still arriving, and what is kept
}

// placeShards places a keyspace's shards; changes are by id, nil meaning removed.
// KindInvalid (ASSIGNMENT_INVALID) where shards overlap or are none.
func placeShards(old *keyspace, changes map[cairn.ShardID]*cairn.Shard) (placing, *cairn.Error) {
	p := placing{arriving: old.arriving}
	byID := make(map[cairn.ShardID]*shard, len(old.shards))
	var gone []*shard
	for _, s := range old.shards {
		byID[s.ID] = s
		switch definition, changed := changes[s.ID]; {
		case !changed:
			p.shards = append(p.shards, s)
		case definition == nil:
			gone = append(gone, s)
		}
	}
	for _, s := range old.withheld {
		if _, changed := changes[s.ID]; !changed {
			p.withheld = append(p.withheld, s)
		}
	}
	for _, definition := range changes {
		if definition != nil {
			p.place(old, byID[definition.ID], definition)
		}
	}
	p.shards, p.withheld = inOrder(p.shards), inOrder(p.withheld)
	if err := disjoint(inOrder(slices.Concat(p.shards, p.withheld))); err != nil {
		return p, err
	}
	// What arrives where entries may be seen now has lost its way.
	p.arriving = slices.DeleteFunc(slices.Concat(p.arriving, keptOf(gone)), func(a *arrival) bool {
		return slices.ContainsFunc(p.shards, func(s *shard) bool { return overlap(&s.Shard, &a.Shard) })
	})
	return p, nil
}

// place places a shard that is new or changed; before is what it was, nil if it
// was not here.
func (p *placing) place(old *keyspace, before *shard, definition *cairn.Shard) {
	s := &shard{Shard: *definition, population: newPopulation()}
	s.bounded = s.Epoch
	stays := before != nil && sameBounds(&before.Shard, definition)
	a := old.sealed(definition)
	switch {
	case stays && (definition.Move == 0 || old.holdsBy(definition.Move)):
		// Its own move, or that of a neighbour that it was merged with, and split from
		// again, unheard of.
		s.population = before.population
	case stays && before.fences.relocates(definition.Move) != nil:
		s.population = before.population // and a transfer gives its entries other nodes
	case definition.Move == 0:
	case !stays && old.holdsBy(definition.Move) && old.covers(definition): // split here
	case a != nil:
		s.population = a.population
	default:
		// If there are entries of its range, it has left and come back unheard of,
		// whatever its bounds are by now.
		p.withheld = append(p.withheld, s)
		return
	}
	p.shards = append(p.shards, s)
}

// sealed is what is staged for the move that a shard got here by, nil if not all
// of it is.
func (k *keyspace) sealed(s *cairn.Shard) *arrival {
	for _, a := range k.arriving {
		if a.Move == s.Move && a.ID == s.ID && sameBounds(&a.Shard, s) && a.whole() {
			return a
		}
	}
	return nil
}

// holdsBy tells whether a shard got here by a move and is served.
func (k *keyspace) holdsBy(move cairn.UID) bool {
	return slices.ContainsFunc(k.shards, func(s *shard) bool { return s.Move == move })
}

// covers tells whether the keyspace's shards together have all of another's
// range.
func (k *keyspace) covers(s *cairn.Shard) bool {
	from := s.Start
	for _, each := range k.shards {
		switch {
		case bytes.Compare(each.Start, from) > 0:
			return false
		case len(each.End) == 0:
			return true
		case bytes.Compare(each.End, from) <= 0:
			continue
		}
		if from = each.End; len(s.End) > 0 && bytes.Compare(from, s.End) >= 0 {
			return true
		}
	}
	return false
}

func inOrder(shards []*shard) []*shard {
	slices.SortFunc(shards, func(a, b *shard) int { return cmp.Or(bytes.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID)) })
	return shards
}

// disjoint refuses shards, in order, that overlap or end before they start.
func disjoint(shards []*shard) *cairn.Error {
	for i, s := range shards {
		if len(s.End) > 0 && bytes.Compare(s.Start, s.End) >= 0 {
			return cairn.Invalid("shards", "ASSIGNMENT_INVALID", "shard %s ends before it starts", s.ID)
		}
		if i > 0 && (len(shards[i-1].End) == 0 || bytes.Compare(shards[i-1].End, s.Start) > 0) {
			return cairn.Invalid("shards", "ASSIGNMENT_INVALID", "shards %s and %s overlap", shards[i-1].ID, s.ID)
		}
	}
	return nil
}

// Withheld are the cluster's shards that are not served, since what they hold did
// not arrive as a whole.
func (x *Index) Withheld() []cairn.ShardStatus {
	s := x.state.Load()
	if s == nil {
		return nil
	}
	return s.withheldShards()
}

func (a *assignment) withheldShards() (out []cairn.ShardStatus) {
	for _, uid := range sortedUIDs(a.keyspaces) {
		for _, s := range a.keyspaces[uid].withheld {
			out = append(out, cairn.ShardStatus{Keyspace: uid, Shard: s.ID, Epoch: s.Epoch})
		}
	}
	return out
}
