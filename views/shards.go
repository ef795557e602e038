package views

import (
	"slices"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// shard is what is kept of one shard.
type shard struct {
	generation uint64
	id         cairn.ShardID
	ordinals   *bitmap
	counts     []int // members of each view, by slot
	hidden     bool
	gathers    bool // whether what is new waits outside the orders
}

// editShard is a shard to write to, made if it is not there.
func (v *Views) editShard(id cairn.ShardID) *shard {
	slot, known := v.shards[id]
	if !known {
		if n := len(v.freeShards); n > 0 {
			slot, v.freeShards = v.freeShards[n-1], v.freeShards[:n-1]
		} else {
			slot = v.present.shardSize
			v.present.shardSize++
		}
		v.shards[id] = slot
	}
	generation := v.bitmaps.generation
	place := v.present.shards.at(slot, generation)
	switch s := *place; {
	case s == nil:
		*place = &shard{generation: generation, id: id}
	case s.generation != generation:
		own := *s
		own.generation, own.counts = generation, slices.Clone(s.counts)
		*place = &own
	}
	return *place
}

// count notes that a view has more or fewer members in a shard.
func (v *Views) count(s *shard, slot, difference int) {
	if slot >= len(s.counts) {
		s.counts = append(s.counts, make([]int, slot+1-len(s.counts))...)
	}
	s.counts[slot] += difference
	v.present.totals[slot] += difference
}

// HideShard takes the entries of a shard out of sight in every answer, at
// once. They are kept up by Put and Delete as before. Hiding a shard before
// its first Put lets it arrive unseen.
func (v *Views) HideShard(id cairn.ShardID) { v.setHidden(id, true) }

// ShowShard makes the entries of a hidden shard seen, all at once.
// What of them still waits outside the orders is selected by its values until
// Build has folded it in, which takes longer.
func (v *Views) ShowShard(id cairn.ShardID) {
	v.SettleShard(id)
	v.setHidden(id, false)
	v.expose(v.editShard(id).ordinals.read())
}

func (v *Views) setHidden(id cairn.ShardID, hidden bool) {
	s := v.editShard(id)
	if s.hidden == hidden {
		return
	}
	s.hidden = hidden
	slot := v.shards[id]
	v.present.hidden = slices.Clone(v.present.hidden)
	if hidden {
		v.present.hidden = append(v.present.hidden, slot)
	} else {
		v.present.hidden = slices.DeleteFunc(v.present.hidden, func(each uint32) bool { return each == slot })
	}
}

// MoveEntries notes that entries of one shard are another's from now on, as
// after a split or a merge. Ordinals that the first does not have are passed
// over.
func (v *Views) MoveEntries(from, to cairn.ShardID, ordinals *roaring.Bitmap) {
	if from == to {
		return
	}
	source := v.editShard(from)
	if source.gathers {
		v.foldSoon() // for the other shard, which may not gather
	}
	moved := roaring.And(source.ordinals.read(), ordinals)
	if moved.IsEmpty() {
		return
	}
	target := v.editShard(to)
	if !target.hidden {
		v.expose(moved)
	}
	v.ownCounts()
	for slot, members := range v.present.members {
		if w := v.present.views[slot]; w == nil || !w.complete {
			continue // not counted yet
		}
		if n := int(members.read().AndCardinality(moved)); n > 0 {
			v.count(source, slot, -n)
			v.count(target, slot, n)
		}
	}
	left := roaring.AndNot(source.ordinals.read(), moved)
	joined := roaring.Or(target.ordinals.read(), moved)
	source.ordinals, target.ordinals = v.bitmaps.edit(source.ordinals), v.bitmaps.edit(target.ordinals)
	v.bitmaps.replace(source.ordinals, left)
	v.bitmaps.replace(target.ordinals, joined)
}

// SweepShard deletes up to limit entries of a shard, and reports whether it
// is gone: with its last entry the shard itself is forgotten, hidden or not.
// It serves for a shard that has left; hide it first.
func (v *Views) SweepShard(id cairn.ShardID, limit int) (gone bool) {
	slot, known := v.shards[id]
	if !known {
		return true
	}
	var swept []uint32
	for it := v.present.shards.get(slot).ordinals.read().Iterator(); it.HasNext() && len(swept) < limit; {
		swept = append(swept, it.Next())
	}
	for _, ordinal := range swept {
		v.Delete(ordinal, id)
	}
	if v.present.shards.get(slot).ordinals.size() > 0 {
		return false
	}
	v.setHidden(id, false)
	v.forgetShard(id)
	return true
}

// forgetShard forgets a shard whose entries, if it has any, are others' now.
func (v *Views) forgetShard(id cairn.ShardID) {
	slot, known := v.shards[id]
	if !known {
		return
	}
	delete(v.shards, id)
	v.freeShards = append(v.freeShards, slot)
	*v.present.shards.at(slot, v.bitmaps.generation) = nil
}
