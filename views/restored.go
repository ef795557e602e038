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
//	v, err := r.SetShards(shards)
//
// Until then nobody can ask it anything.
type Restored struct{ views *Views }

// noShard is the shard of all entries until they have their own.
const noShard cairn.ShardID = 0

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

// SetShards gives each entry its shard, and is the projections, which belong
// to the caller from then on. The bitmaps are the caller's own. It refuses
// shards that do not have each entry, or have one twice, or have what is none
// (KindCorrupt, IMAGE_SHARDS): then not all that changed was forgotten and put.
// Nothing has changed then.
func (r *Restored) SetShards(shards map[cairn.ShardID]*roaring.Bitmap) (*Views, error) {
	v := r.views
	entries := v.present.entries.read()
	var sum uint64
	all := make([]*roaring.Bitmap, 0, len(shards))
	for _, ordinals := range shards {
		sum += ordinals.GetCardinality()
		all = append(all, ordinals)
	}
	if union := roaring.FastOr(all...); !union.Equals(entries) {
		return nil, cairn.Errorf(cairn.KindCorrupt, "IMAGE_SHARDS", "%d entries, %d in shards, of which %d are the same; rebuild the projections from the entries",
			entries.GetCardinality(), union.GetCardinality(), union.AndCardinality(entries))
	}
	if sum != entries.GetCardinality() {
		return nil, cairn.Errorf(cairn.KindCorrupt, "IMAGE_SHARDS", "%d entries are in more than one shard; rebuild the projections from the entries", sum-entries.GetCardinality())
	}
	v.shards, v.freeShards = map[cairn.ShardID]uint32{}, nil
	v.present.shards, v.present.shardSize, v.present.hidden = paged[*shard]{}, 0, nil
	for id, ordinals := range shards {
		home := v.editShard(id)
		home.ordinals = v.bitmaps.edit(nil)
		v.bitmaps.replace(home.ordinals, ordinals.Clone())
		home.counts = make([]int, len(v.present.views))
		for slot, w := range v.present.views {
			if w != nil && w.complete {
				home.counts[slot] = int(v.present.members[slot].read().AndCardinality(ordinals))
			}
		}
	}
	r.views = nil
	return v, nil
}
