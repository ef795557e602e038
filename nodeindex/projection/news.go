package projection

import (
	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// news is what happens to a keyspace's entries and shards while a Fill is under
// way, for the Fill to make up for.
type news struct {
	// changed is what has become of entries; nil is that it was deleted.
	// Entries do not change.
	changed map[uint32]*cairn.Entry
	// missed are ordinals of which it is not kept what has become of them, if
	// changed does not say it again: the owner has it in its file.
	missed *roaring.Bitmap
	// departed are ordinals that have left with their shard, after whatever
	// changed says of them.
	departed *roaring.Bitmap
	// shards are those that have got or lost entries.
	shards map[Shard]struct{}
}

func newNews() news {
	return news{changed: map[uint32]*cairn.Entry{}, missed: roaring.New(), departed: roaring.New(), shards: map[Shard]struct{}{}}
}

// entry notes what has become of an entry of a shard.
func (n *news) entry(shard Shard, ordinal uint32, entry *cairn.Entry) {
	n.changed[ordinal] = entry
	n.departed.Remove(ordinal)
	n.shards[shard] = struct{}{}
}

// forget keeps of what has become of entries that something has.
func (n *news) forget() {
	for ordinal := range n.changed {
		n.missed.Add(ordinal)
	}
	clear(n.changed)
}

// knows tells whether something has become of an entry.
func (n *news) knows(ordinal uint32) bool {
	_, changed := n.changed[ordinal]
	return changed || n.missed.Contains(ordinal)
}

// move notes that a shard has got entries of another.
func (n *news) move(from, to Shard) {
	n.shards[from], n.shards[to] = struct{}{}, struct{}{}
}

// depart notes that a shard has left with its entries.
func (n *news) depart(shard Shard, ordinals *roaring.Bitmap) {
	n.departed.Or(ordinals)
	n.shards[shard] = struct{}{}
}

// few tells whether all of it can be made up for while writes wait.
func (n *news) few() bool {
	return len(n.changed)+int(n.departed.GetCardinality()) <= catchUpLeast && len(n.shards) <= catchUpLeast
}

const (
	// changedMost is of how many entries it is kept what has become of them.
	changedMost = 1 << 16
	// catchUpLeast is how few changes, and shards that have any, are made up
	// for in the last step, with the owner's lock held.
	catchUpLeast = 512
	// shardsAtOnce is how many shards are looked at with the lock held before
	// that: a millisecond's or two.
	shardsAtOnce = 4096
)
