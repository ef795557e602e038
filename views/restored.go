package views

import (
	"bytes"
	"fmt"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// Restored is projections as they were when they were written or read, before
// they are brought up to the present and their shards are known: what Load and
// Builder hand out. One goroutine goes on with it, in this order:
//
//	r, err := views.Load(file, schema, definitions)
//	r.Forget(changed)                     // the ordinals of all that changed since
//	err = r.Put(ordinal, key, attributes) // each of them that is an entry now
//	r.SetShards(shards)
//	v, err := r.Views()
//
// Until then nobody can ask it anything. What changes meanwhile is forgotten
// and put as before, and its shards are set again.
type Restored struct {
	views *Views
	// placed are the ordinals of all shards, but that one which was set in
	// two at once may be missing; inShards is how many each of them has, added
	// up.
	placed   *roaring.Bitmap
	inShards uint64
}

func newRestored(v *Views) *Restored { return &Restored{views: v, placed: roaring.New()} }

// noShard is the shard of entries that were put and have not got their own.
const noShard = ^cairn.ShardID(0)

// Forget forgets the entries of ordinals; those without one are passed over.
// All that changed is forgotten before any of it is put again: a key may have
// gone from one ordinal to another, and no two entries have one key.
func (r *Restored) Forget(changed *roaring.Bitmap) {
	for it := roaring.And(changed, r.views.present.entries.read()).Iterator(); it.HasNext(); {
		r.Delete(it.Next())
	}
}

// Entries are the ordinals that there are now. The bitmap is not to be modified.
func (r *Restored) Entries() *roaring.Bitmap { return r.views.present.entries.read() }

// Delete forgets an entry. An ordinal without an entry changes nothing.
func (r *Restored) Delete(ordinal uint32) { r.views.Delete(ordinal, noShard) }

// Put makes an entry what it is now. An ordinal that another key has is
// refused (KindPrecondition, ORDINAL_TAKEN): it was not forgotten.
func (r *Restored) Put(ordinal uint32, key cairn.Key, attributes cairn.Attributes, columns ...cairn.Attribute) error {
	if old := r.views.present.keys.get(ordinal); old != nil && !bytes.Equal(old, key) {
		return &cairn.Error{Kind: cairn.KindPrecondition, Reason: "ORDINAL_TAKEN", Key: key,
			Err: fmt.Errorf("ordinal %d has the key %s; forget what changed before it is put again", ordinal, old)}
	}
	r.views.Put(ordinal, noShard, key, attributes, columns...)
	return nil
}

// SetShards gives each of some shards its entries, in place of those it had;
// without any it is none. The bitmaps are the caller's own, and as many views
// as there are have their members counted in each: with all shards it takes
// seconds where there are very many. Of shards that entries moved between,
// all are set before Views.
func (r *Restored) SetShards(shards map[cairn.ShardID]*roaring.Bitmap) {
	v := r.views
	before, after := make([]*roaring.Bitmap, 0, len(shards)), make([]*roaring.Bitmap, 0, len(shards))
	for id, ordinals := range shards {
		if slot, known := v.shards[id]; known {
			old := v.present.shards.get(slot).ordinals.read()
			before, r.inShards = append(before, old), r.inShards-old.GetCardinality()
		}
		if ordinals.IsEmpty() {
			v.forgetShard(id)
			continue
		}
		after, r.inShards = append(after, ordinals), r.inShards+ordinals.GetCardinality()
		home := v.editShard(id)
		home.ordinals = v.bitmaps.edit(home.ordinals)
		v.bitmaps.replace(home.ordinals, ordinals.Clone())
		home.counts = make([]int, len(v.present.views))
		for slot, w := range v.present.views {
			if w != nil && w.complete {
				home.counts[slot] = int(v.present.members[slot].read().AndCardinality(ordinals))
			}
		}
	}
	r.placed.AndNot(union(before))
	r.placed.Or(union(after))
	// Otherwise whoever makes the first snapshot has all of it to share.
	v.bitmaps.freeze()
}

// Strays are the ordinals of entries that no shard has. All shards are set.
func (r *Restored) Strays() *roaring.Bitmap {
	return roaring.AndNot(r.views.present.entries.read(), r.placed)
}

// Views is the projections, which belong to the caller from then on. It takes
// as long as it takes to compare bitmaps of all entries, some milliseconds for
// a hundred million. It refuses shards that do not have each entry, or have one
// twice, or have what is none (KindCorrupt, IMAGE_SHARDS): then not all that
// changed was forgotten and put, or set. Nothing has changed then.
func (r *Restored) Views() (*Views, error) {
	v := r.views
	entries := v.present.entries.read()
	if !r.placed.Equals(entries) {
		r.placed = r.allPlaced()
	}
	// All of them are somewhere, and no more places are taken: each has one.
	if !r.placed.Equals(entries) {
		return nil, cairn.Errorf(cairn.KindCorrupt, "IMAGE_SHARDS", "%d entries, %d in shards, of which %d are the same; rebuild the projections from the entries",
			entries.GetCardinality(), r.placed.GetCardinality(), r.placed.AndCardinality(entries))
	}
	if n := entries.GetCardinality(); r.inShards != n {
		return nil, cairn.Errorf(cairn.KindCorrupt, "IMAGE_SHARDS", "%d entries are in more than one shard; rebuild the projections from the entries", r.inShards-n)
	}
	v.forgetShard(noShard)
	r.views = nil
	return v, nil
}

// allPlaced is what placed is without exception.
func (r *Restored) allPlaced() *roaring.Bitmap {
	all := make([]*roaring.Bitmap, 0, len(r.views.shards))
	for id, slot := range r.views.shards {
		if id != noShard {
			all = append(all, r.views.present.shards.get(slot).ordinals.read())
		}
	}
	return union(all).Clone()
}
