package views

import (
	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// A shard that arrives brings its entries in no order, and to find each its place
// in every order is most of what it costs to take it in. So what is new of a shard
// that gathers waits outside the orders, which no answer misses, since the shard is
// hidden. Build folds what waits into the orders: sorts it, and inserts it in runs.

const (
	// foldLeast is how many entries wait before they are folded in while more
	// are to come, or, where the order has very many, one for foldShare of
	// its own: the more they are, the less each of them takes.
	foldLeast = 1 << 18
	foldShare = 2
)

// GatherShard hides a shard, as HideShard does, and has entries that are new to
// it wait outside the orders until Build folds them in.
func (v *Views) GatherShard(id cairn.ShardID) {
	v.HideShard(id)
	v.editShard(id).gathers = true
}

// SettleShard ends what GatherShard began: entries that come find their places
// at once, and Build folds in what waits, however little.
func (v *Views) SettleShard(id cairn.ShardID) {
	if slot, known := v.shards[id]; !known || !v.present.shards.get(slot).gathers {
		return
	}
	v.editShard(id).gathers = false
	v.foldSoon()
}

// foldSoon has Build fold in what waits, however little.
func (v *Views) foldSoon() {
	for _, o := range v.orders {
		if o != nil {
			o.due = true
		}
	}
}

// outside is what stands outside an order.
type outside struct {
	// waiting are entries to be folded in, and due tells that they are to be so
	// however few.
	waiting *roaring.Bitmap
	due     bool
	// runs has most of them as they were sorted where they came from; loose are
	// those that it does not have, or has where they stand no more.
	runs  []sortedRun
	loose *roaring.Bitmap
	// exposed has all entries outside that are seen. While there are any, no
	// page is read off the order.
	exposed *roaring.Bitmap
}

func newOutside() outside {
	return outside{waiting: roaring.New(), loose: roaring.New(), exposed: roaring.New()}
}

// begin is what is folded in from now on: all entries, the runs of them, and those
// that are not taken from there.
func (o *outside) begin() (folded *roaring.Bitmap, runs []sortedRun, loose *roaring.Bitmap) {
	folded, runs, loose = o.waiting, o.runs, o.loose
	o.waiting, o.due, o.runs, o.loose = roaring.New(), false, nil, roaring.New()
	return folded, runs, loose
}

// forget forgets an entry that waits, and is false if it does not. Its ordinal may
// be another's soon, which is not to be taken from the run that has it.
func (o *outside) forget(ordinal uint32) bool {
	o.exposed.Remove(ordinal)
	if !o.waiting.CheckedRemove(ordinal) {
		return false
	}
	if o.loose.Add(ordinal); o.waiting.IsEmpty() {
		o.runs, o.loose = nil, roaring.New()
	}
	return true
}

// foldsNow reports whether it is time to fold in what waits.
func (v *Views) foldsNow(o *sorted) bool {
	n := int(o.waiting.GetCardinality())
	return n > 0 && (o.due || n >= max(v.foldLeast, o.tree.Len()/foldShare))
}

// lacks reports whether an entry is outside an order that is built.
func (o *sorted) lacks(ordinal uint32) bool {
	return o.waiting.Contains(ordinal) || o.folds() && o.sorting.entries.Contains(ordinal) && !o.sorting.changed.Contains(ordinal)
}

// folds reports whether entries are being folded in.
func (o *sorted) folds() bool { return o.sorting != nil && o.next == everyOrdinal }

// expose notes that entries are seen from now on.
func (v *Views) expose(ordinals *roaring.Bitmap) {
	for _, o := range v.orders {
		if o == nil {
			continue
		}
		lacking := roaring.And(o.waiting, ordinals)
		if o.folds() {
			lacking.Or(roaring.And(o.sorting.entries, ordinals))
		}
		if !lacking.IsEmpty() {
			o.exposed.Or(lacking)
			o.due = true
		}
	}
}
